"""How the atom of a feature is tuned to angle: after which turn it is back, how soon it is gone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array

from .._ambient import own_state
from .._plain import as_numpy
from ..groups import FiniteGroup, PlanarGroup, as_group

FloatArray = NDArray[np.floating]

#: Above this a feature is back: the threshold at which symmetries are named.
BACK = 0.8
#: Turns by multiples of at most this say whether turning matters. Every group is asked about
#: about the same angles, for the smallest of many numbers depends on how many they are.
LARGEST_STEP = 45.0
# Returns within a full turn that are looked for. Seven and more come back within 51°, about as
# soon as features are wide.
_RETURNS = (6, 5, 4, 3, 2)
_STEPS_A_DEGREE = 4
_ROWS_A_PASS = 1024


@dataclass(frozen=True)
class AngleTuning:
    """What the profiles of features say in degrees, whatever the number of turns of the group.

    Attributes
    ----------
    periods : ndarray of shape (m,)
        The smallest turn whose multiples all leave the feature as it is (p > 0.8): 360, 180, 120,
        90, 72 or 60. 0 where no turn changes it; NaN where the group has no turns.
    half_widths : ndarray of shape (m,)
        The turn at which p has fallen half-way from 1 to its smallest value. Between the group's
        turns p is taken as straight: what lies below half a step reads as about half a step. NaN
        where the feature does not fall below 0.8.
    axes : ndarray of shape (m,)
        Direction of a mirror axis, 0 horizontal and 90 vertical, where a mirror, of the group or
        between those of the group, leaves the feature as it is. Modulo half the period: a line
        has one along it and one across. NaN where there is none, or all are.
    """

    periods: FloatArray
    half_widths: FloatArray
    axes: FloatArray


@own_state()
def angle_tuning(profiles: ArrayLike, group: FiniteGroup | str) -> AngleTuning:
    """Read period, width and mirror axis off self-profiles.

    Parameters
    ----------
    profiles : array-like of shape (m, order)
        Self-profiles.
    group : FiniteGroup or str
        Of one that is not planar nothing is read.

    Returns
    -------
    tuning : AngleTuning

    Raises
    ------
    ValueError
        If profiles are not finite, or not of the group.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_groupcross import Cyclic
    >>> from sklearn_groupcross.analysis import angle_tuning
    >>> line = 0.5 + 0.5 * np.cos(2 * np.radians(np.arange(0, 360, 45)))
    >>> tuning = angle_tuning(line[None], Cyclic(8))
    >>> tuning.periods.tolist(), tuning.half_widths.tolist()
    ([180.0], [45.0])
    """
    group = as_group(group)
    values = check_profiles(profiles, group)
    periods = turn_periods(values, group)
    half_widths, axes = np.full((2, len(values)), np.nan)
    if not isinstance(group, PlanarGroup):
        return AngleTuning(periods, half_widths, axes)
    for start in range(0, len(values), _ROWS_A_PASS):
        # curves have thousands of angles: of some features at a time
        some = start + np.flatnonzero(periods[start : start + _ROWS_A_PASS] > 0)
        if len(some) == 0:
            continue
        half_widths[some] = _half_widths(values[some, : group.n_turns])
        if group.has_mirrors:
            axes[some] = _axes(values[some, group.n_turns :], periods[some])
    return AngleTuning(periods, half_widths, axes)


def turn_periods(profiles: ArrayLike, group: FiniteGroup) -> FloatArray:
    """Periods of `angle_tuning` alone, of shape (m,); NaN where nothing turns."""
    values = check_profiles(profiles, group)
    if not isinstance(group, PlanarGroup) or group.n_turns == 1:
        return np.full(len(values), np.nan)
    return _periods(values[:, : group.n_turns])


def check_profiles(profiles: ArrayLike, group: FiniteGroup) -> FloatArray:
    """Check that these are profiles over a group: of as many columns as it has elements.

    Raises
    ------
    ValueError
        If not, or they are not finite numbers.
    """
    values: FloatArray = check_array(
        as_numpy(profiles, "profiles"),
        dtype=[np.float64, np.float32],
        ensure_min_samples=0,
        input_name="profiles",
    )
    if values.shape[1] != group.order:
        raise ValueError(
            f"profiles have one column for each of the {group.order} elements of {group!r}, as "
            f"SymmetryAnalyzer.profiles_ has; got shape {values.shape}."
        )
    return values


def coarse_turns(n_turns: int) -> NDArray[np.int64]:
    """Turns by multiples of the group's largest step of at most 45°; all where there is none."""
    steps = [s for s in range(1, n_turns) if n_turns % s == 0 and s * 360 / n_turns <= LARGEST_STEP]
    return np.arange(0, n_turns, max(steps, default=1))


def _periods(rotations: FloatArray) -> FloatArray:
    n = rotations.shape[1]
    periods = np.full(len(rotations), 360.0)
    for returns in reversed([k for k in _RETURNS if n % k == 0]):
        back = rotations[:, :: n // returns].min(axis=1) > BACK
        periods[back] = 360 / returns
    periods[rotations[:, coarse_turns(n)].min(axis=1) > BACK] = 0.0
    return periods


def _half_widths(rotations: FloatArray) -> FloatArray:
    n = rotations.shape[1]
    half = (1 + rotations[:, coarse_turns(n)].min(axis=1)) / 2
    # straight lines, not waves: most profiles have a narrow peak, which waves overshoot
    angles = np.arange(0, 180 + 1 / _STEPS_A_DEGREE, 1 / _STEPS_A_DEGREE)
    turns = np.arange(n + 1) * 360 / n
    closed = np.concatenate([rotations, rotations[:, :1]], axis=1)
    curves = np.array([np.interp(angles, turns, profile) for profile in closed]).reshape(
        -1, len(angles)
    )
    below = curves <= half[:, None] + 1e-9
    return np.where(below.any(axis=1), angles[below.argmax(axis=1)], np.nan)


def _axes(mirrored: FloatArray, periods: FloatArray) -> FloatArray:
    """Where the profile over mirrors is largest, as a sum of waves: its peaks are broad."""
    n = mirrored.shape[1]
    angles = np.arange(0, 360, 1 / _STEPS_A_DEGREE)
    waves = np.arange(n // 2 + 1)
    weights = np.where((waves == 0) | (2 * waves == n), 1, 2)
    spectrum = weights * np.fft.rfft(mirrored, axis=1) / n
    curves = (spectrum @ np.exp(1j * np.outer(waves, np.radians(angles)))).real
    # a mirror turned by t on has its axis turned by t / 2: see `PlanarGroup.mirror_axis`
    axes = (90 + angles[curves.argmax(axis=1)] / 2) % (periods / 2)
    return np.where(curves.max(axis=1) > BACK, axes, np.nan)
