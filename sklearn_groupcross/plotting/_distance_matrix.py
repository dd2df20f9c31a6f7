"""The distance matrix of a dictionary, ordered by family."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..analysis import SymmetryAnalyzer
from ._style import get_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class DistanceMatrixDisplay:
    """Symmetric distances of all pairs of features, families side by side.

    Parameters
    ----------
    distances : ndarray of shape (m, m)
    labels : ndarray of shape (m,)
        Family of every feature, -1 for none.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(self, distances: NDArray[np.floating], labels: NDArray[np.int64]) -> None:
        self.distances = distances
        self.labels = labels

    @classmethod
    def from_estimator(
        cls, analyzer: SymmetryAnalyzer, features: ArrayLike | None = None
    ) -> DistanceMatrixDisplay:
        """Take the distances of all features, or of some, from a fitted analyzer."""
        chosen = np.arange(len(analyzer.labels_)) if features is None else np.asarray(features)
        return cls(analyzer.distances_[np.ix_(chosen, chosen)], analyzer.labels_[chosen])

    @classmethod
    def from_arrays(
        cls, distances: ArrayLike, labels: ArrayLike | None = None
    ) -> DistanceMatrixDisplay:
        """Take distances that were computed before, of shape (m, m), and family labels, (m,)."""
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

        Parameters
        ----------
        ax : matplotlib Axes, optional
        **imshow_options
            Passed on to ``Axes.imshow``.

        Returns
        -------
        self : DistanceMatrixDisplay
        """
        ax = get_axes(ax, (5.4, 4.6))
        rank = np.where(self.labels < 0, self.labels.max(initial=0) + 1, self.labels)
        order = np.argsort(rank, kind="stable")
        options = {"cmap": "viridis", "vmin": 0, "vmax": 1, "interpolation": "nearest"}
        image = ax.imshow(self.distances[np.ix_(order, order)], **{**options, **imshow_options})
        ax.figure.colorbar(image, ax=ax, label="distance, 1 − max cosine over the group")
        n_families = len(np.unique(self.labels[self.labels >= 0]))
        in_families = int((self.labels >= 0).sum())
        if 0 < in_families < len(order):
            for draw_line in (ax.axhline, ax.axvline):
                draw_line(in_families - 0.5, color="white", linewidth=0.8)
        title = f"{len(order)} features, {n_families} families"
        ax.set(xlabel="feature, by family", ylabel="feature, by family", title=title)
        self.ax_, self.figure_ = ax, ax.figure
        return self
