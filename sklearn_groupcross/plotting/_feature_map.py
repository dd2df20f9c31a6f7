"""The map of features in the plane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..analysis import SymmetryAnalyzer
from ..groups import PlanarGroup
from ._fitting import LINE, drawing, fill, put_legend, set_labels, set_title, settle
from ._style import KIND_COLORS, KIND_MARKERS, MARKERS, PALETTE, get_axes, size_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOR_BY = ("kind", "symmetry", "family")
_REST = "rest"
# Figures of so many points have room for a legend beside the axes; in others it is below.
_WIDE = 4.5 * 72
# Markers of one area look of different sizes.
_AREAS = {"star": 1.7, "triangle": 1.15, "square": 0.85, "diamond": 0.75}
# Of words that are no kinds; grey is for what has none.
_OF_WORDS = (*(color for color in PALETTE if color != KIND_COLORS["other"]), "#000000")


class FeatureMapDisplay:
    """UMAP of the symmetric distances, coloured by kind, symmetry class or family.

    Parameters
    ----------
    embedding : ndarray of shape (m, 2)
    kinds : ndarray of shape (m,), of str
        What decides the colour: kinds have their own; of other words the six most frequent get one,
        the others are grey.

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
        cls,
        analyzer: SymmetryAnalyzer,
        features: ArrayLike | None = None,
        *,
        color_by: str | None = None,
    ) -> FeatureMapDisplay:
        """Take the map of some features from a fitted analyzer.

        Parameters
        ----------
        analyzer : SymmetryAnalyzer
        features : array-like of int, of shape (n_shown,), optional
            Default: all that are not dead.
        color_by : {"kind", "symmetry", "family"}, optional
            Kinds are words for rotation profiles; a symmetry is the class of the stabilizer.
            Default: kind for groups that turn the plane, symmetry for others.

        Raises
        ------
        ValueError
            If `color_by` is something else.
        """
        if features is None:
            features = np.flatnonzero(analyzer.kinds_ != "dead")
        if color_by is None:
            color_by = "kind" if isinstance(analyzer.group_, PlanarGroup) else "symmetry"
        if color_by not in _COLOR_BY:
            raise ValueError(f"color_by is one of {', '.join(_COLOR_BY)}; got {color_by!r}.")
        chosen = np.asarray(features)
        names = {
            "kind": lambda i: analyzer.kinds_[i],
            "symmetry": lambda i: analyzer.stabilizers_[i].name.split(":")[0],
            "family": lambda i: (
                "alone" if analyzer.labels_[i] < 0 else f"family {analyzer.labels_[i]}"
            ),
        }[color_by]
        words = np.array([names(i) for i in chosen], dtype=object)
        return cls(analyzer.embedding_[chosen], words)

    @classmethod
    def from_arrays(cls, embedding: ArrayLike, kinds: ArrayLike | None = None) -> FeatureMapDisplay:
        """Take a map that was computed before, of shape (m, 2), and kinds or other words, (m,).

        Parameters
        ----------
        embedding : array-like of shape (m, 2)
        kinds : array-like of shape (m,), optional
            Default: all are ``"other"``.

        Returns
        -------
        display : FeatureMapDisplay

        Raises
        ------
        ValueError
            If the shapes are others.
        """
        points = np.asarray(embedding)
        if points.ndim != 2 or points.shape[1] != 2:
            raise ValueError(f"A map has shape (m, 2); got {points.shape}.")
        names = np.full(len(points), "other", dtype=object) if kinds is None else np.asarray(kinds)
        if names.shape != (len(points),):
            raise ValueError(f"kinds has one entry a point, {len(points)}; got {names.shape}.")
        return cls(points, names)

    def plot(self, ax: Axes | None = None, **scatter_options: Any) -> FeatureMapDisplay:
        """Draw one marker a feature.

        Parameters
        ----------
        ax : matplotlib Axes, optional
        **scatter_options
            Passed on to ``Axes.scatter``.

        Returns
        -------
        self : FeatureMapDisplay
        """
        with drawing(ax):
            self._plot(get_axes(ax, (6.4, 4.6)), scatter_options)
        return self

    def _plot(self, ax: Axes, scatter_options: dict[str, Any]) -> None:
        looks = self._choose_looks()
        words = np.array([w if w in looks else _REST for w in self.kinds], dtype=object)
        # many points want small dots, few want large ones
        size = float(np.clip(6000 / max(1, len(words)), 9, 45))
        # the many unnamed features first, so that the few named ones lie on top
        for word in reversed(looks):
            chosen = words == word
            if chosen.any():
                color, marker = looks[word]
                look = {"color": color, "marker": MARKERS[marker], "alpha": 0.85, "linewidth": 0}
                options = {"s": _AREAS.get(marker, 1.0) * size, **look}
                label = f"{word} ({int(chosen.sum())})"
                x, y = self.embedding[chosen].T
                ax.scatter(x, y, label=label, **{**options, **scatter_options})
        ax.set(xticks=[], yticks=[])
        room = settle(ax)
        set_title(ax, f"{len(words)} features: near if one is the other's transform", room)
        label = "UMAP of the distances: axes have no meaning"
        set_labels(ax, x=label, room=room)
        handles, labels = ax.get_legend_handles_labels()
        handles, labels = handles[::-1], labels[::-1]
        if room.figure_width >= _WIDE:
            size = size_of("legend.fontsize")
            ax.legend(handles, labels, fontsize=size, loc="upper left", bbox_to_anchor=(1, 1))
        else:
            size = size_of("axes.labelsize")
            below = 6 + LINE * size * (1 + fill(label, room.width, size).count("\n"))
            put_legend(ax, handles, labels, room, below=below)
        self.ax_, self.figure_ = ax, ax.figure

    def _choose_looks(self) -> dict[str, tuple[str, str]]:
        """Colour and marker of every word, in the order of the legend."""
        words, counts = np.unique(self.kinds.astype(str), return_counts=True)
        if set(words) <= set(KIND_COLORS):
            return {word: (KIND_COLORS[word], KIND_MARKERS[word]) for word in KIND_COLORS}
        by_count = [str(w) for w in words[np.argsort(-counts, kind="stable")]]
        looks = list(zip(_OF_WORDS, MARKERS, strict=True))
        frequent = [w for w in by_count if w not in ("alone", "C1")][: len(looks)]
        grey = KIND_COLORS["other"], "cross"
        plain: dict[str, tuple[str, str]] = {str(w): grey for w in ("C1", "alone") if w in by_count}
        return {
            **dict(zip(frequent, looks, strict=False)),
            **plain,
            _REST: (KIND_COLORS["dead"], "circle"),
        }
