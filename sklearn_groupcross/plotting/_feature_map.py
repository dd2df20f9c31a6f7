"""The map of features in the plane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..analysis import SymmetryAnalyzer
from ._style import KIND_COLOURS, get_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class FeatureMapDisplay:
    """UMAP of the symmetric distances, coloured by kind.

    Parameters
    ----------
    embedding : ndarray of shape (m, 2)
    kinds : ndarray of shape (m,), of str

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(self, embedding: NDArray[np.floating], kinds: NDArray[np.object_]) -> None:
        self.embedding = embedding
        self.kinds = kinds

    @classmethod
    def from_estimator(
        cls, analyzer: SymmetryAnalyzer, features: ArrayLike | None = None
    ) -> FeatureMapDisplay:
        """Take the map of all features, or of some, from a fitted analyzer."""
        chosen = np.arange(len(analyzer.labels_)) if features is None else np.asarray(features)
        return cls(analyzer.embedding_[chosen], analyzer.kinds_[chosen])

    @classmethod
    def from_arrays(cls, embedding: ArrayLike, kinds: ArrayLike | None = None) -> FeatureMapDisplay:
        """Take a map that was computed before, of shape (m, 2), and kinds, (m,)."""
        points = np.asarray(embedding)
        if points.ndim != 2 or points.shape[1] != 2:
            raise ValueError(f"A map has shape (m, 2); got {points.shape}.")
        names = np.full(len(points), "other", dtype=object) if kinds is None else np.asarray(kinds)
        return cls(points, names)

    def plot(self, ax: Axes | None = None, **scatter_options: Any) -> FeatureMapDisplay:
        """Draw one dot a feature.

        Parameters
        ----------
        ax : matplotlib Axes, optional
        **scatter_options
            Passed on to ``Axes.scatter``.

        Returns
        -------
        self : FeatureMapDisplay
        """
        ax = get_axes(ax, (5.8, 4.6))
        # the many unnamed features first, so that the few named ones lie on top
        for kind in reversed(KIND_COLOURS):
            chosen = self.kinds == kind
            if chosen.any():
                options = {"s": 12, "color": KIND_COLOURS[kind], "alpha": 0.8, "linewidth": 0}
                label = f"{kind} ({int(chosen.sum())})"
                x, y = self.embedding[chosen].T
                ax.scatter(x, y, label=label, **{**options, **scatter_options})
        ax.set(xticks=[], yticks=[], title="features, near if one is the other's transform")
        handles, labels = ax.get_legend_handles_labels()
        ax.legend(handles[::-1], labels[::-1], fontsize=8, markerscale=1.5, loc="best")
        self.ax_, self.figure_ = ax, ax.figure
        return self
