"""What a dial set to the wrong level does: quality lost, detail lost or left, colours moved."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmark.studies.study import Part, Study, Tables

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor

    from benchmark.control import Level
    from benchmark.data.samples import Samples
    from benchmark.method import ControlMethod
    from benchmark.tasks import Task

IMAGES = 4
"""Test images that detail and colour are measured on; PSNR is from all of them."""
CHANNELS = ("red", "green", "blue")


def detail(image: Tensor) -> float:
    """Returns the mean absolute Laplacian of an image (3, H, W): how much fine structure it has."""
    middle = image[:, 1:-1, 1:-1]
    around = image[:, :-2, 1:-1] + image[:, 2:, 1:-1] + image[:, 1:-1, :-2] + image[:, 1:-1, 2:]
    return float((4 * middle - around).abs().double().mean())


def effects(restored: Tensor, wanted: Tensor) -> dict[str, float]:
    """Returns what a restoration did to an image, both (3, H, W) in [0, 1].

    Args:
        restored: What a network gave.
        wanted: What it should give: the clean image, or an operator's output.

    Returns:
        ``detail``: its mean absolute Laplacian over that of the wanted image (below 1: smoothed;
        above: noise or ringing is left); ``red``, ``green``, ``blue``: how far the mean moved, in
        8-bit levels; ``colour``: the mean of their absolute values.
    """
    moved = 255 * (restored.double() - wanted.double()).mean(dim=(1, 2))
    found = dict(zip(CHANNELS, moved.tolist(), strict=True))
    ratio = detail(restored) / max(detail(wanted), 1e-12)
    return {"detail": ratio, **found, "colour": float(moved.abs().mean())}


def measured(
    method: ControlMethod, samples: Samples, levels: Sequence[Level], images: int
) -> dict[tuple[Level, Level], dict[str, float]]:
    """Returns the mean effects on the first images, by true level and dial."""
    from benchmark.precision import inference
    from benchmark.scoring.forward import best_device, ready

    device = best_device()
    networks = {dial: ready(method.tuned(dial), device) for dial in levels}
    found = {}
    for level in levels:
        given = [samples.degraded(index, level)[None].to(device) for index in range(images)]
        wanted = [samples.reference(index, level) for index in range(images)]
        for dial, network in networks.items():
            with inference():
                outputs = [network(one)[0].clamp(0, 1).cpu() for one in given]
            every = [effects(*pair) for pair in zip(outputs, wanted, strict=True)]
            found[level, dial] = {
                key: statistics.fmean(one[key] for one in every) for key in every[0]
            }
    return found


def tables(parts: Sequence[Part]) -> Tables:
    """Returns the worst of every method (``wrong_level``), and every pair of levels (``matrix``)."""
    import pandas as pd

    from benchmark.control import parse_level
    from benchmark.report.words import physical
    from benchmark.studies.dial_linearity import matrices

    (part,) = parts
    task, samples, lines, lacking = part.task, part.samples, [], []
    images = min(IMAGES, len(samples))
    for run, one in matrices(part.rows, task, samples.images.name).items():
        if isinstance(one, str):
            lacking.append({"method": run.method, "reason": one})
            continue
        means = one.over(one.images)
        points = {text: parse_level(text) for text in one.levels}
        found = measured(part.methods[run.method], samples, list(points.values()), images)
        for at, level in enumerate(one.levels):
            for to, dial in enumerate(one.levels):
                place = {"method": run.method, "dataset": run.dataset, "level": level, "dial": dial}
                names = {"physical": physical(task, level), "dial_physical": physical(task, dial)}
                score = {"psnr": means[at, to], "loss": means[at].max() - means[at, to]}
                values = found[points[level], points[dial]]
                lines.append({**place, **names, **score, **values, "images": images})
    table = pd.DataFrame(lines)
    about = summary(table).assign(reason="").to_dict("records")
    return {"wrong_level": pd.DataFrame([*about, *lacking]), "matrix": table}


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Returns one line per method: what the two farthest wrong dials do, and the largest drift."""
    import pandas as pd

    lines = []
    for method, own in table.groupby("method", sort=False):
        place = own[["level", "dial"]].astype(float)
        low, high = place["level"].min(), place["level"].max()
        strong = own[(place["level"] == low) & (place["dial"] == high)].iloc[0]
        weak = own[(place["level"] == high) & (place["dial"] == low)].iloc[0]
        right = own[place["level"] == place["dial"]]
        lines.append(
            {
                "method": method,
                "loss_too_strong": strong["loss"],
                "detail_too_strong": strong["detail"],
                "loss_too_weak": weak["loss"],
                "detail_too_weak": weak["detail"],
                "detail_right": right["detail"].mean(),
                "colour_right": right["colour"].max(),
                "colour_wrong": own["colour"].max(),
            }
        )
    return pd.DataFrame(lines)


ROWS = (
    ("loss", "dB lost", "cividis_r"),
    ("detail", "detail over the wanted image's", "PuOr"),
    ("colour", "mean colour moved, of 255", "cividis_r"),
)

TICKS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20)


def draw(tables: Tables, task: Task) -> Figure:
    """Draws three maps of true level against dial for every method: loss, detail, colour."""
    from matplotlib.cm import ScalarMappable

    from benchmark.report.words import axis_name
    from benchmark.studies import drawing

    table = tables["matrix"]
    methods = list(dict.fromkeys(table["method"]))
    figure, grid = drawing.panels(
        f"{task.name}: the dial set wrong", len(methods), len(ROWS), (2.1, 2.1), side=1.2
    )
    for row, (column, label, colours) in zip(grid, ROWS, strict=True):
        norm = _scale(table[column], column)
        for axes, method in zip(row, methods, strict=True):
            own = table[table["method"] == method]
            _map(axes, own, column, norm, colours)
            if column == ROWS[0][0]:
                axes.set_title(method, fontsize=9)
        row[0].set_ylabel(f"true {axis_name(task)}", fontsize=8)
        bar = figure.colorbar(ScalarMappable(norm, colours), ax=row, shrink=0.85, aspect=16)
        bar.set_label(label, fontsize=8)
        bar.ax.tick_params(labelsize=7)
        if column == "detail":
            ticks = [at for at in TICKS if norm.vmin <= at <= norm.vmax]
            bar.set_ticks(ticks, labels=[f"{at:g}" for at in ticks], minor=False)
            bar.ax.minorticks_off()
        bar.outline.set_visible(False)
    for axes in grid[-1]:
        axes.set_xlabel("dial", fontsize=8)
    return figure


def cell_text(column: str, value: float) -> str:
    """Returns what a cell says: small values, whose colours differ most, with two decimals."""
    return f"{value:.2f}" if column == "detail" or value < 0.995 else f"{value:.1f}"


def _scale(values: pd.Series, column: str):
    from matplotlib.colors import LogNorm, PowerNorm

    if column != "detail":
        return PowerNorm(0.5, vmin=0.0, vmax=float(values.max()) or 1.0)
    # The neutral middle of the colours is 1: as much detail as is wanted.
    reach = max(float(values.max()), 1 / max(float(values.min()), 1e-3), 1.1)
    return LogNorm(1 / reach, reach)


def _map(axes: Axes, own: pd.DataFrame, column: str, norm, colours: str) -> None:
    from benchmark.report.heat import bare, shade

    order = sorted(set(own["level"]), key=float)
    names = dict(zip(own["level"], own["physical"], strict=True))
    edges = [at - 0.5 for at in range(len(order) + 1)]
    values = own.pivot(index="level", columns="dial", values=column).loc[order, order].to_numpy()
    axes.pcolormesh(
        edges, edges, values, cmap=colours, norm=norm, edgecolors="white", linewidth=0.5
    )
    for y, line in enumerate(values):
        for x, value in enumerate(line):
            ink, text = shade(value, norm, colours)[1], cell_text(column, value)
            axes.text(x, y, text, ha="center", va="center", fontsize=6.5, color=ink)
    axes.set(xticks=range(len(order)), yticks=range(len(order)), aspect="equal")
    axes.invert_yaxis()  # as every matrix of a report: levels run down, dials to the right
    axes.set_xticklabels([names[one] for one in order], fontsize=7)
    axes.set_yticklabels([names[one] for one in order], fontsize=7)
    bare(axes)


STUDY = Study(
    summary="every true level under every dial: dB lost, detail smoothed away, colours moved",
    source="FTN Figures 7 and 8",
    task="denoise",
    methods=("dni", "ftn", "ftn:groups=16", "decouple", "tunable_conv"),
    tables=tables,
    draw=draw,
    one_dial=True,
    scores=True,
    matrix=True,
)
