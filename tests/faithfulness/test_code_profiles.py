from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross import Dihedral, GroupCrosscoder, make_orbits
from sklearn_groupcross.faithfulness import code_profiles

GROUP = Dihedral(4)


@pytest.fixture(scope="module")
def planted():
    """Atoms with one mirror: its conjugates differ, so that left and right do."""
    return make_orbits(
        3000,
        group=GROUP,
        n_channels=32,
        n_families=6,
        stabilizers=GROUP.generated_subgroup([GROUP.n_turns + 1]),
        n_active=2,
        noise=0.01,
        random_state=0,
    )


@pytest.fixture(scope="module")
def crosscoder(planted):
    return GroupCrosscoder(
        GROUP,
        dict_init=planted.components.reshape(len(planted.components), -1),
        activation="topk",
        k=2,
        max_epochs=40,
        random_state=0,
    ).fit(planted.orbits[:2000])


def inside_and_outside(profiles, planted):
    """Profiles of h that fix the planted atom, and of the others."""
    fixes = np.zeros(profiles.shape, dtype=bool)
    for i, stabilizer in enumerate(planted.stabilizers):
        fixes[i, list(stabilizer.elements)] = True
    fixes[:, 0] = False
    return profiles[fixes], profiles[~fixes & (np.arange(GROUP.order) > 0)]


def test_codes_are_alike_within_the_planted_stabilizer(crosscoder, planted):
    found = code_profiles(crosscoder, planted.orbits[2000:])
    inside, outside = inside_and_outside(found.profiles, planted)
    np.testing.assert_allclose(found.profiles[:, 0], 1)
    assert inside.min() > 0.9
    assert outside.max() < 0.5


def test_blocks_of_the_other_side_are_told_apart(crosscoder, planted):
    # what a stabilizer promises is h·g·x, not g·h·x: rearranging blocks as O[gh] keeps the promise
    orbits, quarter_turn = planted.orbits[2000:], 1
    right = orbits[:, GROUP.right_translation(quarter_turn)]
    wrong = orbits[:, GROUP.cayley_table[quarter_turn]]
    inside, _ = inside_and_outside(code_profiles(crosscoder, right).profiles, planted)
    assert inside.min() > 0.9
    inside, _ = inside_and_outside(code_profiles(crosscoder, wrong).profiles, planted)
    assert np.median(inside) < 0.5


def test_profiles_are_correlations(crosscoder, planted):
    orbits = planted.orbits[2000:2300].astype(np.float64)
    found = code_profiles(crosscoder, orbits, np.arange(300) // 30)
    first, other = crosscoder.encode(orbits[:, 0]), crosscoder.encode(orbits[:, 5])
    expected = [np.corrcoef(a, b)[0, 1] for a, b in zip(first.T, other.T, strict=True)]
    np.testing.assert_allclose(found.profiles[:, 5], expected, atol=1e-9)
    np.testing.assert_array_equal(found.n_firings, (first > 0).sum(axis=0))
    assert found.n_orbits.tolist() == [30] * 10


def test_weights_count_images(crosscoder, planted):
    orbits, ids = planted.orbits[2000:2200], np.repeat(np.arange(10), 20)
    found = code_profiles(crosscoder, orbits, ids)
    np.testing.assert_allclose(found.reweighted(np.ones(10)), found.profiles)
    weights = np.array([0, 2, 1, 0, 0, 3, 1, 1, 1, 1])
    drawn = np.concatenate([np.flatnonzero(ids == i) for i in np.repeat(np.arange(10), weights)])
    again = code_profiles(crosscoder, orbits[drawn])
    np.testing.assert_allclose(found.reweighted(weights), again.profiles, atol=1e-12)


def test_order_of_orbits_and_form_of_the_array_do_not_matter(crosscoder, planted):
    orbits, ids = planted.orbits[2000:2100], np.repeat(np.arange(5), 20)
    expected = code_profiles(crosscoder, orbits, ids).profiles
    shuffled = np.random.default_rng(0).permutation(100)
    flat = orbits.reshape(100, -1)[shuffled]
    np.testing.assert_allclose(
        code_profiles(crosscoder, flat, ids[shuffled]).profiles, expected, atol=1e-9
    )


def test_a_code_that_does_not_vary_has_no_correlation(crosscoder, planted):
    same = np.repeat(planted.orbits[2000:2001], 7, axis=0)
    found = code_profiles(crosscoder, same)
    assert not found.profiles.any()
    assert set(found.n_firings) == {0, 7}


def test_bad_input(crosscoder, planted):
    orbits = planted.orbits[:10]
    with pytest.raises(ValueError, match="8 blocks of 32 channels; got shape"):
        code_profiles(crosscoder, orbits[:, :4])
    with pytest.raises(ValueError, match="One image id for each of 10 orbits"):
        code_profiles(crosscoder, orbits, np.zeros(9))
    with pytest.raises(ValueError, match="One weight for each of 10 images"):
        code_profiles(crosscoder, orbits).reweighted(np.ones(3))
    broken = orbits.copy()
    broken[3, 2, 1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        code_profiles(crosscoder, broken)


def test_rows_that_are_not_finite_are_named_by_their_own_numbers(crosscoder, planted):
    orbits = planted.orbits[:40].copy()
    orbits[25, 0, 0] = np.nan
    with pytest.raises(ValueError, match="orbits contains NaN: in rows 25"):
        code_profiles(crosscoder, orbits, np.arange(40) % 3)  # rows of an image lie apart
