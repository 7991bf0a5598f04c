"""``dialbench restore``: images of one's own."""

from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, ImageOps

from benchmark import cli, records
from benchmark.analysis.calibration import calibrations
from benchmark.errors import JobError
from benchmark.opened import open_method, read_image, to_pixels
from benchmark.plan import looked_at, stored_jobs
from benchmark.planning.request import request_of
from benchmark.store import Store

SMOKE = ("--preset", "smoke", "--set", "steps=2", "--offline")
OPTIONS = {"preset": "smoke", "changes": ["steps=2"], "offline": True}


@pytest.fixture
def restore(home, tmp_path, photographs, capsys):
    """Returns what ``restore`` answers, after training what it uses: exit code, output, errors."""
    trained = ["train", "denoise", "--methods", "dni,experts,adafm:k=5", *SMOKE, "--jobs", "1"]
    assert cli.main(trained) == 0

    def call(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        to = ("--to", str(tmp_path / "out"))
        return (
            cli.main(["restore", "denoise", *map(str, words), *SMOKE, *to]),
            *capsys.readouterr(),
        )

    return call


def written(tmp_path) -> set[str]:
    return {path.name for path in (tmp_path / "out").glob("**/*")}


def test_every_image_is_restored_by_every_method_at_every_level(restore, tmp_path, photographs):
    one, other = sorted(photographs.iterdir())
    words = ("--methods", "dni,adafm:k=5,experts,ftn", "--levels", "0.3,0.6")
    code, out, err = restore(one, other, *words)
    wanted = {
        f"{image}-{name}-{level}.png"
        for image in ("p0", "p1")
        for name, levels in (("dni", (0.3, 0.6)), ("adafm-k-5", (0.3, 0.6)), ("experts", (0.6,)))
        for level in levels
    }
    assert code == 1 and written(tmp_path) == wanted and out.count("\n") == len(wanted)
    assert "ftn: nothing is trained for this; run 'dialbench train denoise'" in err
    assert "note: experts: answers only at levels 0.2, 0.6, 1" in err
    output = open_method("denoise", "dni", **OPTIONS).tuned((0.3,))(read_image(one))
    found = np.asarray(Image.open(tmp_path / "out" / "p0-dni-0.3.png")).astype(int)
    assert np.abs(found - to_pixels(output[0])).max() <= 1


def test_outputs_lie_as_viewers_show_the_photograph(restore, tmp_path, photographs):
    photograph = Image.open(min(photographs.iterdir())).crop((0, 0, 40, 32))
    paths = [tmp_path / f"{orientation}.png" for orientation in range(1, 9)]
    for orientation, path in enumerate(paths, 1):
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        photograph.save(path, exif=exif)
    code, _, err = restore(*paths, "--methods", "dni", "--levels", "0.6")
    assert (code, err) == (0, "")
    for orientation, path in enumerate(paths, 1):
        found = Image.open(tmp_path / "out" / f"{path.stem}-dni-0.6.png")
        stored = Image.open(tmp_path / "out" / "1-dni-0.6.png")
        stored.getexif()[ExifTags.Base.Orientation] = orientation
        assert found.size == ((40, 32) if orientation < 5 else (32, 40))
        assert np.array_equal(np.asarray(found), np.asarray(ImageOps.exif_transpose(stored)))
    # Pillow turns a TIFF itself, and some EXIF cannot be read.
    others = {"of-tif.tif": exif, "of-jpg.jpg": exif, "of-webp.webp": exif, "bad.png": b"garbage"}
    for name, tags in others.items():
        photograph.save(tmp_path / name, exif=tags)
    code, _, err = restore(
        *(tmp_path / name for name in others), "--methods", "dni", "--levels", "1"
    )
    assert (code, err) == (0, "")
    for name in others:
        found = Image.open(tmp_path / "out" / f"{Path(name).stem}-dni-1.png")
        assert found.size == ((40, 32) if name == "bad.png" else (32, 40)), name


def test_colours_of_outputs_are_those_that_the_profile_of_the_photograph_means(
    restore, tmp_path, photographs, recwarn
):
    photograph = Image.open(min(photographs.iterdir())).crop((0, 0, 40, 32))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    gray = profile[:16] + b"GRAY" + profile[20:]
    kept = {"a.png": profile, "b.jpg": profile, "c.tif": profile, "d.webp": profile}
    # Of gray images outputs are RGB, and what is no profile would be one that viewers refuse.
    others = {"gray.png": gray, "damaged.png": b"profile", "none.png": None}
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = (6, 3)
    for name, one in {**kept, **others}.items():
        photograph.save(tmp_path / name, icc_profile=one, exif=exif)
    paths = [tmp_path / name for name in (*kept, *others)]
    recwarn.clear()
    code, _, err = restore(*paths, "--methods", "dni", "--levels", "0.6")
    assert (code, err) == (0, "") and not [one for one in recwarn if "Metadata" in str(one.message)]
    for name in (*kept, *others):
        with Image.open(tmp_path / "out" / f"{Path(name).stem}-dni-0.6.png") as found:
            assert found.info.get("icc_profile") == kept.get(name), name


def test_nothing_is_replaced_and_nothing_written_where_something_is_wrong(
    restore, tmp_path, photographs
):
    one, other = sorted(photographs.iterdir())
    dni = ("--methods", "dni", "--levels", "0.3")
    assert restore(one, *dni)[0] == 0
    there = tmp_path / "out" / "p0-dni-0.3.png"
    before = there.read_bytes()[:-1] + b"x"
    there.write_bytes(before)
    (tmp_path / "deep.png").write_bytes(b"text")
    same = tmp_path / "p1.jpg"
    same.write_bytes(other.read_bytes())
    long = tmp_path / f"{'é' * 125}.jpg"
    long.write_bytes(other.read_bytes())
    for words, said in (
        ((other, one, *dni), "p0-dni-0.3.png is there already, and another image; rename images"),
        ((other, same, *dni), "p1-dni-0.3.png would be written twice"),
        ((other, long, *dni), "-dni-0.3.png would have a name longer than 255 bytes; rename the"),
        ((other, tmp_path / "deep.png", *dni), "deep.png is damaged or not an image"),
        ((other, tmp_path / "none.png", *dni), "none.png; name an image"),
        (
            (other, "--methods", "experts", "--levels", "0.3"),
            "experts answers only at levels 0.2, 0.6, 1, of which this run has none",
        ),
        ((other, "--methods", "ftn"), "nothing is trained for this"),
        (
            (other, "--methods", "ffdnet"),
            "ffdnet: not imported: run 'dialbench import ffdnet FILE'",
        ),
        ((other, "--methods", "srvgg_dni"), "srvgg_dni: skipped: it enlarges images by 4"),
    ):
        code, out, err = restore(*words)
        assert (code, out, err.count("\n")) == (2, "", 1) and said in err
    assert written(tmp_path) == {"p0-dni-0.3.png"}
    assert there.read_bytes() == before


def test_after_a_disk_that_was_full_the_same_command_goes_on(
    restore, tmp_path, photographs, monkeypatch
):
    one, other = sorted(photographs.iterdir())
    words = (one, other, "--methods", "dni", "--levels", "0.3,0.6")
    real = records.write

    def full(path: Path, blob: bytes) -> None:
        if path.name == "p1-dni-0.3.png":
            raise JobError("the disk is full")
        real(path, blob)

    with monkeypatch.context() as patch:
        patch.setattr("benchmark.verbs.restore.write", full)
        assert restore(*words)[0] == 1
    assert written(tmp_path) == {"p0-dni-0.3.png"}
    first = tmp_path / "out" / "p0-dni-0.3.png"
    before = first.stat()
    code, out, err = restore(*words)
    names = {f"{stem}-dni-{level}.png" for stem in ("p0", "p1") for level in ("0.3", "0.6")}
    assert (code, err, written(tmp_path)) == (0, "", names)
    assert {Path(line).name for line in out.splitlines()} == names
    after = first.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_calibrated_dial_is_set_to_what_was_best_for_the_level(restore, tmp_path, photographs):
    image = sorted(photographs.iterdir())[0]
    words = (image, "--methods", "dni,experts", "--levels", "0.4,0.6", "--calibrated")
    code, _, err = restore(*words)
    assert code == 2 and "dni cannot be calibrated on builtin (nothing is stored)" in err
    assert "run 'dialbench run denoise --matrix' first, with the same options but --levels" in err
    assert not written(tmp_path)
    run = ["run", "denoise", "--methods", "dni,experts", "--matrix", "--test", "builtin", *SMOKE]
    assert cli.main([*run, "--jobs", "1"]) == 0
    code, _, err = restore(*words, "--test", f"builtin,{photographs}")
    assert code == 2 and "dni cannot be calibrated on photographs (nothing is stored)" in err
    assert restore(*words)[0] == 0
    top, _ = cli.parser()
    plan = looked_at(request_of(top.parse_args(["report", "denoise", *run[2:-3], *SMOKE])), Store())
    (job,) = (one for one in stored_jobs(plan, Store()) if one.method == "dni")
    dial = calibrations(plan, Store(), [job])["dni"].dial((0.4,))
    output = open_method("denoise", "dni", **OPTIONS).tuned(dial)(read_image(image))
    found = np.asarray(Image.open(tmp_path / "out" / "p0-dni-0.4.png")).astype(int)
    assert np.abs(found - to_pixels(output[0])).max() <= 1
    # Experts have no dial to set wrong.
    assert "p0-experts-0.6.png" in written(tmp_path)


def test_a_task_without_true_levels_has_no_calibration(home, tmp_path, photographs, capsys):
    small = ["--methods", "dni", *SMOKE]
    assert cli.main(["train", "sr", *small, "--jobs", "1"]) == 0
    image = str(sorted(photographs.iterdir())[0])
    assert cli.main(["restore", "sr", image, *small, "--calibrated"]) == 2
    assert "sr has no single dial that could be set wrong" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["restore", "export"])
@pytest.mark.parametrize("below", ["", "deeper"])
def test_a_file_in_the_place_of_the_folder_is_refused_as_such(
    verb, below, restore, tmp_path, capsys
):
    (tmp_path / "taken").write_text("mine")
    image = [str(tmp_path / "taken")] * (verb == "restore")
    words = ["--methods", "dni", *SMOKE, "--to", str(tmp_path / "taken" / below)]
    assert cli.main([verb, "denoise", *image, *words]) == 2
    assert f"{tmp_path / 'taken'} is no folder; name another with --to" in capsys.readouterr().err
    assert (tmp_path / "taken").read_text() == "mine"
