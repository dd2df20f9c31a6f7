from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross._group_names import (
    MAX_ORDER,
    MAX_ORDER_FOR_ALL_SUBGROUPS,
    check_nameable_order,
    read_group_name,
)
from sklearn_groupcross.groups import check_nameable, parse_group

NAMES = st.builds(
    "{}:{}".format, st.sampled_from(["cyclic", "dihedral"]), st.integers(1, 64)
) | st.just("trivial")


@given(NAMES)
def test_a_group_is_known_before_it_is_built(text):
    name, group = read_group_name(text), parse_group(text)
    assert name.order == group.order
    assert name.n == group.n_turns
    assert parse_group(str(name)) == group


@given(NAMES, st.sampled_from(["{}", " {} ", "\t{}\n"]), st.booleans(), st.integers(0, 3))
def test_a_name_is_written_in_many_ways(text, around, capitals, n_zeros):
    family, colon, n = text.partition(":")
    typed = around.format(f"{family}{colon}{'0' * n_zeros if colon else ''}{n}")
    assert read_group_name(typed.upper() if capitals else typed) == read_group_name(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dihedral:513", "more than 1024 elements: dihedral:512 is the largest"),
        (f"cyclic:{'9' * 5000}", "more than 1024 elements: cyclic:1024 is the largest"),
        ("dihedral:0", "Unknown group 'dihedral:0': expected 'trivial'"),
        ("dihedral:-4", "Unknown group"),
        ("trivial:1", "Unknown group"),
        ("", "Unknown group ''"),
        ("dihedrl:4", "Did you mean dihedral?"),
        ("Cylic:4", "Did you mean cyclic?"),
    ],
)
def test_what_is_no_name_is_refused(text, message):
    for read in (read_group_name, parse_group):
        with pytest.raises(ValueError) as raised:  # noqa: PT011  # the message may be of any form
            read(text)
        assert message in str(raised.value)


def test_a_family_that_is_right_is_not_offered():
    with pytest.raises(ValueError, match=r"elements\)\.$"):
        read_group_name("dihedral:x")


def test_orders_have_names_up_to_a_limit():
    check_nameable_order(MAX_ORDER_FOR_ALL_SUBGROUPS)
    too_large = parse_group(f"cyclic:{MAX_ORDER_FOR_ALL_SUBGROUPS + 1}")
    for check, argument in ((check_nameable_order, too_large.order), (check_nameable, too_large)):
        with pytest.raises(ValueError, match=r"at most 128 elements; this one has 129\. Take a"):
            check(argument)
    with pytest.raises(ValueError, match=r"1024\. Do without\.$"):
        check_nameable_order(MAX_ORDER, "Do without.")
