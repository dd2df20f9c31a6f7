"""What all displays share: axes to draw on, colours, and pictures as bytes."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from .._files import written_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

#: Colour of every kind of feature, the same in all pictures (Okabe and Ito: safe for colour-blind).
KIND_COLORS = {
    "line": "#0072B2",
    "grid": "#CC79A7",
    "three-fold": "#E69F00",
    "directed": "#D55E00",
    "round": "#009E73",
    "invariant": "#009E73",
    "symmetric": "#0072B2",
    "free": "#D55E00",
    "other": "#999999",
    "dead": "#DDDDDD",
}

#: Colours of what is neither kind nor shade (Okabe and Ito, without the yellow).
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")


def get_axes(
    ax: Axes | None, size: tuple[float, float] = (5.0, 4.2), projection: str | None = None
) -> Axes:
    """Return the axes to draw on: the given ones, or those of a new figure.

    Raises
    ------
    ImportError
        If matplotlib is not installed; the message says how to install it.
    """
    plt = _pyplot()
    if ax is not None:
        return ax
    return plt.subplots(figsize=size, layout="constrained", subplot_kw={"projection": projection})[
        1
    ]


def get_figure(figure: Figure | None, size: tuple[float, float]) -> Figure:
    """Return the figure to draw into: the given one, or a new one of `size` inches.

    Raises
    ------
    ImportError
        If matplotlib is not installed; the message says how to install it.
    """
    plt = _pyplot()
    return plt.figure(figsize=size, layout="constrained") if figure is None else figure


def get_axes_grid(figure: Figure | None, n_rows: int, n_columns: int, side: float) -> NDArray[Any]:
    """Return axes (n_rows, n_columns) of `side` inches each in the given figure, or in a new one.

    Raises
    ------
    ImportError
        If matplotlib is not installed; the message says how to install it.
    """
    figure = get_figure(figure, (side * n_columns, side * n_rows + 0.3))
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


def save_figure(figure: Figure | SubFigure, path: str | os.PathLike[str], dpi: int = 110) -> None:
    """Write a figure to a file, whole or not at all, and close it.

    The same figure gives the same bytes.

    Parameters
    ----------
    figure : matplotlib Figure
    path : path
        Its ending says what is written: ``.png``, ``.svg`` or another that matplotlib knows.
    dpi : int, default=110

    Raises
    ------
    OSError
        If the file cannot be written.
    ValueError
        If matplotlib does not know the ending.
    """
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    whole = figure.get_figure(root=True)
    kind = Path(path).suffix.removeprefix(".") or mpl.rcParams["savefig.format"]
    # names within an SVG are random, and it is dated, unless told otherwise
    metadata = {"Date": None} if kind == "svg" else None
    picture = io.BytesIO()
    try:
        with mpl.rc_context({"svg.hashsalt": "groupcross"}):
            whole.savefig(picture, format=kind, dpi=dpi, metadata=metadata)
    finally:
        plt.close(whole)
    with written_whole(path) as temporary:
        temporary.write_bytes(picture.getvalue())
