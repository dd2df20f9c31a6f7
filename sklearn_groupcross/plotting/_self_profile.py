"""The self-profile of features: how alike each stays to its own translates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..analysis import SymmetryAnalyzer
from ..groups import FiniteGroup, PlanarGroup
from ._style import get_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class SelfProfileDisplay:
    """Cosine of features with their own translates, against the turn.

    Parameters
    ----------
    profiles : ndarray of shape (n_shown, order)
    group : FiniteGroup
    labels : sequence of str
        One a profile.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(
        self, profiles: NDArray[np.floating], group: FiniteGroup, labels: Sequence[str]
    ) -> None:
        self.profiles = profiles
        self.group = group
        self.labels = labels

    @classmethod
    def from_estimator(
        cls, analyzer: SymmetryAnalyzer, features: int | Sequence[int]
    ) -> SelfProfileDisplay:
        """Take the profiles of one or more features from a fitted analyzer."""
        chosen = np.atleast_1d(np.asarray(features, dtype=np.int64))
        labels = [f"feature {i} ({analyzer.kinds_[i]})" for i in chosen]
        return cls(analyzer.profiles_[chosen], analyzer.group_, labels)

    @classmethod
    def from_arrays(
        cls, profiles: ArrayLike, group: FiniteGroup, labels: Sequence[str] | None = None
    ) -> SelfProfileDisplay:
        """Take profiles that were computed before, of shape (order,) or (n_shown, order)."""
        array = np.atleast_2d(np.asarray(profiles, dtype=np.float64))
        if array.shape[1] != group.order:
            raise ValueError(
                f"Profiles over {group!r} have {group.order} columns; got {array.shape[1]}."
            )
        return cls(array, group, labels or [f"profile {i}" for i in range(len(array))])

    def plot(self, ax: Axes | None = None, **line_options: Any) -> SelfProfileDisplay:
        """Draw rotations as full lines, and reflections as dotted ones.

        Parameters
        ----------
        ax : matplotlib Axes, optional
        **line_options
            Passed on to ``Axes.plot``.

        Returns
        -------
        self : SelfProfileDisplay
        """
        ax = get_axes(ax, (6.0, 3.6))
        ax.axhline(0, color="0.8", linewidth=0.8)
        planar = self.group if isinstance(self.group, PlanarGroup) else None
        n = self.group.order if planar is None else planar.n_turns
        x = np.arange(n + 1) if planar is None else np.arange(n + 1) * 360 / n
        for profile, label in zip(self.profiles, self.labels, strict=True):
            rotations = np.append(profile[:n], profile[0])
            (line,) = ax.plot(x, rotations, marker="o", markersize=3, label=label, **line_options)
            if planar is not None and planar.has_mirrors:
                mirrored = np.append(profile[n:], profile[n])
                ax.plot(x, mirrored, linestyle=":", color=line.get_color(), linewidth=1)
        if planar is not None:
            ax.set_xticks(np.arange(0, 361, 45), [f"{a}°" for a in range(0, 361, 45)], fontsize=8)
            xlabel = "turn" + (" (dotted: mirrored, then turned)" if planar.has_mirrors else "")
        else:
            xlabel = "element"
        ax.set(xlabel=xlabel, ylabel="cosine with itself", ylim=(-1.05, 1.05))
        ax.legend(fontsize=8, loc="lower left")
        self.ax_, self.figure_ = ax, ax.figure
        return self
