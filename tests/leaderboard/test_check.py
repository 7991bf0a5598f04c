"""The referee: every way in which an entry can be wrong has one line that names it."""

import gzip
import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys

import pytest

from benchmark import tasks
from benchmark.leaderboard import (
    assemble,
    card,
    check,
    entry,
    loaded,
    proof,
    rows,
    schema,
    synthetic,
)
from benchmark.metrics.records import METRICS


def text_of(path) -> bytes:
    return gzip.decompress((path / rows.NAME).read_bytes())


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


def test_an_unknown_task_or_version_is_named(put, faults, edit):
    path = put()
    edit(path, task_version=9)
    assert faults(path) == ["entry.json: version 9 of task sr is not known, only up to 1"]
    edit(path, task_version=1, task="magic")
    assert "unknown task 'magic'" in faults(path)[0]


@pytest.mark.parametrize(
    "name", ["../../x.safetensors", "/etc/passwd", "weights/../../x.safetensors", "C:\\x"]
)
def test_a_path_that_leaves_the_folder_is_refused(put, faults, edit, name):
    path = put()
    weights = json.loads((path / entry.NAME).read_bytes())["weights"]
    edit(path, weights=[{**weights[0], "file": name}])
    assert (
        "weights: file: is a path that leaves the folder" in faults(path)[0]
        or "code" in faults(path)[0]
    )


def test_pickles_are_refused_unopened(put, faults, edit, tmp_path):
    mark = tmp_path / "was-run"

    class Bomb:
        def __reduce__(self):
            return os.system, (f"touch {mark}",)

    path = put()
    blob = pickle.dumps(Bomb())
    (path / "model.pt").write_bytes(blob)
    assert faults(path) == [
        "model.pt: may hold a pickle, which is never opened; weights are safetensors"
    ]
    (path / "model.pt").unlink()
    about = json.loads((path / entry.NAME).read_bytes())["weights"][0]
    (path / about["file"]).write_bytes(blob)
    assert faults(path) == [
        f"{about['file']}: a pickle (or PyTorch file), which is never opened; give safetensors"
    ]
    assert not mark.exists()


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
    assert "holds HTML or script" in fault and field in fault
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


def test_terminal_controls_never_reach_the_terminal(put, faults, edit):
    path = put()
    edit(path, licence="\x1b[2J\u202e\n")
    (path / "\x1b[31mred").write_text("")
    found = faults(path)
    assert len(found) >= 2
    assert all(fault.isprintable() and fault.isascii() for fault in found)


def test_weights_are_what_their_hash_says(put, faults):
    path = put()
    file = next((path / "weights").iterdir())
    file.write_bytes(synthetic.tensors(7))
    (fault,) = faults(path)
    assert "not what its hash says" in fault
    file.unlink()
    assert faults(path) == [f"weights/{file.name}: missing"]


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"__metadata__": {"run": "import os"}}, "text in its metadata"),
        ({"a<b>": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}, "no name of a tensor"),
        ({"x": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}}, "overlap or leave gaps"),
        ({"x": {"dtype": "F32", "shape": [9], "data_offsets": [48, 84]}}, "tensors fill 84 of 48"),
        ({"x": {"dtype": "F32", "shape": [9], "data_offsets": [48, 49]}}, "not the size"),
        ({"x": {"dtype": "F32", "shape": [2**70], "data_offsets": [48, 49]}}, "not described"),
        ({"x": {"dtype": "OBJ", "shape": [1], "data_offsets": [48, 49]}}, "not the size"),
    ],
)
def test_headers_of_weights_are_held_to_their_form(put, extra, words):
    path = put()
    file = next((path / "weights").iterdir())
    blob = synthetic.tensors(0, **extra)
    file.write_bytes(blob)
    about = json.loads((path / entry.NAME).read_bytes())["weights"][0]
    with pytest.raises(check.Fault, match=words):
        check.weights.check_file(file, about["file"], hashlib.sha256(blob).hexdigest(), len(blob))


def test_links_hidden_and_unknown_files_are_refused(put, faults, tmp_path):
    path = put()
    (tmp_path / "secret").write_text("x")
    (path / "notes.txt").write_text("x")
    (path / ".hidden").write_text("x")
    (path / "more").mkdir()
    os.mkfifo(path / "pipe")
    (path / "weights" / "link.safetensors").symlink_to(tmp_path / "secret")
    assert sorted(faults(path)) == [
        ".hidden: a hidden file",
        "more: unknown folder",
        "notes.txt: unknown file",
        "pipe: neither a file nor a folder",
        "weights/link.safetensors: a symbolic link, which may lead out of the folder",
    ]


def test_a_linked_entry_file_is_refused(put, faults, tmp_path):
    path = put()
    shutil.move(path / rows.NAME, tmp_path / "rows")
    (path / rows.NAME).symlink_to(tmp_path / "rows")
    assert faults(path) == ["rows.csv.gz: a symbolic link, which may lead out of the folder"]


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


def test_an_entry_lies_in_the_folder_of_its_name(put, faults):
    path = put()
    moved = path.with_name("elsewhere-00000000")
    path.rename(moved)
    assert "lies in a folder of elsewhere-00000000" in faults(moved)[0]


def test_nothing_is_written_half_or_over(boards, put, monkeypatch):
    files = synthetic.make()
    name = entry.parse(files[entry.NAME]).id
    with pytest.raises(assemble.UserError, match="cannot be an entry: notes: unknown file"):
        assemble.place(boards, "sr", name, {**files, "notes": b"x"})
    assert list((boards / "sr" / "entries").iterdir()) == []
    assert assemble.place(boards, "sr", name, files)[1]
    assert not assemble.place(boards, "sr", name, files)[1]
    with pytest.raises(assemble.UserError, match="holds other numbers of the same run"):
        assemble.place(boards, "sr", name, synthetic.make(quality=1.0))


def test_whatever_has_no_place_in_the_folders_is_named(boards, put):
    put()
    (boards / "README.md").write_text("x")
    (boards / "x.html").write_text("x")
    (boards / "sr" / "index.html").write_text("x")
    (boards / "sr" / "entries" / "loose").write_text("x")
    (boards / "Strange").mkdir()
    assert [fault for fault in check.check(boards).faults if "board" not in fault] == [
        "Strange: unknown folder",
        "sr/entries/loose: unknown file",
        "sr/index.html: unknown file",
        "x.html: unknown file",
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"check": "0" * 64}, "changed; its check sum is not that of what it says"),
        ({"mode": "exact"}, "changed; its check sum is not that of what it says"),
        ({"mode": "magic"}, "mode: 'magic' is not allowed here"),
        ({"note": "<b>"}, "unknown field 'note'"),
    ],
)
def test_a_record_of_verification_that_was_edited_is_a_fault(put, faults, change, words):
    path = put(status="reproduced")
    file = path / proof.NAME
    file.write_bytes(schema.written({**json.loads(file.read_bytes()), **change}))
    (fault,) = faults(path)
    assert fault.startswith("verified.json: ") and words in fault
    with pytest.raises(check.Fault, match=r"verified\.json"):
        loaded.load(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rows": {}}, "its metrics are not those of the entry"),
        ({"mode": "retrain"}, "means are compared where training was done again"),
        ({"files": dict.fromkeys(proof.COVERED, "0" * 64)}, "entry.json changed since"),
    ],
)
def test_a_record_with_a_good_check_sum_must_be_about_this_entry(put, faults, change, words):
    path = put(status="reproduced")
    facts = {**json.loads((path / proof.NAME).read_bytes()), **change}
    (path / proof.NAME).write_bytes(proof.written(facts))
    assert words in faults(path)[0]


def test_a_record_does_not_cover_what_lies_beyond_its_tolerance(put, faults):
    path = put(status="retrained")
    assert loaded.load(path)[0].status == "retrained" and faults(path) == []
    facts = json.loads((path / proof.NAME).read_bytes())
    facts["rows"]["psnr-y601"]["largest"] = 0.05
    (path / proof.NAME).write_bytes(proof.written(facts))
    assert "rows of psnr-y601 do not make it retrained" in faults(path)[0]


def test_rows_that_changed_after_verification_are_not_reproduced(put, faults, reseal, boards):
    path = put(status="reproduced")
    reseal(path, text_of(path)[:-2] + b"9\n")
    assert "verified.json: entry.json changed since" in faults(path)[0]


def test_sets_may_leave_images_out_or_be_pinned(put, faults):
    names = ("bsds500-train:without=302003+2092", "hub/set5@0a1b2c3", "mine:without=a")
    sets = [{"name": name, "digest": "3" * 20, "images": 10} for name in names]
    tested = [{"name": names[1], "digest": "2" * 20, "images": ["a", "kodim01 sigma=15"]}]
    assert faults(put(training=sets, sets=tested)) == []


def test_not_even_a_sentence_holds_the_way_out_of_a_folder(put, faults, edit):
    path = put()
    edit(path, limits=["see .. for more"])
    assert "is a path that leaves the folder" in faults(path)[0]


def test_every_metric_has_a_range_and_a_tolerance():
    for metric in METRICS.values():
        low, high = metric.span
        assert low < high and 0 < metric.moves < 1
