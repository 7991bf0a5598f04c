"""Methods against networks for one level alone, on any backbone: ``experts`` and ``drop-in``."""

import math

import pytest

from benchmark import tasks
from benchmark.errors import JobError
from benchmark.studies import drop_in, experts
from tests.studies.conftest import asked

DENOISE = tasks.get("denoise")


def test_differences_to_experts_are_those_that_were_planted(plant):
    rows = plant(
        {
            "ftn": lambda level, dial, at: 30 + at + 0.3 * (1 if level else -1),
            "experts": lambda level, dial, at: 30 + at,
        }
    )
    found = experts.gaps(rows[(rows["method"] == "ftn") | (rows["level"] != "0.25")], DENOISE)
    (line,) = found["experts"].itertuples()
    assert (line.levels, line.worst) == (4, pytest.approx(-0.3))
    assert (line.mean, line.mean_abs) == pytest.approx((0.15, 0.3))


@pytest.mark.parametrize(
    ("few", "many"), [("experts:count=2", "experts"), ("experts", "experts:count=5")]
)
def test_of_several_kinds_of_experts_those_with_most_levels_are_compared_with(plant, few, many):
    values = {few: 10, many: 29, "ftn": 30}
    rows = plant({name: lambda level, dial, at, by=by: by for name, by in values.items()})
    rows = rows[(rows["method"] != few) | rows["level"].isin(["0", "1"])]
    found = experts.gaps(rows, DENOISE)
    (line,) = found["experts"].itertuples()
    assert (line.against, line.levels, line.mean) == (many, 5, 1)


def test_a_method_that_lacks_a_score_is_told_with_the_reason(plant):
    rows = plant({name: lambda level, dial, at: 30 + at for name in ("dni", "experts", "ftn")})
    lost = (rows["method"] == "ftn") & (rows["level"] == "1") & (rows["image"] == "a")
    rows.loc[lost, ["value", "status", "reason"]] = math.nan, "failed", "PSNR is infinite"
    found = experts.gaps(rows, DENOISE)
    about = found["experts"].set_index("method")
    assert about["reason"].to_dict() == {"dni": "", "ftn": "PSNR is infinite"}
    assert experts.draw(found, DENOISE).axes
    with pytest.raises(JobError, match="nothing can be compared; ftn: PSNR is infinite"):
        experts.gaps(rows[rows["method"] != "dni"], DENOISE)


def test_drop_in_shrinks_networks_with_the_preset_and_obeys_a_backbone():
    for preset in ("smoke", "laptop", "gpu"):
        small = drop_in.requests(asked("denoise", "--methods", "tunable_conv", "--preset", preset))
        assert [one.backbone.partition(":")[0] for one in small] == ["swinir", "nafnet"]
        assert all(":" in one.backbone for one in small)
    full = drop_in.requests(asked("denoise", "--methods", "tunable_conv", "--preset", "paper"))
    assert [one.backbone for one in full] == ["swinir", "nafnet"]
    # ``small`` is what the preset has.
    for backbone in ("resnet16", "small"):
        (own,) = drop_in.requests(asked("denoise", "--methods", "ftn", "--backbone", backbone))
        assert own.backbone == backbone
    assert [one.method for one in own.methods] == ["ftn", "experts"]
