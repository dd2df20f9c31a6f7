"""Which features of several seeds are copies of one feature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def copies(
    partners: Mapping[tuple[int, int], NDArray[np.int64]], sizes: Sequence[int]
) -> list[NDArray[np.int64]]:
    """For each seed, of which group of copies each feature is.

    Features that are partners in two seeds are one feature found twice, and no two samples: groups
    are connected components of partners.

    Parameters
    ----------
    partners : of `find_partners`
        In one pose: up to the group whole families, and by chains of them most features of a
        dictionary, would be one group.
    sizes : sequence of int
        Features of each dictionary.
    """
    starts = np.cumsum([0, *sizes])
    edges = [np.empty((0, 2), dtype=int)]
    for (i, j), partner in partners.items():
        has = np.flatnonzero(partner >= 0)
        edges.append(np.stack([starts[i] + has, starts[j] + partner[has]], axis=1))
    first, second = np.concatenate(edges).T
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(starts[-1], starts[-1]))
    labels = connected_components(graph, directed=False)[1].astype(np.int64)
    return np.split(labels, starts[1:-1])
