"""Fixtures for all tests."""

import contextlib
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def at_home():
    """Returns a context with the store at a path, no data of one's own, and no weights."""

    @contextlib.contextmanager
    def at(store: Path):
        with pytest.MonkeyPatch.context() as patch:
            for name in ("DIALBENCH_DATA", "DIALBENCH_WEIGHTS"):
                patch.delenv(name, raising=False)
            patch.setenv("DIALBENCH_HOME", str(store))
            patch.setenv("TORCH_HOME", str(store.parent / "torch"))
            yield patch

    return at


@pytest.fixture
def home(tmp_path, at_home):
    """An empty store, no data of one's own, and no weights."""
    with at_home(tmp_path / "runs"):
        yield tmp_path / "runs"


@pytest.fixture
def photographs(tmp_path) -> Path:
    """A folder with two small random images."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    for index in range(2):
        pixels = np.random.default_rng(index).integers(0, 256, (96, 112, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"p{index}.png")
    return folder


@pytest.fixture
def train_job():
    """Returns what makes the job of one stage on the built-in images."""

    def build(task, stage, preset, method=None, start_key=None):
        from benchmark.planning.jobs import TrainJob

        return TrainJob(
            key="test",
            task=task,
            method=method,
            method_file=None,
            backbone=preset.backbone,
            stage=stage,
            preset=preset,
            seed=0,
            train_sets=("builtin",),
            start_key=start_key,
            offline=True,
        )

    return build


@pytest.fixture
def killed(monkeypatch):
    """Returns a context in which training is killed after some steps, right after it was saved."""

    @contextlib.contextmanager
    def after(steps):
        from benchmark import train

        class Killed(Exception):
            pass

        def kill_after_saving(self, trainer, module, *rest):
            if module.steps_done == steps:
                self.folder.mkdir(parents=True)
                trainer.save_checkpoint(self.folder / train.CHECKPOINT)
                raise Killed

        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(train.Progress, "on_train_batch_start", kill_after_saving)
            yield

    return after


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
