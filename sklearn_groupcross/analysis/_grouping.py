"""Families of a dictionary's features: by the distances of all pairs, or of neighbours alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csr_array

from ..groups import FiniteGroup, Stabilizer
from ._clustering import cluster_families
from ._compatibility import TOLERANCE, Symmetries
from ._correlation import Spectra
from ._families import Family, describe_families, families_table, find_kin
from ._family_distance import choose_family_distance
from ._family_names import Kin
from ._found_again import found_again_of_atoms
from ._neighbors import neighbors_graph
from ._similarity import best_alignment, nearest_neighbors

#: Of the graph in which families are found where there are no distances of all pairs.
N_NEIGHBORS = 15


@dataclass(frozen=True)
class Comparison:
    """How near features of a dictionary are to one another, and which of them others have too.

    Attributes
    ----------
    found_again : ndarray of shape (m,)
        See `found_again`; NaN without others.
    family_distance : float
        Within which features are to be joined.
    distances, alignment : ndarray of shape (m, m), or None
        None where the pairs are too many.
    near, indices : ndarray of shape (m, k), or None
        Distances of neighbours and which they are, in that case; None if there are none.
    """

    found_again: NDArray[np.floating]
    family_distance: float
    distances: NDArray[np.floating] | None = None
    alignment: NDArray[np.signedinteger] | None = None
    near: NDArray[np.floating] | None = None
    indices: NDArray[np.int64] | None = None


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
    """

    labels: NDArray[np.int64]
    kin: list[Kin]
    neighbors: Any


def compare_features(
    atoms: NDArray[np.floating],
    others: Sequence[Any] | Mapping[str, Any] | None,
    group: FiniteGroup,
    *,
    method: str,
    family_distance: float | str,
    max_features_in_full: int,
    device: torch.device,
    random_state: int,
    progress: bool,
) -> Comparison:
    """Compare features with those of others, with strangers, and with one another.

    All pairs are compared if they are not too many, otherwise neighbours are looked for.

    Parameters
    ----------
    atoms : ndarray of shape (m, order, d)
        Unit atoms; zero for dead ones.
    others : sequence, or mapping of names, of GroupCrosscoder or array-like, or None
    group : FiniteGroup
    method : {"auto", "average", "hdbscan", "graph"}
        How families will be found.
    family_distance : float or "auto"
    max_features_in_full : int
    device : torch.device
    random_state : int
        Of the choice of a family distance.
    progress : bool

    Returns
    -------
    comparison : Comparison

    Raises
    ------
    ValueError
        If the method needs all pairs, and there are too many; or others cannot be compared.
    TypeError
        If `others` is one dictionary, or one of them is none.
    """
    m = len(atoms)
    if m > max_features_in_full and method not in ("auto", "graph"):
        raise ValueError(
            f"family_method={method!r} needs the distances of all pairs of {m} features, and "
            f"max_features_in_full={max_features_in_full}. Raise it, or take "
            "family_method='graph'."
        )
    spectra = Spectra(atoms, group, device)
    found = np.full(m, np.nan)
    if others is not None:
        found = found_again_of_atoms(atoms, spectra, others, group, device)
    if family_distance == "auto":
        rng = np.random.default_rng(random_state)
        family_distance = choose_family_distance(atoms, spectra, rng)
    cut = float(family_distance)
    if m <= max_features_in_full:
        similarity, alignment = best_alignment(spectra, None, group, device, progress=progress)
        return Comparison(found, cut, np.subtract(1.0, similarity, out=similarity), alignment)
    k = min(N_NEIGHBORS, int(atoms.any(axis=(1, 2)).sum()) - 1)
    if k <= 0:
        return Comparison(found, cut)
    near, indices = nearest_neighbors(atoms, group, k, device, spectra=spectra, progress=progress)
    return Comparison(found, cut, near=near, indices=indices)


def group_features(
    atoms: NDArray[np.floating],
    comparison: Comparison,
    symmetries: Symmetries,
    *,
    method: str,
    device: torch.device,
) -> Grouping:
    """Find families among features that were compared.

    Parameters
    ----------
    atoms : ndarray of shape (m, order, d)
        Unit atoms; zero for dead ones.
    comparison : Comparison
        Of these.
    symmetries : Symmetries
        Features stand in one family if these are compatible.
    method : {"auto", "average", "hdbscan", "graph"}
    device : torch.device

    Returns
    -------
    grouping : Grouping
    """
    m, alive, group = len(atoms), np.asarray(atoms.any(axis=(1, 2))), symmetries.group
    cut, distances, alignment = (
        comparison.family_distance,
        comparison.distances,
        comparison.alignment,
    )
    if distances is not None and alignment is not None:
        labels = cluster_families(
            distances,
            alive,
            cut,
            method="average" if method == "auto" else method,
            compatible=symmetries.compatible(),
        )
        kin = find_kin(labels, distances, lambda members, medoid: alignment[members, medoid])
        return Grouping(labels, kin, distances)
    graph = joined = csr_array((m, m))
    if comparison.near is not None and comparison.indices is not None:
        near, indices = comparison.near, comparison.indices
        differences = symmetries.differences(np.arange(m)[:, None], indices)
        graph = csr_array(neighbors_graph(near, indices, alive, "distance"))
        # between features of different symmetry there is no edge, however near they are
        near = np.where(differences <= TOLERANCE, near, np.inf)
        joined = csr_array(neighbors_graph(near, indices, alive, "distance"))
    labels = cluster_families(joined, alive, cut, method="graph")
    kin = find_kin(
        labels,
        graph,
        lambda members, medoid: best_alignment(atoms[members], atoms[[medoid]], group, device)[1][
            :, 0
        ],
    )
    return Grouping(labels, kin, graph)


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
    if sparse.issparse(grouping.neighbors):
        between = 1.0 - best_alignment(atoms[medoids], None, group, device)[0]
    else:
        between = grouping.neighbors[np.ix_(medoids, medoids)]
    return families, families_table(families, stabilizers, kinds, between)
