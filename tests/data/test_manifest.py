"""Whether images are those that boards were made with."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark import cli
from benchmark.data import manifest
from benchmark.data.pictures import Picture
from benchmark.data.sources import open_set

BOARDS = Path(__file__).parents[2] / "leaderboards"
PIXELS = np.random.default_rng(0).integers(0, 256, (3, 24, 32, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the set ``three`` of three images, which the manifest knows."""
    monkeypatch.setenv("DIALBENCH_DATA", str(tmp_path))
    three = tmp_path / "test" / "three"
    three.mkdir(parents=True)
    for name, pixels in zip("abc", PIXELS, strict=True):
        Image.fromarray(pixels).save(three / f"{name}.png")
    lines = list(manifest.lines("test", open_set("three", "test")))
    monkeypatch.setattr(manifest, "FILE", tmp_path / "manifest.txt")
    manifest.FILE.write_text("\n".join(lines) + "\n")
    return three


def verified(capsys, *words) -> tuple[int, str]:
    code = cli.main(["data", "verify", *words])
    return code, capsys.readouterr().out


def test_a_manifest_knows_images_by_their_pixels_however_they_are_stored(folder, capsys):
    assert verified(capsys, "--test", "three") == (0, "test/three: 3 images, those of the boards\n")
    Image.fromarray(PIXELS[0]).save(folder / "a.bmp")
    (folder / "a.png").unlink()
    assert verified(capsys, "--test", "three")[0] == 0


def test_what_sets_a_set_apart_is_named(folder, capsys):
    other = PIXELS[0].copy()
    other[3, 4, 1] ^= 1
    Image.fromarray(other).save(folder / "a.png")
    (folder / "b.png").rename(folder / "d.png")
    said = "test/three: 3 images, other pixels: a; missing: b; not on the boards: d\n"
    assert verified(capsys, "--test", "three") == (1, said)


def test_images_that_are_left_out_are_not_missing(folder, capsys):
    code, said = verified(capsys, "--test", "three:without=b+c")
    # Noise is drawn by what the set is called then.
    same = "those of the boards, their noise is not"
    assert (code, said) == (0, f"test/three:without=b+c: 1 image, {same}\n")
    folder.parent.rename(folder.parents[1] / "train")
    lines = manifest.lines("train", open_set("three", "train"))
    manifest.FILE.write_text("\n".join(lines) + "\n")
    code, said = verified(capsys, "--train", "three:without=b+c")
    assert (code, said) == (0, "train/three:without=b+c: 1 image, those of the boards\n")


def test_a_known_set_under_another_name_is_told(folder, capsys):
    folder.rename(folder.with_name("drei"))
    code, said = verified(capsys, "--test", "drei")
    assert code == 0 and "no board has a set of this name; their pixels are those of" in said
    assert "test/three, their noise is not" in said
    # Training draws noise by the step.
    code = cli.main(["data", "verify", "--train", str(folder.with_name("drei"))])
    assert code == 0 and capsys.readouterr().out.endswith(
        "; their pixels are those of test/three\n"
    )


def test_the_same_bytes_in_another_shape_are_another_image(tmp_path):
    digests = set()
    for shape in ((24, 32, 3), (48, 16, 3)):
        Image.fromarray(PIXELS[0].reshape(shape)).save(tmp_path / "x.png")
        digests.add(manifest.digest_of(Picture("x", tmp_path / "x.png")))
    assert len(digests) == 2


def test_the_manifest_is_what_the_command_prints_and_knows_the_built_in_images(capsys):
    assert cli.main(["data", "manifest", "--train", "builtin", "--test", "builtin"]) == 0
    lines = manifest.FILE.read_text().splitlines()
    assert capsys.readouterr().out.splitlines() == [one for one in lines if "/builtin/" in one]


def test_boards_have_the_images_of_the_manifest():
    known = manifest.known()
    for file in BOARDS.glob("*/entries/*/entry.json"):
        for one in json.loads(file.read_text())["sets"]:
            images = {image.partition(" ")[0] for image in one["images"]}
            assert images == set(known[f"test/{one['name']}"]), file.parent.name
