"""The transform block of a feature: the paper's 2 x 2 picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..analysis import SymmetryAnalyzer
from ..groups import FiniteGroup, PlanarGroup, as_group
from ._fitting import Room, drawing, fill, set_labels, set_title, settle, stride, text_width
from ._style import get_axes, ink, size_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLORS = "RdBu_r"  # diverging: cosine 0 is white
# Beyond this, names of elements along an axis would lie on each other.
_MAX_NAMES = 32


class TransformBlockDisplay:
    """Cosines of all pairs of blocks of one atom.

    For a dihedral group the picture has four quadrants: turned blocks against turned ones top
    left, mirrored against mirrored ones bottom right, and the mixed ones (Gorton 2024). Bands along
    the diagonals say that the cosine of two blocks depends on the turn between them alone.

    Parameters
    ----------
    block : ndarray of shape (order, order)
        ``T[g, h] = cos(W[g], W[h])``.
    group : FiniteGroup or str
    title : str, default=""

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(
        self, block: NDArray[np.floating], group: FiniteGroup | str, title: str = ""
    ) -> None:
        self.block = block
        self.group = as_group(group)
        self.title = title

    @classmethod
    def from_estimator(cls, analyzer: SymmetryAnalyzer, feature: int) -> TransformBlockDisplay:
        """Take the transform block of a feature from a fitted analyzer.

        Parameters
        ----------
        analyzer : SymmetryAnalyzer
            Fitted.
        feature : int

        Returns
        -------
        display : TransformBlockDisplay
        """
        name = analyzer.stabilizers_[feature].name
        return cls(
            analyzer.transform_blocks(feature), analyzer.group_, f"feature {feature} · {name}"
        )

    @classmethod
    def from_arrays(
        cls, block: NDArray[np.floating], group: FiniteGroup | str, title: str = ""
    ) -> TransformBlockDisplay:
        """Take a transform block that was computed before.

        Parameters
        ----------
        block : ndarray of shape (order, order)
        group : FiniteGroup or str
        title : str, default=""

        Returns
        -------
        display : TransformBlockDisplay

        Raises
        ------
        ValueError
            If the block is not of the group's shape.
        """
        block, group = np.asarray(block), as_group(group)
        if block.shape != (group.order, group.order):
            raise ValueError(
                f"A transform block of {group!r} has shape {(group.order, group.order)}; "
                f"got {block.shape}."
            )
        return cls(block, group, title)

    def plot(self, ax: Axes | None = None, **imshow_options: Any) -> TransformBlockDisplay:
        """Draw the block, its halves labelled.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Default: those of a new figure.
        **imshow_options
            Passed on to ``Axes.imshow``.

        Returns
        -------
        self : TransformBlockDisplay
        """
        with drawing(ax):
            self._plot(get_axes(ax, (5.4, 4.8), square=True), imshow_options)
        return self

    def _plot(self, ax: Axes, imshow_options: dict[str, Any]) -> None:
        options = {"cmap": _COLORS, "vmin": -1, "vmax": 1, "interpolation": "nearest"}
        image = ax.imshow(self.block, **{**options, **imshow_options})
        size = size_of("xtick.labelsize")
        bar = ax.figure.colorbar(image, ax=ax, shrink=0.8)
        bar.ax.tick_params(labelsize=size)
        group = self.group
        set_labels(ax, "element h", "element g")
        set_labels(bar.ax, y="cosine")
        if isinstance(group, PlanarGroup):
            n = group.n_turns
            turns = sorted({0, n // 4, n // 2, 3 * n // 4})
            ticks = turns + ([n + t for t in turns] if group.has_mirrors else [])
            labels = [f"{group.degrees(t):g}°" for t in ticks]
            ax.set_xticks(ticks, labels, rotation=90, fontsize=size)
            ax.set_yticks(ticks, labels, fontsize=size)
        elif group.order <= _MAX_NAMES:
            names = [group.describe_element(g) for g in range(group.order)]
            ax.set_xticks(range(group.order), names, rotation=90, fontsize=size)
            ax.set_yticks(range(group.order), names, fontsize=size)
        room = settle(ax)
        set_labels(
            bar.ax, y=fill("cosine of blocks g and h", 0.8 * room.height, size_of("axes.labelsize"))
        )
        # every second name, or fewer, where there is little room
        step = stride(
            np.diff(ax.get_xticks()).min(initial=group.order) * room.width / group.order, size
        )
        names = [label.get_text() for label in ax.get_xticklabels()]
        ax.set_xticks(ax.get_xticks()[::step], names[::step], rotation=90, fontsize=size)
        ax.set_yticks(ax.get_yticks()[::step], names[::step], fontsize=size)
        pad = 5.0
        if isinstance(group, PlanarGroup) and group.has_mirrors:
            pad += self._label_halves(ax, group.n_turns, room)
        set_title(ax, self.title, room, pad=pad)
        self.ax_, self.figure_ = ax, ax.figure

    @staticmethod
    def _label_halves(ax: Axes, n: int, room: Room) -> float:
        """Say outside of the picture which elements turn only, and which mirror first.

        Return how high the names are, in points.
        """
        ax.axhline(n - 0.5, color="black", linewidth=0.8)
        ax.axvline(n - 0.5, color="black", linewidth=0.8)
        size = size_of("xtick.labelsize")
        mirrored = "mirrored, then turned"
        if text_width(mirrored, size) > room.width / 2 - 4:
            mirrored = mirrored.replace(", ", ",\n")
        for at, label in (((n - 1) / 2, "turned"), (n + (n - 1) / 2, mirrored)):
            style: dict[str, Any] = {
                "textcoords": "offset points",
                "fontsize": size,
                "color": ink(),
                "annotation_clip": False,
            }
            ax.annotate(
                label,
                (at, -0.5),
                xytext=(0, 3),
                ha="center",
                va="bottom",
                **style,
            )
            ax.annotate(
                label,
                (2 * n - 0.5, at),
                xytext=(3, 0),
                ha="left",
                va="center",
                rotation=-90,
                **style,
            )
        return 1.3 * size * (1 + mirrored.count("\n")) + 3


def block_to_rgb(block: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Picture of a transform block, one pixel a pair, of shape (order, order, 3).

    Parameters
    ----------
    block : ndarray of shape (order, order)
        Cosines, in [-1, 1].

    Returns
    -------
    rgb : ndarray of shape (order, order, 3), uint8
    """
    import matplotlib as mpl

    return mpl.colormaps[_COLORS]((block + 1) / 2, bytes=True)[..., :3]
