"""The looks of a series outside matplotlib: the same markers, dashes and colours, as SVG and CSS."""

from __future__ import annotations

from benchmark.report.style import COLORS, IMPORTED, REFERENCES, Style

OF_COLORS = (
    "#0689DD",
    "#D55E00",
    "#60E3A4",
    "#FFC3F3",
    "#44B4EB",
    "#E69F00",
    "#F02D75",
    "#8578B4",
    "#A3A343",
    "#84BA6F",
    "#FF00CC",
    "#B07160",
    "#FBA87A",
    "#00CCD8",
    "#DD656C",
    "#8567FF",
)
"""Of the same hues as ``COLORS``, but chosen anew: merely lightened, some would be all but one."""
OF_REFERENCES = {"blend": "#C2C2C2", "experts": "#FFFFFF", "floor": "#8A8A8A"}
DARK = {
    **dict(zip(COLORS, OF_COLORS, strict=True)),
    **{look.color: OF_REFERENCES[name] for name, look in REFERENCES.items()},
    IMPORTED: "#9C8151",
}
"""Colours of series on the dark page, by those on the light one."""


def marker(name: str | tuple[int, int, int]) -> str:
    """Returns a matplotlib marker as an SVG path in a box from -1 to 1."""
    import numpy as np
    from matplotlib.markers import MarkerStyle
    from matplotlib.path import Path

    style = MarkerStyle(name)
    path = style.get_path().transformed(style.get_transform())
    size = float(np.abs(path.vertices).max())
    letters = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C"}
    parts = []
    for points, code in path.iter_segments(simplify=False):
        if code == Path.CLOSEPOLY:
            parts.append("Z")
            continue
        numbers = [
            f"{sign * value / size + 0.0:.3f}"
            for value, sign in zip(points, (1, -1) * (len(points) // 2), strict=True)
        ]
        parts.append(f"{letters[code]}{' '.join(numbers)}")
    return "".join(parts)


def dash(look: Style) -> str | None:
    """Returns the SVG dash pattern: empty for a solid line, None where there is no line."""
    if look.line in ("", "None"):
        return None
    named = {"-": (), "--": (4.0, 2.0), ":": (1.0, 1.6), "-.": (6.0, 1.6, 1.0, 1.6)}
    lengths = named[look.line] if isinstance(look.line, str) else look.line[1]
    return " ".join(f"{1.5 * length:g}" for length in lengths)


def on_dark(color: str) -> str:
    """Returns the colour of a series on the dark page."""
    return DARK[color]


def contrast(one, other) -> float:
    """Returns the contrast of two colours as WCAG defines it, 1 to 21.

    Args:
        one: Red, green and blue from 0 to 255.
        other: Likewise.
    """
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(rgb) -> float:
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (channel / 255 for channel in rgb)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def css(looks: list[Style]) -> str:
    """Returns rules that give ``.s0``, ``.s1``, ... the colour of a series on light and dark."""
    light = "".join(f".s{at}{{--c:{look.color}}}" for at, look in enumerate(looks))
    dark = "".join(f".s{at}{{--c:{on_dark(look.color)}}}" for at, look in enumerate(looks))
    # Paper is white whatever the screen is.
    return f"{light}\n@media screen and (prefers-color-scheme: dark) {{{dark}}}"
