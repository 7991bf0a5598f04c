"""Studies are tried on the same planted rows as what they are made of."""

from benchmark import cli
from benchmark.planning.request import Request, request_of
from tests.analysis.conftest import plant

__all__ = ["SMOKE", "asked", "plant"]

SMOKE = ("--preset", "smoke", "--set", "steps=1", "--offline", "--jobs", "1")


def asked(*words: str) -> Request:
    """Returns what a command line asks for."""
    top, _ = cli.parser()
    return request_of(top.parse_args(["run", *words]))
