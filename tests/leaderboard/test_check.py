"""The referee: every way in which an entry can be wrong has one line that names it."""

import json
import time

import pytest

from benchmark import tasks
from benchmark.errors import UserError
from benchmark.leaderboard import card, entry, schema
from benchmark.leaderboard.faults import Fault


def test_a_good_entry_has_no_fault(put, faults):
    for options in (
        {"metrics": 2, "seeds": (1,)},
        {},
        {"task": "denoise", "crossed": True, "seeds": (0, 3)},
    ):
        assert faults(put(**options)) == []


def test_what_every_task_calls_its_dials_is_no_code():
    names = {axis.name for name in tasks.names() for axis in tasks.get(name).space.axes}
    assert "lambda" in names and all(schema.is_prose(name, 60) for name in names)
    assert not schema.is_prose("lambda x: x", 60)


def test_an_unknown_task_or_version_is_named(put, faults, edit):
    path = put()
    edit(path, task_version=9)
    assert faults(path) == ["entry.json: version 9 of task sr is not known, only up to 1"]
    edit(path, task_version=1, task="magic")
    assert "unknown task 'magic'" in faults(path)[0]


@pytest.mark.parametrize(
    "time", ["2026-13-01T00:00:00Z", "2026-00-39T00:00:00Z", "2026-01-01T29:00:00Z"]
)
def test_a_time_that_no_clock_shows_is_refused(put, faults, edit, time):
    path = put()
    edit(path, created_utc=time)
    (fault,) = faults(path)
    assert "created_utc" in fault


TEXTS = [
    ("limits", lambda text: [text]),
    ("missing", lambda text: {"psnr-y601": text}),
    ("licence", str),
    ("method", str),
    ("backbone", str),
    ("preset", str),
    ("created_utc", str),
    ("software", lambda text: {"harness": "0.1.0", "torch": "2", "device": text}),
    ("sets", lambda text: [{"name": text, "digest": "0" * 20, "images": ["a"]}]),
    ("sets", lambda text: [{"name": "a", "digest": "0" * 20, "images": [text]}]),
    ("training", lambda text: [{"name": text, "digest": "0" * 20, "images": 1}]),
]


@pytest.mark.parametrize(("field", "shape"), TEXTS)
@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "<img src=x onerror=y>", "javascript:alert(1)", "a&lt;b"]
)
def test_markup_in_any_text_is_refused_and_shown_escaped(put, faults, edit, field, shape, text):
    path = put()
    edit(path, **{field: shape(text)})
    (fault,) = faults(path)
    assert "holds HTML, script or an address" in fault and field in fault
    assert "<" not in fault and ">" not in fault


@pytest.mark.parametrize("field", ["limits", "licence", "paper", "method"])
@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('x')",
        "os.system('x')",
        "!!python/object/apply:os.system",
        "{{ 7 * 7 }}",
        "`id`",
        "$(id)",
        "eval this",
        "import os",
    ],
)
def test_code_in_metadata_is_refused(put, faults, edit, field, text):
    path = put()
    edit(path, **{field: [text] if field == "limits" else text})
    assert "holds code" in faults(path)[0]


def test_what_markdown_makes_a_link_of_is_refused(put, faults, edit):
    path = put()
    sets = json.loads((path / entry.NAME).read_bytes())["sets"]
    software = json.loads((path / entry.NAME).read_bytes())["software"]
    for change in (
        {"limits": ["see www.elsewhere.invalid for more"]},
        {"limits": ["see _www.elsewhere.invalid for more"]},
        {"sets": [{**sets[0], "name": "www.elsewhere.invalid"}]},
        {"licence": "www.elsewhere.invalid"},
        {"software": {**software, "torch": "www.elsewhere.invalid"}},
        {"software": {**software, "device": "www.elsewhere.invalid cpu"}},
    ):
        edit(path, **change)
        assert "holds HTML, script or an address: " in faults(path)[0]


def test_terminal_controls_never_reach_the_terminal(put, faults, edit):
    path = put()
    edit(path, licence="\x1b[2J\u202e\n")
    (path / "\x1b[31mred").write_text("")
    found = faults(path)
    assert len(found) >= 2
    assert all(fault.isprintable() and fault.isascii() for fault in found)


def test_facts_must_fit_together(put, faults, edit):
    path = put()
    facts = json.loads((path / entry.NAME).read_bytes())
    for changes, words in (
        ({"protocol": "rgb"}, "protocol: rgb, but sr has sr-y"),
        ({"levels": ["0", "0.50", "1"]}, "levels"),
        ({"levels": ["0", "0.5", "1.5"]}, "levels"),
        ({"levels": ["0.5", "0", "1"]}, "levels"),
        ({"rows": 7}, "rows: 7, but its sets, levels and metrics make 72"),
        ({"metrics": facts["metrics"][1:]}, "metrics: the first must be psnr-y601"),
        ({"metrics": facts["metrics"][:2]}, "not the metrics of the task"),
        ({"preset": "paper"}, "id: must be"),
        ({"weights": []}, "weights_sha256: not that of"),
        ({"status": "reproduced"}, "unknown field 'status'"),
        ({"crossed": True}, "crossed: the task has no true level"),
        ({"surprise": 1}, "unknown field 'surprise'"),
        ({"seeds": [0, 0]}, "'0' is there twice"),
        ({"rows": True}, "is not a whole number"),
        ({"schema": 2}, "schema 2 is not known"),
    ):
        edit(path, **{**facts, **changes})
        assert words in faults(path)[0], changes
        (path / entry.NAME).write_bytes(schema.written(facts))


@pytest.mark.parametrize(
    ("blob", "words"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a": NaN}', "NaN is not a finite number"),
        (b'{"a": 1, "a": 2}', "'a' is there twice"),
        (b"1" * 10_000, "not JSON"),
        (b"[]", "must be an object"),
    ],
)
def test_json_that_is_none_is_one_line(put, faults, blob, words):
    path = put()
    (path / entry.NAME).write_bytes(blob)
    assert words in faults(path)[0]


def test_a_file_full_of_names_or_words_takes_no_minutes(put, faults, edit):
    path = put()
    keys = ",".join(f'"{number:05d}":0' for number in range(100_000))
    began = time.process_time()
    (path / entry.NAME).write_text(f'{{{keys},"99999":0}}')
    assert faults(path) == ["entry.json: '99999' is there twice"]
    with pytest.raises(Fault, match="is not allowed here"):
        schema.prose(entry.LIMIT)("lambda " * 140_000, "limits")
    assert time.process_time() - began < 10


def test_an_entry_is_written_in_one_way_only(put, faults):
    path = put()
    facts = json.loads((path / entry.NAME).read_bytes())
    (path / entry.NAME).write_text(json.dumps(facts))
    assert "not written as 'dialbench board submit' writes it" in faults(path)[0]


def test_the_card_follows_from_the_facts(put, faults):
    path = put()
    with open(path / card.NAME, "a") as file:
        file.write("<script>alert(1)</script>\n")
    assert faults(path) == ["card.md: not what entry.json makes"]


def test_the_canary_is_of_the_first_image_at_every_level(put, faults):
    path = put()
    file = path / "canary.json"
    seen = json.loads(file.read_bytes())
    for change in (
        {"image": "img_002"},
        {"levels": {"0": seen["levels"]["0"]}},
        {"levels": {**seen["levels"], "0": {**seen["levels"]["0"], "blocks": []}}},
        {"note": "x"},
    ):
        file.write_bytes(schema.written({**seen, **change}))
        assert [one for one in faults(path) if one.startswith("canary.json: ")][1:], change


@pytest.mark.parametrize("options", ["beta1=0.9", "K=2", "shift=-0.5", "lr=1e-05:_last=a+b.c"])
def test_options_are_named_as_arguments_and_may_be_below_zero(put, faults, options):
    assert faults(put(method=f"mine:{options}")) == []


@pytest.mark.parametrize("options", ["1a=2", "a=--2", "a=-", "a=.5", "a=b/c", "a==1+1", "a=../b"])
def test_options_are_nothing_else(put, options):
    with pytest.raises(UserError, match=r"cannot be an entry: entry\.json: method: "):
        put(method=f"mine:{options}")


def test_sets_may_leave_images_out_or_be_pinned(put, faults):
    names = ("bsds500-train:without=302003+2092", "hub/set5@0a1b2c3", "mine:without=a")
    sets = [{"name": name, "digest": "3" * 20, "images": 10} for name in names]
    tested = [{"name": names[1], "digest": "2" * 20, "images": ["a", "kodim01 sigma=15"]}]
    assert faults(put(training=sets, sets=tested)) == []


def test_not_even_a_sentence_holds_the_way_out_of_a_folder(put, faults, edit):
    path = put()
    edit(path, limits=["see .. for more"])
    assert "is a path that leaves the folder" in faults(path)[0]
