"""Networks between two files: the same as a dial gives, in the form of the first file."""

import math

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from baselines.external import srvgg
from benchmark import cli, interpolation
from tests.importing.conftest import chain, imported

WIDTHS = [3, 16, 16, 3]


def tuned(state):
    """A copy that is a little off, as a tuned network is."""
    other = chain(WIDTHS, seed=9)
    return {key: value + 0.1 * other[key] for key, value in state.items()}


@pytest.fixture
def between(home, tmp_path, capsys):
    """Returns what the verb does with two files: code, output, errors; and the folder it writes to."""

    def call(start, end, *words):
        folder = tmp_path / "out"
        code = cli.main(["interpolate", start, end, "--to", str(folder), *words])
        said = capsys.readouterr()
        return code, said.out, said.err, folder

    return call


def test_files_between_a_pair_are_the_networks_that_the_dial_gives(small_pair, between, tmp_path):
    start, end = small_pair
    files = str(tmp_path / "a.pth"), str(tmp_path / "b.pth")
    code, _, _, folder = between(*files, "--levels", "0,0.3,1")
    method, x = imported("srvgg_dni:convs=1", "sr"), torch.rand(1, 3, 8, 10)
    assert code == 0
    for level in (0, 0.3, 1):
        # In the form of START, from whose file it was read.
        state = torch.load(folder / f"level-{level:g}.pth", weights_only=True)["params"]
        output = srvgg.from_official(state)(x)
        assert torch.allclose(output, method(x, torch.full((1, 1), float(level))), atol=1e-6)
        for exact, ends in ((0, start), (1, end)):
            same = all(torch.equal(state[key], value) for key, value in ends.items())
            assert same == (level == exact)


def test_every_form_of_a_file_is_given_back(between, file, tmp_path):
    start, end = chain(WIDTHS), tuned(chain(WIDTHS))
    middle = interpolation.between(start, end, 0.5)
    parallel = {f"module.{key}": value for key, value in start.items()}
    half = {key: value.half() for key, value in start.items()}
    save_file(start, tmp_path / "a.safetensors")
    forms = {
        file(start, "flat.pth"): (None, start),
        file({"params": {}, "params_ema": start}, "ema.ckpt"): ("params_ema", start),
        file({"state_dict": parallel, "epoch": 3}, "parallel.pth"): ("state_dict", parallel),
        file(half, "half.pt"): (None, half),
        str(tmp_path / "a.safetensors"): (None, start),
    }
    for at, (first, (wrapper, named)) in enumerate(forms.items()):
        folder = tmp_path / str(at)
        words = ["interpolate", first, file(end, "end.pth"), "--levels", "0.5"]
        assert cli.main([*words, "--to", str(folder)]) == 0
        (path,) = folder.iterdir()
        assert path.name == "level-0.5" + first[first.rindex(".") :]
        reads = load_file if path.suffix == ".safetensors" else torch.load
        found = reads(path)
        found = found[wrapper] if wrapper else found
        assert found.keys() == named.keys()
        for key, value in found.items():
            exact = middle[key.removeprefix("module.")]
            assert value.dtype == named[key].dtype
            assert torch.allclose(value.float(), exact, rtol=0, atol=2e-3 if at == 3 else 0)


def test_the_framework_that_safetensors_name_is_kept_and_nothing_else(between, file, tmp_path):
    start, end = chain(WIDTHS), file(tuned(chain(WIDTHS)), "b.pth")
    for about in ({"format": "pt", "hash": "of the start"}, {"epoch": "3"}, None):
        save_file(start, path := tmp_path / "a.safetensors", about)
        code, _, _, folder = between(str(path), end, "--levels", "0.5")
        written = folder / "level-0.5.safetensors"
        with safe_open(written, "pt") as found:
            assert code == 0 and found.metadata() == (
                {"format": "pt"} if about and "format" in about else None
            )
        written.unlink()


def test_it_says_how_far_two_networks_are_apart(between, file):
    start = file(chain(WIDTHS), "a.pth")
    code, out, err, _ = between(start, file(tuned(chain(WIDTHS)), "b.pth"), "--levels", "0.5")
    # 0.1 of an independent kernel of the same size turns each filter by a cosine of 1 / sqrt(1.01).
    cosine = float(out.split("mean cosine ")[1].split()[0])
    assert code == 0 and not err and cosine == pytest.approx(1 / math.sqrt(1.01), abs=0.01)
    code, out, err, _ = between(start, file(chain(WIDTHS, seed=5), "c.pth"), "--levels", "0")
    assert code == 0 and err.startswith("note: these networks were trained apart (mean cosine ")


def test_counters_stay_and_running_statistics_are_told_of(between, file):
    norm = torch.nn.Sequential(torch.nn.Conv2d(3, 3, 1), torch.nn.BatchNorm2d(3))
    start = {key: value.clone() for key, value in norm.state_dict().items()}
    norm(torch.rand(4, 3, 8, 8))
    end = norm.state_dict()
    files = file(start, "a.pth"), file(end, "b.pth")
    code, _, err, folder = between(*files, "--levels", "0.5")
    found = torch.load(folder / "level-0.5.pth", weights_only=True)
    assert code == 0 and err.startswith("note: running means and variances are interpolated too")
    assert found["1.num_batches_tracked"] == start["1.num_batches_tracked"] == 0
    mean = (start["1.running_mean"] + end["1.running_mean"]) / 2
    assert torch.allclose(found["1.running_mean"], mean)


def test_networks_that_do_not_go_together_are_refused_and_nothing_is_written(between, file):
    start = chain(WIDTHS)
    less = {key: value for key, value in start.items() if key != "1.bias"}
    wrong = {
        "lacks 1 tensor of": less,
        "'0.weight' is 16x3x": {**start, "0.weight": torch.zeros(16, 3, 5, 5)},
        "'2.bias' has values that are no finite numbers": {**start, "2.bias": torch.ones(3) / 0},
        "holds no network to interpolate: it holds no state dict": {},
        "it holds 'step', which is not a tensor": {**start, "step": 3},
        "it is damaged, or holds more than tensors": torch.nn.Linear(1, 1),
        " a single number in ": {**start, "2.bias": torch.ones(())},
        " int8 in ": {**start, "0.weight": start["0.weight"].to(torch.int8)},
        " complex64 in ": {**start, "0.weight": start["0.weight"] * 1j},
    }
    for text, state in wrong.items():
        for files in ((start, state), (state, start)):
            names = file(files[0], "a.pth"), file(files[1], "b.pth")
            code, out, err, folder = between(*names)
            assert (code, out) == (2, "") and text in err and len(err.splitlines()) == 1
            assert not folder.exists()
    code, _, err, _ = between(file(start, "a.pth"), "nowhere.pth")
    assert code == 2 and "nowhere.pth cannot be read (No such file or directory)" in err


NO_LEVELS = {
    "1.5": "level 1.5 lies outside [0, 1]",
    "-0.1": "level -0.1 lies outside [0, 1]",
    "nan": "'nan' is not a level",
    "half": "'half' is not a level",
    "0.5/1": "level (0.5, 1.0) has 2 values",
    ",": "--levels names none",
}


@pytest.mark.parametrize(("levels", "text"), NO_LEVELS.items())
def test_levels_lie_between_the_two(between, file, levels, text):
    start = file(chain(WIDTHS), "a.pth")
    code, _, err, folder = between(start, start, f"--levels={levels}")
    assert code == 2 and err.startswith(f"dialbench: {text}") and not folder.exists()


def test_one_level_is_one_file_however_it_is_written(between, file):
    files = file(chain(WIDTHS), "a.pth"), file(tuned(chain(WIDTHS)), "b.pth")
    code, out, _, folder = between(*files, "--levels=0.5,0.50,5e-1,-0,0.12345671,0.12345672")
    names = ["level-0.5.pth", "level-0.pth", "level-0.123457.pth"]
    assert code == 0 and {path.name for path in folder.iterdir()} == {*names}
    assert [line.rpartition("/")[2] for line in out.splitlines()[1:]] == names


def test_the_same_again_is_fine_and_another_file_stays(between, file):
    start, end = file(chain(WIDTHS), "a.pth"), file(tuned(chain(WIDTHS)), "b.pth")
    assert between(start, end)[0] == between(start, end)[0] == 0
    kept = {path: path.read_bytes() for path in between(start, end)[3].iterdir()}
    code, _, err, folder = between(end, start)
    assert code == 2 and "level-0.25.pth is there already, and another file" in err
    assert {path: path.read_bytes() for path in folder.iterdir()} == kept
    # Nothing of another pair lies beside it, whatever the order.
    assert between(end, start, "--levels", "0.1,0.25")[0] == 2
    assert {path: path.read_bytes() for path in folder.iterdir()} == kept


def test_what_a_killed_command_left_half_written_goes_when_it_runs_again(between, file, tmp_path):
    left = tmp_path / "out" / f".level-0.5.pth.{'0' * 32}.tmp"
    left.parent.mkdir()
    left.touch()
    files = file(chain(WIDTHS), "a.pth"), file(tuned(chain(WIDTHS)), "b.pth")
    assert between(*files, "--levels", "0.5")[0] == 0
    assert [one.name for one in left.parent.iterdir()] == ["level-0.5.pth"]


def test_a_file_without_kernels_is_interpolated_all_the_same(between, file):
    start, end = ({"scale": torch.full((3,), value)} for value in (1.0, 2.0))
    code, out, err, folder = between(file(start, "a.pth"), file(end, "b.pth"), "--levels", "0.5")
    assert code == 0 and out.splitlines()[0] == "3 numbers in 1 tensor" and not err
    found = torch.load(folder / "level-0.5.pth", weights_only=True)
    assert found["scale"].tolist() == [1.5] * 3


def test_parameters_and_numbers_of_eight_bits_are_interpolated_like_others(between, file, recwarn):
    start, end = chain(WIDTHS), tuned(chain(WIDTHS))
    forms = {
        "parameters": {key: torch.nn.Parameter(value) for key, value in start.items()},
        "eight": {key: value.to(torch.float8_e4m3fn) for key, value in start.items()},
    }
    for name, state in forms.items():
        files = file(state, f"{name}.pth"), file(end, "b.pth")
        code, _, err, folder = between(*files, "--levels", "0.5")
        found = torch.load(folder / "level-0.5.pth", weights_only=True)
        assert (code, err) == (0, "") and not [*recwarn]
        for key, value in interpolation.between(state, end, 0.5).items():
            assert found[key].dtype == state[key].dtype and not found[key].requires_grad
            assert torch.equal(found[key].float(), value.float())
        (folder / "level-0.5.pth").unlink()


def test_numbers_that_the_type_of_the_start_cannot_hold_are_refused(between, file):
    start, end = {"scale": torch.ones(2).half()}, {"scale": torch.full((2,), 1e6)}
    code, _, err, folder = between(file(start, "a.pth"), file(end, "b.pth"), "--levels", "0.01,1")
    assert code == 2 and "is beyond the float16 that" in err and not folder.exists()
    assert between(file(end, "b.pth"), file(start, "a.pth"), "--levels", "0.5")[0] == 0


def test_names_from_a_file_do_nothing_to_the_terminal(between, file):
    start, end = ({"a\x1b[31m\nb": chain(WIDTHS, seed)["0.weight"]} for seed in (0, 1))
    code, out, _, _ = between(file(start, "a.pth"), file(end, "b.pth"), "--levels", "0.5")
    assert code == 0 and "in a\\x1b[31m\\nb)" in out and "\x1b" not in out
