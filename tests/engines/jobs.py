"""Jobs that are planned and handed in, and never run."""

from benchmark.config import preset
from benchmark.planning.jobs import SweepJob, TrainJob
from benchmark.training.stage import start_stage


def train(key: str, start: str | None = None) -> TrainJob:
    return TrainJob(key, "sr", None, None, "small", start_stage(), preset("smoke"), 0, (), start)


def sweep(key: str, *stages: str) -> SweepJob:
    names = {stage: stage for stage in stages}
    return SweepJob(key, "sr", "m", None, "small", preset("smoke"), 0, names, "x", ((0.0,), (1.0,)))
