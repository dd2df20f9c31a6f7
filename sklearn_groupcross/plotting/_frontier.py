"""The sparsity-fidelity frontier of a search: how much is explained by how many codes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from ..model_selection import collect_statistics, read_frontier
from ._candidate_names import name_candidates, name_sparsity
from ._fitting import drawing, put_legend, set_labels, settle, text_width
from ._style import get_axes, ink, size_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

_CHOSEN = "chosen"
# Where the rectangle of a name is, in points: along the diagonal, and across it.
Place = tuple[float, float, float, float]


class FrontierDisplay:
    """Explained variance of dictionaries against the number of their active codes.

    Parameters
    ----------
    l0 : ndarray of shape (n_points,)
        Mean number of active codes of a sample. Points at 0 and NaN have no place on the axis and
        are not drawn.
    explained_variance : ndarray of shape (n_points,)
    names : sequence of str
        What is written beside each point.
    labels : sequence of str
        The line each point belongs to; "" is left out of the legend.
    l0_error, explained_variance_error : ndarray of shape (n_points,), optional
        Half lengths of the error bars.
    chosen : int, optional
        The point that is marked.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(
        self,
        l0: NDArray[np.floating],
        explained_variance: NDArray[np.floating],
        names: Sequence[str],
        labels: Sequence[str],
        l0_error: NDArray[np.floating] | None = None,
        explained_variance_error: NDArray[np.floating] | None = None,
        chosen: int | None = None,
    ) -> None:
        self.l0 = l0
        self.explained_variance = explained_variance
        self.names = names
        self.labels = labels
        self.l0_error = l0_error
        self.explained_variance_error = explained_variance_error
        self.chosen = chosen

    @classmethod
    def from_cv_results(
        cls,
        search: Any,
        *,
        label: str = "",
        chosen: int | Callable[[Mapping[str, Any]], int] | None = None,
    ) -> FrontierDisplay:
        """Take the candidates of a search that was scored with `score_crosscoder`.

        Points are named by the numbers that the search varied; everything else that it varied
        makes lines of its own. Error bars are standard deviations over folds.

        Parameters
        ----------
        search : GridSearchCV or mapping
            Fitted, or its ``cv_results_``.
        label : str, default=""
            Name of the line, to draw several searches into the same axes.
        chosen : int or callable, optional
            Candidate to mark, or a rule that chooses it, such as `KneePoint`. Default: the
            ``best_index_`` of the search, if it has one.
        """
        results = search if isinstance(search, Mapping) else search.cv_results_
        l0, explained = read_frontier(results)
        if chosen is None:
            chosen = getattr(search, "best_index_", None)
        elif callable(chosen):
            chosen = chosen(results)
        names, labels = name_candidates(results["params"], label)
        return cls.from_arrays(
            l0,
            explained,
            names=names,
            labels=labels,
            l0_error=results.get("std_test_neg_l0"),
            explained_variance_error=results.get("std_test_explained_variance"),
            chosen=chosen,
        )

    @classmethod
    def from_estimators(
        cls,
        estimators: Sequence[Any] | Mapping[str, Any],
        X: ArrayLike,
        *,
        names: Sequence[str] | None = None,
        labels: Sequence[str] | None = None,
        chosen: int | None = None,
    ) -> FrontierDisplay:
        """Measure fitted crosscoders, or pipelines that end in one, on held-out samples.

        By default points are named by `l1`, or `k` where it decides, with a line an activation. A
        mapping names them itself.

        Parameters
        ----------
        estimators : sequence, or mapping of names, of GroupCrosscoder or Pipeline
            Fitted.
        X : array-like of shape (n_samples, n_columns) or (n_samples, order, n_channels)
            As `collect_statistics` takes it.
        names : sequence of str, optional
            What is written beside each point.
        labels : sequence of str, optional
            Of the line that each point belongs to.
        chosen : int, optional
            The point that is marked.

        Returns
        -------
        display : FrontierDisplay

        Raises
        ------
        TypeError
            If it is one estimator.
        ValueError
            If there is none, or X cannot be scored.
        """
        if isinstance(estimators, Mapping):
            names = list(estimators) if names is None else names
            estimators = list(estimators.values())
        if isinstance(estimators, BaseEstimator):
            raise TypeError(
                f"estimators is a list of fitted crosscoders; got one {type(estimators).__name__}: "
                "put it into a list."
            )
        if len(estimators) == 0:
            raise ValueError("estimators is empty: there is nothing to measure.")
        scores = [collect_statistics(estimator, X) for estimator in estimators]
        crosscoders = [e.steps[-1][1] if isinstance(e, Pipeline) else e for e in estimators]
        return cls.from_arrays(
            [score.l0 for score in scores],
            [score.explained_variance for score in scores],
            names=names or [name_sparsity(crosscoder) for crosscoder in crosscoders],
            labels=labels or [crosscoder.activation_ for crosscoder in crosscoders],
            chosen=chosen,
        )

    @classmethod
    def from_arrays(
        cls,
        l0: ArrayLike,
        explained_variance: ArrayLike,
        *,
        names: Sequence[str] | None = None,
        labels: Sequence[str] | None = None,
        l0_error: ArrayLike | None = None,
        explained_variance_error: ArrayLike | None = None,
        chosen: int | None = None,
    ) -> FrontierDisplay:
        """Take numbers that were computed before, all of shape (n_points,).

        Parameters
        ----------
        l0 : array-like of shape (n_points,)
            Active codes a sample.
        explained_variance : array-like of shape (n_points,)
        names : sequence of str, optional
            What is written beside each point.
        labels : sequence of str, optional
            Of the line that each point belongs to. Default: one line.
        l0_error, explained_variance_error : array-like of shape (n_points,), optional
            Lengths of the error bars to both sides.
        chosen : int, optional
            The point that is marked.

        Returns
        -------
        display : FrontierDisplay

        Raises
        ------
        ValueError
            If there is not one entry a point, or `chosen` is none of them.
        """
        x, y = _to_floats(l0), _to_floats(explained_variance)
        errors = [
            None if error is None else _to_floats(error)
            for error in (l0_error, explained_variance_error)
        ]
        names = [""] * len(x) if names is None else list(names)
        labels = [""] * len(x) if labels is None else list(labels)
        lengths = {len(values) for values in (x, y, names, labels, *errors) if values is not None}
        if x.ndim != 1 or y.ndim != 1 or len(lengths) != 1:
            raise ValueError(
                "l0, explained_variance, names, labels and errors have one entry a point; got "
                f"shapes {x.shape} and {y.shape}, and lengths {sorted(lengths)}."
            )
        if chosen is not None and not 0 <= chosen < len(x):
            raise ValueError(f"chosen={chosen} is none of the points 0 to {len(x) - 1}.")
        return cls(x, y, names, labels, errors[0], errors[1], chosen)

    def plot(self, ax: Axes | None = None, **line_options: Any) -> FrontierDisplay:
        """Draw one line a label, from sparse to dense; the best place is at the top left.

        Parameters
        ----------
        ax : matplotlib Axes, optional
        **line_options
            Passed on to ``Axes.errorbar``.

        Returns
        -------
        self : FrontierDisplay
        """
        with drawing(ax):
            self._plot(get_axes(ax, (6.0, 4.2)), line_options)
        return self

    def _plot(self, ax: Axes, line_options: dict[str, Any]) -> None:
        ax.set_xscale("log")
        ax.margins(0.1)
        is_first = not ax.containers
        lines = [self._plot_line(ax, label, line_options) for label in dict.fromkeys(self.labels)]
        self._mark_chosen(ax)
        ax.autoscale_view()
        _set_plain_ticks(ax)
        ax.grid(color="0.92", linewidth=0.8)
        ax.set_axisbelow(True)
        set_labels(ax, "active codes a sample (L0)", "explained variance")
        handles, labels = ax.get_legend_handles_labels()
        if labels:
            put_legend(ax, handles, labels, settle(ax))
        settle(ax)
        # lines are often near each other: names stand outside, above the one at the top left
        corners = [
            float(np.diff(_in_points(ax, line), axis=1).sum()) / max(1, len(points))
            for points, line in lines
        ]
        taken: list[Place] = []
        for (points, line), corner in zip(lines, corners, strict=True):
            above = corner == max(corners) and (len(lines) > 1 or not is_first)
            self._write_names(ax, points, line, above, taken)
        self.ax_, self.figure_ = ax, ax.figure

    def _is_drawn(self) -> NDArray[np.bool_]:
        return np.isfinite(self.explained_variance) & np.isfinite(self.l0) & (self.l0 > 0)

    def _plot_line(
        self, ax: Axes, label: str, line_options: dict[str, Any]
    ) -> tuple[NDArray[np.int64], Line2D]:
        """Draw a line; return the indices of its points from left to right, and the line."""
        points = np.flatnonzero((np.array(self.labels, dtype=object) == label) & self._is_drawn())
        points = points[np.argsort(self.l0[points], kind="stable")]
        options = {"marker": "o", "markersize": 4, "linewidth": 1.2, "elinewidth": 0.8}
        if label:
            options["label"] = label
        container = ax.errorbar(
            self.l0[points],
            self.explained_variance[points],
            xerr=_bars(self.l0_error, points),
            yerr=_bars(self.explained_variance_error, points),
            **{**options, **line_options},
        )
        return points, container.lines[0]

    def _mark_chosen(self, ax: Axes) -> None:
        if self.chosen is None or not self._is_drawn()[self.chosen]:
            return
        already = _CHOSEN in ax.get_legend_handles_labels()[1]
        ax.plot(
            self.l0[self.chosen],
            self.explained_variance[self.chosen],
            marker="o",
            markersize=13,
            markerfacecolor="none",
            markeredgecolor=ink(),
            markeredgewidth=1.3,
            linestyle="none",
            label="_" + _CHOSEN if already else _CHOSEN,
        )

    def _write_names(
        self, ax: Axes, points: NDArray[np.int64], line: Line2D, above: bool, taken: list[Place]
    ) -> None:
        """Write names aslant beside the points; leave out those that would hide another."""
        size = size_of("legend.fontsize")
        at = _in_points(ax, line)
        # texts run down to the right, and the other axis is up to the right
        along, across = (at[:, 0] - at[:, 1]) / 2**0.5, at.sum(axis=1) / 2**0.5
        first = [i for i, point in enumerate(points) if point == self.chosen]
        for i in [*first, *(i for i in range(len(points)) if i not in first)]:
            name = self.names[points[i]]
            distance = 6 if points[i] == self.chosen else 3  # outside of its ring
            start, length = 2**0.5 * distance, text_width(name, size)
            ends = (-start - length, -start) if above else (start, start + length)
            half = 0.55 * size
            place = (along[i] + ends[0], along[i] + ends[1], across[i] - half, across[i] + half)
            if any(_overlap(place, other) for other in taken):
                continue
            taken.append(place)
            ax.annotate(
                name,
                (self.l0[points[i]], self.explained_variance[points[i]]),
                xytext=(-distance, distance) if above else (distance, -distance),
                textcoords="offset points",
                rotation=-45,
                rotation_mode="anchor",
                ha="right" if above else "left",
                va="center",
                fontsize=size,
                color=ink(),
            )


def _overlap(one: Place, other: Place) -> bool:
    return one[0] < other[1] and other[0] < one[1] and one[2] < other[3] and other[2] < one[3]


def _in_points(ax: Axes, line: Line2D) -> NDArray[np.float64]:
    """Positions on the page of the points of a line, (n, 2), in typographic points."""
    return ax.transData.transform(line.get_xydata()) * 72 / ax.figure.dpi


def _to_floats(values: ArrayLike) -> NDArray[np.float64]:
    return np.atleast_1d(np.asarray(values, dtype=np.float64))


def _bars(error: NDArray[np.floating] | None, points: NDArray[np.int64]) -> Any:
    """Error bars of some points; none where there was a single fold."""
    if error is None or not np.nan_to_num(error[points]).any():
        return None
    return error[points]


def _set_plain_ticks(ax: Axes) -> None:
    """Write 1, 2, 5, 10, 20 rather than powers of ten: L0 is a count."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=20))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
