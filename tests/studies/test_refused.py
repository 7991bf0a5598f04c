"""Studies that are asked for what they cannot show."""

import pytest

from benchmark import cli
from tests.studies.conftest import SMOKE


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("filter-similarty", "did you mean 'filter-similarity'"),
        ("wrong-level --task sr", "have a true level, which those of sr have not; choose a task"),
        ("content --task blind", "needs a dial that is set by hand, and blind sets its own"),
        ("dial-linearity --task blind-dejpeg", "choose a task like denoise"),
        ("wrong-level --task pixel-adaptive", "and pixel-adaptive sets its own"),
        ("joint --task denoise", "operators-10"),
        (
            "joint --methods decouple,floor",
            "one method with itself; choose one of: decouple, floor",
        ),
        ("wrong-level --task blur-noise", "shows one dial, and blur-noise has 2"),
        *(
            (f"{name} --task blur-noise", f"{name} shows one dial, and blur-noise has 2")
            for name in ("content", "dial-linearity", "drop-in", "experts")
        ),
        ("kernel-map --task blur-noise", "choose a task like operators-6"),
        *(
            (f"{name} --task operators-4 --methods decouple", "are names, which have no order")
            for name in ("content", "dial-linearity", "wrong-level")
        ),
        *(
            (f"{name} {option}", f"{name} looks at levels of its own; leave out --levels")
            for name in ("cost", "filter-similarity", "joint", "kernel-map")
            for option in ("--levels 0", "--physical 20")
        ),
        *(
            (f"{name} {option}", f"{name} sets the dial to other levels than the true one; give")
            for name in ("content", "dial-linearity", "wrong-level")
            for option in ("--levels 0.6", "--physical 50")
        ),
        ("kernel-map --task denoise --methods experts", "experts: it answers at a few levels only"),
        ("seeds --seeds 3", "one seed has nothing to be compared with"),
        ("experts --task denoize", "did you mean 'denoise'"),
        *(
            (f"{name} --task denoise --methods dni,cfsnet", "cfsnet: it does not fold into its")
            for name in ("filter-similarity", "kernel-map", "single-layer")
        ),
        ("kernel-map --task denoise --methods cfsnet --dry-run", "leave it out of --methods"),
    ],
)
def test_bad_usage_is_one_line_and_exit_2(words, part, capsys, home):
    assert cli.main(["analyze", *words.split(), *SMOKE]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("dialbench: ")
    assert part in error
