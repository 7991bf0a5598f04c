"""How far a network looks: the gradient of one output pixel with respect to the input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmark.errors import JobError
from benchmark.studies.study import Part, Study, Tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor, nn

    from benchmark.tasks import Task

SHARE = 0.025
"""Share of the largest gradient from which an input pixel counts."""
MARGIN = 32
"""Pixels around a point that must lie inside the image, where it is large enough."""
WINDOW = 24
"""Half the side of what the figure shows of a map."""
CROWDED = 36
"""Letters that have room side by side under a panel."""


def gradient(network: nn.Module, x: Tensor, y: int, across: int) -> Tensor:
    """Returns how much each input pixel (h, w) moves one output pixel: summed over channels.

    Args:
        network: The tuned network.
        x: Input (3, h, w).
        y: Row of the output pixel.
        across: Its column.
    """
    import torch

    given = x[None].clone().requires_grad_(True)
    with torch.enable_grad():
        network(given)[0, :, y, across].sum().backward()
    return given.grad[0].abs().sum(dim=0)


def counted(field: Tensor, share: float = SHARE) -> int:
    """Returns how many pixels of a gradient map exceed a share of the largest one."""
    return int((field > share * field.max()).sum())


def below(given: Tensor, output: Tensor, y: int, across: int) -> tuple[int, int]:
    """Returns the input pixel (row, column) that an output pixel lies in; ``sr`` enlarges images."""
    (height, width), (rows, columns) = given.shape[-2:], output.shape[-2:]
    return y * height // rows, across * width // columns


def reach(field: Tensor, y: int, across: int, share: float = SHARE) -> float:
    """Returns the mean distance of these pixels from an input pixel, weighted by the gradient."""
    import torch

    rows, columns = torch.meshgrid(*(torch.arange(n) for n in field.shape), indexing="ij")
    far = ((rows - y) ** 2 + (columns - across) ** 2).double().sqrt()
    weight = field.double() * (field > share * field.max())
    return float((far * weight).sum() / weight.sum().clamp_min(1e-30))


def points(clean: Tensor) -> dict[str, tuple[int, int]]:
    """Returns (row, column) of a flat point, a moderate and a strong edge of an image (3, H, W).

    Edges are differences of luminance in 3 x 3 windows. The strong one is the largest, the flat
    point has the least in a window of 15 x 15, and the moderate one is nearest to half the largest.
    """
    import torch.nn.functional as F

    luma = clean.mean(dim=0)[None, None]
    edge = (F.max_pool2d(luma, 3, 1, 1) + F.max_pool2d(-luma, 3, 1, 1))[0, 0]
    calm = F.max_pool2d(edge[None, None], 15, 1, 7)[0, 0]
    margins = [min(MARGIN, (side - 1) // 4) for side in edge.shape]
    inside = tuple(slice(m, n - m) for m, n in zip(margins, edge.shape, strict=True))
    edge, calm = edge[inside], calm[inside]
    half = (edge - edge.max() / 2).abs()
    chosen = {"flat": calm.argmin(), "moderate edge": half.argmin(), "strong edge": edge.argmax()}
    width = edge.shape[1]
    return {
        name: (int(at) // width + margins[0], int(at) % width + margins[1])
        for name, at in chosen.items()
    }


def tables(parts: Sequence[Part]) -> Tables:
    """Returns the counts (``receptive_field``), and the maps around the points (``maps``).

    Raises:
        JobError: If no method answers at any of the levels.
    """
    import pandas as pd

    from benchmark.control import level_text
    from benchmark.report.words import physical

    (part,) = parts
    task, samples = part.task, part.samples
    lines, maps = [], []
    clean = samples.clean(0)
    where = points(clean)
    for name, method in part.methods.items():
        answered = method.only_levels(task)
        for level in part.plan.levels:
            if answered is not None and level not in answered:
                continue
            network, given = method.tuned(level), samples.degraded(0, level)
            for point, (y, across) in where.items():
                field = gradient(network, given, y, across)
                here = below(given, clean, y, across)
                text = level_text(level)
                shared = {"method": name, "level": text, "physical": physical(task, text)}
                shared["point"] = point
                found = {"pixels": counted(field), "reach": reach(field, *here)}
                lines.append({**shared, "row": y, "column": across, **found})
                maps += _around(shared, field / field.max(), *here)
    if not lines:
        raise JobError("no method answers at these levels; give others with --levels")
    summary = pd.DataFrame(lines).assign(image=samples.name(0))
    return {"receptive_field": summary, "maps": pd.DataFrame(maps)}


def _around(shared: dict, field: Tensor, y: int, across: int) -> list[dict]:
    """Returns the counted pixels near a point, by their distance from it."""
    found = (field > SHARE).nonzero().tolist()
    return [
        {
            **shared,
            "dy": row - y,
            "dx": column - across,
            "share": round(float(field[row, column]), 4),
        }
        for row, column in found
        if max(abs(row - y), abs(column - across)) <= WINDOW
    ]


def draw(tables: Tables, task: Task) -> Figure:
    """Draws the counts, and the maps of the first method at the first and last level."""
    import numpy as np
    from matplotlib.colors import PowerNorm

    from benchmark.report.words import axis_name
    from benchmark.studies import drawing

    table, maps = tables["receptive_field"], tables["maps"]
    kinds = list(dict.fromkeys(table["point"]))
    methods = list(dict.fromkeys(table["method"]))
    first = maps[maps["method"] == methods[0]]
    levels = sorted(set(first["level"]), key=_order)
    shown = list(dict.fromkeys((levels[0], levels[-1])))
    # Of all methods: experts answer at some of the levels only.
    names = dict(zip(table["level"], table["physical"], strict=True))
    places = {level: at for at, level in enumerate(sorted(names, key=_order))}
    texts = [names[level] for level in places]
    crowded = len("  ".join(texts)) > CROWDED
    figure, grid = drawing.panels(
        f"{task.name}: input pixels that one output pixel depends on",
        3,
        1 + len(shown),
        (2.7, 2.5),
        1.6,
    )
    looks = drawing.looks(methods)
    for axes, kind in zip(grid[0], kinds, strict=True):
        own = table[table["point"] == kind]
        for method, part in own.groupby("method", sort=False):
            drawing.line(axes, part["level"].map(places), part["pixels"], looks[str(method)])
        axes.set_xticks(list(places.values()), texts, fontsize=7, rotation=90 if crowded else 0)
        axes.set_title(kind)
        axes.set_ylim(0, 1.08 * table["pixels"].max())
        axes.set_xlabel(axis_name(task), fontsize=8)
    grid[0][0].set_ylabel(f"pixels above {SHARE:g} of the largest", fontsize=8)
    for row, level in zip(grid[1:], shown, strict=True):
        for axes, kind in zip(row, kinds, strict=True):
            own = first[(first["level"] == level) & (first["point"] == kind)]
            picture = np.zeros((2 * WINDOW + 1, 2 * WINDOW + 1))
            picture[own["dy"] + WINDOW, own["dx"] + WINDOW] = own["share"]
            reach = WINDOW + 0.5
            shades = axes.imshow(
                picture,
                cmap="cividis",
                norm=PowerNorm(0.5, vmin=0, vmax=1),  # small shares are what levels change
                extent=(-reach, reach, reach, -reach),
            )
            axes.grid(False)
            axes.tick_params(labelsize=7)
        physical = first.loc[first["level"] == level, "physical"].iloc[0]
        dials = " / ".join(axis.name for axis in task.space.axes)
        row[0].set_ylabel(f"{methods[0]}, {dials} {physical}\npixels", fontsize=8)
    for axes in grid[-1]:
        axes.set_xlabel("pixels", fontsize=8)
    bar = figure.colorbar(shades, ax=grid[1:], shrink=0.6, aspect=24)
    bar.set_label("effect on the output pixel, share of the largest\n(root scale)", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    bar.outline.set_visible(False)
    drawing.legend(figure, looks)
    # Pictures keep their shape, which the layout learns too late: labels would touch the edge.
    figure.get_layout_engine().set(rect=(0.012, 0, 0.988, 1))
    return figure


def _order(level: str) -> tuple[float, ...]:
    return tuple(float(part) for part in level.split("/"))


STUDY = Study(
    summary="input pixels that an output pixel depends on: flat point, moderate and strong edge",
    source="DL Figure 3",
    task="filter-l0",
    methods=("decouple",),
    tables=tables,
    draw=draw,
)
