"""Codes of transformed inputs, whatever the encoder reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._progress import tqdm
from ..crosscoder import GroupCrosscoder, codes_of_activations, codes_of_orbits

# Of orbits that are read at a time, and of their codes under one element.
_BYTES = 2**26


def reads_whole_orbits(crosscoder: GroupCrosscoder) -> bool:
    """Whether the encoder takes more than the activation of one input."""
    return bool(crosscoder.encoder_.shape[1] != crosscoder.n_channels_)


def codes_under(
    crosscoder: GroupCrosscoder,
    stacks: NDArray[np.floating],
    elements: Sequence[int] | NDArray[np.integer],
) -> NDArray[Any]:
    """Codes of the inputs of some orbits under some elements.

    Block g of the orbit of x is the identity block of that of g·x, which an encoder of single
    inputs reads; and block hg of the one is block h of the other.

    Parameters
    ----------
    crosscoder : GroupCrosscoder
    stacks : ndarray of shape (n, order, n_channels)
    elements : sequence of int

    Returns
    -------
    codes : ndarray of shape (n, n_elements, n_atoms)
    """
    elements = [int(g) for g in elements]
    if not reads_whole_orbits(crosscoder):
        flat = stacks[:, elements].reshape(-1, stacks.shape[-1])
        return codes_of_activations(crosscoder, flat).reshape(len(stacks), len(elements), -1)
    group = crosscoder.group_
    moved = [codes_of_orbits(crosscoder, stacks[:, group.right_translation(g)]) for g in elements]
    return np.stack(moved, axis=1)


def codes_in_parts(
    crosscoder: GroupCrosscoder,
    orbits: Any,
    rows: NDArray[np.integer],
    n_elements: int,
    *,
    description: str = "",
    progress: bool = False,
) -> Iterator[tuple[slice, Iterator[NDArray[Any]]]]:
    """Read some orbits, each once, and encode them under one element after another.

    Of many atoms, codes under all elements together would be large, and slow to search.

    Parameters
    ----------
    crosscoder : GroupCrosscoder
    orbits : ndarray or StoredOrbits of shape (n_samples, order, n_channels)
    rows : ndarray of shape (n,)
    n_elements : int
        The first so many.
    description : str, default=""
        Of the work, for a bar.
    progress : bool, default=False

    Yields
    ------
    part : slice
        Of the rows.
    codes : iterator of ndarray of shape (n_rows, n_atoms)
        One an element.
    """
    _, order, n_channels = orbits.shape
    bytes_of_one = max(order * n_channels * orbits.dtype.itemsize, 4 * len(crosscoder.components_))
    step = max(1, _BYTES // bytes_of_one)
    with tqdm(total=len(rows), desc=description, unit="orbit", disable=not progress) as bar:
        for start in range(0, len(rows), step):
            part = slice(start, min(start + step, len(rows)))
            stacks = np.asarray(orbits[rows[part]])
            yield part, (codes_under(crosscoder, stacks, [g])[:, 0] for g in range(n_elements))
            bar.update(len(stacks))
