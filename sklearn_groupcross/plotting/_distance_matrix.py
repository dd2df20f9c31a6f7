"""The distance matrix of a dictionary, ordered by family."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..analysis import SymmetryAnalyzer
from ._style import get_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Share of the side that a family needs to have its number written.
_LEAST_SHARE = 0.035
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
        ax = get_axes(ax, (5.8, 5.0))
        rank = np.where(self.labels < 0, self.labels.max(initial=0) + 1, self.labels)
        order = np.argsort(rank, kind="stable")
        options = {"cmap": "viridis", "vmin": 0, "vmax": 1, "interpolation": "nearest"}
        image = ax.imshow(self.distances[np.ix_(order, order)], **{**options, **imshow_options})
        ax.figure.colorbar(
            image, ax=ax, shrink=0.85, label="distance: 1 − largest cosine over the group"
        )
        families, starts = np.unique(rank[order], return_index=True)
        stops = np.append(starts[1:], len(order))
        in_families = int((self.labels >= 0).sum())
        self._frame(ax, starts, stops, in_families)
        self._number(ax, families, starts, stops, in_families)
        if len(order) <= _MAX_NAMES:
            ax.set_xticks(range(len(order)), self.features[order], rotation=90, fontsize=7)
            ax.set_yticks(range(len(order)), self.features[order], fontsize=7)
            ax.set(xlabel="feature", ylabel="feature")
        else:
            ax.set_xticks([])
            ax.set_yticks([])
            ax.set(xlabel="features, by family", ylabel="features, by family")
        self.ax_, self.figure_ = ax, ax.figure
        return self

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
        frames: dict[str, Any] = {"facecolor": "none", "edgecolor": "#E69F00", "linewidth": width}
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
    ) -> None:
        m = len(self.labels)
        for family, start, stop in zip(families, starts, stops, strict=True):
            is_alone = start >= in_families
            name = "alone" if is_alone else str(family)
            if (stop - start) >= _LEAST_SHARE * m * max(1, len(name) / 2):
                ax.annotate(
                    name,
                    ((start + stop - 1) / 2, 1),
                    xytext=(0, 3),
                    xycoords=("data", "axes fraction"),
                    textcoords="offset points",
                    ha="center",
                    va="bottom",
                    fontsize=8,
                )
        n_families = len(np.unique(self.labels[self.labels >= 0]))
        what = f"{m} features: {n_families} families (framed, numbered), {m - in_families} alone"
        ax.set_title(what, fontsize=10, pad=16)
