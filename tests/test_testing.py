"""Strategies draw what they say, since laws that are tested on something else show nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import find, given
from hypothesis import strategies as st

from sklearn_groupcross import testing


@given(st.data())
def test_groups_are_of_the_kind_that_is_asked_for(data):
    abelian, max_order = data.draw(st.booleans()), data.draw(st.integers(6, 60))
    group = data.draw(testing.groups(abelian=abelian, max_order=max_order))
    assert group.order <= max_order
    table = group.cayley_table
    assert np.array_equal(table, table.T) == abelian


@pytest.mark.parametrize("kind", ["real", "complex", "quaternionic"])
def test_irreps_of_every_type_are_among_them(kind):
    def indicator(irrep):
        """Mean trace of g²: 1 of real irreps; 0 and -2 count the realified others."""
        squares = irrep.matrices @ irrep.matrices
        return round(float(np.trace(squares, axis1=1, axis2=2).mean()))

    wanted = {"real": 1, "complex": 0, "quaternionic": -2}[kind]
    find(testing.groups(), lambda group: wanted in map(indicator, group.irreps))


@given(testing.groups_with_elements(3))
def test_elements_are_those_of_the_group(case):
    group, (a, b, c) = case
    left = group.multiply(group.multiply(a, b), c)
    assert left == group.multiply(a, group.multiply(b, c))


@given(testing.planar_groups(6), st.data())
def test_subgroups_are_closed(group, data):
    subgroup = data.draw(testing.subgroups(group))
    assert group.n_turns <= 6
    assert group.generated_subgroup(subgroup.elements).elements == subgroup.elements


@given(testing.groups(max_order=24), st.data())
def test_products_of_equivariant_stacks_depend_on_the_quotient_alone(group, data):
    stacks = data.draw(testing.equivariant_stacks(group))
    quotients = group.cayley_table[group.inverses]
    for stack in stacks:
        gram = stack @ stack.T
        for q in range(group.order):
            assert np.ptp(gram[quotients == q]) < 1e-9
    others = data.draw(testing.orbit_stacks(group, 2, 5))
    assert others.shape == (2, group.order, 5)
