"""Which samples are held out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross.crosscoder._splitting import check_groups, split_rows

seeds = st.integers(0, 2**31 - 1)


@given(st.integers(5, 60), st.sampled_from([0.2, 0.5]), seeds)
def test_every_row_is_learned_from_or_held_out(n_samples, fraction, seed):
    learned, held_out = split_rows(n_samples, None, fraction, seed)
    np.testing.assert_array_equal(np.sort([*learned, *held_out]), np.arange(n_samples))
    assert len(held_out) == np.ceil(fraction * n_samples)
    assert (np.diff(learned) > 0).all()
    assert (np.diff(held_out) > 0).all()
    again = split_rows(n_samples, None, fraction, seed)
    np.testing.assert_array_equal(again[1], held_out)


@given(
    st.lists(st.integers(0, 5), min_size=6, max_size=40).filter(lambda g: len(set(g)) > 2), seeds
)
def test_groups_are_held_out_whole(groups, seed):
    labels = check_groups(groups, len(groups), to_split=True)
    learned, held_out = split_rows(len(groups), labels, 0.3, seed)
    assert not set(labels[learned]) & set(labels[held_out])
    assert len(learned) + len(held_out) == len(groups)


def test_groups_are_held_out_in_their_share():
    groups = np.repeat(np.arange(20), 15)
    assert len(split_rows(300, groups, 0.1, seed=0)[1]) == 30
    scattered = split_rows(300, None, 0.1, seed=0)[1]
    assert len(np.unique(groups[scattered])) > 5


@pytest.mark.parametrize(
    ("groups", "to_split", "message"),
    [
        ([0, 1], False, r"each of the 3 samples.*got shape \(2,\)"),
        ([[0], [1], [2]], False, r"got shape \(3, 1\)"),
        (["a", "a", "a"], True, "at least 2; all samples are of group a"),
    ],
)
def test_labels_that_are_none_are_refused(groups, to_split, message):
    with pytest.raises(ValueError, match=message):
        check_groups(groups, 3, to_split=to_split)


def test_without_labels_or_a_split_there_is_nothing_to_check():
    assert check_groups(None, 3, to_split=True) is None
    assert check_groups(["a", "a", "a"], 3, to_split=False).tolist() == ["a", "a", "a"]
