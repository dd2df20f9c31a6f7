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
from ._families import Family, describe_families, families_table
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
    families : list of Family
    table : DataFrame
    distances, alignment : ndarray of shape (m, m), or None
        None where the pairs were too many.
    """

    labels: NDArray[np.int64]
    families: list[Family]
    table: pd.DataFrame
    distances: NDArray[np.floating] | None
    alignment: NDArray[np.signedinteger] | None


def group_features(
    atoms: NDArray[np.floating],
    group: FiniteGroup,
    stabilizers: list[Stabilizer],
    kinds: NDArray[np.object_],
    *,
    method: str,
    family_distance: float,
    max_features_in_full: int,
    device: torch.device,
    progress: bool,
) -> Grouping:
    """Compare features, all pairs if they are not too many, and find families.

    Parameters
    ----------
    atoms : ndarray of shape (m, order, d)
        Unit atoms; zero for dead ones.
    group : FiniteGroup
    stabilizers : list of Stabilizer
    kinds : ndarray of shape (m,), of str
    method : {"auto", "average", "hdbscan", "graph"}
    family_distance : float
    max_features_in_full : int
    device : torch.device
    progress : bool

    Returns
    -------
    grouping : Grouping

    Raises
    ------
    ValueError
        If the method needs all pairs, and there are too many.
    """
    m, alive = len(atoms), np.asarray(atoms.any(axis=(1, 2)))
    full = alignment = None
    distances: Any
    if m <= max_features_in_full:
        similarity, alignment = best_alignment(atoms, None, group, device, progress=progress)
        distances = full = np.subtract(1.0, similarity, out=similarity)
        method = "average" if method == "auto" else method
    elif method not in ("auto", "graph"):
        raise ValueError(
            f"family_method={method!r} needs the distances of all pairs of {m} features, and "
            f"max_features_in_full={max_features_in_full}. Raise it, or take "
            "family_method='graph'."
        )
    else:
        distances, method = csr_array((m, m)), "graph"
        if (k := min(N_NEIGHBORS, int(alive.sum()) - 1)) > 0:
            near, indices, _ = nearest_neighbors(atoms, group, k, device, progress=progress)
            distances = csr_array(neighbors_graph(near, indices, alive, "distance"))
    labels = cluster_families(distances, alive, family_distance, method=method)
    families = describe_families(labels, distances, None, stabilizers, atoms=atoms, kinds=kinds)
    medoids = [family.medoid for family in families]
    if full is None:
        between = 1.0 - best_alignment(atoms[medoids], None, group, device)[0]
    else:
        between = full[np.ix_(medoids, medoids)]
    table = families_table(families, stabilizers, kinds, between)
    return Grouping(labels, families, table, full, alignment)
