"""Families: features that are one another's transforms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from .._ambient import own_state
from ..groups import FiniteGroup, Stabilizer
from ._clustering import cluster_families
from ._family_names import Kin
from ._matching import SHARED
from ._notebook import families_html, family_html
from ._poses import (
    Poses,
    all_poses,
    canonical_poses,
    describe_poses,
    list_elements,
    measure_poses,
)

# Pairs that a graph of neighbours does not hold count as orthogonal atoms.
_FAR = 1.0


@dataclass(frozen=True)
class Family:
    """A family of features.

    Attributes
    ----------
    label : int
        Its number in `SymmetryAnalyzer.labels_`.
    medoid : int
        The feature nearest to all others.
    members : tuple of int
        All features of the family, the medoid among them.
    poses : tuple of int
        For each member, the group element that carries the medoid to it: of all that do, modulo
        the medoid's stabilizer, the one with the smallest index.
    similarities : tuple of float
        For each member, its cosine with the medoid carried to that pose.
    margins : tuple of float
        For each member, by how much that cosine exceeds the one at any other pose. NaN without
        atoms to measure it on, and where all poses are the same.
    gaps : tuple of int
        Poses that no member has, one element for each coset of the medoid's stabilizer.
    coverage : float
        Share of the poses that some member has, in (0, 1].
    description : str
        The poses in words, such as ``"lines: 0° to 168.75°, missing 90°"``.
    sub_families : tuple of int
        For each member, the number of its sub-family, within which the average distance is below
        0.3: features that `stability` would call the same, up to the group. Numbered by falling
        size; a member alone has a number of its own.
    group : FiniteGroup or None
        Which poses and gaps are elements of. Families are equal whether it is told or not.
    """

    label: int
    medoid: int
    members: tuple[int, ...]
    poses: tuple[int, ...]
    similarities: tuple[float, ...]
    margins: tuple[float, ...]
    gaps: tuple[int, ...]
    coverage: float
    description: str
    sub_families: tuple[int, ...]
    group: FiniteGroup | None = field(default=None, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.members)

    def _repr_html_(self) -> str:
        """Members, poses and gaps, for notebooks."""
        return family_html(self)


class Families(list[Family]):
    """The families of a dictionary: a list that shows the largest of them in notebooks."""

    def _repr_html_(self) -> str:
        return families_html(self)


@own_state()
def describe_families(
    labels: NDArray[np.int64],
    distances: NDArray[np.floating] | sparse.csr_array,
    alignment: NDArray[np.signedinteger] | None,
    stabilizers: Sequence[Stabilizer],
    *,
    atoms: NDArray[np.floating] | None = None,
    kinds: Sequence[str] | NDArray[np.object_] | None = None,
) -> list[Family]:
    """Medoid, members, poses and gaps of every family.

    Parameters
    ----------
    labels : ndarray of shape (m,)
        From `cluster_families`.
    distances : ndarray or sparse array of shape (m, m)
        As given there.
    alignment : ndarray of shape (m, m) or None
        ``alignment[i, j]`` carries j to i. Not looked at if there are atoms.
    stabilizers : sequence of Stabilizer, of length m
    atoms : ndarray of shape (m, order, d), optional
        Unit atoms, on which poses and their margins are measured.
    kinds : sequence of str, optional
        Of every feature, for the description.

    Returns
    -------
    families : list of Family

    Raises
    ------
    ValueError
        If there are neither atoms nor alignments.
    """
    if atoms is None and alignment is None:
        raise ValueError("Poses are read from atoms or from an alignment; both are None.")
    neighbors: Any = _symmetric(distances) if sparse.issparse(distances) else distances
    families = Families()
    for label in range(labels.max(initial=-1) + 1):
        members = np.flatnonzero(labels == label)
        among = _among(neighbors, members)
        medoid = int(members[_most_central(among)])
        stabilizer = stabilizers[medoid].subgroup
        sub_families = _sub_families(among)
        if atoms is not None:
            poses = measure_poses(atoms[members], atoms[medoid], stabilizer)
        else:
            assert alignment is not None
            unknown = (float("nan"),) * len(members)
            similarities = tuple((1.0 - np.asarray(neighbors)[members, medoid]).tolist())
            elements = canonical_poses(alignment[members, medoid], stabilizer)
            poses = Poses(elements, similarities, unknown)
        every = all_poses(stabilizer)
        gaps = tuple(pose for pose in every if pose not in poses.elements)
        families.append(
            Family(
                label=label,
                group=stabilizer.group,
                medoid=medoid,
                members=tuple(members.tolist()),
                poses=poses.elements,
                similarities=poses.similarities,
                margins=poses.margins,
                gaps=gaps,
                coverage=1.0 - len(gaps) / len(every),
                description=describe_poses(
                    poses.elements, stabilizer, None if kinds is None else kinds[medoid]
                ),
                sub_families=sub_families,
            )
        )
    return families


def find_kin(
    labels: NDArray[np.int64],
    distances: NDArray[np.floating] | sparse.csr_array,
    align: Callable[[NDArray[np.int64], int], NDArray[np.integer]],
) -> list[Kin]:
    """Members and medoid of every family, and how each member comes from the medoid.

    Parameters
    ----------
    labels : ndarray of shape (m,)
    distances : ndarray or sparse array of shape (m, m)
    align : callable
        Elements that carry a feature, the second argument, to others, the first.

    Returns
    -------
    kin : list of Kin
    """
    neighbors: Any = _symmetric(distances) if sparse.issparse(distances) else distances
    kin = []
    for label in range(labels.max(initial=-1) + 1):
        members = np.flatnonzero(labels == label)
        medoid = int(members[_most_central(_among(neighbors, members))])
        kin.append(Kin(members, medoid, np.asarray(align(members, medoid), dtype=np.int64)))
    return kin


@own_state()
def families_table(
    families: Sequence[Family],
    stabilizers: Sequence[Stabilizer],
    kinds: Sequence[str] | NDArray[np.object_],
    medoid_distances: ArrayLike,
) -> pd.DataFrame:
    """One row a family.

    Parameters
    ----------
    families : sequence of Family
    stabilizers : sequence of Stabilizer
        Of all features.
    kinds : sequence of str
        Of all features.
    medoid_distances : array-like of shape (n_families, n_families)
        Distances of the medoids, for instance ``distances[np.ix_(medoids, medoids)]``: nothing
        else is asked of features of different families, so that no other distance is needed.

    Returns
    -------
    table : DataFrame
        Indexed by family: size, medoid, its kind and symmetry, number of different poses, coverage,
        the poses missing, number of sub-families, mean distance of the other members from the
        medoid (``within``), the family whose medoid is nearest, and its distance (NaN if there is
        none).
    """
    between = np.array(medoid_distances, dtype=np.float64).reshape(len(families), len(families))
    np.fill_diagonal(between, np.inf)
    alone = len(families) < 2
    nearest = between.argmin(axis=1) if not alone else np.full(len(families), -1)
    medoids = [family.medoid for family in families]
    return pd.DataFrame(
        {
            "size": [len(family) for family in families],
            "medoid": medoids,
            "kind": [kinds[medoid] for medoid in medoids],
            "symmetry": [stabilizers[medoid].name for medoid in medoids],
            "poses": [len(set(family.poses)) for family in families],
            "coverage": [family.coverage for family in families],
            "missing": [
                list_elements(family.gaps, stabilizers[family.medoid].subgroup)
                for family in families
            ],
            "sub_families": [len(set(family.sub_families)) for family in families],
            "within": [_spread(family) for family in families],
            "nearest_family": [families[j].label if j >= 0 else -1 for j in nearest],
            "distance": [float("nan")] * len(families) if alone else between.min(axis=1),
        },
        index=pd.Index([family.label for family in families], name="family", dtype=np.int64),
    )


def _symmetric(graph: Any) -> sparse.csr_array:
    """Store what either direction does, zeros too, the diagonal apart."""
    stored = graph.tocoo()
    rows, columns = stored.coords
    first, second = np.concatenate([rows, columns]), np.concatenate([columns, rows])
    data = np.concatenate([stored.data, stored.data])
    pairs = first.astype(np.int64) * graph.shape[0] + second
    chosen = np.unique(pairs, return_index=True)[1]
    chosen = chosen[first[chosen] != second[chosen]]
    return sparse.csr_array((data[chosen], (first[chosen], second[chosen])), shape=graph.shape)


def _among(distances: Any, members: NDArray[np.int64]) -> NDArray[np.floating]:
    """Distances of all pairs of members; pairs that a graph does not hold are far."""
    if not sparse.issparse(distances):
        return np.asarray(distances)[np.ix_(members, members)]
    stored = distances[members][:, members].tocoo()
    among = np.full(stored.shape, _FAR)
    np.fill_diagonal(among, 0.0)
    among[stored.coords] = stored.data
    return among


def _most_central(among: NDArray[np.floating]) -> int:
    """Position of the member with the smallest average distance to the others.

    Averages are compared to five decimals, so that exact copies tie whatever the rounding.
    """
    return int(np.argmin(np.round(among.sum(axis=1) / (len(among) - 1), 5)))


def _sub_families(among: NDArray[np.floating]) -> tuple[int, ...]:
    """Families within a family, at the distance from which features count as the same."""
    numbers = cluster_families(among, np.ones(len(among), dtype=bool), 1.0 - SHARED)
    alone = numbers < 0
    numbers[alone] = numbers.max(initial=-1) + 1 + np.arange(alone.sum())
    return tuple(numbers.tolist())


def _spread(family: Family) -> float:
    """Mean distance of the other members from the medoid."""
    others = [
        1.0 - similarity
        for member, similarity in zip(family.members, family.similarities, strict=True)
        if member != family.medoid
    ]
    return float(np.mean(others))
