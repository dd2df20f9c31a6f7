from __future__ import annotations

import pytest
import torch

from sklearn_groupcross import Cyclic, Dihedral
from sklearn_groupcross.crosscoder import _translation
from sklearn_groupcross.crosscoder._basis import fit_basis
from sklearn_groupcross.crosscoder._feed import translate
from sklearn_groupcross.crosscoder._translation import translate_coordinates


@pytest.mark.parametrize("group", [Dihedral(8), Cyclic(5), Dihedral(1)], ids=repr)
@pytest.mark.parametrize("share", [0.3, 1.0])
def test_compiled_translations_are_those_of_orbit_stacks(group, share, monkeypatch):
    generator = torch.Generator().manual_seed(0)
    stacks = torch.randn(300, group.order * 7, generator=generator)
    basis = fit_basis([stacks], group, share).basis
    coordinates = basis.compress(stacks)
    monkeypatch.setattr(_translation, "_MANY", 1)
    for h in range(group.order):
        moved = translate_coordinates(basis, coordinates, h)
        expected = translate(basis.expand(coordinates), group, h)
        torch.testing.assert_close(basis.expand(moved), expected, atol=1e-5, rtol=0)
        torch.testing.assert_close(basis.translate(coordinates, h), moved, atol=1e-5, rtol=0)
        n_threads = torch.get_num_threads()
        torch.set_num_threads(3)
        try:  # of every other row, which are not side by side in memory
            assert torch.equal(translate_coordinates(basis, coordinates[::2], h), moved[::2])
        finally:
            torch.set_num_threads(n_threads)


def test_what_is_compiled_is_used_where_there_is_much(monkeypatch):
    group = Dihedral(4)
    basis = fit_basis([torch.eye(24)], group, 1.0).basis
    monkeypatch.setattr(_translation.OrbitBasis, "translate", lambda *args: "not compiled")
    n = -(-_translation._MANY // 24)
    assert translate_coordinates(basis, torch.ones(n - 1, 24), 1) == "not compiled"
    assert isinstance(translate_coordinates(basis, torch.ones(n, 24), 1), torch.Tensor)
