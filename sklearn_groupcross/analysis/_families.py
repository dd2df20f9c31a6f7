"""Families: features that are one another's transforms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import AgglomerativeClustering

from ..groups import Stabilizer, Subgroup


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
    """

    label: int
    medoid: int
    members: tuple[int, ...]
    poses: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.members)


def cluster_families(
    distances: NDArray[np.floating], alive: NDArray[np.bool_], threshold: float
) -> NDArray[np.int64]:
    """Group features whose average distance is below a threshold.

    Parameters
    ----------
    distances : ndarray of shape (m, m)
    alive : ndarray of shape (m,), bool
        Features with an atom other than zero; the others belong to no family.
    threshold : float

    Returns
    -------
    labels : ndarray of shape (m,), int64
        Numbered by falling size; -1 for features alone.
    """
    labels = np.full(len(distances), -1, dtype=np.int64)
    index = np.flatnonzero(alive)
    if len(index) < 2:
        return labels
    clusters = AgglomerativeClustering(
        n_clusters=None, metric="precomputed", linkage="average", distance_threshold=threshold
    ).fit_predict(distances[np.ix_(index, index)])
    sizes = np.bincount(clusters)
    by_size = np.argsort(-sizes, kind="stable")
    rank = np.empty_like(by_size)
    rank[by_size] = np.arange(len(by_size))
    labels[index] = np.where(sizes[clusters] > 1, rank[clusters], -1)
    return labels


def describe_families(
    labels: NDArray[np.int64],
    distances: NDArray[np.floating],
    alignment: NDArray[np.int64],
    stabilizers: list[Stabilizer],
) -> list[Family]:
    """Medoid, members and poses of every family."""
    families = []
    for label in range(labels.max(initial=-1) + 1):
        members = np.flatnonzero(labels == label)
        medoid = members[np.argmin(distances[np.ix_(members, members)].sum(1))]
        families.append(
            Family(
                label=label,
                medoid=int(medoid),
                members=tuple(members.tolist()),
                poses=_canonical_poses(alignment[members, medoid], stabilizers[medoid].subgroup),
            )
        )
    return families


def _canonical_poses(poses: NDArray[np.int64], stabilizer: Subgroup) -> tuple[int, ...]:
    """Name every pose by the smallest element that carries the medoid there.

    ``h`` and ``h k`` do the same to the medoid for every k of its stabilizer.
    """
    alternatives = stabilizer.group.cayley_table[np.ix_(poses, np.array(stabilizer.elements))]
    return tuple(alternatives.min(axis=1).tolist())
