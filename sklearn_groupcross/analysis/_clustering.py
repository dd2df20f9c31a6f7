"""Which features belong together: three ways to cluster distances."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import squareform
from sklearn.cluster import HDBSCAN

from .._ambient import own_state
from .._plain import as_numpy

#: Ways to find families.
METHODS = ("average", "hdbscan", "graph")
# More than any distance.
_APART = 4.0


@own_state()
def cluster_families(
    distances: NDArray[np.floating] | sparse.csr_array,
    alive: NDArray[np.bool_],
    threshold: float = 0.4,
    *,
    method: str = "average",
    min_size: int = 2,
    compatible: NDArray[np.bool_] | None = None,
) -> NDArray[np.int64]:
    """Group features that are one another's transforms.

    Parameters
    ----------
    distances : ndarray or sparse array of shape (m, m)
        All of them; or with ``method="graph"`` those of near neighbours alone, as CSR. What is
        stored counts, zeros too.
    alive : ndarray of shape (m,), bool
        Features with an atom other than zero; the others belong to no family.
    threshold : float, default=0.4
        In [0, 2]; what it bounds depends on the method.
    method : {"average", "hdbscan", "graph"}, default="average"
        ``"average"``: hierarchical clustering while the average distance between two clusters is
        below `threshold`. ``"hdbscan"``: clusters of whatever density, from which features leave
        whose average distance to the others of their cluster is not below it; it finds none where
        all are one family. ``"graph"``: connected components of the pairs nearer than it, the only
        one that does not need all distances. A chain of neighbours joins families there. (Edges are
        not asked to be mutual: of exact copies, all at the same distance, each would list others.)
    min_size : int, default=2
        Smaller families are features alone.
    compatible : ndarray of shape (m, m), bool, optional
        Pairs that may stand in one family; symmetric. With ``"average"`` and ``"hdbscan"`` no
        family holds a pair that may not; in a graph such a pair is no edge, and a chain may still
        join it. Default: all.

    Returns
    -------
    labels : ndarray of shape (m,), int64
        Numbered by falling size, equal sizes by their smallest member; -1 for features alone.

    Raises
    ------
    ValueError
        If the method is unknown, or needs all distances and gets some, `min_size` is below 2, or
        `compatible` is of another shape.

    Notes
    -----
    The distances are those of [1]_, which looks at a map of them: 1 minus the largest cosine over
    all transforms. Clustering them is this package's.

    References
    ----------
    .. [1] Gorton (2024), "Group crosscoders for mechanistic analysis of symmetry",
       arXiv:2410.24184.
    """
    if method not in METHODS:
        raise ValueError(f"method is one of {', '.join(map(repr, METHODS))}; got {method!r}.")
    if min_size < 2:
        raise ValueError(f"A family has two features or more: min_size >= 2; got {min_size}.")
    if sparse.issparse(distances) and method != "graph":
        raise ValueError(
            f"method={method!r} needs all distances; a graph of neighbours goes with "
            "method='graph'."
        )
    distances, alive = as_numpy(distances, "distances"), as_numpy(alive, "alive")
    labels = np.full(distances.shape[0], -1, dtype=np.int64)
    if compatible is not None and np.shape(compatible) != distances.shape:
        raise ValueError(
            f"compatible says of every pair of {len(labels)} features whether it may stand in one "
            f"family; got shape {np.shape(compatible)}."
        )
    index = np.flatnonzero(alive)
    if len(index) < 2:
        return labels
    if method == "graph":
        clusters = _components(distances, alive, threshold, compatible)[index]
    else:
        cluster = _average if method == "average" else _hdbscan
        clusters = cluster(_condensed(np.asarray(distances), index, compatible), threshold)
    labels[index] = clusters
    return _number(labels, min_size)


def _condensed(
    distances: NDArray[np.floating],
    index: NDArray[np.intp],
    compatible: NDArray[np.bool_] | None,
) -> NDArray[np.float64]:
    """Distances of all pairs i < j among some features, row after row.

    Half of a square, and no other copy: of 16384 features it takes 1 GB.
    """
    n = len(index)
    condensed = np.empty(n * (n - 1) // 2, dtype=np.float64)
    start = 0
    for i, feature in enumerate(index):
        row = condensed[start : start + n - i - 1]
        row[:] = distances[feature, index[i + 1 :]]
        if compatible is not None:
            # so far that no average over two clusters with one such pair is near
            row[~compatible[feature, index[i + 1 :]]] = _APART * n**2
        start += len(row)
    return condensed


def _average(condensed: NDArray[np.float64], threshold: float) -> NDArray[np.int64]:
    # scikit-learn does the same by way of indices of all pairs, five times the memory
    merges = linkage(condensed, method="average")
    # clusters are joined below the threshold, not at it
    return fcluster(merges, np.nextafter(threshold, -np.inf), criterion="distance").astype(np.int64)


def _hdbscan(condensed: NDArray[np.float64], threshold: float) -> NDArray[np.int64]:
    distances = squareform(condensed, checks=False)
    # copy: it overwrites a precomputed matrix otherwise
    clusters = HDBSCAN(metric="precomputed", min_cluster_size=2, copy=True).fit_predict(distances)
    # it draws in whatever is nearest, be it far: pairs of strangers among few others
    for cluster in range(clusters.max(initial=-1) + 1):
        members = np.flatnonzero(clusters == cluster)
        average = distances[np.ix_(members, members)].sum(axis=1) / (len(members) - 1)
        clusters[members[average >= threshold]] = -1
    return clusters


def _components(
    distances: Any,
    alive: NDArray[np.bool_],
    threshold: float,
    compatible: NDArray[np.bool_] | None,
) -> NDArray[np.int64]:
    if sparse.issparse(distances):
        stored = distances.tocoo()
        near = stored.data < threshold
        first, second = stored.coords[0][near], stored.coords[1][near]
    else:
        first, second = np.nonzero(distances < threshold)
    joined = alive[first] & alive[second]
    if compatible is not None:
        joined &= compatible[first, second]
    first, second = first[joined], second[joined]
    # ones in place of distances: an edge of length zero would be none
    edges = sparse.csr_array((np.ones(len(first)), (first, second)), shape=distances.shape)
    return connected_components(edges, directed=False)[1]


def _number(clusters: NDArray[np.int64], min_size: int) -> NDArray[np.int64]:
    """Number clusters by falling size, then by their smallest member; small ones are -1."""
    labels = np.full(len(clusters), -1, dtype=np.int64)
    found, first, sizes = np.unique(clusters, return_index=True, return_counts=True)
    kept = (found >= 0) & (sizes >= min_size)
    by_size = np.lexsort((first[kept], -sizes[kept]))
    for label, cluster in enumerate(found[kept][by_size]):
        labels[clusters == cluster] = label
    return labels
