"""Families of a dictionary's features: by the distances of all pairs, or of neighbours alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ..groups import FiniteGroup, Stabilizer
from ._clustering import cluster_families
from ._compatibility import TOLERANCE, Symmetries
from ._families import Family, describe_families, families_table, find_kin
from ._family_distance import choose_family_distance
from ._family_names import Kin
from ._neighbors import neighbors_graph
from ._similarity import best_alignment, nearest_neighbors

#: Of the graph in which families are found where there are no distances of all pairs.
N_NEIGHBORS = 15


@dataclass(frozen=True)
class Grouping:
    """Families, and the distances that they were found by.

    Attributes
    ----------
    labels : ndarray of shape (m,), int64
    kin : list of Kin
        Members of each family, and how they come from its medoid.
    neighbors : ndarray or csr_array of shape (m, m)
        All distances, or those of near neighbours.
    distances, alignment : ndarray of shape (m, m), or None
        None where the pairs were too many.
    family_distance : float
        Within which features were joined.
    """

    labels: NDArray[np.int64]
    kin: list[Kin]
    neighbors: Any
    distances: NDArray[np.floating] | None
    alignment: NDArray[np.signedinteger] | None
    family_distance: float


def group_features(
    atoms: NDArray[np.floating],
    symmetries: Symmetries,
    *,
    method: str,
    family_distance: float | str,
    max_features_in_full: int,
    device: torch.device,
    random_state: int,
    progress: bool,
) -> Grouping:
    """Compare features, all pairs if they are not too many, and find families.

    Parameters
    ----------
    atoms : ndarray of shape (m, order, d)
        Unit atoms; zero for dead ones.
    symmetries : Symmetries
        Features stand in one family if these are compatible.
    method : {"auto", "average", "hdbscan", "graph"}
    family_distance : float or "auto"
    max_features_in_full : int
    device : torch.device
    random_state : int
        Of the choice of a family distance.
    progress : bool

    Returns
    -------
    grouping : Grouping

    Raises
    ------
    ValueError
        If the method needs all pairs, and there are too many.
    """
    m, alive, group = len(atoms), np.asarray(atoms.any(axis=(1, 2))), symmetries.group
    if family_distance == "auto":
        rng = np.random.default_rng(random_state)
        family_distance = choose_family_distance(atoms, group, device, rng)
    cut = float(family_distance)
    if m <= max_features_in_full:
        similarity, alignment = best_alignment(atoms, None, group, device, progress=progress)
        distances = np.subtract(1.0, similarity, out=similarity)
        labels = cluster_families(
            distances,
            alive,
            cut,
            method="average" if method == "auto" else method,
            compatible=symmetries.compatible(),
        )
        kin = find_kin(labels, distances, lambda members, medoid: alignment[members, medoid])
        return Grouping(labels, kin, distances, distances, alignment, cut)
    if method not in ("auto", "graph"):
        raise ValueError(
            f"family_method={method!r} needs the distances of all pairs of {m} features, and "
            f"max_features_in_full={max_features_in_full}. Raise it, or take "
            "family_method='graph'."
        )
    graph = csr_array((m, m))
    if (k := min(N_NEIGHBORS, int(alive.sum()) - 1)) > 0:
        near, indices = nearest_neighbors(atoms, group, k, device, progress=progress)
        differences = symmetries.differences(np.arange(m)[:, None], indices)
        graph = csr_array(neighbors_graph(near, indices, alive, "distance"))
        # between features of different symmetry there is no edge, however near they are
        near = np.where(differences <= TOLERANCE, near, np.inf)
        joined = csr_array(neighbors_graph(near, indices, alive, "distance"))
    else:
        joined = graph
    labels = cluster_families(joined, alive, cut, method="graph")
    kin = find_kin(
        labels,
        graph,
        lambda members, medoid: best_alignment(atoms[members], atoms[[medoid]], group, device)[1][
            :, 0
        ],
    )
    return Grouping(labels, kin, graph, None, None, cut)


def describe_grouping(
    grouping: Grouping,
    atoms: NDArray[np.floating],
    group: FiniteGroup,
    stabilizers: list[Stabilizer],
    kinds: NDArray[np.object_],
    device: torch.device,
) -> tuple[list[Family], pd.DataFrame]:
    """Families with their poses, and their table.

    Parameters
    ----------
    grouping : Grouping
    atoms : ndarray of shape (m, order, d)
    group : FiniteGroup
    stabilizers : list of Stabilizer
        As stated: those of families for their members.
    kinds : ndarray of shape (m,), of str
    device : torch.device

    Returns
    -------
    families : list of Family
    table : DataFrame
    """
    families = describe_families(
        grouping.labels, grouping.neighbors, None, stabilizers, atoms=atoms, kinds=kinds
    )
    medoids = [family.medoid for family in families]
    if grouping.distances is None:
        between = 1.0 - best_alignment(atoms[medoids], None, group, device)[0]
    else:
        between = grouping.distances[np.ix_(medoids, medoids)]
    return families, families_table(families, stabilizers, kinds, between)
