from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross.actions import Action, LinearAction, PointCloudAction, check_action
from sklearn_groupcross.groups import Dihedral, FiniteGroup, RotationGroup, Symmetric
from tests.groups.strategies import NON_ABELIAN


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(st.sampled_from(NON_ABELIAN), st.data())
def test_every_representation_acts_from_the_left(group, data):
    irrep = data.draw(st.sampled_from(group.irreps))
    axis = data.draw(st.sampled_from([1, 2, -1, -2]))
    shape = [2, 4, 5]
    shape[axis] = irrep.dimension
    check_action(LinearAction(group, irrep.matrices, axis), normal(*shape), tolerance=1e-6)


@pytest.mark.parametrize("axis", [1, 2, 3, -1, -2, -3])
def test_it_multiplies_the_axis_that_was_named(axis):
    group = Dihedral(3)
    matrices = next(irrep.matrices for irrep in group.irreps if irrep.dimension == 2)
    shape = [2, 4, 5, 6]
    shape[axis] = 2
    x = normal(*shape)
    transformed = LinearAction(group, matrices, axis).transform(x)
    for g in range(group.order):
        expected = np.moveaxis(np.moveaxis(x.numpy(), axis, -1) @ matrices[g].T, -1, axis)
        np.testing.assert_allclose(transformed[:, g].numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("solid", ["tetrahedral", "octahedral", "icosahedral"])
def test_point_clouds_are_turned_from_the_left(solid):
    action = PointCloudAction(solid)
    clouds = normal(1, 7, 3)
    check_action(action, clouds, tolerance=1e-10)
    turned = action.transform(clouds)
    torch.testing.assert_close(torch.cdist(turned, turned)[0, 5], torch.cdist(clouds, clouds)[0])
    assert isinstance(action, Action)
    assert action.group == RotationGroup(solid)


def test_matrices_of_the_right_convention_are_refused_with_a_hint():
    group = RotationGroup("octahedral")
    with pytest.raises(ValueError, match=r"do not represent RotationGroup.*transpose each"):
        LinearAction(group, group.matrices.transpose(0, 2, 1))


def test_the_message_names_a_pair_of_elements():
    group = RotationGroup("octahedral")
    matrices = group.matrices.copy()
    matrices[5] = matrices[6]
    with pytest.raises(ValueError, match="differs from") as raised:
        LinearAction(group, matrices)
    words = str(raised.value)
    g, h = (int(part.split("]")[0]) for part in words.split("matrices[")[1:3])
    wrong = matrices[g] @ matrices[h] - matrices[group.multiply(g, h)]
    assert np.abs(wrong).max() > 0.5
    assert "opposite order" not in words


def test_a_projection_is_no_identity():
    group = FiniteGroup([[0]])
    with pytest.raises(ValueError, match="not the identity matrix"):
        LinearAction(group, [[[1.0, 0.0], [0.0, 0.0]]])


def test_bad_arguments_are_refused():
    group = Symmetric(3)
    with pytest.raises(ValueError, match=r"shape \(6, k, k\)"):
        LinearAction(group, np.zeros((5, 2, 2)))
    with pytest.raises(ValueError, match="real and finite"):
        LinearAction(group, np.full((6, 2, 2), np.nan))
    action = LinearAction(group, np.ones((6, 1, 1)))
    with pytest.raises(ValueError, match="1 entries along axis -1"):
        action.transform(torch.zeros(4, 2))
    with pytest.raises(ValueError, match="the first axis counts the inputs"):
        LinearAction(group, np.ones((6, 1, 1)), axis=0).transform(torch.zeros(4, 1))
    with pytest.raises(TypeError, match="torch Tensor"):
        action.transform(np.zeros((4, 1)))
    with pytest.raises(TypeError, match=r"LinearAction\(group, matrices\)"):
        PointCloudAction(Symmetric(3))
