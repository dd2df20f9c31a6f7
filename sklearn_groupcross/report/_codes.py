"""Codes of transformed inputs, whatever the encoder reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..crosscoder import GroupCrosscoder, codes_of_activations, codes_of_orbits


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
