"""Weights of entries: tensors and nothing else."""

import hashlib
import json
import os
import pickle

import pytest
import torch

from benchmark.leaderboard import check, entry, synthetic
from benchmark.store import packed


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


@pytest.mark.parametrize("length", [0x280, 0x380, 0x480, 0x580, 0x10280])
def test_a_header_whose_length_begins_like_a_pickle_is_no_pickle(length):
    blob = synthetic.tensors()
    end = 8 + int.from_bytes(blob[:8], "little")
    # Headers are filled up with spaces.
    blob = length.to_bytes(8, "little") + blob[8:end].ljust(length) + blob[end:]
    assert pickle.dumps(0, protocol=blob[1])[:2] == blob[:2]
    check.weights.check_header(blob, len(blob), "weights/start-0.safetensors")


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
        (
            {"x": {"dtype": "F32", "shape": [2**39, 2**39, 0], "data_offsets": [48, 48]}},
            "too large",
        ),
        (
            {"x": {"dtype": "OBJ", "shape": [1], "data_offsets": [48, 49]}},
            "holds OBJ, not F16, BF16",
        ),
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


def test_what_torch_stores_of_complex_and_small_whole_numbers_is_taken():
    state = {
        "phase": torch.ones(3, dtype=torch.complex64),
        "steps": torch.ones(5, dtype=torch.int8),
        "order": torch.ones(7, dtype=torch.int16),
    }
    blob = packed(state)
    check.weights.check_header(blob, len(blob), "w")


def test_weights_that_no_fact_names_are_a_fault(put, faults):
    path = put()
    (path / "weights" / "more-0.safetensors").write_bytes(synthetic.tensors(7))
    assert faults(path) == ["weights/more-0.safetensors: entry.json does not name it"]
