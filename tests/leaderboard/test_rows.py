"""Rows: which there are, in which order, and what a value can be."""

import gzip
import shutil
import subprocess
import sys

import pytest

from benchmark.leaderboard import entry, rows
from benchmark.leaderboard.faults import Fault
from benchmark.metrics.records import METRICS


def text_of(path) -> bytes:
    return gzip.decompress((path / rows.NAME).read_bytes())


def test_a_changed_digit_is_found_by_the_check_sum(put, faults):
    path = put()
    text = text_of(path)
    place = text.index(b"\n", len(rows.HEADER)) - 1
    other = b"1" if text[place : place + 1] != b"1" else b"2"
    changed = text[:place] + other + text[place + 1 :]
    (path / rows.NAME).write_bytes(gzip.compress(changed, 9, mtime=0))
    assert faults(path) == ["rows.csv.gz: changed; its check sum is not the one in entry.json"]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda lines: [*lines[:5], *lines[6:]], "is missing (1 in all)"),
        (lambda lines: [*lines[:5], lines[5], *lines[5:]], "is there twice"),
        (lambda lines: [*lines[:5], lines[5], *lines[5:-1]], "is there twice"),
        (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], "not in their order"),
        (lambda lines: [*lines[:-1], lines[-1].replace(b"img_004", b"img_005")], "does not belong"),
        (lambda lines: [*lines, b""], "does not belong here"),
        (lambda lines: [lines[0] + b",7", *lines[1:]], "the first line must be"),
    ],
)
def test_every_row_is_there_once_and_in_its_place(put, faults, reseal, spoil, words):
    path = put()
    lines = text_of(path).splitlines()
    reseal(path, b"\n".join(spoil(lines)) + b"\n")
    (fault,) = faults(path)
    assert words in fault and fault.startswith("rows.csv.gz: ")


def test_names_may_not_make_rows_that_take_all_memory_to_read(put, monkeypatch):
    images = ["a", "an image"]
    sets = [{"name": name, "digest": "2" * 20, "images": images} for name in ("set5", "mine")]
    path = put("denoise", sets=sets, crossed=True, seeds=(0, 12))
    layout = entry.parse((path / entry.NAME).read_bytes()).layout
    lines = text_of(path)[len(rows.HEADER) :].splitlines()
    assert layout.size() == sum(len(line) - len(line.rpartition(b",")[2]) for line in lines)
    monkeypatch.setattr(rows, "LARGEST", layout.size() - 1)
    with pytest.raises(Fault, match="choose shorter names"):
        entry.parse((path / entry.NAME).read_bytes())


@pytest.mark.parametrize(
    "value", [b"nan", b"NaN", b"inf", b"-inf", b"", b"1e3", b"28.5", b" 28.500000", b"2_8.500000"]
)
def test_a_value_is_a_finite_number_with_six_decimals(put, faults, reseal, value):
    path = put()
    lines = text_of(path).splitlines()
    lines[3] = lines[3].rpartition(b",")[0] + b"," + value
    reseal(path, b"\n".join(lines) + b"\n")
    (fault,) = faults(path)
    assert "is not a finite number with six decimals" in fault and "img_003" in fault


def test_a_value_lies_in_the_range_of_its_metric(put, faults, reseal):
    path = put()
    lines = text_of(path).splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith(b"ssim"))
    lines[at] = lines[at].rpartition(b",")[0] + b",1.000001"
    reseal(path, b"\n".join(lines) + b"\n")
    assert "is not from -1 to 1" in faults(path)[0]


def test_a_bomb_is_unpacked_no_further_than_rows_could_need(put, faults):
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from benchmark.leaderboard import check\n"
        "path = Path(sys.argv[1])\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(*check.faults(path, 'sr', path.name), sep='\\n')\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    path = put()
    packer = __import__("zlib").compressobj(9, wbits=31)
    blob = b"".join(packer.compress(b"0" * 2**20) for _ in range(256)) + packer.flush()
    assert len(blob) < 2**21
    (path / rows.NAME).write_bytes(rows.GZIP + blob[len(rows.GZIP) :])
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    *lines, grown = done.stdout.splitlines()
    assert any("unpacks to more than" in line for line in lines)
    assert int(grown) < 50_000  # KiB


def test_a_zip_or_a_bare_or_a_huge_csv_is_refused(put, faults):
    path = put()
    (path / rows.NAME).write_bytes(b"PK\x03\x04" + bytes(100))
    assert any("a zip file" in fault for fault in faults(path))
    with open(path / rows.NAME, "wb") as file:
        file.truncate(2**30)
    assert "rows.csv.gz: 1073741824 bytes, more than 8388608" in faults(path)
    shutil.copy(path / entry.NAME, path / "rows.csv")
    with open(path / "rows.csv", "wb") as file:
        file.truncate(2**30)
    assert "rows.csv: unknown file" in faults(path)


def test_a_gzip_file_carries_no_name_and_nothing_after_its_end(put, faults):
    path = put()
    text, good = text_of(path), (path / rows.NAME).read_bytes()
    with gzip.GzipFile(path / rows.NAME, "wb", mtime=0) as file:
        file.write(text)
    assert any("with a name, time or comment" in fault for fault in faults(path))
    for more in (b"x", good):
        (path / rows.NAME).write_bytes(good + more)
        assert any("something follows its end" in fault for fault in faults(path))
    (path / rows.NAME).write_bytes(good[:-4])
    assert any("damaged" in fault for fault in faults(path))


def test_rows_that_changed_after_verification_are_not_reproduced(put, faults, reseal, boards):
    path = put(status="reproduced")
    reseal(path, text_of(path)[:-2] + b"9\n")
    assert "verified.json: entry.json changed since" in faults(path)[0]


def test_every_metric_has_a_range_and_a_tolerance():
    for metric in METRICS.values():
        low, high = metric.span
        assert low < high and 0 < metric.moves < 1


def test_nothing_is_written_without_a_sign():
    layout = rows.Layout(("level-error",), (("s", ("a",)),), (0,), ("0",))
    packed = rows.pack(layout, dict.fromkeys(layout.row_keys(), -0.0))
    assert packed == rows.pack(layout, dict.fromkeys(layout.row_keys(), 0.0))
    assert gzip.decompress(packed).endswith(b",a,0.000000\n")
