from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross import Dihedral, GroupCrosscoder, make_orbits
from sklearn_groupcross.analysis import code_profiles

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


def test_profiles_are_correlations_over_all_inputs_of_the_orbits(crosscoder, planted):
    orbits = planted.orbits[2000:2300].astype(np.float64)
    found = code_profiles(crosscoder, orbits, np.arange(300) // 30)
    codes = crosscoder.encode(orbits.reshape(-1, 32)).reshape(300, GROUP.order, -1)
    for h in (3, 5):
        turned = codes[:, GROUP.cayley_table[h]]  # block hg beside block g
        pairs = zip(codes.reshape(2400, -1).T, turned.reshape(2400, -1).T, strict=True)
        expected = [np.corrcoef(a, b)[0, 1] for a, b in pairs]
        np.testing.assert_allclose(found.profiles[:, h], expected, atol=1e-9)
    np.testing.assert_allclose(found.profiles, found.profiles[:, GROUP.inverses], atol=1e-12)
    fires = codes.any(axis=1)
    np.testing.assert_array_equal(found.n_firings, fires.sum(axis=0))
    by_image = fires.reshape(10, 30, -1).any(axis=1)
    np.testing.assert_array_equal(found.n_images, by_image.sum(axis=0))
    assert found.n_orbits.sum() == 300


def test_the_mean_over_a_subgroup_is_what_it_leaves_of_the_variance(crosscoder, planted):
    orbits = planted.orbits[2000:2100].astype(np.float64)
    found = code_profiles(crosscoder, orbits)
    codes = crosscoder.encode(orbits.reshape(-1, 32)).reshape(100, GROUP.order, -1)
    for subgroup in GROUP.subgroups():
        elements = list(subgroup.elements)
        kept = np.mean([codes[:, GROUP.cayley_table[h]] for h in elements], axis=0)
        variance = codes.var(axis=(0, 1))
        share = np.divide(kept.var(axis=(0, 1)), variance, where=variance > 0, out=variance * 0)
        np.testing.assert_allclose(found.profiles[:, elements].mean(axis=1), share, atol=1e-9)


def test_the_control_is_another_orbit_of_the_same_image(crosscoder, planted):
    orbits = planted.orbits[2000:2060].astype(np.float64)
    found = code_profiles(crosscoder, orbits, np.repeat(np.arange(20), 3))
    codes = crosscoder.encode(orbits.reshape(-1, 32)).reshape(20, 3, GROUP.order, -1)
    pairs = [(codes[:, a], codes[:, b]) for a, b in np.argwhere(~np.eye(3, dtype=bool))]
    products = [np.einsum("igm,ihm->m", a, b) / (20 * GROUP.order**2) for a, b in pairs]
    mean, variance = codes.mean(axis=(0, 1, 2)), codes.var(axis=(0, 1, 2))
    expected = (np.mean(products, axis=0) - mean**2) / np.where(variance > 0, variance, 1)
    np.testing.assert_allclose(found.elsewhere, expected, atol=1e-9)
    assert np.abs(found.elsewhere).max() < 0.3  # these orbits are drawn one by one
    assert not code_profiles(crosscoder, orbits).elsewhere.any()  # one orbit an image: no pairs
    twice = np.repeat(orbits, 2, axis=0)
    same = code_profiles(crosscoder, twice, np.arange(120) // 2)
    np.testing.assert_allclose(same.elsewhere, same.profiles.mean(axis=1), atol=1e-9)


def test_strongest_inputs_are_one_an_image_and_transformed(crosscoder, planted):
    orbits, ids = planted.orbits[2000:2300].astype(np.float64), np.arange(300) // 20
    found = code_profiles(crosscoder, orbits, ids).strongest
    codes = crosscoder.encode(orbits.reshape(-1, 32)).reshape(300, GROUP.order, -1)
    for i in range(codes.shape[2]):
        around = []
        for image in range(15):
            own = codes[ids == image][:, :, i]
            row, g = np.unravel_index(own.argmax(), own.shape)
            around.append([own[row, GROUP.cayley_table[h, g]] for h in range(GROUP.order)])
        around = sorted(around, key=lambda codes: -codes[0])[:9]
        np.testing.assert_allclose(found[i], around * (np.array(around)[:, :1] > 0), atol=1e-9)
    few = code_profiles(crosscoder, orbits[:40], ids[:40]).strongest
    assert not few[:, 2:].any()


def test_weights_count_bags_of_images(crosscoder, planted):
    orbits, ids = planted.orbits[2000:2200], np.arange(200) // 20
    found = code_profiles(crosscoder, orbits, ids, random_state=3)
    np.testing.assert_allclose(found.reweighted(np.ones(10)), found.profiles)
    images = np.random.default_rng(3).permutation(10)  # as dealt: the bag of each image
    weights = np.array([0, 2, 1, 0, 0, 3, 1, 1, 1, 1])
    repeated = [np.flatnonzero(images[ids] == b) for b in np.repeat(np.arange(10), weights)]
    again = code_profiles(crosscoder, orbits[np.concatenate(repeated)])
    np.testing.assert_allclose(found.reweighted(weights), again.profiles, atol=1e-12)
    left_out = zip(*found.leaving_out(np.array([2, 0, 7])), strict=True)
    for b, (profiles, elsewhere) in enumerate(left_out):
        kept = images[ids] != b
        again = code_profiles(crosscoder, orbits[kept], ids[kept])
        np.testing.assert_allclose(profiles, again.profiles[[2, 0, 7]], atol=1e-9)
        np.testing.assert_allclose(elsewhere, again.elsewhere[[2, 0, 7]], atol=1e-9)


def test_few_bags_and_few_orbits_are_read_if_asked_for(crosscoder, planted):
    orbits = planted.orbits[2000:2200]
    every = code_profiles(crosscoder, orbits)
    assert every.products.shape == (120, 24, 8)  # the default
    bagged = code_profiles(crosscoder, orbits, n_bags=7)
    assert bagged.products.shape == (7, 24, 8)
    np.testing.assert_allclose(bagged.profiles, every.profiles, atol=1e-9)
    fewer = code_profiles(crosscoder, orbits, max_orbits=50)
    chosen = np.linspace(0, 199, 50).astype(int)
    np.testing.assert_allclose(fewer.profiles, code_profiles(crosscoder, orbits[chosen]).profiles)
    assert fewer.n_orbits.sum() == 50


def test_order_of_orbits_and_form_of_the_array_do_not_matter(crosscoder, planted):
    orbits, ids = planted.orbits[2000:2100], np.repeat(np.arange(5), 20)
    expected = code_profiles(crosscoder, orbits, ids).profiles
    shuffled = np.random.default_rng(0).permutation(100)
    flat = orbits.reshape(100, -1)[shuffled]
    np.testing.assert_allclose(
        code_profiles(crosscoder, flat, ids[shuffled]).profiles, expected, atol=1e-9
    )


def test_a_code_that_does_not_vary_has_no_correlation(crosscoder, planted):
    same = np.tile(planted.orbits[2000:2001, :1], (7, GROUP.order, 1))
    found = code_profiles(crosscoder, same)
    assert not found.profiles.any()
    assert set(found.n_firings) == {0, 7}


def test_bad_input(crosscoder, planted):
    orbits = planted.orbits[:10]
    with pytest.raises(ValueError, match="8 blocks of 32 channels; got shape"):
        code_profiles(crosscoder, orbits[:, :4])
    with pytest.raises(ValueError, match="names the image of each of the 10 samples"):
        code_profiles(crosscoder, orbits, np.zeros(9))
    with pytest.raises(ValueError, match="One weight for each of 10 bags"):
        code_profiles(crosscoder, orbits).reweighted(np.ones(3))
    for name in ("n_bags", "max_orbits"):
        with pytest.raises(ValueError, match=f"{name} is at least 1; got {name}=0"):
            code_profiles(crosscoder, orbits, **{name: 0})
    broken = orbits.copy()
    broken[3, 2, 1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        code_profiles(crosscoder, broken)


def test_rows_that_are_not_finite_are_named_by_their_own_numbers(crosscoder, planted):
    orbits = planted.orbits[:40].copy()
    orbits[25, 0, 0] = np.nan
    with pytest.raises(ValueError, match="orbits contains NaN: in rows 25"):
        code_profiles(crosscoder, orbits, np.arange(40) % 3)  # rows of an image lie apart
