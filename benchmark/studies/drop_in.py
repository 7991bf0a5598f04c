"""Whether a dial can be put into published networks: tunable SwinIR and NAFNet, and fixed ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from benchmark.errors import JobError
from benchmark.planning.request import Request
from benchmark.studies import experts
from benchmark.studies.study import Part, Study, Tables

FULL = ("swinir", "nafnet")
SMALL = ("swinir:depths=2-2:heads=4:width=32", "nafnet:dec=1-1:enc=1-1:mid=2:width=16")
"""What the two are shrunk to where the preset's own backbone is a small one."""


def requests(request: Request) -> list[Request]:
    """Returns the request on both networks, or on the backbone that the user named."""
    (own,) = experts.with_experts(request)
    if request.backbone_named:
        return [own]
    backbones = SMALL if request.preset.backbone.startswith("small") else FULL
    return [dataclasses.replace(own, backbone=backbone) for backbone in backbones]


def tables(parts: Sequence[Part]) -> Tables:
    """Returns the differences to fixed networks, of all backbones."""
    import pandas as pd

    rows = [part.rows for part in parts if not part.rows.empty]
    if not rows:
        raise JobError("nothing was scored, so there is nothing to compare")
    found = experts.gaps(pd.concat(rows, ignore_index=True), parts[0].task)
    return {"drop_in": found["experts"], "experts": found["experts"], "levels": found["levels"]}


STUDY = Study(
    summary="tunable SwinIR and NAFNet against the fixed networks, level by level",
    source="TC Tables 2 and 5",
    task="denoise",
    methods=("tunable_conv", "experts"),
    tables=tables,
    draw=experts.draw,
    one_dial=True,
    requests=requests,
    scores=True,
)
