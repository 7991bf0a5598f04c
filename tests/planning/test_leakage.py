"""Training images that show what is tested."""

import io
import os
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from benchmark import cli
from benchmark.data.sources import ImageSet, open_set
from benchmark.errors import UserError
from benchmark.planning import leakage
from benchmark.store import Store

DISGUISES = {
    "is": lambda image: image,
    "is recompressed": lambda image: recompressed(image, 20),
    "is shrunk": lambda image: image.resize((92, 80), Image.Resampling.BICUBIC),
    "is enlarged": lambda image: image.resize((288, 250), Image.Resampling.BICUBIC),
    "is cropped to 90 %": lambda image: image.crop((4, 7, 4 + 166, 7 + 144)),
    "is cropped, then shrunk": lambda image: image.crop((30, 10, 174, 130)).resize((96, 80)),
    "is mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "is turned": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "is gray and pale": lambda image: image.convert("L").point(lambda v: 60 + v // 2),
}


def recompressed(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


def scenes() -> list[Image.Image]:
    """Pieces of photographs that do not overlap: the built-in images in tiles of 184 x 160."""
    found = []
    for split in ("train", "test"):
        for picture in open_set("builtin", split).pictures:
            pixels = picture.read()
            tops = range(0, pixels.shape[0] - 159, 160)
            tiles = [(top, left) for top in tops for left in range(0, pixels.shape[1] - 183, 184)]
            tiles = [(pixels[top : top + 160, left : left + 184]) for top, left in tiles[:6]]
            found += [Image.fromarray(tile) for tile in tiles if tile.std() > 20]
    return found


def folder(path: Path, images: list[Image.Image]) -> ImageSet:
    path.mkdir()
    for index, image in enumerate(images):
        image.save(path / f"{index}.png")
    return open_set(str(path), "train")


@pytest.fixture(scope="module")
def apart() -> tuple[list[Image.Image], list[Image.Image]]:
    """Training scenes and test scenes, none of them in both."""
    every = scenes()
    return every[0::2], every[1::2]


def test_scenes_of_their_own_are_not_confused(apart, home, tmp_path):
    train, test = folder(tmp_path / "train", apart[0]), folder(tmp_path / "test", apart[1])
    assert len(train.pictures) > 12 and len(test.pictures) > 12
    assert leakage.shared(train, test, Store(home)) == []


@pytest.mark.parametrize("disguise", DISGUISES)
def test_a_test_image_is_found_in_the_training_set(disguise, apart, home, tmp_path):
    planted = [DISGUISES[disguise](apart[1][index]) for index in (1, 6, 9)]
    train = folder(tmp_path / "train", [*apart[0][:6], *planted])
    test = folder(tmp_path / "test", apart[1][:12])
    found = {(pair.first, pair.second) for pair in leakage.shared(train, test, Store(home))}
    assert found == {("train/6", "test/1"), ("train/7", "test/6"), ("train/8", "test/9")}


def test_a_piece_is_found_where_thumbnails_prefer_a_window_of_another_size(apart, home, tmp_path):
    boxes = {0: (21, 44, 122, 132), 5: (79, 47, 180, 135), 11: (72, 55, 155, 127)}
    train = folder(tmp_path / "train", [apart[1][at].crop(box) for at, box in boxes.items()])
    test = folder(tmp_path / "test", apart[1][:12])
    found = {(pair.first, pair.second) for pair in leakage.shared(train, test, Store(home))}
    assert found == {("train/0", "test/0"), ("train/1", "test/5"), ("train/2", "test/11")}


def test_it_says_which_is_part_of_which(apart, home, tmp_path):
    whole, piece = apart[0][3], apart[0][4].crop((20, 10, 150, 120))
    train = folder(tmp_path / "train", [whole, piece])
    test = folder(tmp_path / "test", [whole.crop((30, 20, 160, 140)), apart[0][4], whole])
    found = {
        (pair.first, pair.second): pair.how for pair in leakage.shared(train, test, Store(home))
    }
    assert found == {
        ("train/0", "test/0"): "contains",
        ("train/0", "test/2"): "is a copy of",
        ("train/1", "test/1"): "is a crop of",
    }


def test_the_answer_is_remembered_until_an_image_changes(apart, home, tmp_path, monkeypatch):
    train, test = folder(tmp_path / "train", apart[0][:2]), folder(tmp_path / "test", apart[0][1:3])
    first = leakage.shared(train, test, Store(home))
    assert [(pair.first, pair.second) for pair in first] == [("train/1", "test/0")]
    monkeypatch.setattr("benchmark.data.likeness.matches", None)
    assert leakage.shared(train, test, Store(home)) == first
    apart[1][0].save(tmp_path / "train" / "1.png")
    with pytest.raises(TypeError):
        leakage.shared(open_set(str(tmp_path / "train"), "train"), test, Store(home))


def test_looking_among_many_images_is_told_once(apart, home, tmp_path, monkeypatch):
    train, test = folder(tmp_path / "train", apart[0][:4]), folder(tmp_path / "test", apart[1][:2])
    said = []
    assert leakage.leaks([train], [test], Store(home), said.append) == []
    monkeypatch.setattr(leakage, "MANY", 5)
    assert leakage.leaks([test], [train], Store(home), said.append) == []
    assert said == ["looking for images of train among 2 images of test, once"]
    assert leakage.leaks([test], [train], Store(home), said.append) == []
    assert len(said) == 1


@pytest.fixture
def sets(home, apart, tmp_path, monkeypatch) -> Path:
    """DIALBENCH_DATA with a training set that holds a test image, and one that does not."""
    root = tmp_path / "data"
    for name in ("train", "test"):
        os.makedirs(root / name)
    folder(root / "train" / "clean", apart[0][:2])
    folder(root / "train" / "leaky", [apart[0][2], recompressed(apart[1][0], 50)])
    folder(root / "test" / "photos", apart[1][:2])
    folder(root / "test" / "others", [apart[1][1], apart[1][2]])
    monkeypatch.setenv("DIALBENCH_DATA", str(root))
    return root


def test_data_check_names_leaks_and_pictures_that_tests_share(sets, capsys):
    assert cli.main(["data", "check", "--train", "clean,leaky", "--test", "photos,others"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" (")[0] for line in lines[:2]] == [
        "LEAK  leaky/1 is a copy of photos/0",
        "note  photos/1 is a copy of others/0",
    ]
    assert "1 training image shows what is tested" in lines[2]
    assert cli.main(["data", "check", "--train", "clean", "--test", "photos"]) == 0


def run(*words: str) -> int:
    small = ("--preset", "smoke", "--set", "steps=1", "--levels", "0,1", "--offline", "--jobs", "1")
    return cli.main(["run", "denoise", "--methods", "dni", *small, *words])


def test_a_run_refuses_to_train_on_what_it_tests(sets, home, capsys):
    assert run("--train", "leaky", "--test", "photos") == 2
    error = capsys.readouterr().err
    assert "leaky/1 is a copy of photos/0" in error and "--train leaky:without=1" in error
    assert not (home / "stages").exists()


def test_the_way_out_that_is_named_works_for_a_path_too(sets, home, capsys):
    own = [str(sets / "train" / "leaky"), str(sets / "test" / "photos")]
    assert run("--train", own[0], "--test", own[1]) == 2
    advice = re.search(r"--train (\S+),", capsys.readouterr().err)
    assert advice and run("--train", advice[1], "--test", own[1]) == 0


@pytest.mark.parametrize(
    ("images", "way"),
    [
        (["a+b"], "; take them out of their folder, or add"),
        (["c,d"], "; take them out of their folder, or add"),
        (["c,d", "ok", "too"], "; leave them out as in --train mine:without=ok, or add"),
    ],
)
def test_no_way_out_is_named_that_an_option_cannot_say(images, way):
    found = [leakage.Pair(f"mine/{one}", "photos/0", "is a copy of", 1.0) for one in images]
    with pytest.raises(UserError) as caught:
        leakage.refuse(found, {"mine": "mine"})
    assert way in str(caught.value)


def test_training_sets_of_one_name_are_refused(sets, home, capsys):
    other = sets / "more" / "clean"
    shutil.copytree(sets / "train" / "clean", other)
    assert run("--train", f"clean,{other}", "--test", "photos") == 2
    assert "the training sets clean and " in capsys.readouterr().err


def test_a_test_image_is_found_whole_where_only_its_centre_is_tested(home, tmp_path, capsys):
    astronaut = open_set("builtin", "test").pictures[0]
    (tmp_path / "mine").mkdir()
    Image.fromarray(astronaut.read()).save(tmp_path / "mine" / "space.png")
    assert run("--train", str(tmp_path / "mine"), "--set", "crop=64") == 2
    assert "mine/space is a copy of builtin/astronaut" in capsys.readouterr().err


def test_a_run_that_is_told_to_says_so_in_its_report(sets, home, capsys):
    assert run("--train", "leaky", "--test", "photos", "--allow-leaks") == 0
    assert "dni: trained on 1 image that shows what is tested" in capsys.readouterr().err
    text = (home / "report" / "denoise" / "table.md").read_text()
    assert "trained on 1 image that shows what is tested" in text


def test_boards_take_no_results_of_training_on_what_is_tested(sets, home, tmp_path, capsys):
    small = ("--preset", "smoke", "--set", "steps=1", "--levels", "0,1", "--offline")
    words = ["denoise", "--methods", "dni", *small, "--train", "leaky", "--test", "photos"]
    assert cli.main(["run", *words, "--jobs", "1", "--allow-leaks"]) == 0
    boards = tmp_path / "boards"
    assert cli.main(["board", "submit", *words, "--boards", str(boards)]) == 2
    assert "training images show what is tested: leaky/1" in capsys.readouterr().err
    assert not boards.exists()


def test_what_is_not_trained_here_cannot_leak(sets):
    words = ["--methods", "floor", "--train", "leaky", "--test", "photos"]
    assert run(*words) == 0
