"""Image sources: folders, built-in photographs, hub sets, and files that are not what they seem."""

import io
import socket

import numpy as np
import pytest
from PIL import Image

from benchmark import plan, tasks
from benchmark.data import sources
from benchmark.data.sources import default_sets, open_set
from benchmark.errors import UserError
from benchmark.planning.request import wanted
from benchmark.store import Store

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def save(path, mode="RGB", pixels=PIXELS, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).convert(mode).save(path, **options)
    return path


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A DIALBENCH_DATA folder with two test sets."""
    monkeypatch.setenv("DIALBENCH_DATA", str(tmp_path))
    for name in ("img_10.png", "img_9.PNG", "img_1.bmp", "b.webp"):
        save(tmp_path / "test" / "mine" / name)
    (tmp_path / "test" / "mine" / "notes.txt").write_text("not an image")
    (tmp_path / "test" / "mine" / "._img_1.png").write_bytes(b"not an image either")
    save(tmp_path / "test" / "pairs" / "clean" / "1.png")
    (tmp_path / "train").mkdir()
    return tmp_path


def test_a_folder_is_read_in_natural_order(data):
    found = open_set("mine", "test")
    assert found.name == "mine"
    assert [picture.name for picture in found.pictures] == ["b", "img_1", "img_9", "img_10"]
    assert np.array_equal(found.pictures[1].read(), PIXELS)


@pytest.mark.parametrize("spec", ["mine/", "./mine", "pairs/clean"])
def test_folders_are_found_below_the_data_root(data, spec):
    assert open_set(spec, "test").name == spec.strip("./")


def test_a_path_is_a_set_too(data, monkeypatch):
    by_name = open_set("mine", "test")
    monkeypatch.delenv("DIALBENCH_DATA")
    by_path = open_set(str(data / "test" / "mine"), "test")
    assert (by_path.name, by_path.digest) == ("mine", by_name.digest)


def test_a_local_folder_wins_over_a_hub_set_of_the_same_name(data):
    save(data / "test" / "hub" / "set5" / "own.png")
    assert open_set("hub/set5", "test", offline=True).pictures[0].name == "own"


def test_files_that_share_a_stem_keep_their_suffixes(data):
    for name in ("a.png", "a.jpg", "c.png"):
        save(data / "test" / "twins" / name)
    names = [picture.name for picture in open_set("twins", "test").pictures]
    assert names == ["a.jpg", "a.png", "c"]


@pytest.mark.parametrize(
    "files", [["a.png", "a.jpg", "a.png.bmp"], ["x.jpg.png", "x.jpg", "x.bmp"]]
)
def test_names_are_unique_whatever_the_files_are_called(files):
    assert len(set(sources.unique_names(files))) == len(files)


def test_the_digest_follows_content_and_names_not_place_or_time(data):
    first = open_set("mine", "test").digest
    (data / "test" / "mine").rename(data / "test" / "moved")
    assert open_set("moved", "test").digest == first
    (data / "test" / "moved" / "b.webp").rename(data / "test" / "moved" / "c.webp")
    renamed = open_set("moved", "test").digest
    save(data / "test" / "moved" / "img_1.bmp", pixels=PIXELS[::-1])
    assert len({first, renamed, open_set("moved", "test").digest}) == 3


@pytest.mark.parametrize("split", ["train", "test"])
def test_every_built_in_image_is_there_and_in_colour(split):
    found = open_set("builtin", split)
    assert len(found.pictures) == len(sources.BUILTIN[split])
    for picture in found.pictures:
        pixels = picture.read()
        assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3
        assert min(pixels.shape[:2]) >= 300
        assert np.ptp(pixels.astype(int), axis=2).max() > 20


def test_only_built_in_test_images_are_cropped_at_the_centre(data):
    whole, part = (open_set("builtin", "test", crop=crop).pictures[1] for crop in (0, 100))
    height, width = whole.read().shape[:2]
    top, left = (height - 100) // 2, (width - 100) // 2
    assert np.array_equal(part.read(), whole.read()[top : top + 100, left : left + 100])
    assert open_set("builtin", "train", crop=100).pictures[0].read().shape[0] > 100
    assert open_set("mine", "test", crop=10).pictures[0].read().shape == PIXELS.shape
    assert open_set("builtin", "test", crop=9999).pictures[1].read().shape == whole.read().shape
    digests = {open_set("builtin", "test", crop=crop).digest for crop in (0, 100, 200)}
    assert len(digests) == 3


def test_a_missing_builtin_package_is_one_sentence(monkeypatch):
    monkeypatch.setattr(sources.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="need the package skimage"):
        open_set("builtin", "test")


def test_empty_and_missing_files_are_named(data):
    (data / "test" / "mine" / "void.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"void\.png is empty"):
        open_set("mine", "test")


@pytest.mark.parametrize("target", ["unmounted/1.png", "link.png"])
def test_a_link_that_leads_nowhere_is_an_image_that_is_missing(data, target):
    (data / "test" / "mine" / "link.png").symlink_to(target)
    with pytest.raises(UserError, match=r"image .*link\.png cannot be read \(.*\); put it back"):
        open_set("mine", "test")


def test_a_link_to_an_image_is_that_image_and_one_to_a_folder_is_none(data):
    (data / "test" / "mine" / "link.png").symlink_to("b.webp")
    (data / "test" / "mine" / "folder.png").symlink_to("../pairs")
    names = [one.name for one in open_set("mine", "test").pictures]
    assert names == ["b", "img_1", "img_9", "img_10", "link"]


def test_an_image_that_changes_after_its_set_was_opened_is_named(data):
    # Its numbers would be kept under the digest of what it was.
    found, path = open_set("mine", "test"), data / "test" / "mine" / "img_9.PNG"
    same = path.read_bytes()
    save(path, pixels=255 - PIXELS)
    with pytest.raises(UserError, match=r"img_9\.PNG has changed since it was first read; run "):
        found.pictures[2].read()
    path.write_bytes(same)
    assert np.array_equal(found.pictures[2].read(), PIXELS)


def test_reading_does_not_depend_on_order(data):
    pictures = open_set("mine", "test").pictures
    forward = [picture.read() for picture in pictures]
    backward = [picture.read() for picture in reversed(pictures)][::-1]
    assert all(np.array_equal(*pair) for pair in zip(forward, backward, strict=True))


def test_unknown_empty_and_nested_folders_say_what_to_do(data):
    with pytest.raises(
        UserError, match="unknown test set 'nope'; give a path, or one of: builtin, mine"
    ):
        open_set("nope", "test")
    with pytest.raises(UserError, match="holds no images .* subfolders, name one of them: clean"):
        open_set("pairs", "test")
    (data / "test" / "bare").mkdir()
    with pytest.raises(UserError, match="bare holds no images"):
        open_set("bare", "test")
    with pytest.raises(UserError, match="is not a folder"):
        open_set(str(data / "test" / "mine" / "notes.txt"), "test")


def test_a_wrong_data_variable_is_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("DIALBENCH_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="DIALBENCH_DATA names .* not a folder"):
        open_set("set5", "test")
    monkeypatch.delenv("DIALBENCH_DATA")
    with pytest.raises(UserError, match="DIALBENCH_DATA is not set"):
        open_set("set5", "test")


def test_default_sets_are_those_at_hand_else_the_built_in_ones(data, monkeypatch):
    task = tasks.get("sr")
    assert default_sets(task, "test") == ("builtin",)
    save(data / "test" / "set14" / "a.png")
    assert default_sets(task, "test") == ("set14",)
    assert default_sets(task, "train") == ("builtin",)
    monkeypatch.delenv("DIALBENCH_DATA")
    assert default_sets(task, "test") == ("builtin",)


def test_the_listing_counts_images(data):
    lines = [line.split(maxsplit=2) for line in sources.listing()]
    assert ["test", "mine", "4 images, DIALBENCH_DATA"] in lines
    assert ["test", "pairs/clean", "1 image, DIALBENCH_DATA"] in lines
    assert ["test", "hub/set5", "5 images, downloaded from goodfellowliu/Set5"] in lines


@pytest.fixture
def hub(monkeypatch):
    """Stands in for the hub; returns a function that fills it."""
    import datasets
    import huggingface_hub

    from benchmark import assets

    monkeypatch.setattr(assets, "unreachable", lambda url: "")
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    for module in (datasets.config, huggingface_hub.constants):
        monkeypatch.setattr(module, "HF_HUB_OFFLINE", False)
    sources._hub.cache_clear()

    def fill(count, column="image", without=()):
        buffer = io.BytesIO()
        Image.fromarray(PIXELS).save(buffer, "PNG")
        rows = [{"bytes": buffer.getvalue(), "path": f"im{n}.png"} for n in reversed(range(count))]
        rows = [None if at in without else row for at, row in enumerate(rows)]
        kind = datasets.Image() if column == "image" else datasets.Value("string")
        content = rows if column == "image" else ["im.png" for _ in rows]
        features = datasets.Features({"label": datasets.Value("int64"), column: kind})
        loaded = datasets.Dataset.from_dict(
            {"label": list(range(count)), column: content}, features=features
        )
        monkeypatch.setattr(
            datasets, "load_dataset", lambda name, revision: datasets.DatasetDict(train=loaded)
        )

    yield fill
    sources._hub.cache_clear()


def test_a_hub_set_becomes_pictures_in_natural_order(hub):
    hub(5)
    found = open_set("hub/set5", "test")
    assert found.name == "hub/set5"
    assert [picture.name for picture in found.pictures] == [f"im{n}" for n in range(5)]
    assert np.array_equal(found.pictures[0].read(), PIXELS)


def test_a_hub_set_can_be_pinned_to_a_commit(hub, monkeypatch):
    import datasets

    hub(5)
    fill, asked = datasets.load_dataset, []
    monkeypatch.setattr(
        datasets,
        "load_dataset",
        lambda name, revision: asked.append(revision) or fill(name, revision=revision),
    )
    assert open_set("hub/set5@0a1b2c", "test").name == "hub/set5@0a1b2c"
    assert open_set("hub/set5", "test").name == "hub/set5"
    assert asked == ["0a1b2c", "main"]


def test_a_hub_set_with_another_number_of_images_is_refused(hub):
    hub(4)
    with pytest.raises(UserError, match="holds 4 images instead of 5"):
        open_set("hub/set5", "test")


def test_a_hub_set_of_paths_is_refused(hub):
    hub(5, column="hr")
    with pytest.raises(UserError, match="no image column"):
        open_set("hub/set5", "test")


def test_a_hub_set_with_a_row_without_an_image_is_refused(hub):
    hub(5, without=(3,))
    with pytest.raises(UserError, match="has no image in row 3; put its images into a folder"):
        open_set("hub/set5", "test")


def test_a_hub_out_of_reach_is_one_sentence(hub, monkeypatch):
    import datasets

    def closed(*args, **options):
        raise ConnectionError("no route\nto host")

    monkeypatch.setattr(datasets, "load_dataset", closed)
    with pytest.raises(UserError, match=r"cannot be read \(ConnectionError\); go online, or put"):
        open_set("hub/set5", "test", offline=True)


def test_nothing_is_asked_of_the_hub_where_the_network_is_forbidden(hub, monkeypatch, tmp_path):
    asked = []

    def looked_up(host, *args, **options):
        asked.append(host)
        raise OSError("closed")

    # Its libraries are imported by now, and read no variable any more.
    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    request = wanted("denoise", ["floor"], train=["builtin"], test=["hub/set5"], offline=True)
    with pytest.raises(UserError, match="go online"):
        plan.make(request, Store(tmp_path))
    assert asked == []


def test_images_can_be_left_out_by_name(data):
    whole = open_set("mine", "test")
    first, *rest = (one.name for one in whole.pictures)
    less = open_set(f"mine:without={first}", "test")
    assert [one.name for one in less.pictures] == rest
    assert less.digest != whole.digest and less.name == f"mine:without={first}"
    with pytest.raises(UserError, match="set mine has no image 'nobody' to leave out"):
        open_set("mine:without=nobody", "test")
    with pytest.raises(UserError, match="no image left"):
        open_set(f"mine:without={first}+{'+'.join(rest)}", "test")


def test_a_split_that_there_is_not_is_one_sentence():
    with pytest.raises(UserError, match="unknown split 'tset' .did you mean 'test'"):
        open_set("builtin", "tset")
