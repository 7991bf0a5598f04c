"""Where tuned kernels lie: PCA, then t-SNE, of the kernels of many levels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmark.studies.study import Part, Study, Tables, kernels, unfolded

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from benchmark.control import Level
    from benchmark.method import ControlMethod
    from benchmark.tasks import Task

LEVELS = 5
DRAWN = 500
"""Random parameters per operator."""
COMPONENTS = 50
"""Most principal components that t-SNE is given."""
FEW = 20
"""Random parameters per operator where the budget is that of tests."""


def embedded(vectors: np.ndarray, seed: int = 0) -> np.ndarray:
    """Returns a map (n, 2) of vectors (n, values): PCA to 50 components, then t-SNE.

    The same vectors give the same map. Fewer than four of them are laid out by PCA alone.
    """
    import numpy as np
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    centred = np.asarray(vectors, dtype=np.float64)
    count = min(COMPONENTS, *centred.shape)
    flat = PCA(count, svd_solver="full", random_state=seed).fit_transform(centred)
    if len(flat) < 4:
        return np.pad(flat, ((0, 0), (0, 2)))[:, :2]
    spread = flat.std(axis=0).max()
    if spread > 0:
        # t-SNE starts its search at the scale of 1; kernels of trained networks lie far closer.
        flat = flat / spread
    perplexity = min(30.0, (len(flat) - 1) / 3)
    return TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(flat)


def neighbours_agree(points: np.ndarray, labels: Sequence[str]) -> float:
    """Returns the share of points (n, 2) whose nearest neighbour has their own label."""
    import numpy as np
    from sklearn.neighbors import NearestNeighbors

    found = NearestNeighbors(n_neighbors=2).fit(points).kneighbors(points)[1]
    names = np.asarray(labels)
    at = np.arange(len(points))
    # With equal points the nearest one may be the point itself, first or second.
    nearest = np.where(found[:, 0] == at, found[:, 1], found[:, 0])
    return float((names[nearest] == names).mean())


def drawn_levels(task: Task, count: int) -> list[tuple[str, Level]]:
    """Returns random levels of every operator, with its name, drawn evenly on the other axes.

    Args:
        task: A task of which one axis has names.
        count: Levels per operator.
    """
    import numpy as np

    rng = np.random.Generator(np.random.PCG64(0))
    axes = task.space.axes
    (place,) = [at for at, axis in enumerate(axes) if axis.names]
    found = []
    for number, name in enumerate(axes[place].names):
        for _ in range(count):
            point = rng.random(len(axes)).tolist()
            point[place] = number / (len(axes[place].names) - 1)
            found.append((name, task.space.spread(point)))
    return found


def by_operator(method: ControlMethod, task: Task, count: int) -> pd.DataFrame:
    """Returns a map of one layer's kernel under random parameters of every operator.

    The layer is the middle one: the kernels of all layers of thousands of levels fill the memory.
    """
    import numpy as np
    import pandas as pd

    from benchmark.control import level_text

    every = drawn_levels(task, count)
    names = list(kernels(method.backbone))
    layer = names[len(names) // 2]
    vectors = [kernels(method.tuned(level))[layer].flatten().numpy() for _, level in every]
    points = embedded(np.stack(vectors))
    return pd.DataFrame(
        {
            "group": [name for name, _ in every],
            "level": [level_text(level) for _, level in every],
            "layer": layer,
            "x": points[:, 0],
            "y": points[:, 1],
        }
    )


def by_level(method: ControlMethod, task: Task) -> pd.DataFrame:
    """Returns a map of every layer's kernel at five levels, all layers of one shape in one map.

    The shape is the commonest among the layers: that of the blocks' convolutions.
    """
    from collections import Counter

    import numpy as np
    import pandas as pd

    from benchmark.control import level_text

    levels = task.space.lattice(LEVELS if task.space.d == 1 else 2)
    shape = Counter(one.shape for one in kernels(method.backbone).values()).most_common(1)[0][0]
    lines, vectors = [], []
    for level in levels:
        for name, kernel in kernels(method.tuned(level)).items():
            if kernel.shape == shape:
                lines.append(
                    {"group": level_text(level), "level": level_text(level), "layer": name}
                )
                vectors.append(kernel.flatten().numpy())
    points = embedded(np.stack(vectors))
    return pd.DataFrame(lines).assign(x=points[:, 0], y=points[:, 1])


def refuses(method: ControlMethod, task: Task) -> str:
    """Returns why a method cannot be shown, or nothing if it can."""
    few = method.only_levels(task) is not None
    return "it answers at a few levels only" if few else unfolded(method, task)


def tables(parts: Sequence[Part]) -> Tables:
    """Returns what the maps say in numbers (``kernel_map``), and the maps (``points``)."""
    import pandas as pd

    (part,) = parts
    task, maps, lines = part.task, [], []
    named = any(axis.names for axis in task.space.axes)
    for name, method in part.methods.items():
        if named:
            own = by_operator(method, task, DRAWN if part.timed else FEW)
            label = "group"
        else:
            own, label = by_level(method, task), "layer"
        agree = neighbours_agree(own[["x", "y"]].to_numpy(), own[label].tolist())
        line = {"method": name, "points": len(own), "alike": label.replace("group", "operator")}
        lines.append({**line, "neighbours_agree": agree})
        maps.append(own.assign(method=name))
    return {"kernel_map": pd.DataFrame(lines), "points": pd.concat(maps, ignore_index=True)}


def draw(tables: Tables, task: Task) -> Figure:
    """Draws the maps, one panel per method, coloured by operator or by level."""
    from benchmark.studies import drawing

    points = tables["points"]
    methods = list(dict.fromkeys(points["method"]))
    named = any(axis.names for axis in task.space.axes)
    what = "one layer under random parameters" if named else f"all blocks at {LEVELS} levels"
    figure, grid = drawing.panels(
        f"{task.name}: tuned kernels, {what}",
        len(methods),
        size=(3.9 if len(methods) > 1 else 4.6, 3.2),
        side=1.4 if named else 0.6,
    )
    looks = drawing.distinct(points["group"])
    for axes, method in zip(grid[0], methods, strict=True):
        own = points[points["method"] == method]
        if named:
            for group, part in own.groupby("group", sort=False):
                look = looks[str(group)]
                axes.scatter(part["x"], part["y"], s=7, color=look.color, marker=look.marker, lw=0)
        else:
            shades = _paths(axes, own)
        axes.set(title=method, xticks=[], yticks=[])
        axes.grid(False)
        for spine in axes.spines.values():
            spine.set(visible=True, color="#bbbbbb")
    if named:
        drawing.legend(
            figure, {name: look._replace(line="") for name, look in looks.items()}, title="operator"
        )
    else:
        bar = figure.colorbar(shades, ax=grid[0], shrink=0.8, aspect=20)
        bar.set_label(task.space.axes[0].name)
        levels = sorted(set(points["level"]), key=float)
        bar.set_ticks([float(one) for one in levels])
        from benchmark.report.words import physical

        bar.set_ticklabels([physical(task, one) for one in levels])
        bar.outline.set_visible(False)
    return figure


def _paths(axes: Axes, own: pd.DataFrame):
    """Draws every layer as a line through its levels."""
    for _, part in own.groupby("layer", sort=False):
        axes.plot(part["x"], part["y"], color="#bbbbbb", linewidth=0.7, zorder=1)
    return axes.scatter(
        own["x"], own["y"], c=own["level"].astype(float), cmap="cividis", s=14, zorder=2
    )


STUDY = Study(
    summary="t-SNE of tuned kernels: all blocks at five levels, or random parameters per operator",
    source="TC Figures 8 and 9, DL Figure 5",
    task="operators-6",
    methods=("decouple",),
    tables=tables,
    draw=draw,
    one_dial=True,
    named=True,
    own_levels=True,
    refuses=refuses,
)
