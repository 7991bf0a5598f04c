"""How far the kernels of the end lie from those of the start, for methods that fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from benchmark.studies.study import Part, Study, Tables, kernels, unfolded

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from torch import Tensor

    from benchmark.tasks import Task


def similarity(start: Tensor, end: Tensor) -> tuple[float, float, int]:
    """Compares two kernels filter by filter.

    Args:
        start: Kernel (C_out, n), one filter a row.
        end: The same shape.

    Returns:
        Mean absolute difference over all entries; mean cosine over the filters that are nowhere
        all zero (NaN if there are none); and the number of these.
    """
    import torch

    start, end = start.double(), end.double()
    there = (start.norm(dim=1) > 0) & (end.norm(dim=1) > 0)
    cosines = torch.nn.functional.cosine_similarity(start[there], end[there], dim=1)
    mean = float(cosines.mean()) if len(cosines) else float("nan")
    return float((start - end).abs().mean()), mean, len(cosines)


def compare(method: str, start: Mapping[str, Tensor], end: Mapping[str, Tensor]) -> pd.DataFrame:
    """Returns one line per layer, and one for all layers together (``layer`` is ``all``).

    In the last one every kernel entry counts alike in the difference, every filter in the cosine.
    """
    import pandas as pd

    lines = []
    for name, kernel in start.items():
        mae, cosine, filters = similarity(kernel, end[name])
        shared = {"method": method, "layer": name, "mae": mae, "cosine": cosine}
        lines.append({**shared, "filters": filters, "weights": kernel.numel()})
    table = pd.DataFrame(lines)
    known = table.dropna(subset="cosine")
    total = {
        "method": method,
        "layer": "all",
        "mae": (table["mae"] * table["weights"]).sum() / table["weights"].sum(),
        "cosine": (known["cosine"] * known["filters"]).sum() / max(1, known["filters"].sum()),
        "filters": table["filters"].sum(),
        "weights": table["weights"].sum(),
    }
    return pd.concat([table, pd.DataFrame([total])], ignore_index=True)


def tables(parts: Sequence[Part]) -> Tables:
    """Returns the totals, and every layer."""
    import pandas as pd

    (part,) = parts
    space = part.task.space
    found = [
        compare(name, kernels(method.tuned(space.first)), kernels(method.tuned(space.last)))
        for name, method in part.methods.items()
    ]
    every = pd.concat(found, ignore_index=True)
    total = every["layer"] == "all"
    return {"similarity": every[total].drop(columns="layer"), "layers": every[~total]}


def draw(tables: Tables, task: Task) -> Figure:
    """Draws cosine and difference of every layer, one line per method."""
    from benchmark.studies import drawing

    layers, totals = tables["layers"], tables["similarity"].set_index("method")
    looks = drawing.looks(totals.index)
    figure, grid = drawing.panels(
        f"{task.name}: kernels at the end against those at the start", 2, side=2.0
    )
    for axes, column, label in (
        (grid[0][0], "cosine", "mean cosine of the layer's filters"),
        (grid[0][1], "mae", "mean absolute difference"),
    ):
        for method, own in layers.groupby("method", sort=False):
            drawing.line(axes, range(1, len(own) + 1), own[column], looks[str(method)])
        axes.set(xlabel="layer, from input to output", ylabel=label)
    texts = {
        name: f"{name}\ncosine {row['cosine']:.4f}\nMAE {row['mae']:.4f}"
        for name, row in totals.iterrows()
    }
    drawing.legend(figure, looks, texts, labelspacing=1.0, title="all layers together")
    return figure


STUDY = Study(
    summary="distance between start and end kernels: mean absolute difference, cosine of filters",
    source="FTN Table 3",
    task="sr",
    methods=("ftn:groups=16", "ftn", "dni"),
    tables=tables,
    draw=draw,
    own_levels=True,
    refuses=unfolded,
)
