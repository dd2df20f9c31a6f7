"""The plane's turns and mirrors as matrices, and which of them only rearrange pixels."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..groups import PlanarGroup


def plane_matrices(group: PlanarGroup) -> Tensor:
    """Matrices (order, 2, 2) on (column, row) positions, float64, exact at quarter turns."""
    turns, n = group.turns, group.n_turns
    # whole quarter turns apart, so that cos(90°) is 0 and not 6e-17
    quarter, rest = np.divmod(4 * turns, n)
    angle = 0.5 * np.pi * rest / n
    c, s = np.cos(angle), np.sin(angle)
    cos = np.choose(quarter, [c, -s, -c, s])
    sin = np.choose(quarter, [s, c, -s, -c])
    matrices = np.stack([np.stack([cos, sin], -1), np.stack([-sin, cos], -1)], axis=-2)
    matrices[group.mirrored, :, 0] *= -1  # σ first: columns change sign
    return torch.from_numpy(matrices)


def lattice_cosets(group: PlanarGroup) -> list[tuple[int, list[tuple[int, int, bool]]]]:
    """Right cosets ``L r`` of the elements L that the group shares with the square.

    One warp a coset is enough: ``(l r)·x = l·(r·x)``, and l only rearranges pixels.

    Returns
    -------
    cosets : list of (representative, [(element, quarter turns, flipped), ...])
        The representative of L itself is the identity.
    """
    on_lattice = np.flatnonzero(4 * group.turns % group.n_turns == 0)
    remaining = set(range(group.order))
    cosets = []
    while remaining:
        representative = min(remaining)
        members = []
        for lattice in on_lattice:
            element = group.multiply(int(lattice), representative)
            quarter_turns = int(4 * group.turns[lattice] // group.n_turns)
            members.append((element, quarter_turns, bool(group.mirrored[lattice])))
            remaining.remove(element)
        cosets.append((representative, members))
    return cosets
