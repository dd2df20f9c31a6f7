"""The irrep power spectrum of features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..analysis import SymmetryAnalyzer
from ..groups import FiniteGroup, as_group
from ._fitting import drawing, fill, put_legend, set_labels, settle, stride, text_width
from ._style import PALETTE, get_axes, ink, size_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Up to so many features have bars of their own; more are summed up.
_MAX_SHOWN = 4
_QUANTILES = (0.1, 0.9)
# In heights of a line: names that are longer have two lines, and what apart names stand aslant.
_LONGEST_NAME, _ASLANT = 7.0, 3.5


class SpectrumDisplay:
    """Share of the energy of atoms in each irrep of the group.

    The share of the trivial irrep is what every element leaves as it is; a feature that comes back
    after half a turn has energy in even frequencies alone.

    Parameters
    ----------
    power : ndarray of shape (n_shown, n_irreps)
        In the order of ``group.irreps``; rows sum to 1, or to 0 for dead features.
    group : FiniteGroup or str
    labels : sequence of str
        One a feature.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(
        self, power: NDArray[np.floating], group: FiniteGroup | str, labels: Sequence[str]
    ) -> None:
        self.power = power
        self.group = as_group(group)
        self.labels = labels

    @classmethod
    def from_estimator(
        cls, analyzer: SymmetryAnalyzer, features: int | ArrayLike | None = None
    ) -> SpectrumDisplay:
        """Take the spectra of one or more features from a fitted analyzer.

        Default: of all features that are not dead.

        Parameters
        ----------
        analyzer : SymmetryAnalyzer
            Fitted.
        features : int or array-like of int, of shape (n_shown,), optional

        Returns
        -------
        display : SpectrumDisplay
        """
        if features is None:
            features = np.flatnonzero(~analyzer.dead_)
        chosen = np.atleast_1d(np.asarray(features, dtype=np.int64))
        labels = [f"feature {i} · {analyzer.stabilizers_[i].name}" for i in chosen]
        return cls.from_arrays(analyzer.spectra_[chosen], analyzer.group_, labels)

    @classmethod
    def from_arrays(
        cls, power: ArrayLike, group: FiniteGroup | str, labels: Sequence[str] | None = None
    ) -> SpectrumDisplay:
        """Take spectra that were computed before, of shape (n_irreps,) or (n_shown, n_irreps).

        Parameters
        ----------
        power : array-like of shape (n_irreps,) or (n_shown, n_irreps)
            Shares, as from `irrep_power`.
        group : FiniteGroup or str
        labels : sequence of str, optional
            Of every spectrum.

        Returns
        -------
        display : SpectrumDisplay

        Raises
        ------
        ValueError
            If there is no row, not one column an irrep, or a share is negative.
        """
        array = np.atleast_2d(np.asarray(power, dtype=np.float64))
        group = as_group(group)
        n_irreps = len(group.irreps)
        if array.ndim != 2 or array.shape[1] != n_irreps or not len(array):
            raise ValueError(
                f"Spectra over {group!r} have shape (n_shown, {n_irreps}), a column an irrep; got "
                f"{array.shape}."
            )
        if not (array >= 0).all():
            raise ValueError("Shares of energy are at least 0; got a negative one, or NaN.")
        names = labels or [f"spectrum {i}" for i in range(len(array))]
        if len(names) != len(array):
            raise ValueError(f"labels has one entry a spectrum, {len(array)}; got {len(names)}.")
        return cls(array, group, names)

    def plot(self, ax: Axes | None = None, **bar_options: Any) -> SpectrumDisplay:
        """Draw up to four spectra side by side; of more, their mean and quantiles.

        Short lines say what an atom without any symmetry has on average, ``D² / (t |G|)`` for an
        irrep of dimension D: frequencies that outgrow theirs make a feature smooth or symmetric.

        Parameters
        ----------
        ax : matplotlib Axes, optional
        **bar_options
            Passed on to ``Axes.bar``.

        Returns
        -------
        self : SpectrumDisplay
        """
        with drawing(ax):
            width = max(4.8, 0.36 * len(self.group.irreps) + 1.6)
            self._plot(get_axes(ax, (width, 3.9)), bar_options)
        return self

    def _plot(self, ax: Axes, bar_options: dict[str, Any]) -> None:
        irreps = self.group.irreps
        x = np.arange(len(irreps))
        if len(self.power) > _MAX_SHOWN:
            self._plot_summary(ax, x, bar_options)
        else:
            width = 0.8 / len(self.power)
            for i, (power, label) in enumerate(zip(self.power, self.labels, strict=True)):
                at = x + (i - (len(self.power) - 1) / 2) * width
                options = {"width": width, "color": PALETTE[i], "label": label, **bar_options}
                ax.bar(at, power, **options)
        expected = [irrep.weight * irrep.dimension for irrep in irreps]
        ax.hlines(expected, x - 0.45, x + 0.45, color=ink(), linewidth=1.2, label="a random atom")
        set_labels(ax, "irrep (its dimension)", "share of the energy")
        # of all that share the axis, where spectra stand side by side
        ax.autoscale(axis="y")
        ax.set_ylim(bottom=0)
        handles, labels = ax.get_legend_handles_labels()
        # bars first, then what they are compared with
        by_bar = sorted(range(len(labels)), key=lambda i: not hasattr(handles[i], "patches"))
        room = settle(ax)
        put_legend(ax, [handles[i] for i in by_bar], [labels[i] for i in by_bar], room)
        self._name_irreps(ax, room.width / (len(irreps) + 0.5))
        self.ax_, self.figure_ = ax, ax.figure

    def _name_irreps(self, ax: Axes, spacing: float) -> None:
        """Name irreps aslant or, where they stand close, upright, and then not all of them."""
        size = size_of("xtick.labelsize")
        names = [f"{irrep.name} ({irrep.dimension})" for irrep in self.group.irreps]
        shown = np.arange(0, len(names), stride(spacing, size))
        # two lines where there is room for them: long names would leave little of the picture
        if spacing > 2.4 * size:
            names = [
                fill(name, max(_LONGEST_NAME * size, text_width(name, size) / 1.8), size)
                for name in names
            ]
        turned: dict[str, Any] = {"rotation": 90}
        if spacing > _ASLANT * size:
            turned = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
        ax.set_xticks(shown, [names[i] for i in shown], fontsize=size, **turned)

    def _plot_summary(self, ax: Axes, x: NDArray[np.int64], bar_options: dict[str, Any]) -> None:
        mean = self.power.mean(axis=0)
        quantiles = np.quantile(self.power, _QUANTILES, axis=0)
        label = f"mean of {len(self.power)} features"
        ax.bar(x, mean, **{"width": 0.8, "color": PALETTE[0], "label": label, **bar_options})
        low, high = (f"{100 * q:g}" for q in _QUANTILES)
        # the mean of a skewed share may lie outside: bars are drawn from quantile to quantile
        ax.vlines(x, *quantiles, color=PALETTE[2], label=f"{low} % to {high} % of them")
        ends = np.concatenate([x, x]), quantiles.ravel()
        ax.plot(*ends, linestyle="none", marker="_", markersize=6, color=PALETTE[2])
