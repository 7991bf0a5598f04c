"""The notebooks: run from top to bottom, and kept without outputs."""

import json
from pathlib import Path

import matplotlib
import pytest

from benchmark import cli

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def cells(path: Path) -> list[dict]:
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One store for all of them: what one has trained the next finds."""
    return tmp_path_factory.mktemp("notebooks") / "runs"


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_holds_no_outputs(path):
    found = cells(path)
    assert found[0]["cell_type"] == "markdown" and "".join(found[0]["source"]).startswith("# ")
    for cell in found:
        assert cell["metadata"] == {}
        assert cell.get("outputs", []) == [] and cell.get("execution_count") is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, shared, home, tmp_path, monkeypatch):
    """Every cell is plain Python, so nothing of Jupyter is needed to run it."""
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    monkeypatch.setenv("DIALBENCH_HOME", str(shared))
    monkeypatch.chdir(tmp_path)
    shown, codes, run = [], [], cli.main
    monkeypatch.setattr(plt, "show", lambda: shown.append(len(plt.gcf().axes)))
    monkeypatch.setattr(cli, "main", lambda words: codes.append(run(words)) or codes[-1])
    names: dict = {"__name__": "__main__"}
    for number, cell in enumerate(cells(path)):
        if cell["cell_type"] == "code":
            source = "".join(cell["source"])
            exec(compile(source, f"{path.stem}, cell {number}", "exec"), names)
    # The last command of this one shows what the referee says to a changed entry.
    refused = [1] if path.stem == "03_read_the_boards" else []
    assert codes == [0] * (len(codes) - len(refused)) + refused and len(codes) > len(refused)
    assert all(shown) and (shown or path.stem == "02_add_a_method")
    plt.close("all")
