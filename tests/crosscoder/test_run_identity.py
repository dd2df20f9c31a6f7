"""What tells one run from another."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from sklearn_groupcross.crosscoder._run_identity import fingerprint, identity_of_seed

ARRAYS = arrays(
    st.sampled_from([np.float32, np.float64, np.int64]),
    array_shapes(max_dims=2, max_side=4),
    elements=st.integers(-3, 3),
)


@given(ARRAYS, ARRAYS)
def test_arrays_have_one_fingerprint_if_they_are_the_same(first, second):
    same = first.dtype == second.dtype and np.array_equal(first, second)
    assert (fingerprint(first) == fingerprint(second)) == same
    assert fingerprint(np.asfortranarray(first)) == fingerprint(first)


def test_labels_are_told_apart_by_what_they_say():
    labels = np.array(["a", "b"], dtype=object)
    assert fingerprint(labels) == fingerprint(np.array(["a", "b"], dtype=object))
    assert fingerprint(labels) != fingerprint(np.array(["a", "c"], dtype=object))


@given(st.integers(0, 2**32 - 1))
def test_a_seed_is_itself(seed):
    assert identity_of_seed(seed) == identity_of_seed(np.uint32(seed)) == seed


def test_a_generator_is_the_state_that_it_is_in():
    first, second = (np.random.RandomState(0) for _ in range(2))
    assert identity_of_seed(first) == identity_of_seed(second)
    first.rand()
    assert identity_of_seed(first) != identity_of_seed(second)
    second.rand()
    assert identity_of_seed(first) == identity_of_seed(second)


@pytest.mark.parametrize("bits", [np.random.PCG64, np.random.Philox])
def test_generators_of_any_kind_have_a_state(bits):
    first, second = (np.random.RandomState(bits(seed)) for seed in (0, 1))
    assert identity_of_seed(first) != identity_of_seed(second)


def test_no_seed_is_none():
    assert identity_of_seed(None) is None
