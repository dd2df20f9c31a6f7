"""Texts that fit: wrapped to the room that they have, measured in typographic points.

How large axes are is known once the figure has been laid out. Displays draw first what takes room,
`settle` the figure, and write what depends on the room that is left.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ._style import size_of, style_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

# Letters are measured as outlines; drawn on a grid of pixels they are a little wider.
_DRAWN = 1.04
_MOST_DRAWINGS = 8
# From the top of a line to that of the next.
LINE = 1.25


class Room(NamedTuple):
    """What axes have, in points."""

    width: float
    height: float
    #: Of the figure, and from its left edge to the axes.
    figure_width: float
    left: float


@contextmanager
def drawing(given: Axes | Figure | None) -> Iterator[None]:
    """Draw in our style: see `style_of`.

    Axes of a fixed aspect in a figure with the layout "constrained" move with every drawing until
    they have what they need. Given ones are drawn until nothing moves any more; figures that we
    make have the layout "compressed", with which they stand still.
    """
    with style_of(given):
        yield
        figure: Any = getattr(given, "figure", given)
        if figure is None or all(ax.get_aspect() == "auto" for ax in figure.axes):
            return
        root, before = figure.get_figure(root=True), np.full((1, 1), np.inf)
        for _ in range(_MOST_DRAWINGS):
            with _without_warning():
                root.draw_without_rendering()
            boxes = np.array([ax.bbox.bounds for ax in root.axes])
            if np.abs(boxes - before).max(initial=0.0) < 0.5:
                break
            before = boxes


def settle(ax: Axes) -> Room:
    """Lay out the figure of the axes, and measure them."""
    return room_of(ax, arrange(ax.figure))


def arrange(figure: Figure | SubFigure) -> Figure:
    """Lay out a figure as drawing would, and return the whole of it."""
    root = figure.get_figure(root=True)
    engine = root.get_layout_engine()
    if engine is not None:
        with _without_warning():
            engine.execute(root)
    for ax in root.axes:
        ax.apply_aspect()
    return root


@contextmanager
def _without_warning() -> Iterator[None]:
    """Let drawing say that there is no room, when all is there."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="constrained_layout not applied")
        yield


def room_of(ax: Axes, root: Figure) -> Room:
    """Measure axes of a figure that has been laid out."""
    box = ax.bbox
    whole = ax.figure.bbox  # of a subfigure, if it is one
    point = root.dpi / 72
    return Room(
        box.width / point, box.height / point, whole.width / point, (box.x0 - whole.x0) / point
    )


def text_width(text: str, size: float, **font: Any) -> float:
    """Width of the longest line of a text, in points."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    properties = FontProperties(size=size, **font)
    widths = (
        text_to_path.get_text_width_height_descent(line, properties, ismath=False)[0]
        for line in text.split("\n")
    )
    return _DRAWN * max(widths, default=0.0)


def fill(text: str, width: float, size: float, **font: Any) -> str:
    """Break lines between words, and words that are longer than a line, to a width in points."""
    lines = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split(" "):
            longer = f"{line} {word}" if line else word
            if text_width(longer, size, **font) <= width:
                line = longer
                continue
            if line:
                lines.append(line)
            while text_width(word, size, **font) > width and len(word) > 1:
                cut = _longest_start(word, width, size, font)
                lines.append(word[:cut])
                word = word[cut:]
            line = word
        lines.append(line)
    return "\n".join(lines)


def _longest_start(word: str, width: float, size: float, font: dict[str, Any]) -> int:
    fitting = (
        n for n in range(len(word) - 1, 1, -1) if text_width(word[:n], size, **font) <= width
    )
    return next(fitting, 1)


def set_title(ax: Axes, text: str, room: Room, **options: Any) -> None:
    """Write a title over the axes, as wide as they are."""
    size = size_of("axes.titlesize")
    ax.set_title(fill(text, room.width, size), fontsize=size, **options)


def set_labels(ax: Axes, x: str = "", y: str = "", room: Room | None = None) -> None:
    """Name the axes, within their width and height where these are given."""
    size = size_of("axes.labelsize")
    if room is not None:
        x, y = fill(x, room.width, size), fill(y, room.height, size)
    ax.set_xlabel(x, fontsize=size)
    ax.set_ylabel(y, fontsize=size)


def stride(spacing: float, size: float) -> int:
    """Every how many ticks are named, if names of that height stand `spacing` points apart."""
    n = 1
    while n * spacing < 1.1 * size:
        n += 1
    return n


def put_legend(
    ax: Axes,
    handles: Sequence[Any],
    labels: Sequence[str],
    room: Room,
    *,
    below: float | None = None,
    most: int = 4,
) -> Any:
    """Write a legend above the axes, or so many points below them, in the columns that fit.

    Above, it begins where the axes do and may go on to the edge of the figure.
    """
    size = size_of("legend.fontsize")
    left = 0.0 if below is None else room.left
    widest = room.figure_width - (room.left - left) - 8
    # the stroke of an entry, and what is around it
    beside = 3.4 * size
    columns = [
        n
        for n in range(min(most, len(labels)), 1, -1)
        if n * (max(text_width(label, size) for label in labels) + beside) <= widest
    ]
    if not columns:
        labels = [fill(label, widest - beside, size) for label in labels]
    place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1)}
    if below is not None:
        middle = (room.figure_width / 2 - room.left) / room.width
        place = {
            "loc": "upper center",
            "bbox_to_anchor": (middle, 0),
            "borderaxespad": below / size,
        }
    return ax.legend(
        handles, labels, ncols=max(columns, default=1), fontsize=size, frameon=False, **place
    )
