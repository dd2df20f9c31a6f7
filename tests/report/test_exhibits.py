from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross import Cyclic, Dihedral
from sklearn_groupcross.groups import Quaternion
from sklearn_groupcross.report._exhibits import (
    choose_elements,
    choose_features,
    collect_exhibit,
    strongest_samples,
)
from sklearn_groupcross.report._pictures import Patches
from sklearn_groupcross.report._strongest import StrongestBlocks, strongest_blocks


def test_responses_are_codes_of_the_transformed_patch(small_crosscoder, small_dataset, orbits):
    group = small_dataset.group
    feature = int(small_crosscoder.transform(orbits).sum(0).argmax())
    strongest = strongest_blocks(small_crosscoder, orbits, [0, feature])
    exhibit = collect_exhibit(
        feature,
        crosscoder=small_crosscoder,
        pictures=Patches(small_dataset),
        orbits=orbits,
        strongest=strongest,
        column=1,
        image_ids=small_dataset.image_ids,
        elements=[0, 3, 5],
        n_pictures=4,
    )
    assert exhibit.responses[0] == pytest.approx(1.0)
    sample = exhibit.samples[0]
    # the orbit of g·x has the identity block O[g]: transform the permuted orbit instead
    moved = np.stack([orbits[sample][group.right_translation(g)] for g in range(group.order)])
    codes = small_crosscoder.transform(moved)[:, feature]
    best = int(codes.argmax())
    for h, response in zip([0, 3, 5], exhibit.responses, strict=True):
        turned = group.right_translation(h)
        code = small_crosscoder.transform(moved[best][turned][None])[0, feature]
        assert code == pytest.approx(codes[group.cayley_table[h, best]], abs=1e-5)
        assert response == pytest.approx(code / codes[best], abs=1e-5)
    assert exhibit.pictures[0] == exhibit.views[0]
    assert exhibit.pictures[:1] == Patches(small_dataset).of([sample], [best])
    images = small_dataset.image_ids[list(exhibit.samples)]
    assert len(set(images)) == len(images)


def test_a_feature_that_no_sample_excites_has_no_exhibit(small_crosscoder, small_dataset, orbits):
    nothing = np.zeros((len(orbits), 1))
    strongest = StrongestBlocks(np.arange(len(orbits)), nothing, nothing.astype(np.int64))
    exhibit = collect_exhibit(
        0,
        crosscoder=small_crosscoder,
        pictures=Patches(small_dataset),
        orbits=orbits,
        strongest=strongest,
        column=0,
        image_ids=small_dataset.image_ids,
        elements=[0],
        n_pictures=4,
    )
    assert exhibit is None


def test_strongest_samples_come_from_different_images():
    codes = np.array([5.0, 4.0, 3.0, 2.0, 0.0])
    assert strongest_samples(codes, np.array([0, 0, 1, 2, 3]), 4) == [0, 2, 3]
    assert strongest_samples(codes, np.arange(5), 2) == [0, 1]


def test_rare_kinds_are_not_lost(analysis):
    kinds = analysis.kinds_.copy()
    try:
        analysis.kinds_ = np.array(["other"] * 23 + ["line"], dtype=object)
        frequencies = np.linspace(1, 0.1, 24)
        assert choose_features(analysis, frequencies, 3) == [23, 0, 1]
        frequencies[23] = 0
        assert choose_features(analysis, frequencies, 3) == [0, 1, 2]
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
