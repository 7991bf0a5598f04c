"""Rows with planted answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pandas as pd
import pytest

from benchmark.control import level_text

IMAGES = tuple("abcdefgh")


@pytest.fixture
def plant() -> Callable[..., pd.DataFrame]:
    """Returns a builder of rows from functions of (level, dial, image number)."""

    def build(
        methods: Mapping[str, Callable[[float, float, int], float]],
        levels: Sequence[float] = (0, 0.25, 0.5, 0.75, 1),
        matrix: bool = False,
        metric: str = "psnr-rgb",
        images: Sequence[str] = IMAGES,
        seeds: Sequence[int] = (0,),
        skip: Sequence[tuple[float, float]] = (),
    ) -> pd.DataFrame:
        rows = [
            {
                "method": method,
                "backbone": "small",
                "preset": "laptop",
                "dataset": "set",
                "seed": seed,
                "image": image,
                "level": level_text((level,)),
                "set_level": level_text((dial,)),
                "metric": metric,
                "value": value(level, dial, at) + 0.0,
                "status": "ok",
                "reason": "",
            }
            for method, value in methods.items()
            for seed in seeds
            for level in levels
            for dial in (levels if matrix else (level,))
            for at, image in enumerate(images)
            if (level, dial) not in skip
        ]
        return pd.DataFrame(rows)

    return build
