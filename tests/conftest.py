"""Fixtures for all tests."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """An empty store, no data of one's own, and no weights."""
    for name in ("DIALBENCH_DATA", "DIALBENCH_WEIGHTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DIALBENCH_HOME", str(tmp_path / "runs"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "runs"


@pytest.fixture
def photographs(tmp_path) -> Path:
    """A folder with two small random images."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    for index in range(2):
        pixels = np.random.default_rng(index).integers(0, 256, (96, 112, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"p{index}.png")
    return folder


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium (see ``browser.py``), or a skipped test."""
    path = Path(__file__).with_name("browser.py")
    about = importlib.util.spec_from_file_location("dialbench_browser", path)
    module = importlib.util.module_from_spec(about)
    about.loader.exec_module(module)
    program = module.executable()
    if program is None:
        pytest.skip("no Chromium is installed")
    try:
        one = module.Browser(program)
    except (OSError, RuntimeError) as error:
        pytest.skip(f"Chromium does not start: {error}")
    yield one
    one.close()
