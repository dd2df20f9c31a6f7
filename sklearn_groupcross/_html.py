"""What objects show of themselves in a notebook: small pieces of HTML.

They take the colours of the page, light or dark, and read as plain text where styles are missing.
Whatever comes from outside is escaped and cut, and no piece grows with what it shows.
"""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._pixels import png_of
from ._printable import printable

# Accents that are seen on white and on black: those of ``plotting``.
FIRST, SECOND = "#3597F0", "#F58A2E"
#: Places of a wheel are drawn up to so many elements, and named up to so many.
MOST_PLACES, MOST_NAMED = 512, 128
#: Cayley tables are drawn up to this order.
MOST_IN_TABLE = 64
_LONGEST = 300
_MOST_POINTS = 240
_CELL = 'style="text-align:left;padding:1px 10px 1px 0;font-weight:normal"'
_PAGE = "color:var(--jp-ui-font-color1,var(--vscode-editor-foreground,inherit))"


def text(value: object) -> str:
    """Text of a page, whatever it comes from: escaped, in sight, and not long."""
    words = printable(str(value), keep="\n")
    if len(words) > _LONGEST:
        words = words[: _LONGEST - 1] + "…"
    return escape(words, quote=True)


def card(title: object, facts: Mapping[str, object], *pictures: str) -> str:
    """A title, a table of facts, and pictures beside it."""
    rows = "".join(
        f"<tr><th {_CELL}>{text(name)}</th><td {_CELL}>{text(value)}</td></tr>"
        for name, value in facts.items()
    )
    shown = "".join(f"<div>{picture}</div>" for picture in pictures if picture)
    return (
        f'<div class="groupcross" style="{_PAGE};display:flex;flex-wrap:wrap;gap:16px;'
        f'align-items:flex-start"><div><div><strong>{text(title)}</strong></div>'
        f"<table>{rows}</table></div>{shown}</div>"
    )


def wheel(group: Any, roles: Mapping[int, str], caption: str = "", size: int = 132) -> str:
    """Elements of a group as places, those with a role marked: an SVG, or "" of too many elements.

    Of a group that turns the plane, turns stand around a circle, 0° at the top, counter-clockwise,
    and mirrored ones on an inner circle. Elements of others stand in rows.

    Parameters
    ----------
    group : FiniteGroup
    roles : mapping of int to {"member", "medoid", "gap"}
    caption : str, default=""
    size : int, default=132
        Side in pixels.
    """
    if group.order > MOST_PLACES:
        return ""
    places, diameter = _places(group)
    radius = 0.46 * diameter
    looks = {
        "member": f'fill="{FIRST}"',
        "medoid": f'fill="{SECOND}"',
        "gap": 'fill="none" stroke="currentColor" stroke-width=".015" stroke-dasharray=".04"',
        "": 'fill="currentColor" opacity=".15"',
    }
    marks = []
    for element, (x, y) in enumerate(places):
        role = roles.get(element, "")
        name = ""
        if group.order <= MOST_NAMED:
            name = f"<title>{text(group.describe_element(element)[:60])}</title>"
        circle = f'<circle cx="{x:.3f}" cy="{y:.3f}" r="{radius:.3f}" {looks[role]}'
        marks.append(f"{circle}>{name}</circle>" if name else f"{circle}/>")
    below = f"<div><small>{text(caption)}</small></div>" if caption else ""
    return (
        f'<svg width="{size}" height="{size}" viewBox="-1.2 -1.2 2.4 2.4" role="img">'
        f"{''.join(marks)}</svg>{below}"
    )


def _places(group: Any) -> tuple[list[tuple[float, float]], float]:
    """Where elements stand within a circle of radius 1, and how far apart."""
    n_turns = getattr(group, "n_turns", 0)
    if n_turns >= 3:
        apart = min(0.43, 2 * math.sin(math.pi / n_turns) * 0.55)
        places = []
        for element in range(group.order):
            angle = math.radians(group.degrees(element))
            radius = 0.55 if group.mirrored[element] else 1.0
            places.append((-radius * math.sin(angle), -radius * math.cos(angle)))
        return places, apart
    n_columns = max(1, math.ceil(math.sqrt(group.order)))
    apart = 2 / n_columns
    start = -1 + apart / 2
    rows = (divmod(element, n_columns) for element in range(group.order))
    return [(start + apart * column, start + apart * row) for row, column in rows], apart


def cayley_table(table: NDArray[np.integer], size: int = 160) -> str:
    """A Cayley table as a picture, a colour an element; "" if it is too large to be read."""
    if len(table) > MOST_IN_TABLE:
        return ""
    hues = np.arange(len(table)) / len(table)
    waves = np.abs(hues[:, None] * 6 - np.array([3, 2, 4]))
    colors = np.clip(np.array([-1, 2, 2]) + np.array([1, -1, -1]) * waves, 0, 1)
    pixels = np.round(255 * (0.25 + 0.65 * colors)).astype(np.uint8)[table]
    data = b64encode(png_of(pixels)).decode()
    return (
        f'<img alt="Cayley table" width="{size}" height="{size}" '
        f'style="image-rendering:pixelated" src="data:image/png;base64,{data}">'
        "<div><small>Cayley table: a colour an element</small></div>"
    )


def curve(values: Sequence[float], caption: str) -> str:
    """A line through what is finite of some values, from left to right; "" of fewer than two."""
    heights = np.asarray(values, dtype=np.float64)
    heights = heights[np.isfinite(heights)]
    if len(heights) < 2:
        return ""
    # the ends of a long run, and what is between them at even distances
    chosen = np.unique(np.linspace(0, len(heights) - 1, _MOST_POINTS).round().astype(np.int64))
    heights = heights[chosen]
    span = float(np.ptp(heights)) or 1.0
    x = np.linspace(2, 198, len(heights))
    y = 58 - 56 * (heights - heights.min()) / span
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    return (
        '<svg width="200" height="60" viewBox="0 0 200 60" role="img"><polyline fill="none" '
        f'stroke="{FIRST}" stroke-width="1.5" points="{points}"/></svg>'
        f"<div><small>{text(caption)}</small></div>"
    )
