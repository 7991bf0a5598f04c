"""Whether a level means the same on flat and on textured images: the best dial of every image."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from benchmark.analysis import matrix
from benchmark.analysis.matrix import Matrix
from benchmark.analysis.scores import NoValue, Run, pictures, places
from benchmark.errors import JobError
from benchmark.studies.study import Part, Study, Tables

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from benchmark.tasks import Task

TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)
FLAT = 0.1 / 255
"""Texture below this is drawn as if it were this."""
FEWEST = 5
"""Images without which a correlation says nothing."""


def dials(found: Mapping[Run, Matrix], texture: Mapping[str, float], task: Task) -> pd.DataFrame:
    """Returns one line per method, image and true level: the best dial there, and what it gains.

    Args:
        found: The level x dial matrix of every run, on one data set.
        texture: The mean absolute Laplacian of the clean images, by name.
        task: The task.

    Returns:
        ``best_dial``, as ``matrix.best_dials`` finds it; ``off``, how far it is beyond the true
        level; ``gain``, the image's score at the best dial of the grid over that at the dial which is
        best for the mean over images.

    Raises:
        JobError: If the dial changes nothing on an image, or there are several axes.
    """
    import pandas as pd

    from benchmark.report.words import physical

    lines, reasons = [], []
    for run, one in found.items():
        every = range(len(one.levels))
        shared = matrix.best(one.over(one.images))
        for at, image in enumerate(one.images):
            own = Matrix(one.levels, (image,), one.values[:, :, [at]])
            try:
                best = zip(one.levels, places(one.levels), matrix.best_dials(own), strict=True)
            except NoValue as error:
                reasons.append(f"{run.method} on '{image}': {error}")
                continue
            gains = own.over(own.images).max(axis=1) - own.over(own.images)[every, shared]
            for (level, place, dial), gain in zip(best, gains.tolist(), strict=True):
                name = {"method": run.method, "dataset": run.dataset, "image": image}
                where = {"level": level, "physical": physical(task, level)}
                values = {"best_dial": dial, "off": dial - place, "gain": gain}
                lines.append({**name, "detail": texture[image], **where, **values})
    if reasons or not lines:
        # Methods would otherwise be compared on different images.
        hint = "; leave such images out with --test SET:without=NAME" if reasons else ""
        raise JobError(f"{'; '.join(reasons) or 'there is no image to look at'}{hint}")
    return pd.DataFrame(lines)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Returns one line per method.

    ``spread``: the deviation of the best dial between images of one level, averaged over levels;
    ``with_detail``: the rank correlation of an image's texture with how far its best dial is beyond
    the true level, averaged over levels; ``gain`` and ``largest_gain``: what a dial for every image
    gains over one for all, the mean over all images and levels, and the largest; ``reason``: why there
    is no correlation.
    """
    import pandas as pd

    lines = []
    for (method, dataset), own in table.groupby(["method", "dataset"], sort=False):
        spreads = own.groupby("level")["best_dial"].std(ddof=0)
        images = own.groupby("image", sort=False).agg({"detail": "first", "off": "mean"})
        ranks = images.rank()
        reason = "" if len(images) >= FEWEST else f"a correlation takes {FEWEST} images"
        if not reason and not (ranks.std() > 0).all():
            reason = "all images are alike in texture, or in their best dial"
        related = float("nan") if reason else ranks["detail"].corr(ranks["off"])
        lines.append(
            {
                "method": method,
                "dataset": dataset,
                "spread": statistics.fmean(spreads),
                "with_detail": related,
                "gain": own["gain"].mean(),
                "largest_gain": own["gain"].max(),
                "images": len(images),
                "levels": own["level"].nunique(),
                "reason": reason,
            }
        )
    return pd.DataFrame(lines)


def tables(parts: Sequence[Part]) -> Tables:
    """Returns the summary (``content``), and the best dial of every image (``images``)."""
    import pandas as pd

    from benchmark.studies.dial_linearity import matrices
    from benchmark.studies.wrong_level import detail

    (part,) = parts
    task, samples = part.task, part.samples
    found = matrices(part.rows, task, samples.images.name)
    lacking = [
        {"method": run.method, "dataset": run.dataset, "reason": one}
        for run, one in found.items()
        if isinstance(one, str)
    ]
    names = [samples.name(index) for index in range(len(samples))]
    texture = {name: detail(samples.clean(at[0])) for name, at in pictures(names, task).items()}
    whole = {run: one for run, one in found.items() if isinstance(one, Matrix)}
    table = dials(whole, texture, task)
    about = summary(table).to_dict("records")
    return {"content": pd.DataFrame([*about, *lacking]), "images": table}


def draw(tables: Tables, task: Task) -> Figure:
    """Draws how far the best dial is beyond the true level against texture, a point an image."""
    from benchmark.studies import drawing

    table, about = tables["images"], tables["content"].set_index("method")
    looks = drawing.looks(dict.fromkeys(table["method"]))
    figure, (row,) = drawing.panels(
        f"{task.name}: the best dial of every image, on {about['dataset'].iloc[0]}",
        len(looks),
        size=(2.7, 2.9),
    )
    means = table.groupby(["method", "image"], sort=False).agg({"detail": "first", "off": "mean"})
    # What is flat altogether stands at the left end.
    means["detail"] = means["detail"].clip(lower=FLAT)
    low, high = (255 * float(of(means["detail"])) for of in (min, max))
    ticks = [at for at in TICKS if 0.8 * low <= at <= 1.25 * high]
    down, up = (float(of(means["off"])) for of in (min, max))
    room = 0.1 * (max(up, 0) - min(down, 0)) + 0.01
    for axes, (method, look) in zip(row, looks.items(), strict=True):
        own = means.loc[method]
        axes.scatter(
            255 * own["detail"], own["off"], color=look.color, marker=look.marker or "o", s=16
        )
        axes.axhline(0, color="#444444", linestyle="--", linewidth=1.0, zorder=1)
        axes.set(xscale="log", xlim=(0.8 * low, 1.25 * high))
        axes.set_ylim(min(down, 0) - room, max(up, 0) + room)
        axes.set_xticks(ticks, labels=[f"{at:g}" for at in ticks], minor=False)
        axes.minorticks_off()
        told = about.loc[method]
        related = (
            "" if told["with_detail"] != told["with_detail"] else f"{told['with_detail']:+.2f}"
        )
        axes.set_title(f"{method}\nrank correlation {related or '—'}", fontsize=9)
        axes.set_xlabel("texture of the image, of 255", fontsize=8)
    row[0].set_ylabel("best dial less true level,\nmean over levels", fontsize=8)
    for axes in row[1:]:
        axes.tick_params(labelleft=False)
    return figure


STUDY = Study(
    summary="whether a level means the same on flat and textured images: each one's best dial",
    source="asked by users; HyperRes Figure 5 for the mean over images",
    task="denoise",
    methods=("dni", "ftn", "decouple", "tunable_conv"),
    tables=tables,
    draw=draw,
    one_dial=True,
    scores=True,
    matrix=True,
)
