"""What all displays share: axes to draw on, colours, and pictures as bytes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

#: Colour of every kind of feature, the same in all pictures (Okabe and Ito: safe for colour-blind).
KIND_COLOURS = {
    "line": "#0072B2",
    "grid": "#CC79A7",
    "curve or edge": "#D55E00",
    "round": "#009E73",
    "other": "#999999",
    "dead": "#DDDDDD",
}


def get_axes(ax: Axes | None, size: tuple[float, float] = (5.0, 4.2)) -> Axes:
    """Return the axes to draw on: the given ones, or those of a new figure.

    Raises
    ------
    ImportError
        If matplotlib is not installed; the message says how to install it.
    """
    plt = _pyplot()
    return plt.subplots(figsize=size, layout="constrained")[1] if ax is None else ax


def get_axes_grid(figure: Figure | None, n_rows: int, n_columns: int, side: float) -> NDArray[Any]:
    """Return axes (n_rows, n_columns) of `side` inches each in the given figure, or in a new one.

    Raises
    ------
    ImportError
        If matplotlib is not installed; the message says how to install it.
    """
    plt = _pyplot()
    if figure is None:
        size = (side * n_columns, side * n_rows + 0.3)
        figure = plt.figure(figsize=size, layout="constrained")
    return figure.subplots(n_rows, n_columns, squeeze=False)


def _pyplot() -> Any:
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "Plots need matplotlib: pip install 'sklearn-groupcross[plot]'."
        ) from error
    return plt


def figure_to_png(figure: Figure | SubFigure, dpi: int = 110) -> bytes:
    """Draw a figure into the bytes of a PNG file and close it."""
    import matplotlib.pyplot as plt

    buffer = io.BytesIO()
    whole = figure.get_figure(root=True)
    whole.savefig(buffer, format="png", dpi=dpi)
    plt.close(whole)
    return buffer.getvalue()
