"""How figures look: one colour, marker and line per series, and byte-identical files.

Colours follow Okabe and Ito and Paul Tol, and stay distinguishable for colour-blind readers;
markers and lines say the same again. A shipped method keeps its style in every figure, and so does
one of a user's own unless another of them wants the same.
"""

from __future__ import annotations

import functools
import io
import re
import warnings
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from benchmark import streams
from benchmark.registry.discovery import METHODS, baselines
from benchmark.report.series import Series, ordered

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Style(NamedTuple):
    """Colour, marker and line of a series, as matplotlib names them."""

    color: str
    marker: str | tuple[int, int, int]
    line: str | tuple[int, tuple[float, ...]]


COLORS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#E69F00",
    "#882255",
    "#332288",
    "#999933",
    "#117733",
    "#FF00CC",
    "#661100",
    "#FCA878",
    "#00CCD8",
    "#C01824",
    "#7F5FFF",
)
"""The first are those of ``SHIPPED``; methods of a user's own have the others, far from all of them."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "h", "<", ">", "p", "d", "8")
STARS = ((4, 1, 0), (3, 1, 0), (6, 1, 0))
"""Markers of the last colours, which would else repeat those of the first: stars of so many points."""
LINES = ("-", (0, (6, 1, 1, 1)), (0, (1, 1)), (0, (3, 1, 1, 1, 1, 1)))
SHIPPED = (*METHODS, "cresmd", "decouple_fast")
"""Families with a place of their own in the tables above; the next places are for users' own."""
REFERENCES = {
    "blend": Style("#444444", "o", "--"),
    "experts": Style("#000000", "*", ""),
    "floor": Style("#808080", "x", ""),
}
IMPORTED = "#7A6A58"
"""The colour of references that were trained elsewhere; their markers tell them apart."""

LACKING = r"Glyph .* missing from font"
"""How matplotlib warns of a letter that it draws as an empty box."""


def styles(series: Iterable[Series]) -> dict[Series, Style]:
    """Returns a style per series; variants of one method share its colour."""
    every = ordered(series)
    places = _places(one.family for one in every if not one.baseline)
    variants: dict[str, int] = {}
    chosen = {}
    for one in every:
        variant = variants.get(one.family, 0)
        variants[one.family] = variant + 1
        if one.baseline:
            style = REFERENCES.get(one.family) or _imported(one.family)
            if variant:
                style = style._replace(color=COLORS[-variant % len(COLORS)])
        else:
            family = places[one.family]
            style = Style(
                COLORS[family % len(COLORS)],
                _marker(family, variant),
                LINES[(variant + family // len(COLORS)) % len(LINES)],
            )
        chosen[one] = style
    return chosen


def _marker(family: int, variant: int) -> str | tuple[int, int, int]:
    every = (*MARKERS, *STARS)
    if not variant and family < len(every):
        return every[family]
    return MARKERS[(family + 5 * variant) % len(MARKERS)]


def _imported(family: str) -> Style:
    place = baselines().index(family)
    return Style(IMPORTED, MARKERS[place % len(MARKERS)], (0, (1, 2)))


def _places(families: Iterable[str]) -> dict[str, int]:
    """Returns the place of every family in the tables of colours and markers.

    What is not shipped gets the place that its name says, whoever else is in the figure; the next
    one where that is taken by a name before it, and one of an absent family where none is left.
    """
    named = set(families)
    found = {name: at for at, name in enumerate(SHIPPED) if name in named}
    spare = range(len(SHIPPED), len(COLORS))
    for name in sorted(named - set(SHIPPED)):
        taken = set(found.values())
        pools = (spare, range(len(SHIPPED)), range(len(COLORS), len(COLORS) + len(named)))
        pool = next(pool for pool in pools if not taken.issuperset(pool))
        first = zlib.crc32(name.encode()) % len(pool)
        found[name] = next(at for at in (*pool[first:], *pool[:first]) if at not in taken)
    return found


@contextmanager
def drawing(salt: str) -> Iterator[None]:
    """Fixes everything outside the data that a figure's bytes depend on, and says once what fonts lack."""
    import matplotlib

    with warnings.catch_warnings(record=True) as caught, matplotlib.rc_context():
        warnings.filterwarnings("always", LACKING)
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {
                "svg.fonttype": "none",
                "svg.hashsalt": salt,
                "text.parse_math": False,
                "font.size": 9,
                "axes.titlesize": 10,
                "axes.spines.top": False,
                "axes.spines.right": False,
                "axes.grid": True,
                "grid.color": "#e4e4e4",
                "grid.linewidth": 0.6,
                "axes.axisbelow": True,
                "legend.frameon": False,
            }
        )
        yield
    for one in caught:
        if re.match(LACKING, str(one.message)):
            _tell()
        else:
            warnings.showwarning(one.message, one.category, one.filename, one.lineno)


@functools.cache
def _tell() -> None:
    """Says what letters become, once: matplotlib warns of each of them, in every figure."""
    streams.say(
        "note: figures cannot show some letters of names, as their font lacks them; the page can"
    )


def files(figure: Figure) -> dict[str, bytes]:
    """Returns the figure as ``svg`` (text stays text) and ``png``, without dates or versions."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    figure.set(dpi=150, facecolor="white")
    png, svg = io.BytesIO(), io.BytesIO()
    # ``savefig`` would draw everything once more for the layout, which is done.
    FigureCanvasAgg(figure).print_png(png, metadata={"Software": None})
    FigureCanvasSVG(figure).print_svg(svg, metadata={"Date": None, "Creator": None})
    return {"svg": svg.getvalue(), "png": png.getvalue()}
