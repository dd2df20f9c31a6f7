from __future__ import annotations

import torch
from hypothesis import given

from sklearn_groupcross.actions._lattice import lattice_cosets, plane_matrices
from tests.groups.strategies import PLANAR_GROUPS


@given(PLANAR_GROUPS)
def test_matrices_multiply_as_the_elements_do(group):
    matrices = plane_matrices(group)
    products = matrices[:, None] @ matrices
    torch.testing.assert_close(products, matrices[torch.tensor(group.cayley_table)])


@given(PLANAR_GROUPS)
def test_cosets_hold_every_element_once_and_on_the_lattice_exactly(group):
    cosets = lattice_cosets(group)
    members = [member for _, part in cosets for member in part]
    assert sorted(element for element, _, _ in members) == list(range(group.order))
    assert cosets[0][0] == group.identity
    matrices = plane_matrices(group)
    quarter, mirror = torch.tensor([[0.0, 1.0], [-1.0, 0.0]]), torch.diag(torch.tensor([-1.0, 1.0]))
    for representative, part in cosets:
        for element, quarter_turns, flipped in part:
            turn = torch.matrix_power(quarter.double(), quarter_turns)
            lattice = turn @ mirror.double() if flipped else turn
            torch.testing.assert_close(matrices[element], lattice @ matrices[representative])
