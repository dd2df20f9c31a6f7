from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross import Cyclic, Dihedral
from sklearn_groupcross.groups import Quaternion
from sklearn_groupcross.report import _excitation
from sklearn_groupcross.report._excitation import (
    Columns,
    choose_elements,
    choose_samples,
    collect_excitations,
    in_order,
    ranked,
    strongest_samples,
)
from sklearn_groupcross.report._strongest import StrongestBlocks, strongest_blocks

COLUMNS = Columns(n_strongest=3, quantiles=(0.5,), elements=(0, 3, 5), shows_where=True)


def collect(crosscoder, dataset, orbits, features, strongest=None):
    if strongest is None:
        strongest = strongest_blocks(crosscoder, orbits, features)
    return collect_excitations(
        features,
        crosscoder=crosscoder,
        orbits=orbits,
        strongest=strongest,
        image_ids=dataset.image_ids,
        columns=COLUMNS,
    )


@pytest.fixture(scope="module")
def feature(small_crosscoder, orbits):
    return int(small_crosscoder.transform(orbits).sum(0).argmax())


def test_what_is_shown_excites_as_the_page_says(small_crosscoder, small_dataset, orbits, feature):
    strongest = strongest_blocks(small_crosscoder, orbits, [feature])
    found = collect(small_crosscoder, small_dataset, orbits, [feature], strongest)
    found = {name: array[0] for name, array in found.items()}
    codes = strongest.codes[:, 0]
    assert codes[found["samples"][0]] == codes.max() == found["largest"]
    np.testing.assert_allclose(found["codes"], codes[found["samples"]] / codes.max(), rtol=1e-5)
    images = small_dataset.image_ids[found["samples"]]
    assert len(set(images)) == len(images)
    weaker = (codes[codes > 0] < codes[found["samples"][3]]).mean()
    assert abs(weaker - 0.5) < 0.2
    assert found["counts"].sum() + found["n_silent"] == len(orbits)
    blocks = strongest.blocks[found["samples"], 0]
    np.testing.assert_array_equal(found["elements"], blocks)


def test_features_together_are_what_each_is_alone(
    small_crosscoder, small_dataset, orbits, monkeypatch
):
    features = [5, 0, 17, 3, 11]
    monkeypatch.setattr(_excitation, "_AT_ONCE", 2)
    together = collect(small_crosscoder, small_dataset, orbits, features)
    for row, feature in enumerate(features):
        alone = collect(small_crosscoder, small_dataset, orbits, [feature])
        assert alone.keys() == together.keys()
        for name, (of_feature,) in alone.items():
            np.testing.assert_allclose(together[name][row], of_feature, rtol=1e-5, atol=1e-6)


def test_of_a_feature_that_nothing_excites_there_is_nothing(
    small_crosscoder, small_dataset, orbits
):
    nothing = np.zeros((len(orbits), 1))
    strongest = StrongestBlocks(np.arange(len(orbits)), nothing, nothing.astype(np.uint8))
    found = collect(small_crosscoder, small_dataset, orbits, [0], strongest)
    assert (found["samples"] == -1).all()
    assert np.isnan(found["codes"]).all()
    assert np.isnan(found["mean"]).all()
    assert found["n_responses"] == 0
    assert found["n_silent"] == len(orbits)


def test_strongest_samples_come_from_different_images():
    by_code = ranked(np.array([4.0, 5.0, 3.0, 2.0, 0.0]))
    assert by_code.tolist() == [1, 0, 2, 3]
    assert strongest_samples(by_code, np.array([0, 0, 1, 2, 3]), 4) == [1, 2, 3]
    assert strongest_samples(by_code, np.arange(5), 2) == [1, 0]


def test_weaker_samples_come_from_other_images_where_there_are_any():
    by_code = ranked(np.arange(20, 0, -1).astype(float))
    two = Columns(2, (0.5,), (0,), shows_where=False)
    assert choose_samples(by_code, np.arange(20), two) == [0, 1, 10]
    # the one in the middle is of an image that is shown: the nearest of another is taken
    images = np.arange(20)
    images[[9, 10]] = 0
    assert choose_samples(by_code, images, two) == [0, 1, 11]
    assert choose_samples(by_code, np.zeros(20, int), two) == [0, -1, 10]
    assert choose_samples(ranked(np.array([3.0, 0.0])), np.arange(2), two) == [0, -1, -1]


def test_rare_kinds_are_not_lost(analysis):
    kinds = analysis.kinds_.copy()
    try:
        analysis.kinds_ = np.array(["other"] * 23 + ["line"], dtype=object)
        frequencies = np.linspace(1, 0.1, 24)
        assert in_order(analysis, frequencies)[:3] == [23, 0, 1]
        frequencies[23] = 0
        assert in_order(analysis, frequencies)[:3] == [0, 1, 2]
    finally:
        analysis.kinds_ = kinds


@pytest.mark.parametrize(
    ("group", "elements"),
    [
        (Dihedral(16), [0, 2, 4, 6, 8, 12, 16, 20]),
        (Cyclic(16), [0, 2, 4, 6, 8, 10, 12, 14]),
        (Dihedral(4), list(range(8))),
        (Cyclic(3), [0, 1, 2]),
        (Quaternion(), list(range(8))),
    ],
    ids=repr,
)
def test_eight_elements_are_shown(group, elements):
    assert choose_elements(group) == elements
