"""The distance matrix of a dictionary, ordered by family."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..analysis import SymmetryAnalyzer
from ._fitting import Room, drawing, fill, set_labels, set_title, settle, stride, text_width
from ._style import PALETTE, get_axes, size_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Up to so many features are named one by one.
_MAX_NAMES = 30


class DistanceMatrixDisplay:
    """Symmetric distances of all pairs of features, families side by side.

    Parameters
    ----------
    distances : ndarray of shape (m, m)
    labels : ndarray of shape (m,)
        Family of every feature, -1 for none.
    features : ndarray of shape (m,), optional
        Their numbers. Default: 0 to m - 1.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(
        self,
        distances: NDArray[np.floating],
        labels: NDArray[np.int64],
        features: NDArray[np.int64] | None = None,
    ) -> None:
        self.distances = distances
        self.labels = labels
        self.features = np.arange(len(labels)) if features is None else features

    @classmethod
    def from_estimator(
        cls, analyzer: SymmetryAnalyzer, features: ArrayLike | None = None
    ) -> DistanceMatrixDisplay:
        """Take the distances of some features from a fitted analyzer.

        Default: of all that are not dead. A zero atom has no distance worth the name.

        Parameters
        ----------
        analyzer : SymmetryAnalyzer
            Fitted.
        features : array-like of int, of shape (n_shown,), optional

        Returns
        -------
        display : DistanceMatrixDisplay
        """
        if features is None:
            features = np.flatnonzero(analyzer.kinds_ != "dead")
        chosen = np.asarray(features)
        matrix = analyzer.distances_[np.ix_(chosen, chosen)]
        return cls(matrix, analyzer.labels_[chosen], chosen)

    @classmethod
    def from_arrays(
        cls, distances: ArrayLike, labels: ArrayLike | None = None
    ) -> DistanceMatrixDisplay:
        """Take distances that were computed before, of shape (m, m), and family labels, (m,).

        Parameters
        ----------
        distances : array-like of shape (m, m)
        labels : array-like of shape (m,), optional
            Default: -1, no family.

        Returns
        -------
        display : DistanceMatrixDisplay

        Raises
        ------
        ValueError
            If the matrix is not square, or there is not one label a feature.
        """
        matrix = np.asarray(distances)
        families = np.full(len(matrix), -1) if labels is None else np.asarray(labels)
        if matrix.ndim != 2 or matrix.shape != (len(families), len(families)):
            raise ValueError(
                f"Distances have shape (m, m) with one label a feature; got {matrix.shape} "
                f"and {len(families)} labels."
            )
        return cls(matrix, families)

    def plot(self, ax: Axes | None = None, **imshow_options: Any) -> DistanceMatrixDisplay:
        """Draw the matrix, the largest family first, features without family last.

        Families are framed along the diagonal, and numbered where there is room.

        Parameters
        ----------
        ax : matplotlib Axes, optional
        **imshow_options
            Passed on to ``Axes.imshow``.

        Returns
        -------
        self : DistanceMatrixDisplay
        """
        with drawing(ax):
            self._plot(get_axes(ax, (5.8, 5.0), square=True), imshow_options)
        return self

    def _plot(self, ax: Axes, imshow_options: dict[str, Any]) -> None:
        rank = np.where(self.labels < 0, self.labels.max(initial=0) + 1, self.labels)
        order = np.argsort(rank, kind="stable")
        options = {"cmap": "viridis", "vmin": 0, "vmax": 1, "interpolation": "nearest"}
        image = ax.imshow(self.distances[np.ix_(order, order)], **{**options, **imshow_options})
        bar = ax.figure.colorbar(image, ax=ax, shrink=0.85)
        bar.ax.tick_params(labelsize=size_of("ytick.labelsize"))
        is_named = len(order) <= _MAX_NAMES
        name = "feature" if is_named else "features, by family"
        set_labels(ax, name, name)
        set_labels(bar.ax, y="distance")
        room = settle(ax)
        set_labels(
            bar.ax,
            y=fill(
                "distance: 1 − largest cosine over the group",
                0.85 * room.height,
                size_of("axes.labelsize"),
            ),
        )
        families, starts = np.unique(rank[order], return_index=True)
        stops = np.append(starts[1:], len(order))
        in_families = int((self.labels >= 0).sum())
        self._frame(ax, starts, stops, in_families)
        self._number(ax, families, starts, stops, in_families, room)
        # every second one, or fewer, where there is little room
        size = size_of("xtick.labelsize")
        step = stride(room.width / len(order), size)
        shown = np.arange(0, len(order) if is_named else 0, step)
        ax.set_xticks(shown, self.features[order][shown], rotation=90, fontsize=size)
        ax.set_yticks(shown, self.features[order][shown], fontsize=size)
        self.ax_, self.figure_ = ax, ax.figure

    @staticmethod
    def _frame(
        ax: Axes, starts: NDArray[np.int64], stops: NDArray[np.int64], in_families: int
    ) -> None:
        from matplotlib.collections import PatchCollection
        from matplotlib.patches import Rectangle

        squares = [
            Rectangle((start - 0.5, start - 0.5), stop - start, stop - start)
            for start, stop in zip(starts, stops, strict=True)
            if start < in_families
        ]
        # many small frames would hide what they frame
        width = 1.4 if len(squares) <= 40 else 0.7
        frames: dict[str, Any] = {"facecolor": "none", "edgecolor": PALETTE[1], "linewidth": width}
        ax.add_collection(PatchCollection(squares, **frames))
        if 0 < in_families < stops[-1]:
            for draw_line in (ax.axhline, ax.axvline):
                draw_line(in_families - 0.5, color="white", linewidth=1.2)

    def _number(
        self,
        ax: Axes,
        families: NDArray[np.int64],
        starts: NDArray[np.int64],
        stops: NDArray[np.int64],
        in_families: int,
        room: Room,
    ) -> None:
        size = size_of("xtick.labelsize")
        m = len(self.labels)
        for family, start, stop in zip(families, starts, stops, strict=True):
            is_alone = start >= in_families
            name = "alone" if is_alone else str(family)
            if (stop - start) * room.width / m >= text_width(name, size) + 3:
                ax.annotate(
                    name,
                    ((start + stop - 1) / 2, 1),
                    xytext=(0, 3),
                    xycoords=("data", "axes fraction"),
                    textcoords="offset points",
                    ha="center",
                    va="bottom",
                    fontsize=size,
                )
        n_families = len(np.unique(self.labels[self.labels >= 0]))
        what = f"{m} features: {n_families} families (framed, numbered), {m - in_families} alone"
        set_title(ax, what, room, pad=14)  # above the numbers
