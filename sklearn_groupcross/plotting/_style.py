"""What all displays share: colours, markers, a style sheet, and axes to draw on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Colours of what is no shade. Whatever two are taken, people with normal colour vision, with
#: deuteranopia, protanopia or tritanopia tell them apart (``tests/plotting/test_style.py``).
PALETTE = ("#3597F0", "#F58A2E", "#004D45", "#7209B7", "#8F5800", "#868686")
_BLUE, _ORANGE, _GREEN, _PURPLE, _BROWN, _GREY = PALETTE

#: Colour of every kind of feature, the same in all pictures.
KIND_COLORS = {
    "line": _BLUE,
    "grid": _PURPLE,
    "three-fold": _BROWN,
    "directed": _ORANGE,
    "round": _GREEN,
    "invariant": _GREEN,
    "symmetric": _BLUE,
    "free": _ORANGE,
    "other": _GREY,
    "dead": "#D9D9D9",
}

#: Marker of every kind of feature, the same in all pictures: one of `MARKERS`.
KIND_MARKERS = {
    "line": "triangle",
    "grid": "square",
    "three-fold": "star",
    "directed": "diamond",
    "round": "circle",
    "invariant": "circle",
    "symmetric": "triangle",
    "free": "diamond",
    "other": "cross",
    "dead": "circle",
}

#: Names of markers, and what matplotlib calls them.
MARKERS = {
    "circle": "o",
    "square": "s",
    "triangle": "^",
    "diamond": "D",
    "cross": "X",
    "star": "*",
}

_SHEET = Path(__file__).with_name("groupcross.mplstyle")
# What of the sheet holds for axes that are given: texts fit, and all else is the caller's.
_SIZES = ("size", "title_fontsize")


@contextmanager
def style_of(given: Axes | Figure | None) -> Iterator[None]:
    """Draw in our style: all of it in figures that we make, sizes of texts alone in given ones.

    What the sheet does not name is as the caller has set it; ``rcParams`` are afterwards as they
    were.

    Raises
    ------
    ImportError
        If matplotlib is not installed; the message says how to install it.
    """
    plt = _pyplot()
    sheet: Any = _sheet()
    if given is not None:
        sheet = {name: value for name, value in sheet.items() if name in _text_sizes()}
    with plt.rc_context(sheet):
        yield


def size_of(what: str) -> float:
    """Size of texts in points by the sheet, such as that of ``legend.fontsize``."""
    return float(_sheet()[what])


def ink() -> str:
    """Colour of what is black on white, of ``rcParams`` and so of the caller's style, if any."""
    import matplotlib as mpl

    return str(mpl.rcParams["text.color"])


def paper() -> str:
    """Colour of the ground that `ink` is read on."""
    import matplotlib as mpl

    return str(mpl.rcParams["axes.facecolor"])


@cache
def _sheet() -> dict[str, Any]:
    from matplotlib import rc_params_from_file

    settings: Any = rc_params_from_file(_SHEET, use_default_template=False)
    return dict(settings)


def _text_sizes() -> list[str]:
    return [name for name in _sheet() if name.endswith(_SIZES) and "marker" not in name]


def get_axes(
    ax: Axes | None,
    size: tuple[float, float],
    projection: str | None = None,
    *,
    square: bool = False,
) -> Axes:
    """Return the axes to draw on: the given ones, or those of a new figure of `size` inches.

    Those of pictures and circles are `square`: they have a fixed aspect.
    """
    if ax is not None:
        ax.tick_params(labelsize=size_of("xtick.labelsize"))
        return ax
    plt = _pyplot()
    subplot = {"projection": projection}
    layout = "compressed" if square else "constrained"
    return plt.subplots(figsize=size, layout=layout, subplot_kw=subplot)[1]


def get_figure(figure: Figure | None, size: tuple[float, float], *, square: bool = False) -> Figure:
    """Return the figure to draw into: the given one, or a new one of `size` inches."""
    plt = _pyplot()
    layout = "compressed" if square else "constrained"
    return plt.figure(figsize=size, layout=layout) if figure is None else figure


def get_axes_grid(figure: Figure | None, n_rows: int, n_columns: int, side: float) -> NDArray[Any]:
    """Return axes (n_rows, n_columns) of `side` inches each in the given or in a new figure."""
    size = (side * n_columns, side * n_rows + 0.3)
    figure = get_figure(figure, size, square=True)
    return figure.subplots(n_rows, n_columns, squeeze=False)


def _pyplot() -> Any:
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "Plots need matplotlib: pip install 'sklearn-groupcross[plot]'."
        ) from error
    return plt
