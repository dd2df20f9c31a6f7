from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sklearn_groupcross._stacks._belonging import check_belonging, image_of_each


class Store:
    image_ids = np.array([3, 3, 1])


@pytest.mark.parametrize(
    "labels",
    [
        [0, 0, 1],
        ["a", "b", "a"],
        np.array(["a", "b", "a"], dtype=object),
        pd.Series(["a", "b", "a"], index=[7, 8, 9]),
        np.array([0.5, np.inf, 0.5]),
        np.array(["2024-01-01", "2024-01-02", "2024-01-01"], dtype="datetime64[D]"),
    ],
    ids=lambda labels: f"{type(labels).__name__} {getattr(labels, 'dtype', '')}",
)
def test_labels_that_can_be_compared_are_taken(labels):
    found = check_belonging(labels, 3, "groups", "group")
    np.testing.assert_array_equal(found, np.asarray(labels))


@pytest.mark.parametrize(
    ("labels", "shown"),
    [
        ([0.0, np.nan, np.nan], "nan"),
        ([0, None, None], "None"),
        (["a", None, float("nan")], "None"),
        (pd.Series([1, None, None], dtype="Int64"), ""),
        (np.array(["2024-01-01", "NaT", "NaT"], dtype="datetime64[D]"), "NaT"),
    ],
    ids=["NaN", "None", "either", "NA", "NaT"],
)
def test_missing_labels_are_named(labels, shown):
    message = f"groups names no group for 2 of the 3 samples, the first of them sample 1: {shown}"
    with pytest.raises(ValueError, match=message):
        check_belonging(labels, 3, "groups", "group")


@pytest.mark.parametrize("labels", ["abc", 3, [1, 2], [[1], [2], [3]]], ids=repr)
def test_one_label_a_sample(labels):
    with pytest.raises(ValueError, match="names the group of each of the 3 samples, in one dim"):
        check_belonging(labels, 3, "groups", "group")


def test_kinds_are_not_mixed():
    with pytest.raises(TypeError, match="several kinds, which cannot be put in order: int, str"):
        check_belonging(np.array([1, "a", 2], dtype=object), 3, "groups", "group")


def test_the_image_of_each_is_as_given_or_as_the_store_says():
    assert image_of_each(None, Store(), 3).tolist() == [3, 3, 1]
    assert image_of_each([0, 1, 2], Store(), 3).tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="a plain array does not. Pass image_ids="):
        image_of_each(None, np.zeros((3, 2)), 3)
    with pytest.raises(ValueError, match="image_ids names the image of each of the 2 samples"):
        image_of_each(None, Store(), 2)
