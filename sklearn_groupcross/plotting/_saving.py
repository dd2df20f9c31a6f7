"""Figures as bytes and as files."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

from .._files import written_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure


def figure_to_png(figure: Figure | SubFigure, dpi: int = 110) -> bytes:
    """Draw a figure into the bytes of a PNG file and close it.

    Parameters
    ----------
    figure : matplotlib Figure
    dpi : int, default=110

    Returns
    -------
    png : bytes
    """
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
