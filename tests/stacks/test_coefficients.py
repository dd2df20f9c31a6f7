from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross._stacks._coefficients import coefficients_by_column
from sklearn_groupcross.groups import CompactFourier
from sklearn_groupcross.testing import groups, orbit_stacks


@given(groups(max_order=24), st.data())
def test_translations_mix_columns_alone(group, data):
    """``Ŵ(ρ)`` of ``R_h O`` is ``Ŵ(ρ) ρ(h)ᵀ``, whatever the row and the channel."""
    stacks = data.draw(orbit_stacks(group))
    h = data.draw(st.integers(0, group.order - 1))
    fourier = CompactFourier(group)
    forward = torch.from_numpy(fourier.forward)
    moved = stacks[:, group.right_translation(h)]
    before, after = (
        coefficients_by_column(torch.from_numpy(x), forward, fourier) for x in (stacks, moved)
    )
    for rho, part, moved_part in zip(group.irreps, before, after, strict=True):
        assert part.shape == (3, rho.dimension, rho.multiplicity, 2)
        expected = np.einsum("bc,nbax->ncax", rho.matrices[group.inverse(h)], part.numpy())
        np.testing.assert_allclose(moved_part, expected, atol=1e-9)
