"""Fuzzing: whatever bytes an entry is made of, the parsers raise ``Fault`` or accept what is valid.

``make test`` tries a few hundred cases for each parser, ``make fuzz`` twenty thousand.
"""

import csv
import gzip
import hashlib
import io
import json
import math

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from benchmark.leaderboard import canary, card, entry, proof, rows, schema, synthetic, weights
from benchmark.leaderboard.faults import Fault

FEW, MANY, PARTS = 300, 20_000, 4
GOOD = synthetic.make("denoise", levels=3, images=3, crossed=True, metrics=2, status="reproduced")
FACTS = json.loads(GOOD[entry.NAME])
ENTRY = entry.parse(GOOD[entry.NAME])
SUMS = {name: hashlib.sha256(GOOD[name]).hexdigest() for name in proof.COVERED}
TEXT = gzip.decompress(GOOD[rows.NAME])
LINES = TEXT.splitlines(keepends=True)
TENSORS = synthetic.tensors(0, x={"dtype": "F32", "shape": [0], "data_offsets": [48, 48]})


def changed(blob: bytes):
    """Bytes near ``blob``: some replaced, cut out or put in."""
    edits = st.tuples(st.integers(0, len(blob)), st.integers(0, 8), st.binary(max_size=8))

    def apply(some):
        out = blob
        for at, gone, more in some:
            out = out[:at] + more + out[at + gone :]
        return out

    return st.one_of(st.binary(max_size=200), st.lists(edits, min_size=1, max_size=3).map(apply))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        ["../x", "<b>", "__import__('os')", "0", "1e999", "\x00", "weights/a.safetensors"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def facts(draw, name=entry.NAME):
    """The facts in a file with one value, anywhere inside, replaced, removed or added."""
    found = json.loads(GOOD[name])
    inside = found
    while True:
        keys = list(inside) if isinstance(inside, dict) else list(range(len(inside)))
        if not keys:
            break
        key = draw(st.sampled_from(keys))
        if isinstance(inside[key], dict | list) and inside[key] and draw(st.booleans()):
            inside = inside[key]
            continue
        action = draw(st.sampled_from(["replace", "remove", "add"]))
        if action == "replace":
            inside[key] = draw(JSON)
        elif action == "remove":
            del inside[key]
        elif isinstance(inside, dict):
            inside[draw(st.text(max_size=8))] = draw(JSON)
        else:
            inside.append(draw(JSON))
        break
    return found


@st.composite
def texts(draw):
    """Rows with lines removed, repeated, swapped or changed."""
    lines = list(LINES)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(lines) - 1)) if lines else 0
        action = draw(st.sampled_from(["remove", "repeat", "swap", "value", "bytes"]))
        if not lines:
            break
        if action == "remove":
            del lines[at]
        elif action == "repeat":
            lines.insert(at, lines[draw(st.integers(0, len(lines) - 1))])
        elif action == "swap":
            other = draw(st.integers(0, len(lines) - 1))
            lines[at], lines[other] = lines[other], lines[at]
        elif action == "value":
            number = draw(st.floats() | st.floats(-100, 200) | st.integers())
            form = draw(st.sampled_from(["{:.6f}", "{}", "{:e}", "0{:.6f}", "+{:.6f}", "{:.6f} "]))
            start = lines[at].rpartition(b",")[0]
            lines[at] = start + b"," + form.format(number).encode() + b"\n"
        else:
            lines[at] = draw(changed(lines[at]))
    return b"".join(lines)


def entry_case(value) -> None:
    blob = value if isinstance(value, bytes) else None
    try:
        blob = schema.written(value) if blob is None else blob
        found = entry.parse(blob)
    except (Fault, UnicodeEncodeError):
        return
    # What is accepted says the same thing in the same bytes, and its rows are those it counts.
    assert schema.written(dict(found.facts)) == blob
    assert set(found.facts) == set(FACTS) and found.id == entry.entry_id(found.facts)
    assert sum(1 for _ in found.layout.row_keys()) == found.facts["rows"]
    assert not any(sign in blob.decode() for sign in ("<", ">", "..", "__"))
    assert b"<" not in card.card(found)


def rows_case(text: bytes) -> None:
    try:
        values = rows.read(gzip.compress(text, 1, mtime=0), ENTRY.layout)
    except Fault:
        return
    told = list(csv.reader(io.StringIO(text.decode())))
    assert told[0] == rows.HEADER.decode().strip().split(",")
    keys = [tuple(line[:6]) for line in told[1:]]
    assert keys == [tuple(map(str, key)) for key in ENTRY.layout.row_keys()]
    assert [float(line[6]) for line in told[1:]] == values.tolist()
    assert all(math.isfinite(value) for value in values)


def gzip_case(blob: bytes) -> None:
    try:
        values = rows.read(blob, ENTRY.layout)
    except Fault:
        return
    text = gzip.decompress(blob)
    assert len(text.splitlines()) == len(values) + 1


def canary_case(blob: bytes) -> None:
    try:
        found = canary.parse(blob, ENTRY)
    except Fault:
        return
    assert schema.written(dict(found)) == blob


def proof_case(value) -> None:
    try:
        # Changed facts get a good check sum: whoever edits a record can compute it, too.
        blob = value if isinstance(value, bytes) else proof.written(value)
        found = proof.parse(blob, ENTRY, SUMS)
    except (Fault, UnicodeEncodeError):
        return
    assert proof.written(found) == blob and found["files"] == SUMS
    assert all(one["largest"] <= one["allowed"] for one in found["rows"].values())


def weights_case(blob: bytes) -> None:
    try:
        weights.check_header(blob, len(blob), "w")
    except Fault:
        return
    from safetensors.numpy import load

    length = int.from_bytes(blob[:8], "little")
    assert length <= weights.HEADER and load(blob) is not None


CASES = {
    "entry": (entry_case, facts()),
    "entry bytes": (entry_case, changed(GOOD[entry.NAME])),
    "rows": (rows_case, texts()),
    "gzip": (gzip_case, changed(GOOD[rows.NAME])),
    "canary": (canary_case, changed(GOOD[canary.NAME])),
    "proof": (proof_case, st.one_of(facts(proof.NAME), changed(GOOD[proof.NAME]))),
    "weights": (weights_case, changed(TENSORS)),
}


def fuzz(name: str, cases: int, part: int = 0) -> None:
    """Tries cases on a parser; the same ones every time, others in every part."""
    check, strategy = CASES[name]
    how = settings(
        max_examples=cases,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    seed(part)(how(given(strategy)(check)))()


@pytest.mark.parametrize("name", CASES)
def test_parsers_neither_crash_nor_accept_what_is_invalid(name):
    fuzz(name, FEW)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", CASES)
def test_parsers_hold_for_twenty_thousand_cases(name, part):
    fuzz(name, MANY // PARTS, part)


def test_what_the_cases_start_from_is_valid():
    entry_case(GOOD[entry.NAME])
    assert len(rows.read(GOOD[rows.NAME], ENTRY.layout)) == FACTS["rows"]
    assert canary.parse(GOOD[canary.NAME], ENTRY)
    assert proof.parse(GOOD[proof.NAME], ENTRY, SUMS)
    weights.check_header(TENSORS, len(TENSORS), "w")
