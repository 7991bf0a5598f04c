"""Jobs as files."""

import pytest

from benchmark.config import preset
from benchmark.errors import UserError
from benchmark.planning import jobs
from benchmark.planning.jobs import SweepJob, TrainJob
from benchmark.training.stage import Adam, Anchors, At, Sparse, Stage, Uniform

STAGE = Stage("tune", ("a.", "b."), At(0.0), 0.5, "start", Adam(0.1), "backbone")
LEVELS = [At(0.0), At(1.0, 0.5), Anchors(3), Uniform(), Sparse()]


@pytest.mark.parametrize("levels", LEVELS)
def test_a_train_job_survives_json(levels):
    stage = Stage("tune", ("a.", "b."), levels, 0.5, "start", Adam(0.1), "backbone")
    job = TrainJob("k", "sr", None, None, "small", stage, preset("smoke"), 1, ("builtin",), "s")
    assert jobs.from_json(jobs.to_json(job)) == job


# Stages may be called like any word of the file.
@pytest.mark.parametrize("stages", [{"start": "a"}, {"type": "a", "Adam": "b"}])
def test_a_sweep_job_survives_json(stages):
    job = SweepJob(
        "k",
        "sr",
        "ftn",
        "f.py",
        "small",
        preset("laptop"),
        0,
        stages,
        "x",
        ((0.0,), (1.0,)),
    )
    assert jobs.from_json(jobs.to_json(job)) == job


WRONG = ["", "[]", "{}", "3", '{"type": "TrainJob"}', '{"type": "os"}', "[" * 100_000]


@pytest.mark.parametrize("text", [*WRONG, "[" * 500 + "]" * 500], ids=lambda text: text[:20])
def test_what_is_not_a_job_is_refused(text, tmp_path):
    path = tmp_path / "job.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"job\.json"):
        jobs.read(path)


def test_a_job_with_a_part_of_another_version_is_refused():
    text = jobs.to_json(
        TrainJob("k", "sr", None, None, "small", STAGE, preset("smoke"), 1, (), "s")
    )
    for part in ("Preset", "Stage", "Adam"):
        with pytest.raises(UserError, match="this version"):
            jobs.from_json(text.replace(f'"type": "{part}"', f'"type": "{part}t"'))


def test_a_missing_job_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.json"):
        jobs.read(tmp_path / "none.json")


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe", b"[" * 100_000, b'{"a": 1}'])
def test_what_is_wrong_with_a_job_file_is_said_in_plain_words(content, tmp_path):
    path = tmp_path / "job.json"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(UserError) as error:
        jobs.read(path)
    said = str(error.value).replace(str(path), "FILE")
    assert said in (
        "FILE cannot be read (Is a directory); check the path",
        "FILE: this is not a job, and no text",
        "FILE: this is not a job of this version of dialbench",
    )
