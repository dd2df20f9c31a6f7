"""Plain words for what a rotation profile looks like: lines, grids, directed features, round."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._ambient import own_state
from ..groups import FiniteGroup, PlanarGroup, as_group
from ._tuning import BACK, LARGEST_STEP, check_profiles, coarse_turns, turn_periods

#: Below this a feature has gone, half-way between the same and unrelated.
GONE = 0.5

#: What each kind means, in terms of the self-profile p at a turn, or at an element of a group that
#: does not turn the plane.
KINDS: dict[str, str] = {
    "line": "p(180°) > 0.8 and p(90°) < 0.5: back after half a turn, gone in between",
    "grid": "p(90°), p(180°) > 0.8 and p(45°) < 0.5: back after a quarter turn, gone in between",
    "three-fold": "p(120°) > 0.8 and p(60°) < 0.5: back after a third of a turn, gone in between",
    "directed": "p(180°) < 0.5, and not back sooner: needs the full turn, as curves and edges do",
    "round": "p > 0.8 at every multiple of 45° or less: no turn matters",
    "invariant": "p > 0.8 at every element",
    "symmetric": "p > 0.8 at some elements and their powers: its symmetry says at which",
    "free": "no element but the identity leaves it as it is",
    "other": "none of these: the column remark says what it lies between",
}
WORDS = ("auto", "plane", "group")

_PERIODS = {"line": 180.0, "grid": 90.0, "three-fold": 120.0}
_OF_ANY_GROUP = ("invariant", "symmetric", "free")


class NamedKinds(NamedTuple):
    """A kind for every feature, and of those that are none, what is known of them instead."""

    kinds: NDArray[np.object_]
    remarks: NDArray[np.object_]


def measurable_kinds(group: FiniteGroup | str, words: str = "auto") -> list[str]:
    """Kinds that a group has the turns to tell apart, in the order of `KINDS`.

    A kind is measurable if the group has the turn after which the feature is back and the one
    half-way there. Without turns of 45° or less a grid and a round feature look alike. Features of
    the other kinds are ``"other"``, but for one case: three-fold features of groups with the half
    turn and without that by 120° look directed.

    Parameters
    ----------
    group : FiniteGroup or str
    words : {"auto", "plane", "group"}, default="auto"
        See `name_kinds`.

    Returns
    -------
    kinds : list of str
    """
    plane = _plane(as_group(group), words)
    if plane is None:
        return list(_OF_ANY_GROUP)
    n = plane.n_turns
    measurable = {kind: n % round(720 / period) == 0 for kind, period in _PERIODS.items()}
    measurable |= {"directed": n % 2 == 0, "round": 360 / n <= LARGEST_STEP, "other": True}
    return [kind for kind in KINDS if measurable.get(kind, False)]


@own_state()
def name_kinds(
    profiles: NDArray[np.floating], group: FiniteGroup | str, words: str = "auto"
) -> NDArray[np.object_]:
    """Name what the rotation profile of every feature looks like.

    Stabilizers state a symmetry group; a kind also asks that the feature *change* at other
    turns, so that a feature on the way from line to round is neither. Rules are stated at turns by
    multiples of 45° (60° for three-fold features), which coarse groups have as well: the same
    feature is of the same kind whatever the number of turns.

    Parameters
    ----------
    profiles : ndarray of shape (m, order)
        Self-profiles.
    group : FiniteGroup or str
        Only its `measurable_kinds` are given.
    words : {"auto", "plane", "group"}, default="auto"
        ``"plane"`` is for groups that turn pictures. ``"group"`` says only how much of the group
        leaves a feature as it is. ``"auto"`` is the plane for a `PlanarGroup`, and the group for
        all others, among them those of hues and signals, which their actions have named.

    Returns
    -------
    kinds : ndarray of shape (m,), of str
        Keys of `KINDS`.

    Raises
    ------
    ValueError
        If profiles are not finite, or not of the group; or the words are unknown, or
        of the plane for a group that does not turn it.
    """
    return find_kinds(profiles, group, words).kinds


def find_kinds(
    profiles: NDArray[np.floating], group: FiniteGroup | str, words: str = "auto"
) -> NamedKinds:
    """Name kinds as `name_kinds`, and say of the others what they lie between."""
    group = as_group(group)
    profiles = check_profiles(profiles, group)
    plane = _plane(group, words)
    if plane is None:
        return NamedKinds(_kinds_of_any_group(profiles, group), _blank(len(profiles), ""))
    periods, named = turn_periods(profiles, plane), measurable_kinds(plane, words)
    kinds = _blank(len(profiles), "other")
    remarks = _blank(len(profiles), "")
    remarks[periods == 0] = "no turn of the group changes it"
    for period in np.unique(periods[periods > 0]):
        remarks[periods == period] = f"back after {period:g}°"

    def gone(degrees: float) -> NDArray[np.bool_]:
        return profiles[:, plane.rotation_by(degrees)] < GONE

    for kind, period in _PERIODS.items():
        if kind in named:
            remarks[periods == period] = f"between {kind} and round"
            kinds[(periods == period) & gone(period / 2)] = kind
    if "directed" in named:
        full = periods == 360
        remarks[full] = "between directed and round"
        if "line" in named:
            remarks[full & gone(90)] = "between directed and line"
        kinds[full & gone(180)] = "directed"
    if "round" in named:
        kinds[periods == 0] = "round"
    remarks[kinds != "other"] = ""
    return NamedKinds(kinds, remarks)


def keep_carried(
    named: NamedKinds,
    responses: NDArray[np.floating],
    known: NDArray[np.bool_],
    lost: NDArray[np.bool_],
    group: FiniteGroup,
    threshold: float,
    sizes: NDArray[np.int64],
) -> NamedKinds:
    """Take a kind from features whose responses do not come back where it says that they do.

    Kinds of groups that do not turn the plane say how much of the group leaves a feature as it is,
    and are then those of what is stated.

    Parameters
    ----------
    named : NamedKinds
    responses : ndarray of shape (m, order)
        Correlation of each feature's code on x with its code on h·x.
    known : ndarray of shape (m,), bool
        Where these mean something.
    lost : ndarray of shape (m, order), bool
        Elements that leave the atom as it is, and are not stated of the feature. To be as alike
        where the atom is not says nothing about turns, nor does firing alike on weak inputs.
    group : FiniteGroup
    threshold : float
        What they have to reach on average over the turns after which the feature is back.
    sizes : ndarray of shape (m,), int
        How many elements the subgroup has that is stated of each.

    Returns
    -------
    named : NamedKinds
        The remark says what the atom is.
    """
    kinds, remarks = named.kinds.copy(), named.remarks.copy()
    if isinstance(group, PlanarGroup):
        backs = {
            kind: np.array([group.rotation_by(d) for d in np.arange(period, 360, period)])
            for kind, period in _PERIODS.items()
            if kind in measurable_kinds(group)
        } | {"round": coarse_turns(group.n_turns)[1:]}
        for kind, turns in backs.items():
            differs = known & (responses[:, turns].mean(axis=1) < threshold)
            taken = (named.kinds == kind) & (differs | lost[:, turns].any(axis=1))
            kinds[taken], remarks[taken] = "other", f"{kind} by its atom, not by its responses"
    if set(kinds) & set(_OF_ANY_GROUP):
        gone = np.asarray(lost.any(axis=1))
        for i in np.flatnonzero(np.isin(named.kinds, _OF_ANY_GROUP)):
            if sizes[i] == 1 and gone[i]:
                kinds[i] = "other"
                remarks[i] = f"{named.kinds[i]} by its atom, not by its responses"
            elif sizes[i] > 1:
                kinds[i] = "invariant" if sizes[i] == group.order else "symmetric"
    return NamedKinds(kinds, remarks)


def add_families(named: NamedKinds, of_families: NDArray[np.object_]) -> NDArray[np.object_]:
    """Remarks on features of no kind by themselves, with the kind of their families.

    Parameters
    ----------
    named : NamedKinds
        Of each feature by itself.
    of_families : ndarray of shape (m,), of str
        The kind of the mean profile of a feature's family; of features alone their own.
    """
    remarks = named.remarks.copy()
    differs = (named.kinds == "other") & (of_families != "other") & (of_families != "dead")
    remarks[differs] += "; its family by its mean: " + of_families[differs]
    return remarks


def _plane(group: FiniteGroup, words: str) -> PlanarGroup | None:
    """Return the group if its features have the kinds of pictures; see `name_kinds`."""
    if words not in WORDS:
        raise ValueError(f"words are one of {', '.join(WORDS)}; got {words!r}.")
    if words == "plane" and not isinstance(group, PlanarGroup):
        raise ValueError(
            f"{group!r} does not turn the plane: its features are no lines or grids. "
            "words='group' names how much of the group leaves them as they are."
        )
    return group if isinstance(group, PlanarGroup) and words != "group" else None


def _kinds_of_any_group(profiles: NDArray[np.floating], group: FiniteGroup) -> NDArray[np.object_]:
    kinds = _blank(len(profiles), "free")
    for element in range(1, group.order):
        powers = list(group.generated_subgroup([element]).elements)
        kinds[profiles[:, powers].min(axis=1) > BACK] = "symmetric"
    kinds[profiles.min(axis=1) > BACK] = "invariant"
    return kinds


def _blank(n: int, word: str) -> NDArray[np.object_]:
    return np.full(n, word, dtype=object)
