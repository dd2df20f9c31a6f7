"""`missing_poses`: which poses that a family lacks the network lacks too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaln, expit
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from .._ambient import own_state
from .._device import resolve_device
from .._integers import check_integer
from .._stacks._belonging import image_of_each
from .._stacks._validation import validate_rows
from ..crosscoder import GroupCrosscoder
from ..groups import FiniteGroup
from ._atoms import resolve_atoms
from ._dictionaries import name_dictionaries
from ._families import Family
from ._family_distance import NULL_RATE
from ._jackknife import MIN_EFFECTIVE_BAGS
from ._pose_activity import Activity, Pattern, pose_activities
from ._poses import all_poses, canonical_poses
from ._similarity import unit_atoms

if TYPE_CHECKING:
    from ._analyzer import SymmetryAnalyzer

FloatArray = NDArray[np.floating]


@own_state()
def missing_poses(
    analysis: SymmetryAnalyzer,
    crosscoder: GroupCrosscoder | None = None,
    orbits: Any = None,
    image_ids: ArrayLike | None = None,
    *,
    others: Sequence[Any] = (),
    min_size: int = 3,
    n_resamples: int = 400,
    device: str | torch.device = "auto",
    random_state: int | np.random.RandomState | None = 0,
    progress: bool = False,
) -> pd.DataFrame:
    """For every pose that a family lacks: how probable it is that the network lacks it too.

    A dictionary has gaps of its own: a feature that fires rarely may not be learned. Two kinds of
    evidence tell them from gaps of the network. **Other dictionaries** of the same network: one of
    them may have the pose. **Orbits**: inputs may show the pattern in that pose, and the network
    answer. Give either or both.

    Parameters
    ----------
    analysis : SymmetryAnalyzer
        Fitted.
    crosscoder : GroupCrosscoder, optional
        The one that was analyzed; needed with orbits.
    orbits : array or OrbitStore of shape (n_samples, order, n_channels), optional
        Best of images that the crosscoder was not fitted on.
    image_ids : array-like of shape (n_samples,), optional
        The image of each orbit. Default: what the store says.
    others : sequence of GroupCrosscoder or array-like of shape (m, order * n_channels)
        Of other seeds, or other halves of the data: dictionaries, or their atoms.
    min_size : int, default=3
        Families of fewer features are left out: they say little about what their poses share.
    n_resamples : int, default=400
        Of the bootstrap over images.
    device : str or torch.device, default="auto"
    random_state : int, RandomState instance or None, default=0
        Of the strangers and the bootstrap.
    progress : bool, default=False

    Returns
    -------
    table : DataFrame
        One row a missing pose: ``family``; ``pose``, the element that would carry the medoid there;
        ``moves``, the same in words; ``probability`` that the network lacks it; and the evidence:

        - ``found``, ``n_others``: dictionaries that have a feature in the pose, of how many;
          ``expected``, the share of them that have one in a pose that this dictionary has;
        - ``activity``: what the network does where inputs show the pattern in this pose, relative
          to the poses that the dictionary has, with a 95 % interval over images in
          ``activity_low`` and ``activity_high``; ``strangers``, the same of an atom as smooth that
          has nothing in common with the network;
        - ``probability_orbits``: of the orbits alone.

        NaN where no evidence of that kind was given, or it says nothing.

    Raises
    ------
    ValueError
        If there are neither orbits nor other dictionaries, orbits come without the crosscoder or
        are of fewer than five images, or anything does not fit.
    TypeError
        If `analysis` is no analyzer, or `others` is a single dictionary.

    Notes
    -----
    *Orbits.* From each orbit O is taken what the crosscoder says of features outside the family.
    The rest counts for the pose h in which it comes closest to the medoid W, with
    ``⟨O, R_h W⟩ ⟨O[e], W[h]⟩``: as much as the orbit shows the pattern there, and as much as the
    network answers with to the input itself. On a logarithmic scale a pose counts as lacked where
    this activity is nearer to that of strangers (see `SymmetryAnalyzer`, ``family_distance``) than
    to the mean of the poses that are there. The probability is the share of draws, of images and
    of those poses, in which it is.

    *Other dictionaries.* One finds a pose of the network with a probability q that is the family's
    own, with a uniform prior, learned from the poses that this dictionary has: of S others, so many
    have them too. That this one lacks a pose and k of S others have it, has the likelihood
    ``E[(1 - q) q^k (1 - q)^(S - k)]`` over the posterior of q (Beta-binomial). A pose that the
    network lacks is found with a probability of 0.02, by features that belong elsewhere. Before the
    evidence both are equally probable. A dictionary finds a pose if one of its features comes
    closest to the medoid there, within the family distance.

    Both together multiply their odds.

    Examples
    --------
    >>> from sklearn_groupcross import Dihedral, SymmetryAnalyzer, make_orbits
    >>> from sklearn_groupcross.analysis import missing_poses
    >>> group = Dihedral(4)
    >>> truth = make_orbits(10, group=group, n_families=2, stabilizers="trivial", random_state=0)
    >>> network = truth.components[:-1]  # it lacks one pose of the second family
    >>> dictionary = network[1:]  # and the dictionary one of the first
    >>> analysis = SymmetryAnalyzer(group=group).fit(dictionary)
    >>> table = missing_poses(analysis, others=[network, network])
    >>> print(table[["family", "found", "n_others", "probability"]].round(2))
       family  found  n_others  probability
    0       0      2         2         0.01
    1       1      0         2         1.00
    """
    if not hasattr(analysis, "transform_blocks"):
        raise TypeError(
            "missing_poses takes a fitted SymmetryAnalyzer first, missing_poses(analysis, "
            f"crosscoder, orbits); got a {type(analysis).__name__}."
        )
    check_is_fitted(analysis)
    min_size = check_integer("min_size", min_size, 1)
    n_resamples = check_integer("n_resamples", n_resamples, 1)
    dictionaries_by_name = name_dictionaries(others, "others")
    if orbits is None and not dictionaries_by_name:
        raise ValueError(
            "Whether a pose is missing from the network is seen from orbits, from other "
            "dictionaries, or both; got neither."
        )
    group, target = analysis.group_, resolve_device(device)
    rng = np.random.default_rng(check_random_state(random_state).randint(2**31 - 1))
    atoms = unit_atoms(analysis.components_, group.order)
    families = [f for f in analysis.families_ if len(f) >= min_size and f.gaps]
    every = [np.array(all_poses(analysis.atom_stabilizers_[f.medoid].subgroup)) for f in families]
    patterns = [
        Pattern(atoms[family.medoid], np.array(family.members), poses)
        for family, poses in zip(families, every, strict=True)
    ]
    activities: list[Activity | None] = [None] * len(families)
    if orbits is not None:
        rows, image = _check_orbits(analysis, crosscoder, orbits, image_ids)
        assert crosscoder is not None
        activities = [
            *pose_activities(crosscoder, rows, image, patterns, target, rng, progress=progress)
        ]
    dictionaries = [_other_atoms(other, atoms, group) for other in dictionaries_by_name.values()]
    parts = [
        _table(
            family,
            pattern.poses,
            _count_finds(dictionaries, analysis, family, pattern, 1.0 - analysis.family_distance_),
            len(dictionaries),
            None if activity is None else _compare(activity, family, pattern, n_resamples, rng),
            group,
        )
        for family, pattern, activity in zip(families, patterns, activities, strict=True)
    ]
    if not parts:
        return pd.DataFrame(columns=_COLUMNS)
    return pd.concat(parts, ignore_index=True)[_COLUMNS]


_COLUMNS = [
    "family",
    "pose",
    "moves",
    "probability",
    "found",
    "n_others",
    "expected",
    "activity",
    "activity_low",
    "activity_high",
    "strangers",
    "probability_orbits",
]


class _Comparison(NamedTuple):
    """Of every pose: activity relative to poses that are there, and how often it is lacked."""

    activity: FloatArray
    low: FloatArray
    high: FloatArray
    strangers: float
    lacked: FloatArray


def _check_orbits(
    analysis: SymmetryAnalyzer, crosscoder: Any, orbits: Any, image_ids: ArrayLike | None
) -> tuple[Any, NDArray[np.intp]]:
    if not isinstance(crosscoder, GroupCrosscoder):
        raise ValueError(
            "Orbits are read with the crosscoder that was analyzed: missing_poses(analysis, "
            f"crosscoder, orbits); got {type(crosscoder).__name__} for crosscoder."
        )
    check_is_fitted(crosscoder)
    if not np.array_equal(crosscoder.components_, analysis.components_):
        raise ValueError("The analysis is of another crosscoder: their atoms differ.")
    rows = validate_rows(crosscoder, orbits, analysis.group_, reset=False)
    ids = image_of_each(image_ids, orbits, len(rows))
    images, image = np.unique(ids, return_inverse=True)
    if len(images) < MIN_EFFECTIVE_BAGS:
        raise ValueError(
            f"How images vary is seen from {MIN_EFFECTIVE_BAGS} of them or more; orbits are of "
            f"{len(images)}. Without more of them, ask other dictionaries: others=[...]."
        )
    return rows, image


def _other_atoms(other: Any, atoms: FloatArray, group: FiniteGroup) -> FloatArray:
    components, _ = resolve_atoms(other, group, "others")
    found = unit_atoms(components, group.order)
    if found.shape[2] != atoms.shape[2]:
        raise ValueError(
            f"Other dictionaries are of the same layer, of {atoms.shape[2]} channels; got "
            f"{found.shape[2]}."
        )
    return found


def _count_finds(
    dictionaries: Sequence[FloatArray],
    analysis: SymmetryAnalyzer,
    family: Family,
    pattern: Pattern,
    similarity: float,
) -> NDArray[np.int64]:
    """In how many dictionaries a feature comes closest to the medoid in each pose, and near."""
    group, stabilizer = analysis.group_, analysis.atom_stabilizers_[family.medoid].subgroup
    turned = group.translates(pattern.atom).reshape(group.order, -1)
    found = np.zeros(len(pattern.poses), dtype=np.int64)
    for atoms in dictionaries:
        cosines = atoms.reshape(len(atoms), -1) @ turned.T.astype(atoms.dtype)
        best = cosines.argmax(axis=1)
        near = cosines.max(axis=1) > similarity
        found += np.isin(pattern.poses, canonical_poses(best[near], stabilizer))
    return found


def _compare(
    activity: Activity,
    family: Family,
    pattern: Pattern,
    n_resamples: int,
    rng: np.random.Generator,
) -> _Comparison:
    """Bootstrap over images, and over the poses that are there."""
    present = np.flatnonzero(np.isin(pattern.poses, family.poses))
    n_images = len(activity.family)
    weights = rng.multinomial(n_images, np.full(n_images, 1 / n_images), size=n_resamples)
    weights = np.concatenate([np.ones((1, n_images)), weights])
    of_poses, of_strangers = weights @ activity.family, weights @ activity.strangers
    floor = 1e-9 * of_poses.max() + np.finfo(float).tiny
    logs = np.log(np.maximum(of_poses, floor))
    strangers = np.log(np.maximum(of_strangers.mean(axis=1), floor))
    chosen = present[rng.integers(0, len(present), size=(len(weights), len(present)))]
    chosen[0] = present
    there = np.take_along_axis(logs, chosen, axis=1).mean(axis=1)
    lacked = (logs < ((there + strangers) / 2)[:, None])[1:]
    # one draw more on either side: a share of 0 or 1 would claim more than was drawn
    probability = (lacked.sum(axis=0) + 1) / (n_resamples + 2)
    if there[0] <= strangers[0]:
        probability = np.full(len(probability), np.nan)
    relative = np.exp(logs - there[:, None])
    low, high = np.quantile(relative[1:], [0.025, 0.975], axis=0)
    return _Comparison(relative[0], low, high, float(np.exp(strangers[0] - there[0])), probability)


def _table(
    family: Family,
    poses: NDArray[np.int64],
    found: NDArray[np.int64],
    n_others: int,
    comparison: _Comparison | None,
    group: FiniteGroup,
) -> pd.DataFrame:
    gaps = np.flatnonzero(np.isin(poses, family.gaps))
    present = np.isin(poses, family.poses)
    n_present, n_found = int(present.sum()), int(found[present].sum())
    odds = np.zeros(len(gaps))
    expected = np.nan
    if n_others:
        expected = n_found / (n_present * n_others)
        odds += _log_odds(found[gaps], n_others, n_found, n_present * n_others - n_found)
    nan = np.full(len(gaps), np.nan)
    columns = {"activity": nan, "activity_low": nan, "activity_high": nan}
    strangers, of_orbits = np.nan, nan
    if comparison is not None:
        strangers, of_orbits = comparison.strangers, comparison.lacked[gaps]
        columns = {
            "activity": comparison.activity[gaps],
            "activity_low": comparison.low[gaps],
            "activity_high": comparison.high[gaps],
        }
        known = np.where(np.isnan(of_orbits), 0.5, of_orbits)
        odds += np.log(known) - np.log1p(-known)
    return pd.DataFrame(
        {
            "family": family.label,
            "pose": poses[gaps],
            "moves": [group.describe_element(int(pose)) for pose in poses[gaps]],
            "probability": expit(odds),
            "found": found[gaps],
            "n_others": n_others,
            "expected": expected,
            **columns,
            "strangers": strangers,
            "probability_orbits": of_orbits,
        }
    )


def _log_odds(
    found: NDArray[np.int64], n_others: int, n_found: int, n_not_found: int
) -> FloatArray:
    """Log odds that a pose is lacked, of the dictionaries that have it: Beta-binomial."""
    a, b = 1 + n_found, 1 + n_not_found
    # this dictionary is one more that lacks it
    has = betaln(a + found, b + n_others - found + 1) - betaln(a, b)
    lacks = found * np.log(NULL_RATE) + (n_others - found + 1) * np.log1p(-NULL_RATE)
    return np.asarray(lacks - has)
