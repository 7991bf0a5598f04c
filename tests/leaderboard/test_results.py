"""docs/results.md: whatever is a figure in it comes from the entries."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmark import cli
from benchmark.errors import JobError
from benchmark.leaderboard import assemble, card, entry, results, synthetic

ROOT = Path(__file__).resolve().parents[2]
FIELD = {"images": 6, "levels": 3, "status": "reproduced"}


@pytest.fixture
def field(boards, put):
    put(method="dni", **FIELD)
    put(method="ftn:groups=4", quality=0.3, **FIELD)
    put(method="floor", quality=-10.0, **FIELD)
    put(method="experts", quality=0.5, **{**FIELD, "levels": 2})
    return boards


def test_the_document_of_this_repository_is_what_its_entries_make():
    document = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    assert results.text(document, ROOT / "leaderboards") == document
    prose = results.FIGURE.sub("", results.TABLE.sub("", document))
    assert not re.findall(r"\d+\.\d+", prose), "write figures as <!-- TASK SET METHOD ... -->"


def test_the_folder_of_one_task_gives_its_table_alone(field):
    assert results.text("", field / "sr") == results.text("", field)


def test_tables_and_figures_are_of_the_entries_and_the_text_stays(field):
    old = (
        "# Mine\n\nBy hand.\n\n<!-- table sr -->\nstale\n<!-- end -->\n\nAt the end "
        "<!-- sr made-up dni psnr-y601 1 -->0<!-- / --> dB, "
        "<!-- sr made-up dni psnr-y601 mean --><!-- / --> on average.\n"
    )
    new = results.text(old, field)
    assert results.text(new, field) == new
    assert new.startswith("# Mine\n\nBy hand.\n\n<!-- table sr -->\n**made-up: 6 images")
    assert "stale" not in new

    def value(level):
        names = [f"img_{number:03d}" for number in range(1, 7)]
        return sum(synthetic.value_of("psnr-y601", 0, level, level, one) for one in names) / 6

    end, mean = re.findall(r"-->([\d.]+)<!-- / -->", new)
    # Entries are made up with some noise.
    assert float(end) == pytest.approx(value(1.0), abs=0.05)
    assert float(mean) == pytest.approx((value(0.0) + value(0.5) + value(1.0)) / 3, abs=0.05)
    (line,) = [one for one in new.splitlines() if one.startswith("| 2 | dni |")]
    assert f"| {end} |" in line
    (line,) = [one for one in new.splitlines() if "| experts |" in one]
    assert line.startswith("| — | experts | laptop | reproduced | ") and "| — |" in line[20:]
    assert (
        "dialbench run sr --preset laptop --backbone small --seeds 0 --train made-up "
        "--test made-up --levels 0,0.5,1 --methods ftn:groups=4 dni" in new
    )


@pytest.mark.parametrize(
    ("handed_in", "words"),
    [
        ({}, " --weights copy"),
        ({"precision": "float16"}, ""),
        ({"precision": "float16", "bytes": 9 << 20}, " --weights half"),
        ({"file": None}, " --weights none"),
        (
            {"file": None, "url": "https://example.org/some/ab.safetensors"},
            " --weights https://example.org/some",
        ),
    ],
)
def test_commands_hand_weights_in_as_they_were(handed_in, words):
    facts = json.loads(synthetic.make()[entry.NAME])
    facts["weights"][0] |= handed_in
    line = results.Line(SimpleNamespace(entry=entry.Entry(facts)), {})
    assert results.commands([line])[1].endswith(f" --methods dni{words}")


def test_a_document_follows_its_entries(field, tmp_path, capsys):
    out = tmp_path / "results.md"
    words = ["board", "results", str(field), "--out", str(out)]
    for said in ("written", "up to date"):
        assert cli.main(words) == 0
        assert said in capsys.readouterr().out
    before = out.read_text()
    files = synthetic.make(method="adafm", **FIELD)
    assemble.place(field, "sr", entry.parse(files[entry.NAME]).id, files)
    assert cli.main(words) == 0
    assert "| adafm |" in out.read_text() and "| adafm |" not in before


@pytest.mark.parametrize(
    "figure",
    [
        "<!-- sr made-up dni psnr-y601 -->99<!-- / -->",
        "<!-- sr made-up dni psnr-y601 1 mean -->99<!-- / -->",
        "<!-- sr  made-up dni psnr-y601 1 -->99<!-- / -->",
        "<!-- sr made-up dni psnr-y601 1 -->9 < 10<!-- / -->",
        "<!-- / -->",
    ],
)
def test_what_only_looks_like_a_figure_does_not_stay_as_it_was(field, figure):
    with pytest.raises(JobError, match="before a '<!-- / -->' is no figure; write"):
        results.text(
            f"It has {figure} dB, <!-- sr made-up dni psnr-y601 1 -->0<!-- / --> here.", field
        )


def test_figures_that_are_not_there_are_named(field):
    for address in ("sr made-up dni psnr-y601 0.3", "sr other dni psnr-y601 1", "x y z v w"):
        with pytest.raises(results.JobError, match=f"there is no figure '{address}'"):
            results.text(f"<!-- {address} -->1<!-- / -->", field)
    with pytest.raises(results.JobError, match="there are no entries of denoise"):
        results.text("<!-- table denoise -->\n<!-- end -->", field)


def test_the_command_on_a_card_is_one_that_the_command_line_takes(put):
    path = put(preset="laptop:steps=300", seeds=(0, 2))
    facts = json.loads((path / entry.NAME).read_bytes())
    (line,) = re.findall("`dialbench (run .*)`", (path / card.NAME).read_text())
    args = cli.parser()[0].parse_args(line.split())
    assert (args.task, args.preset, args.set, args.seeds) == ("sr", "laptop", ["steps=300"], "0,2")
    assert args.levels == ",".join(facts["levels"]) and args.methods == [facts["method"]]


@pytest.mark.parametrize("rest", ["", "\n<!-- table denoise -->\n<!-- end -->\n"])
def test_a_table_without_an_end_is_an_error(field, rest):
    with pytest.raises(JobError, match="has no '<!-- end -->'"):
        results.text(f"<!-- table sr -->\nold\n{rest}", field)


def test_what_is_no_document_is_left_alone(tmp_path, capsys):
    picture, folder = tmp_path / "picture.png", tmp_path / "folder"
    picture.write_bytes(b"\x89PNG")
    folder.mkdir()
    for path in (picture, folder):
        assert cli.main(["board", "results", str(tmp_path), "--out", str(path)]) == 2
        assert "name a document with --out" in capsys.readouterr().err
    assert picture.read_bytes() == b"\x89PNG"
