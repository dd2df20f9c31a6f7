"""What may be wrong with a dictionary, finding by finding."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..analysis import Finding
from ._style import PALETTE, get_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Evidence of more numbers than these is drawn as a histogram.
_LONGEST_LINE = 128
_PANEL_WIDTH, _HEIGHT = 3.1, 4.6


class DiagnosisDisplay:
    """A panel a finding: its value against the limit, the evidence, what to try.

    Parameters
    ----------
    findings : sequence of Finding
        As `SymmetryAnalyzer.diagnose` returns them.

    Attributes
    ----------
    axes_ : ndarray of shape (2, n_findings) of matplotlib Axes
        Values above, evidence below. Of shape (1, 1) where nothing was found.
    figure_ : matplotlib Figure
    """

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = findings

    @classmethod
    def from_findings(cls, findings: Sequence[Finding]) -> DiagnosisDisplay:
        """Take findings; an empty sequence says that all is well.

        Raises
        ------
        ValueError
            If the evidence of a finding has more than two dimensions, or none at all.
        """
        found = list(findings)
        for finding in found:
            for name, values in finding.evidence.items():
                if np.ndim(values) not in (1, 2):
                    raise ValueError(
                        f"Evidence has one or two dimensions; {name!r} of {finding.name!r} has "
                        f"{np.ndim(values)}."
                    )
        return cls(found)

    def plot(self, figure: Figure | None = None) -> DiagnosisDisplay:
        """Draw the panels side by side.

        Arrays of one dimension are drawn as lines, or as histograms where they are long; arrays of
        two as pictures.

        Parameters
        ----------
        figure : matplotlib Figure, optional

        Returns
        -------
        self : DiagnosisDisplay
        """
        n = len(self.findings)
        figure = get_figure(figure, (max(1, n) * _PANEL_WIDTH + 0.4, _HEIGHT if n else 1.6))
        if not n:
            axes = figure.subplots(1, 1, squeeze=False)
            axes[0, 0].text(0.5, 0.5, "Nothing to report: all is well.", ha="center", va="center")
            axes[0, 0].set_axis_off()
        else:
            axes = figure.subplots(2, n, squeeze=False, height_ratios=(0.28, 2.0))
            for column, finding in zip(axes.T, self.findings, strict=True):
                _plot_value(column[0], finding)
                _plot_evidence(column[1], finding)
        self.axes_, self.figure_ = axes, figure
        return self


def _plot_value(ax: Axes, finding: Finding) -> None:
    """Draw the value as a bar, and the limit as a line across it."""
    value, limit = float(finding.value), float(finding.limit)
    ax.barh([0], [value], color=PALETTE[1], height=0.6)
    ax.axvline(limit, color="black", linewidth=1.6)
    low, high = min(0.0, value, limit), max(0.0, value, limit)
    room = 0.08 * (high - low) or 1.0
    ax.set(xlim=(low - room * (low < 0), high + room), yticks=[], ylim=(-0.5, 0.5))
    ax.tick_params(labelsize=7)
    ax.spines[["top", "right"]].set_visible(False)
    title = textwrap.fill(finding.name.replace("_", " "), 30)
    message = textwrap.fill(finding.message, 46)
    ax.set_title(title, fontsize=10, fontweight="bold", pad=11 * (message.count("\n") + 1) + 24)
    # texts stand where constrained layout makes room for them
    ax.annotate(
        f"{message}\nvalue {value:.3g} (bar), limit {limit:.3g} (line)",
        (0.5, 1),
        xytext=(0, 4),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=8,
    )


def _plot_evidence(ax: Axes, finding: Finding) -> None:
    arrays = {name: np.asarray(values) for name, values in finding.evidence.items()}
    pictures = {name: array for name, array in arrays.items() if array.ndim == 2}
    if pictures:
        name, picture = next(iter(pictures.items()))
        image = ax.imshow(picture, cmap="viridis", aspect="auto", interpolation="nearest")
        ax.figure.colorbar(image, ax=ax, label=name.replace("_", " "))
    elif arrays:
        _plot_numbers(ax, arrays)
    else:
        ax.set_axis_off()
    ax.tick_params(labelsize=7)
    if pictures:
        ax.locator_params(integer=True)
    advice = textwrap.fill(f"Try: {finding.advice}", 50)
    axis_label = ax.get_xlabel()
    ax.set_xlabel(f"{axis_label}\n\n{advice}" if axis_label else advice, fontsize=8)


def _plot_numbers(ax: Axes, arrays: Mapping[str, NDArray[Any]]) -> None:
    longest = max(array.size for array in arrays.values())
    finite = {name: array[np.isfinite(array)] for name, array in arrays.items()}
    if longest > _LONGEST_LINE:
        edges = np.histogram_bin_edges(np.concatenate(list(finite.values())), bins=30).tolist()
    for i, (name, array) in enumerate(arrays.items()):
        style: dict[str, Any] = {
            "color": PALETTE[i % len(PALETTE)],
            "label": name.replace("_", " "),
        }
        if longest > _LONGEST_LINE:
            ax.hist(finite[name], bins=edges, alpha=0.6, **style)
        else:
            ax.plot(array, marker="o", markersize=3, linewidth=1.1, **style)
    if longest > _LONGEST_LINE:
        ax.set(xlabel="value", ylabel="count")
    ax.legend(fontsize=7, frameon=False, loc="lower left", bbox_to_anchor=(0, 1))
