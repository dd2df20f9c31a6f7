from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross.analysis._code_moments import code_moments
from sklearn_groupcross.analysis._leaving_out import by_group, leaving_out, split_images
from tests.analysis.planted import free_families, perfect_autoencoder


@given(st.lists(st.integers(-3, 9), min_size=2, max_size=40), st.integers(0, 5))
def test_halves_share_no_image_and_leave_none_out(image_ids, seed):
    image_ids = np.array(image_ids)
    if len(set(image_ids)) < 2:
        image_ids = np.append(image_ids, 99)
    first, second = split_images(image_ids, np.random.default_rng(seed))
    assert not set(image_ids[first]) & set(image_ids[second])
    assert sorted([*first, *second]) == list(range(len(image_ids)))
    assert abs(len(set(image_ids[first])) - len(set(image_ids[second]))) <= 1


def test_what_remains_is_without_a_group_and_a_half_may_lack_it():
    data = free_families(400)
    autoencoder = perfect_autoencoder(data)
    halves = np.arange(200), np.arange(200, 400)
    groups = np.repeat([0, 1, 2], [100, 150, 150])
    of_halves = by_group(halves, groups, 400)
    assert [sorted(half) for half in of_halves] == [[0, 1], [1, 2]]
    parts = [
        {g: code_moments(autoencoder, data.orbits, part) for g, part in half.items()}
        for half in of_halves
    ]
    whole = [code_moments(autoencoder, data.orbits, half) for half in halves]
    (_, first), *rest = leaving_out(whole, parts, groups)
    assert first == whole
    assert [columns["left_out"] for columns, _ in rest] == [0, 1, 2]
    numbers = [[half.n_samples for half in remaining] for _, remaining in rest]
    assert numbers == [[100, 200], [100, 150], [200, 50]]
    assert [columns for columns, _ in leaving_out(whole, parts, None)] == [{}]


def test_a_half_of_one_group_is_refused():
    data = free_families(40)
    moments = code_moments(perfect_autoencoder(data), data.orbits, None)
    with pytest.raises(ValueError, match="Without group 1 .* is empty"):
        list(leaving_out([moments] * 2, [{1: moments}] * 2, [1]))
