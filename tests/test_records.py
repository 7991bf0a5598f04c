"""Records of JSON with their check sum: they come back as they were, or not at all."""

import errno
import math
import os
import signal

import orjson
import pytest

from benchmark import records
from benchmark.errors import JobError
from benchmark.training.stopping import Stopped

WHOLE = {"key": "k", "rows": [["a", "psnr-rgb", 30.07094, "ok", ""], ["b", "x", None, "null", "é"]]}
TEXTS = {
    "plain": WHOLE,
    "floats": {"values": [0.1, 1e-320, 1.7976931348623157e308, -0.0, 5e-324, 1 / 3]},
    "whole numbers": {"values": [0, -1, 2**63 - 1, 2**64 - 1]},
    "infinite": {"values": [math.inf, -math.inf]},
    "a name that is no UTF-8": {"name": os.fsdecode(b"caf\xe9.png")},
    "longer than a block": {"text": "x" * (2 * records.BLOCK + 7)},
}


@pytest.fixture(params=["orjson", "json"])
def parser(request, monkeypatch):
    if request.param == "json":
        # A machine with torch and Lightning alone.
        monkeypatch.setattr(records, "loads", records.json.loads)
    else:
        assert records.loads is orjson.loads


@pytest.mark.parametrize("record", TEXTS.values(), ids=TEXTS)
def test_a_record_comes_back_as_it_was_written(record, parser, tmp_path):
    records.write_json(tmp_path / "r.json", record)
    found = records.read_json(tmp_path / "r.json")
    assert found == {"schema": records.SCHEMA, **record}
    assert str(found) == str({"schema": records.SCHEMA, **record})


def test_a_number_that_is_none_comes_back(parser, tmp_path):
    records.write_json(tmp_path / "r.json", {"value": math.nan})
    assert math.isnan(records.read_json(tmp_path / "r.json")["value"])


@pytest.mark.parametrize("at", [0, 20, -40, -3])
def test_a_record_with_a_byte_changed_is_not_there(at, parser, tmp_path):
    path = tmp_path / "r.json"
    records.write_json(path, WHOLE)
    blob = bytearray(path.read_bytes())
    blob[at] ^= 1
    path.write_bytes(bytes(blob))
    assert records.read_json(path) is None


def test_what_has_a_good_check_sum_but_is_no_record_is_not_there(parser, tmp_path):
    for body in (b"", b"{", b'{"schema":2', b"[1", b"{" * 100_000, b'{"a":\xff'):
        path = tmp_path / "r.json"
        path.write_bytes(body + records._check(body))
        assert records.read_json(path) is None, body[:20]


def test_a_folder_and_nothing_are_no_records(tmp_path):
    assert records.read_json(tmp_path) is None
    assert records.read_json(tmp_path / "none.json") is None


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (KeyboardInterrupt(), KeyboardInterrupt),
        (Stopped(signal.SIGTERM), Stopped),
        (OSError(errno.EIO, "no"), JobError),
    ],
)
def test_nothing_half_written_stays_whatever_ends_it(error, raised, tmp_path, monkeypatch):
    def interrupted(_):
        raise error

    path = tmp_path / "level-0.5.pth"
    path.write_bytes(b"before")
    monkeypatch.setattr(records.os, "fsync", interrupted)
    with pytest.raises(raised):
        records.write(path, b"after")
    assert [*tmp_path.iterdir()] == [path] and path.read_bytes() == b"before"


def test_a_name_as_long_as_file_systems_take_is_written(tmp_path):
    path = tmp_path / f"{'x' * 251}.png"
    records.write(path, b"whole")
    assert [*tmp_path.iterdir()] == [path] and path.read_bytes() == b"whole"


def test_what_a_killed_process_left_of_a_file_goes_when_it_alone_writes_it(tmp_path):
    own, other = tmp_path / f"{'a' * 60}.json", tmp_path / "b.json"
    for path in (own, other):
        path.with_name(f".{path.name[: records.NAMED]}.{'0' * 32}.tmp").touch()
    records.write_alone(own, b"whole")
    assert {one.name for one in tmp_path.iterdir()} == {own.name, f".b.json.{'0' * 32}.tmp"}
