"""What may be wrong with a dictionary, finding by finding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..analysis import Finding
from ._fitting import LINE, Room, arrange, drawing, fill, put_legend, room_of, set_labels
from ._style import PALETTE, get_figure, ink, size_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Evidence of more numbers than these is drawn as a histogram.
_LONGEST_LINE = 128
_PANEL_WIDTH, _HEIGHT = 3.1, 4.0
# Beside one another, at most; narrower figures have fewer.
_MOST, _NARROWEST = 3, 2.6


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

        Parameters
        ----------
        findings : sequence of Finding
            As from `diagnose`.

        Returns
        -------
        display : DiagnosisDisplay

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
        """Draw the panels side by side, three in a row or as many as there is room for.

        Arrays of one dimension are drawn as lines, or as histograms where they are long; arrays of
        two as pictures.

        Parameters
        ----------
        figure : matplotlib Figure, optional

        Returns
        -------
        self : DiagnosisDisplay
        """
        with drawing(figure):
            self._plot(figure)
        return self

    def _plot(self, figure: Figure | None) -> None:
        n = len(self.findings)
        columns, rows = min(_MOST, n), -(-n // _MOST)
        size = (max(1, columns) * _PANEL_WIDTH + 0.4, rows * _HEIGHT + 0.4 if n else 1.6)
        figure = get_figure(figure, size)
        if not n:
            axes = figure.subplots(1, 1, squeeze=False)
            axes[0, 0].text(0.5, 0.5, "Nothing to report: all is well.", ha="center", va="center")
            axes[0, 0].set_axis_off()
        else:
            columns = max(1, min(columns, int(_width_of(figure) / _NARROWEST)))
            rows = -(-n // columns)
            grid = figure.subplots(
                2 * rows, columns, squeeze=False, height_ratios=(0.28, 2.0) * rows
            )
            for ax in grid.reshape(rows, 2, columns).swapaxes(1, 2).reshape(-1, 2)[n:].flat:
                ax.remove()
            axes = grid.reshape(rows, 2, columns).swapaxes(1, 2).reshape(-1, 2)[:n].T
            for column, finding in zip(axes.T, self.findings, strict=True):
                _plot_value(column[0], finding)
                _plot_evidence(column[1], finding)
            root = arrange(figure)
            rooms = [(room_of(value, root), room_of(ax, root)) for value, ax in axes.T]
            for column, finding, (room, below) in zip(axes.T, self.findings, rooms, strict=True):
                _write_message(column[0], finding, room)
                _write_advice(column[1], finding, below)
        self.axes_, self.figure_ = axes, figure


def _width_of(figure: Figure) -> float:
    return float(figure.bbox.width / figure.get_figure(root=True).dpi)


def _plot_value(ax: Axes, finding: Finding) -> None:
    """Draw the value as a bar, and the limit as a line across it."""
    value, limit = float(finding.value), float(finding.limit)
    ax.barh([0], [value], color=PALETTE[1], height=0.6)
    ax.axvline(limit, color=ink(), linewidth=1.6)
    low, high = min(0.0, value, limit), max(0.0, value, limit)
    room = 0.08 * (high - low) or 1.0
    ax.set(xlim=(low - room * (low < 0), high + room), yticks=[], ylim=(-0.5, 0.5))
    ax.locator_params(axis="x", nbins=4)
    ax.tick_params(labelsize=size_of("xtick.labelsize"))
    ax.spines[["top", "right"]].set_visible(False)


def _write_message(ax: Axes, finding: Finding, room: Room) -> None:
    """Write name and message above the value."""
    size, title = size_of("legend.fontsize"), size_of("axes.titlesize")
    name = fill(finding.name.replace("_", " "), room.width, title, weight="bold")
    message = (
        f"{finding.message}\nvalue {finding.value:.3g} (bar), limit {finding.limit:.3g} (line)"
    )
    message = fill(message, room.width, size)
    above = LINE * size * (message.count("\n") + 1)
    ax.set_title(name, fontsize=title, fontweight="bold", pad=above + 7)
    # texts stand where constrained layout makes room for them
    ax.annotate(
        message,
        (0.5, 1),
        xytext=(0, 4),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=size,
    )


def _plot_evidence(ax: Axes, finding: Finding) -> None:
    arrays = {name: np.asarray(values) for name, values in finding.evidence.items()}
    pictures = {name: array for name, array in arrays.items() if array.ndim == 2}
    if pictures:
        name, picture = next(iter(pictures.items()))
        image = ax.imshow(picture, cmap="viridis", aspect="auto", interpolation="nearest")
        bar = ax.figure.colorbar(image, ax=ax)
        bar.ax.set_ylabel(name.replace("_", " "), fontsize=size_of("axes.labelsize"))
        bar.ax.tick_params(labelsize=size_of("ytick.labelsize"))
        ax.locator_params(integer=True, nbins=6)
    elif arrays:
        _plot_numbers(ax, arrays)
    else:
        ax.set_axis_off()
    ax.tick_params(labelsize=size_of("xtick.labelsize"))


def _write_advice(ax: Axes, finding: Finding, room: Room) -> None:
    """Write what to try below the evidence, and its legend above."""
    size = size_of("axes.labelsize")
    advice = fill(f"Try: {finding.advice}", room.width, size)
    axis_label = ax.get_xlabel()
    ax.set_xlabel(f"{axis_label}\n\n{advice}" if axis_label else advice, fontsize=size)
    handles, labels = ax.get_legend_handles_labels()
    if labels:
        put_legend(ax, handles, labels, room._replace(left=0.0, figure_width=room.width))


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
        set_labels(ax, "value", "count")
    ax.locator_params(axis="x", nbins=6)
