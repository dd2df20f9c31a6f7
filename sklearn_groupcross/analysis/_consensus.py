"""`consensus_dictionary`: the features that several runs agree on, averaged."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from .._ambient import own_state
from .._device import resolve_device
from .._shares import check_share
from ..groups import FiniteGroup
from ._dictionaries import name_dictionaries, resolve_dictionaries
from ._joining import central_features, pair_up
from ._matching import SHARED

# Rounds of averaging and matching again, at most: members hardly change after the second.
_MOST_ROUNDS = 5


@dataclass(frozen=True)
class Consensus:
    """Features that several dictionaries agree on, those of most dictionaries first.

    Attributes
    ----------
    atoms : ndarray of shape (n, order, d)
        Unit atoms: the mean of the members, each a unit atom carried to the pose of the feature.
    members : ndarray of shape (n, n_dictionaries), int64
        The feature of each dictionary that is this one; -1 where there is none.
    alignment : ndarray of shape (n, n_dictionaries), int64
        The h for which ``R_h`` of the member comes closest to the atom; the identity where there is
        no member.
    similarity : ndarray of shape (n, n_dictionaries)
        Cosine of the member, carried there, with the atom; NaN where there is none.
    names : tuple of str
        Of the dictionaries.
    group : FiniteGroup
    """

    atoms: NDArray[np.floating]
    members: NDArray[np.int64]
    alignment: NDArray[np.int64]
    similarity: NDArray[np.floating]
    names: tuple[str, ...]
    group: FiniteGroup

    def __len__(self) -> int:
        return len(self.atoms)

    @property
    def components(self) -> NDArray[np.floating]:
        """The atoms, blocks side by side, of shape (n, order * d): what ``dict_init`` takes."""
        n, order, d = self.atoms.shape
        return self.atoms.reshape(n, order * d)

    @property
    def n_runs(self) -> NDArray[np.int64]:
        """Dictionaries that have each feature, of shape (n,)."""
        return (self.members >= 0).sum(axis=1)

    @property
    def share(self) -> NDArray[np.floating]:
        """Share of the dictionaries that have each feature, of shape (n,)."""
        return self.n_runs / len(self.names)

    def to_frame(self) -> pd.DataFrame:
        """One row a feature.

        Returns
        -------
        frame : DataFrame
            Columns ``n_runs``, ``share``, ``similarity`` (mean over the members) and, by the name
            of each dictionary, its member.
        """
        known = {
            "n_runs": self.n_runs,
            "share": self.share,
            "similarity": np.nanmean(self.similarity, axis=1) if len(self) else np.empty(0),
        }
        members = dict(zip(self.names, self.members.T, strict=True))
        return pd.DataFrame(known | members, index=pd.RangeIndex(len(self), name="feature"))


@own_state()
def consensus_dictionary(
    dictionaries: Sequence[Any] | Mapping[str, Any],
    *,
    group: FiniteGroup | str | None = None,
    threshold: float = SHARED,
    min_share: float = 0.5,
    device: str | torch.device = "auto",
) -> Consensus:
    """Keep the features that several runs agree on, each the mean of what the runs made of it.

    Features of all runs are joined, the most similar first, where they are one another's partners
    in the one-to-one matching of two runs, with no more than one feature of a run in each group of
    them. Runs are then matched one to one with the most central feature of each group, aligned,
    averaged, and matched with the averages, until the members stay. Partners in the same pose go
    before partners in another, so that a family that each run has in all poses keeps them all.

    Parameters
    ----------
    dictionaries : sequence, or mapping of names, of GroupCrosscoder or array-like
        At least two, as `match_dictionaries` takes them, such as a `crosscoder_ensemble`. All count
        alike, and so do all features: the size of an atom does not matter.
    group : FiniteGroup or str, optional
        Needed for atoms.
    threshold : float, default=0.7
        Similarity up to the group from which features are joined: a convention, half of the
        energy.
    min_share : float, default=0.5
        In (0, 1]. Share of the dictionaries that have to have a feature; there have to be two
        of them in any case.
    device : str or torch.device, default="auto"

    Returns
    -------
    consensus : Consensus
        Possibly of no features.

    Raises
    ------
    ValueError
        If there are fewer than two dictionaries, or they cannot be matched, or a parameter is out
        of range.
    TypeError
        If it is one dictionary, or one of them is none.

    See Also
    --------
    found_again : How many of the runs have a feature of one dictionary.
    stability : Shares with nulls and intervals.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_groupcross import Dihedral, make_orbits
    >>> from sklearn_groupcross.analysis import consensus_dictionary
    >>> group = Dihedral(4)
    >>> options = dict(group=group, closed=False, stabilizers="trivial")
    >>> atoms = make_orbits(10, **options, random_state=0).components
    >>> rng = np.random.default_rng(0)
    >>> runs = [atoms + 0.03 * rng.standard_normal(atoms.shape) for _ in range(5)]
    >>> runs[4] = runs[4][:2, group.right_translation(1)]  # it has two, in another pose
    >>> consensus = consensus_dictionary(runs, group=group)
    >>> consensus.n_runs
    array([5, 5, 4, 4])
    """
    threshold = check_share("threshold", threshold, "a cosine")
    min_share = check_share("min_share", min_share, "a share of the dictionaries")
    named = name_dictionaries(dictionaries, "dictionaries")
    if len(named) < 2:
        raise ValueError(f"A consensus is that of two dictionaries or more; got {len(named)}.")
    atoms_of, group = resolve_dictionaries(named, group)
    dtype = np.result_type(*atoms_of.values())
    runs = {name: atoms.astype(dtype) for name, atoms in atoms_of.items()}
    target = resolve_device(device)
    atoms = central_features(list(runs.values()), group, target, threshold)
    consensus = _look_up(atoms, runs, group, target, threshold)
    for _ in range(_MOST_ROUNDS):
        before = consensus.members
        atoms = _average(_choose(consensus, np.flatnonzero(consensus.n_runs >= 2)), runs)
        consensus = _look_up(atoms, runs, group, target, threshold)
        if np.array_equal(consensus.members, before):
            break
    # 0.6 of five is three, though 0.6 * 5 may come out a little more
    needed = max(2, math.ceil(min_share * len(runs) - 1e-9))
    order = np.lexsort((-np.nansum(consensus.similarity, axis=1), -consensus.n_runs))
    return _choose(consensus, order[consensus.n_runs[order] >= needed])


def _look_up(
    atoms: NDArray[np.floating],
    runs: Mapping[str, NDArray[np.floating]],
    group: FiniteGroup,
    device: torch.device,
    threshold: float,
) -> Consensus:
    """Find atoms in every run."""
    found = [pair_up(atoms, run, group, device, threshold) for run in runs.values()]
    return Consensus(
        atoms,
        np.column_stack([each.partner for each in found]),
        np.column_stack([each.alignment for each in found]),
        np.column_stack([each.similarity for each in found]),
        tuple(runs),
        group,
    )


def _average(
    consensus: Consensus, runs: Mapping[str, NDArray[np.floating]]
) -> NDArray[np.floating]:
    """Mean direction of the members of each feature, carried to its pose."""
    group = consensus.group
    translations = np.stack([group.right_translation(h) for h in range(group.order)])
    total = np.zeros_like(consensus.atoms)
    for r, atoms in enumerate(runs.values()):
        rows = np.flatnonzero(consensus.members[:, r] >= 0)
        members = consensus.members[rows, r][:, None]
        total[rows] += atoms[members, translations[consensus.alignment[rows, r]]]
    return total / np.linalg.norm(total, axis=(1, 2), keepdims=True)


def _choose(consensus: Consensus, features: NDArray[np.int64]) -> Consensus:
    """The consensus on some of the features."""
    return replace(
        consensus,
        atoms=consensus.atoms[features],
        members=consensus.members[features],
        alignment=consensus.alignment[features],
        similarity=consensus.similarity[features],
    )
