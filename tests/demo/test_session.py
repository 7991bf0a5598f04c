"""What the demo shows, without a browser."""

import io

import numpy as np
import pytest
from PIL import Image

from benchmark import cli
from benchmark.demo.session import SIDE
from benchmark.errors import UserError


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (60, 80, 3), dtype=np.uint8)


def test_the_input_is_what_the_task_tests_with_and_the_output_what_the_tuned_network_gives(
    session_of, pixels
):
    session = session_of("denoise", "dni", "cfsnet")
    image = session.add(pixels)
    clean = session.given(image, None)
    assert np.array_equal(clean, pixels)
    low, high = (session.given(image, (level,)).astype(float) for level in (0.0, 1.0))
    assert np.abs(high - pixels).mean() > 3 * np.abs(low - pixels).mean()
    x = session._input(image, (0.4,))
    for name in ("dni", "cfsnet"):
        output, said = session.restored(image, (0.4,), name, (0.8,))
        wanted = session.methods[name].tuned((0.8,))(x[None])[0].clamp(0, 1)
        exact = wanted.permute(1, 2, 0).numpy() * 255
        assert np.abs(output - exact).max() < 0.51
        mse = float(((np.round(exact) - pixels) ** 2).mean())
        assert said == f"PSNR-RGB {10 * np.log10(255**2 / mse):.2f} dB"
        assert session.restored(image, None, name, (0.8,))[1] == ""


def test_the_input_is_judged_as_outputs_are_where_it_has_their_size(session_of, pixels):
    session = session_of("denoise", "floor")
    image = session.add(pixels)
    said = session.given_said(image, (0.4,))
    # The floor changes nothing.
    assert (
        said.startswith("PSNR-RGB") and said == session.restored(image, (0.4,), "floor", (0.4,))[1]
    )
    assert session.given_said(image, None) == ""
    smaller = session_of("sr", "floor")
    assert smaller.given_said(smaller.add(pixels), (0.0,)) == ""
    imitating = session_of("filter-l0", "floor")
    assert imitating.given_said(imitating.add(pixels), None) == ""


def test_where_less_than_all_noise_goes_outputs_are_judged_by_the_clean_image(session_of, pixels):
    session = session_of("denoise-strength", "floor")
    assert session.given_said(session.add(pixels), (0.5,)).startswith("PSNR-RGB ")


def test_networks_and_outputs_are_made_once(session_of, pixels, monkeypatch):
    session = session_of("denoise", "dni")
    image, made = session.add(pixels), []
    tuned = session.methods["dni"].tuned
    monkeypatch.setattr(
        session.methods["dni"], "tuned", lambda level: made.append(level) or tuned(level)
    )
    for level in (0.2, 0.3, 0.2):
        for dial in (0.5, 0.6, 0.5):
            session.restored(image, (level,), "dni", (dial,))
    assert made == [(0.5,), (0.6,)]
    assert session._output.cache_info().misses == 4
    other = session.add(255 - pixels)
    assert other != image
    assert not np.array_equal(
        session.restored(image, (0.2,), "dni", (0.5,))[0],
        session.restored(other, (0.2,), "dni", (0.5,))[0],
    )


def test_super_resolution_takes_an_image_as_it_is_only_as_large_as_it_could_give_back(session_of):
    session = session_of("sr", "dni")
    image = session.add(np.zeros((SIDE + 90, SIDE + 40, 3), np.uint8))
    assert not session.varies and session.degrades
    assert session.given(image, (0.0,)).shape == (SIDE // 4, SIDE // 4, 3)
    assert session.given(image, None).shape == (SIDE // 4, SIDE // 4, 3)
    assert session.restored(image, None, "dni", (1.0,))[0].shape == (SIDE, SIDE, 3)


def test_experts_answer_at_their_nearest_level_and_say_so(session_of, pixels):
    session = session_of("denoise", "experts", "floor")
    image = session.add(pixels)
    near = session.restored(image, (0.5,), "experts", (0.55,))
    own = session.restored(image, (0.5,), "experts", (0.6,))
    assert np.array_equal(near[0], own[0])
    assert near[1].startswith("at 0.6, the nearest") and own[1].startswith("PSNR")


def test_a_painted_level_map_gives_each_part_its_own_level(session_of, pixels):
    session = session_of("denoise", "cfsnet", "experts")
    assert session.spatial == ["cfsnet"]
    image = session.add(pixels)
    mask = np.zeros((60, 80), np.float32)
    mask[:, 40:] = 1
    dials = ((0.2,), (1.0,))
    both = session.painted(image, (0.5,), "cfsnet", dials, mask)[0].astype(int)
    low, high = (session.restored(image, (0.5,), "cfsnet", one)[0].astype(int) for one in dials)
    # The network looks no further than a dozen pixels.
    assert np.abs(both - low)[:, :28].max() <= 1 < np.abs(high - low)[:, :28].max()
    assert np.abs(both - high)[:, 52:].max() <= 1 < np.abs(high - low)[:, 52:].max()
    with pytest.raises(UserError, match="one level for a whole image"):
        session.painted(image, None, "experts", dials, mask)
    with pytest.raises(UserError, match="mask"):
        session.painted(image, None, "cfsnet", dials, mask[:50])


def test_two_dials_and_an_operator_that_degrades_nothing(session_of, pixels):
    session = session_of("filter-rtv2", "decouple")
    image = session.add(pixels)
    assert not session.degrades and not session.varies and len(session.turned) == 2
    one, other = (
        session.restored(image, None, "decouple", session.level(values))[0]
        for values in ((0.0, 0.5), (1.0, 0.5))
    )
    assert one.shape == pixels.shape and not np.array_equal(one, other)


def test_an_image_that_is_too_small_or_forgotten_is_one_sentence(session_of, pixels):
    session = session_of("sr", "dni")
    with pytest.raises(UserError, match="smaller than"):
        session.add(np.zeros((8, 8, 3), np.uint8))
    first = session.add(pixels)
    for value in range(5):
        session.add(np.full((64, 64, 3), value, np.uint8))
    with pytest.raises(UserError, match="no longer here"):
        session.given(first, (0.0,))


def saved(image: Image.Image, kind: str, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def test_files_are_read_as_those_of_sets_are(session_of, pixels):
    session = session_of("denoise", "floor")
    frames = [Image.fromarray(one).quantize(64) for one in (pixels, 255 - pixels)]
    moving = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    image = session.opened(moving, "moving.gif")
    assert np.array_equal(session.given(image, None), np.asarray(frames[0].convert("RGB")))
    gray = pixels[..., 0]
    deep = saved(Image.fromarray(gray.astype(np.uint16) * 257), "PNG")
    real = saved(Image.fromarray(gray.astype(np.float32) / 255), "TIFF")
    for content, name in ((deep, "deep.png"), (real, "real.tiff")):
        with pytest.raises(UserError, match=f"image {name} has more than 8 bits a sample"):
            session.opened(content, name)
    with pytest.raises(UserError, match="image text.png is damaged or not an image"):
        session.opened(b"text", "text.png")
    with pytest.raises(UserError, match="image none.png is empty"):
        session.opened(b"", "none.png")


def test_pixels_of_another_kind_are_refused(session_of, pixels):
    session = session_of("denoise", "floor")
    for wrong in (pixels[..., 0], pixels.astype(np.uint16), pixels[..., [0, 1, 2, 0]]):
        with pytest.raises(UserError, match=r"give uint8 of shape \(H, W, 3\)"):
            session.add(wrong)


def test_without_training_or_gradio_the_verb_says_what_to_do(home, capsys, monkeypatch):
    import importlib.util as finder

    find = finder.find_spec
    there = {"gradio": True}
    monkeypatch.setattr(
        finder, "find_spec", lambda name, *more: there.get(name) or find(name, *more)
    )
    asked = ["demo", "denoise", "--methods", "dni,floor", "--preset", "smoke", "--offline"]
    assert cli.main(asked) == 2
    assert "dialbench train denoise" in capsys.readouterr().err
    assert cli.main([*asked[:3], "ffdnet,floor", *asked[4:]]) == 2
    assert "run 'dialbench import ffdnet FILE'" in capsys.readouterr().err
    there["gradio"] = None
    monkeypatch.setattr(
        finder, "find_spec", lambda name, *more: None if name == "gradio" else find(name, *more)
    )
    assert cli.main(asked) == 2
    error = capsys.readouterr().err
    assert "pip install -e '.[demo]'" in error and error.count("\n") == 1
