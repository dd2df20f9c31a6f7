from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross import Cyclic, Dihedral, Trivial
from sklearn_groupcross._stacks._validation import (
    check_blocks,
    check_same_group,
    count_channels,
    flatten_orbits,
)
from sklearn_groupcross.testing import planar_groups

GROUP = Dihedral(3)


@given(planar_groups(6), st.integers(0, 4), st.integers(1, 3), st.booleans())
def test_blocks_are_laid_side_by_side(group, n_samples, n_channels, as_tensor):
    orbits = np.random.default_rng(0).standard_normal((n_samples, group.order, n_channels))
    flat = flatten_orbits(torch.from_numpy(orbits) if as_tensor else orbits, group)
    np.testing.assert_array_equal(flat, orbits.reshape(n_samples, group.order * n_channels))
    assert count_channels(flat.shape[1], group) == n_channels
    assert flatten_orbits(flat, group) is flat


def test_nested_lists_are_flattened_and_a_name_will_do():
    orbits = np.arange(24.0).reshape(2, 6, 2)
    np.testing.assert_array_equal(
        flatten_orbits(orbits.tolist(), "dihedral:3"), orbits.reshape(2, 12)
    )


def test_what_reads_orbits_when_it_is_asked_is_refused():
    class Dataset:
        def as_array(self):
            raise AssertionError("read")

    with pytest.raises(TypeError, match=r"X is an Dataset, which reads .* Call as_array\(\)"):
        flatten_orbits(Dataset(), GROUP)


@pytest.mark.parametrize("path", ["d4.orbits", b"d4.orbits", Path("d4.orbits")], ids=repr)
def test_a_path_is_not_what_lies_there(path):
    with pytest.raises(TypeError, match=r"X is a path, b?'d4\.orbits';.*OrbitStore\(path\)"):
        flatten_orbits(path, GROUP)


@pytest.mark.parametrize(
    ("shape", "group", "message"),
    [
        ((2, 5, 4), GROUP, r"5 blocks; Dihedral\(3\) has order 6.*n_channels\)\.$"),
        ((2, 5, 4), Trivial(), r"Was group=... forgotten\?$"),
        ((2, 6, 4, 4), GROUP, r"All positions of all images stand along the first axis"),
    ],
)
def test_other_shapes_are_refused(shape, group, message):
    with pytest.raises(ValueError, match=message):
        flatten_orbits(np.zeros(shape), group)


@given(st.integers(1, 40))
def test_columns_that_do_not_divide_are_refused(n_columns):
    if n_columns % 6 == 0:
        assert count_channels(n_columns, GROUP) * 6 == n_columns
        return
    with pytest.raises(ValueError, match=f"X has {n_columns} columns; .* a multiple of 6"):
        count_channels(n_columns, GROUP)


def test_data_that_say_their_group_are_held_to_it():
    class Named(np.ndarray):
        group = Cyclic(6)

    named = np.zeros((2, 6, 4)).view(Named)
    check_blocks(named, GROUP)  # as many, and of another group
    check_same_group(named, Cyclic(6))
    check_same_group(np.zeros((2, 6, 4)), GROUP)
    with pytest.raises(ValueError, match=r"under Cyclic\(6\).*set group=Cyclic\(6\)"):
        check_same_group(named, GROUP)
