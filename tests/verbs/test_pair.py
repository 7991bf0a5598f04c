"""Every score of one pair of images."""

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from benchmark import cli


@pytest.fixture
def files(tmp_path) -> list[str]:
    """A clean image, and a noisy one of it."""
    rng = np.random.default_rng(0)
    clean = gaussian_filter(rng.uniform(0, 1, (128, 140, 3)), (2, 2, 0))
    clean = (clean - clean.min()) / np.ptp(clean) * 200 + 20
    noisy = np.clip(clean + rng.normal(0, 10, clean.shape), 0, 255)
    for name, pixels in (("clean", clean), ("noisy", noisy)):
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / f"{name}.png")
    return [str(tmp_path / "noisy.png"), str(tmp_path / "clean.png")]


def values(text: str) -> dict[str, str]:
    """Returns the printed number after each name, first mention."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, _, rest = line.strip().partition("  ")
        if rest.strip():
            found.setdefault(name, rest.split()[0])
    return found


def test_scores_and_what_sets_them_apart(files, home, capsys):
    assert cli.main(["doctor", *files, "--offline"]) == 0
    text = capsys.readouterr().out
    found = values(text)
    assert float(found["PSNR of gray"]) == pytest.approx(float(found["psnr-y601"]) - 1.32, abs=0.03)
    assert float(found["PSNR with range 219"]) == pytest.approx(
        float(found["psnr-y601"]) - 1.32, abs=0.02
    )
    assert float(found["SSIM, torchmetrics"]) == pytest.approx(float(found["ssim-rgb"]), abs=0.02)
    assert float(found["SSIM of 8-bit values, range 1"]) != pytest.approx(
        float(found["ssim-rgb"]), abs=0.001
    )
    for protocol in ("rgb, adafm-like, kair, tunable, float, pairs", "sr-y at x4, pirm", "jpeg-y"):
        assert f"  {protocol}: " in text


def test_pairs_are_cropped_as_a_protocol_crops_them(files, home, capsys):
    for file in files:
        with Image.open(file) as image:
            odd = np.array(image)[:127, :139]
        if file == files[0]:
            odd[-1] = 255 - odd[-1]
        Image.fromarray(odd).save(file)
    assert cli.main(["doctor", *files, "--offline"]) == 0
    text = capsys.readouterr().out
    plain, even = text.split("  adafm-like: RGB images, cropped to 138x126\n")
    assert "  rgb, kair, tunable, float, pairs: RGB images, whole\n" in plain
    # Only the crop leaves the spoilt last row out.
    assert float(values(even)["psnr-rgb"]) > float(values(plain)["psnr-rgb"]) + 0.5
    assert "  sr-y at x2: RGB images, cropped to 138x126, then 2 pixels cut from every side" in text


def test_gray_pairs_are_their_own_luma(files, home, capsys):
    for file in files:
        with Image.open(file) as image:
            image.convert("L").save(file)
    assert cli.main(["doctor", *files, "--offline"]) == 0
    whole, luma = capsys.readouterr().out.split("  jpeg-y: ")
    assert values(luma)["psnr-y601"] == values(whole)["psnr-rgb"]
    assert float(values(whole)["psnr-y601"]) == pytest.approx(
        float(values(whole)["psnr-rgb"]) + 1.32, abs=0.011
    )


def test_what_is_restored_of_a_gray_image_is_averaged_over_channels(files, home, capsys):
    for file in files:
        with Image.open(file) as image:
            shades = np.array(image.convert("L").convert("RGB"))
        if file == files[0]:
            shades[0, 0, 0] ^= 1
        Image.fromarray(shades).save(file)
    assert cli.main(["doctor", *files, "--offline"]) == 0
    whole, luma = capsys.readouterr().out.split("  jpeg-y: ")
    found, wanted = (
        float(values(one)[key]) for one, key in ((luma, "psnr-y601"), (whole, "psnr-rgb"))
    )
    assert found == pytest.approx(wanted, abs=0.02)


def test_a_protocol_whose_crop_leaves_nothing_says_so(files, home, capsys):
    for file in files:
        with Image.open(file) as image:
            image.crop((0, 0, 5, 1)).save(file)
    assert cli.main(["doctor", *files, "--offline"]) == 0
    text = capsys.readouterr().out
    assert "cropping leaves nothing of a 5x1 image" in text.split("  adafm-like: ")[1]
    assert float(values(text)["psnr-rgb"]) > 0


def test_what_cannot_be_had_is_null_with_its_reason(files, home, capsys):
    assert cli.main(["doctor", *files, "--offline"]) == 0
    line = next(one for one in capsys.readouterr().out.splitlines() if "lpips-alex@" in one)
    assert line.split()[1] == "-" and "DIALBENCH_WEIGHTS" in line


def test_identical_images_have_no_psnr(files, home, capsys):
    assert cli.main(["doctor", files[1], files[1], "--offline"]) == 0
    assert "the images are identical, so PSNR is infinite" in capsys.readouterr().out


def test_tiny_images_are_scored_as_far_as_they_can(tmp_path, home, capsys):
    paths = []
    for index in range(2):
        pixels = np.random.default_rng(index).integers(0, 256, (8, 9, 3), dtype=np.uint8)
        paths.append(str(tmp_path / f"{index}.png"))
        Image.fromarray(pixels).save(paths[-1])
    assert cli.main(["doctor", *paths, "--offline"]) == 0
    assert "window does not fit into a 9x8 image" in capsys.readouterr().out


def test_bad_pairs_are_refused(files, tmp_path, home, capsys):
    other = tmp_path / "other.png"
    Image.fromarray(np.zeros((10, 12, 3), np.uint8)).save(other)
    assert cli.main(["doctor", files[0]]) == 2
    assert "two images" in capsys.readouterr().err
    assert cli.main(["doctor", files[0], str(other)]) == 2
    assert "140x128 and 12x10" in capsys.readouterr().err
    for missing in (tmp_path / "none.png", tmp_path):
        capsys.readouterr()
        assert cli.main(["doctor", files[0], str(missing)]) == 2
        wanted = f"there is no file {missing}; name the restored image and the clean one"
        assert wanted in capsys.readouterr().err
