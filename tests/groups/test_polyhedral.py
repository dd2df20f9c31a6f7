from __future__ import annotations

import pickle

import numpy as np
import pytest

from sklearn_groupcross.groups import Alternating, RotationGroup, Symmetric
from sklearn_groupcross.groups._isomorphism import find_isomorphism

SOLIDS = {
    "tetrahedral": Alternating(4),
    "octahedral": Symmetric(4),
    "icosahedral": Alternating(5),
}


@pytest.mark.parametrize("solid", SOLIDS)
def test_matrices_are_rotations_that_multiply_as_the_elements_do(solid):
    group = RotationGroup(solid)
    matrices = group.matrices
    products = matrices[:, None] @ matrices
    np.testing.assert_allclose(products, matrices[group.cayley_table], atol=1e-14)
    np.testing.assert_allclose(np.linalg.det(matrices), 1, atol=1e-14)
    np.testing.assert_array_equal(matrices[0], np.eye(3))
    backwards = np.swapaxes(products, 0, 1)  # the wrong convention
    assert np.abs(backwards - matrices[group.cayley_table]).max() > 0.5


@pytest.mark.parametrize(("solid", "permutations"), SOLIDS.items())
def test_they_are_the_permutation_groups_that_they_should_be(solid, permutations):
    assert (
        find_isomorphism(RotationGroup(solid).cayley_table, permutations.cayley_table) is not None
    )


def test_turns_of_the_cube_only_swap_coordinates():
    assert set(np.unique(RotationGroup("octahedral").matrices)) == {-1.0, 0.0, 1.0}


def test_elements_are_described_by_angle_and_axis():
    group = RotationGroup("octahedral")
    for g in range(1, group.order):
        words = group.describe_element(g)
        angle, axis = words.removeprefix("turn ").split("° about ")
        axis = np.array([float(a) for a in axis.strip("()").split(", ")])
        matrix = group.matrices[g]
        np.testing.assert_allclose(matrix @ axis, axis, atol=1e-12)
        cosine = np.cos(np.radians(float(angle)))
        assert np.trace(matrix) == pytest.approx(1 + 2 * cosine)
        # the sense: right-handed about the axis, as (a × v) · M v has the sign of sin
        v = np.cross(axis, [0.3, 0.5, 0.7])
        sine = np.cross(axis, v) @ (matrix @ v)
        assert sine > 0 or float(angle) == 180
    assert group.describe_element(0) == "identity"
    assert len({group.describe_element(g) for g in range(group.order)}) == group.order


def test_it_is_a_value():
    group = RotationGroup("tetrahedral")
    assert eval(repr(group)) == group == pickle.loads(pickle.dumps(group))
    assert group != RotationGroup("octahedral")
    with pytest.raises(ValueError, match="read-only"):
        group.matrices[0] = 0
    with pytest.raises(ValueError, match="'tetrahedral', 'octahedral' or 'icosahedral'"):
        RotationGroup("cubic")
