"""How a file becomes pixels, and files that are not what they seem."""

import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageFile

from benchmark.data import pictures
from benchmark.data.pictures import Picture, of_each
from benchmark.errors import UserError

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def save(path, mode="RGB", pixels=PIXELS, **options):
    Image.fromarray(pixels).convert(mode).save(path, **options)
    return path


def read(path):
    return Picture("x", path).read()


def rgb16_png() -> bytes:
    """A 1 x 1 PNG with three 16-bit samples, which Pillow cannot write."""

    def chunk(kind, content):
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)
    pixels = zlib.compress(b"\x00" + struct.pack(">HHH", 1000, 2000, 3000))
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_every_eight_bit_mode_becomes_three_channels(tmp_path, mode):
    pixels = read(save(tmp_path / "x.png", mode))
    assert pixels.shape == PIXELS.shape and pixels.dtype == np.uint8
    if mode in ("1", "L", "LA"):
        assert np.array_equal(pixels[..., 0], pixels[..., 2])
    if mode == "L":
        assert np.array_equal(pixels[..., 0], np.asarray(Image.fromarray(PIXELS).convert("L")))


def test_alpha_is_dropped_not_composited(tmp_path):
    transparent = np.concatenate([PIXELS, np.zeros_like(PIXELS[..., :1])], axis=2)
    Image.fromarray(transparent).save(tmp_path / "x.png")
    assert np.array_equal(read(tmp_path / "x.png"), PIXELS)


def test_stored_pixels_are_read_whatever_the_exif_orientation_says(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    assert read(save(tmp_path / "x.png", exif=exif)).shape == PIXELS.shape


def test_sixteen_bits_are_refused_in_every_form(tmp_path):
    deep = (PIXELS[..., 0].astype(np.uint16) << 8) + 7
    Image.fromarray(deep).save(tmp_path / "gray.png")
    Image.fromarray(deep).save(tmp_path / "gray.tif")
    (tmp_path / "colour.png").write_bytes(rgb16_png())
    planes = np.repeat(deep[None], 3, axis=0)
    tifffile.imwrite(tmp_path / "planes.tif", planes, photometric="rgb")
    for name in ("gray.png", "gray.tif", "colour.png", "planes.tif"):
        with pytest.raises(UserError, match=f"{name} has more than 8 bits"):
            read(tmp_path / name)


def test_a_bmp_of_sixteen_bits_a_pixel_has_no_more_than_eight_a_sample(tmp_path):
    # Red in the upper five bits, green in six, blue in the lower five.
    masks = struct.pack("<III", 0xF800, 0x07E0, 0x001F)
    head = struct.pack("<IiiHHIIiiII", 40, 2, 1, 1, 16, 3, 4, 0, 0, 0, 0) + masks
    pixels = struct.pack("<HH", 0xF800, 0x001F)
    start = 14 + len(head)
    file = struct.pack("<2sIHHI", b"BM", start + len(pixels), 0, 0, start) + head + pixels
    (tmp_path / "x.bmp").write_bytes(file)
    assert read(tmp_path / "x.bmp").tolist() == [[[255, 0, 0], [0, 0, 255]]]


def test_other_colour_modes_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"x\.jpg is CMYK; convert it to RGB"):
        read(save(tmp_path / "x.jpg", "CMYK"))


@pytest.fixture(autouse=True)
def strict(monkeypatch):
    # pyiqa, which tests of metrics import, has Pillow take truncated files in the whole process.
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", False)


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tif", "webp"])
def test_truncated_files_are_named(tmp_path, suffix):
    path = save(tmp_path / f"cut.{suffix}", pixels=np.repeat(np.repeat(PIXELS, 8, 0), 8, 1))
    content = path.read_bytes()
    for length in (len(content) // 2, 40, 3):
        path.write_bytes(content[:length])
        with pytest.raises(UserError, match=rf"image .*cut\.{suffix} is damaged or not an image; "):
            read(path)


@pytest.mark.parametrize("content", [b"hello", b"<html></html>", b"\x89PNG\r\n\x1a\n", bytes(500)])
def test_files_that_are_no_images_are_named(tmp_path, content):
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(UserError, match=r"x\.png is damaged or not an image; replace or remove it"):
        read(tmp_path / "x.png")


def test_a_tiff_whose_head_holds_absurd_numbers_is_named(tmp_path):
    tifffile.imwrite(tmp_path / "x.tif", PIXELS, photometric="rgb", bigtiff=True)
    content = bytearray((tmp_path / "x.tif").read_bytes())
    content[143] = 0xFF  # the highest byte of where the description lies
    (tmp_path / "x.tif").write_bytes(content)
    with pytest.raises(UserError, match=r"x\.tif is damaged or not an image; replace or remove it"):
        read(tmp_path / "x.tif")


def test_a_picture_that_would_fill_the_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(UserError, match="too large"):
        read(save(tmp_path / "x.png"))


def test_a_picture_larger_than_networks_have_room_for_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "LARGEST", 599)
    with pytest.raises(UserError, match="too large"):
        read(save(tmp_path / "x.png"))


def test_missing_files_are_named(tmp_path):
    with pytest.raises(UserError, match=r"gone\.png cannot be read \(No such file"):
        read(tmp_path / "gone.png")


@pytest.mark.parametrize("crop", [0, 8, 25, 100])
def test_the_size_is_that_of_what_is_read(tmp_path, crop):
    picture = Picture("x", save(tmp_path / "x.png"), crop)
    assert picture.size() == picture.read().shape[:2]


def test_the_size_needs_the_head_of_a_file_alone(tmp_path):
    path = save(tmp_path / "x.png", pixels=np.tile(PIXELS, (9, 9, 1)))
    path.write_bytes(path.read_bytes()[:200])
    assert Picture("x", path).size() == (180, 270)
    with pytest.raises(UserError, match="damaged"):
        read(path)


def test_all_images_of_no_use_are_named_in_one_error(tmp_path):
    save(tmp_path / "good.png")
    save(tmp_path / "print.jpg", "CMYK")
    (tmp_path / "void.png").write_bytes(b"")
    files = [
        Picture(one, tmp_path / one) for one in ("good.png", "print.jpg", "void.png", "no.png")
    ]
    assert of_each(files[:1], Picture.size) == [(20, 30)]
    with pytest.raises(UserError) as caught:
        of_each(files, Picture.size)
    text = str(caught.value)
    assert text.startswith("3 images cannot be used: print.jpg is CMYK, void.png is empty, no.png ")
    assert "good" not in text and text.endswith("; mend, replace or remove them")
    with pytest.raises(UserError, match="15 images cannot be used: .*, and 5 more; mend"):
        of_each(files[2:3] * 15, Picture.size)
