"""The self-profile of features: how alike each stays to its own translates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..analysis import SymmetryAnalyzer
from ..groups import FiniteGroup, PlanarGroup, Subgroup, as_group
from ._fitting import drawing, put_legend, set_labels, set_title, settle, stride
from ._style import PALETTE, get_axes, ink, size_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Beyond this, names of elements along an axis would lie on each other.
_MAX_NAMES = 32
# Axes of so many points have room for nine angles.
_WIDE = 260


class SelfProfileDisplay:
    """Cosine of features with their own translates, ``cos(W_i, R_h W_i)``.

    Turns stand around a circle: the farther out, the more the feature looks like itself after that
    turn. Copies that are mirrored, then turned, make a second, dashed line. Groups that do not turn
    the plane get a bar an element.

    Parameters
    ----------
    profiles : ndarray of shape (n_shown, order)
    group : FiniteGroup or str
    labels : sequence of str
        One a profile.
    threshold : float, optional
        What a symmetry must reach to be named; drawn dotted.
    stabilizers : sequence of Subgroup, optional
        One a profile: its elements are ringed.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(
        self,
        profiles: NDArray[np.floating],
        group: FiniteGroup | str,
        labels: Sequence[str],
        threshold: float | None = None,
        stabilizers: Sequence[Subgroup] | None = None,
    ) -> None:
        self.profiles = profiles
        self.group = as_group(group)
        self.labels = labels
        self.threshold = threshold
        self.stabilizers = stabilizers

    @classmethod
    def from_estimator(
        cls, analyzer: SymmetryAnalyzer, features: int | Sequence[int]
    ) -> SelfProfileDisplay:
        """Take the profiles of one or more features from a fitted analyzer.

        Parameters
        ----------
        analyzer : SymmetryAnalyzer
            Fitted.
        features : int or sequence of int

        Returns
        -------
        display : SelfProfileDisplay
        """
        chosen = np.atleast_1d(np.asarray(features, dtype=np.int64))
        labels = [f"feature {i} ({analyzer.kinds_[i]})" for i in chosen]
        stabilizers = [analyzer.stabilizers_[i].subgroup for i in chosen]
        profiles = analyzer.profiles_[chosen]
        return cls(profiles, analyzer.group_, labels, analyzer.threshold, stabilizers)

    @classmethod
    def from_arrays(
        cls,
        profiles: ArrayLike,
        group: FiniteGroup | str,
        labels: Sequence[str] | None = None,
        *,
        threshold: float | None = None,
        stabilizers: Sequence[Subgroup] | None = None,
    ) -> SelfProfileDisplay:
        """Take profiles that were computed before, of shape (order,) or (n_shown, order).

        Parameters
        ----------
        profiles : array-like of shape (order,) or (n_shown, order)
        group : FiniteGroup or str
        labels : sequence of str, optional
            Of every profile.
        threshold : float, optional
            Drawn as a line.
        stabilizers : sequence of Subgroup, optional
            Elements of which are marked, one subgroup a profile.

        Returns
        -------
        display : SelfProfileDisplay

        Raises
        ------
        ValueError
            If there is not one column an element, or not one label and one stabilizer a profile.
        """
        group = as_group(group)
        array = np.atleast_2d(np.asarray(profiles, dtype=np.float64))
        if array.shape[1] != group.order:
            raise ValueError(
                f"Profiles over {group!r} have {group.order} columns; got {array.shape[1]}."
            )
        for name, entries in (("labels", labels), ("stabilizers", stabilizers)):
            if entries is not None and len(entries) != len(array):
                raise ValueError(
                    f"{name} has one entry a profile, {len(array)}; got {len(entries)}."
                )
        names = labels or [f"profile {i}" for i in range(len(array))]
        return cls(array, group, names, threshold, stabilizers)

    def plot(self, ax: Axes | None = None, **options: Any) -> SelfProfileDisplay:
        """Draw a line for turns, one for mirrored copies if there are any; or bars.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Polar or not: on axes that are not, turns stand from left to right. Default: a new
            figure, polar for a group of three turns or more.
        **options
            Passed on to ``Axes.plot``, or ``Axes.bar``.

        Returns
        -------
        self : SelfProfileDisplay
        """
        group = self.group
        with drawing(ax):
            if not isinstance(group, PlanarGroup) or group.n_turns < 3:
                ax = get_axes(ax, (max(4.5, 0.24 * group.order + 1.5), 3.6))
                self._plot_bars(ax, options)
            else:
                ax = get_axes(ax, (5.4, 5.6), "polar", square=True)
                self._plot_turns(ax, group, options)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    # --- turns ---------------------------------------------------------------------------------

    def _plot_turns(self, ax: Axes, group: PlanarGroup, options: dict[str, Any]) -> None:
        is_polar = ax.name == "polar"
        n = group.n_turns
        degrees = np.arange(n + 1) * 360 / n
        x = np.deg2rad(degrees) if is_polar else degrees
        lowest = self._lowest(is_polar)
        around = np.linspace(x[0], x[-1], 181)  # circles, where axes are polar
        ax.plot(around, np.zeros(181), color="0.6", linewidth=0.8)
        for i, (profile, label) in enumerate(zip(self.profiles, self.labels, strict=True)):
            color = PALETTE[i % len(PALETTE)]
            line = {"color": color, "linewidth": 1.6, "marker": "o", "markersize": 3.5, **options}
            ax.plot(x, np.append(profile[:n], profile[0]), label=label, **line)
            if group.has_mirrors:
                dashed = {"linestyle": "--", "linewidth": 1.1, "marker": "s", "markersize": 2.5}
                line = {"color": color, **dashed, **options}
                ax.plot(x, np.append(profile[n:], profile[n]), **line)
            if self.stabilizers is not None:
                elements = np.array(self.stabilizers[i].elements)
                self._ring(ax, x[group.turns[elements]], profile[elements], color)
        if self.threshold is not None:
            ax.plot(around, np.full(181, self.threshold), color=ink(), linestyle=":")
        if is_polar:
            self._set_polar(ax, lowest)
        else:
            angles = range(0, 361, 90 if settle(ax).width < _WIDE else 45)
            size = size_of("xtick.labelsize")
            ax.set_xticks(angles, [f"{a}°" for a in angles], fontsize=size)
            ax.set_ylim(lowest, 1.05)
            set_labels(ax, "turn", "cosine with itself")
        self._write_legend(ax, group.has_mirrors)

    def _lowest(self, is_polar: bool) -> float:
        """Where the scale begins: 0 in the middle of a circle, unless cosines are below it."""
        smallest = float(self.profiles.min(initial=0.0))
        if smallest > -0.02 and is_polar:
            return -0.02
        return -0.55 if smallest > -0.5 else -1.05

    @staticmethod
    def _set_polar(ax: Any, lowest: float) -> None:
        ax.set_theta_zero_location("N")
        size = size_of("xtick.labelsize")
        ax.set_thetagrids(range(0, 360, 45), [f"{a}°" for a in range(0, 360, 45)], fontsize=size)
        ax.set_rlim(lowest, 1.05)
        ticks = [tick for tick in (-1, -0.5, 0, 0.5, 1) if tick >= lowest]
        ax.set_rgrids(
            ticks, [f"{tick:g}" for tick in ticks], angle=22.5, fontsize=size, color=ink()
        )
        ax.grid(color="0.88", linewidth=0.7)
        # its circle is narrower than what there is beside it
        room = settle(ax)
        room = room._replace(
            width=room.figure_width
            - 2 * abs(room.left + room.width / 2 - room.figure_width / 2)
            - 12
        )
        set_title(ax, "cosine with itself (outwards) after a turn (around)", room)

    # --- bars ----------------------------------------------------------------------------------

    def _plot_bars(self, ax: Axes, options: dict[str, Any]) -> None:
        x, width = np.arange(self.group.order), 0.8 / len(self.profiles)
        for i, (profile, label) in enumerate(zip(self.profiles, self.labels, strict=True)):
            color = PALETTE[i % len(PALETTE)]
            at = x + (i - (len(self.profiles) - 1) / 2) * width
            ax.bar(at, profile, **{"width": width, "color": color, "label": label, **options})
            if self.stabilizers is not None:
                elements = np.array(self.stabilizers[i].elements)
                self._ring(ax, at[elements], profile[elements], color)
        ax.axhline(0, color="0.6", linewidth=0.8)
        if self.threshold is not None:
            ax.axhline(self.threshold, color=ink(), linestyle=":")
        ax.set_ylim(self._lowest(True), 1.09)
        set_labels(ax, "element h", "cosine with itself")
        if self.group.order <= _MAX_NAMES:
            size = size_of("xtick.labelsize")
            shown = x[:: stride(settle(ax).width / (len(x) + 0.5), size)]
            names = [self.group.describe_element(h) for h in shown]
            ax.set_xticks(shown, names, rotation=90, fontsize=size)
        self._write_legend(ax, has_mirrors=False)

    # --- both ----------------------------------------------------------------------------------

    @staticmethod
    def _ring(ax: Axes, x: NDArray[np.floating], y: NDArray[np.floating], color: str) -> None:
        ring: dict[str, Any] = {
            "markersize": 9,
            "markerfacecolor": "none",
            "markeredgecolor": color,
        }
        ax.plot(x, y, marker="o", linestyle="none", markeredgewidth=1.3, clip_on=False, **ring)

    def _write_legend(self, ax: Axes, has_mirrors: bool) -> None:
        """Write the legend outside of the picture: what colours are, then what strokes mean."""
        from matplotlib.lines import Line2D

        handles, labels = ax.get_legend_handles_labels()
        strokes: dict[str, dict[str, Any]] = {}
        if has_mirrors:
            strokes["turned"] = {"linestyle": "-", "marker": "o", "markersize": 3.5}
            strokes["mirrored, then turned"] = {
                "linestyle": "--",
                "marker": "s",
                "markersize": 2.5,
            }
        if self.threshold is not None:
            strokes[f"threshold {self.threshold:g}"] = {"linestyle": ":"}
        if self.stabilizers is not None:
            ring = {"marker": "o", "markersize": 9, "markerfacecolor": "none"}
            strokes["in the stabilizer"] = {"linestyle": "none", **ring}
        handles += [Line2D([], [], color=ink(), **stroke) for stroke in strokes.values()]
        # circles leave room below; other axes have texts there
        below = 2.5 * size_of("xtick.labelsize") if ax.name == "polar" else None
        put_legend(ax, handles, [*labels, *strokes], settle(ax), below=below, most=2)
