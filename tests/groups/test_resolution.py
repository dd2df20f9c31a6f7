"""A parameter `group`: a group, its name, or left out."""

import numpy as np
import pytest
from hypothesis import given

from sklearn_groupcross.groups import Cyclic, Dihedral, Trivial, as_group, parse_group
from sklearn_groupcross.testing import groups_with_elements


@given(groups_with_elements(0))
def test_a_group_stands_for_itself(case):
    group, _ = case
    assert as_group(group) is group


@pytest.mark.parametrize(
    ("text", "group"),
    [("dihedral:4", Dihedral(4)), ("Cyclic:3", Cyclic(3)), (np.str_("trivial"), Trivial())],
)
def test_a_text_names_what_the_command_line_means_by_it(text, group):
    assert as_group(text) == parse_group(text) == group


def test_left_out_it_is_trivial():
    assert as_group(None) == Trivial()


def test_a_text_that_names_no_group_is_refused():
    with pytest.raises(ValueError, match="Unknown group 'klein:4': expected 'trivial'"):
        as_group("klein:4")


@pytest.mark.parametrize("value", [4, Dihedral, ("dihedral", 4)])
def test_anything_else_is_refused(value):
    with pytest.raises(TypeError, match=r"Dihedral\(4\).* a name, such as 'dihedral:4', .* got"):
        as_group(value)
