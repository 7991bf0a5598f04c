"""Records of what was found when an entry was computed again."""

import json

import pytest

from benchmark.leaderboard import check, loaded, proof, schema


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
