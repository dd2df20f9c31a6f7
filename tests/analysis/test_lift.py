from __future__ import annotations

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from sklearn_groupcross import Cyclic, Dihedral, GroupCrosscoder, OrbitStore
from sklearn_groupcross.analysis import compare_separation, lift_dictionary
from sklearn_groupcross.analysis._code_moments import code_moments
from sklearn_groupcross.analysis._lift import explained, solve, solve_atoms
from sklearn_groupcross.orbits import StoredImage
from tests.analysis.planted import free_families, perfect_autoencoder
from tests.groups.strategies import NON_ABELIAN

D4 = Dihedral(4)


@pytest.mark.parametrize("group", [D4, *NON_ABELIAN[2:4]], ids=repr)
def test_a_perfect_autoencoder_lifts_to_the_planted_atoms(group):
    data = free_families(1000, group, n_families=3)
    atoms = lift_dictionary(perfect_autoencoder(data), data.orbits, group=group)
    assert atoms.shape == data.components.shape
    np.testing.assert_allclose(atoms, data.components, atol=5e-3)


def test_lifting_is_least_squares_with_an_intercept(data, autoencoder):
    orbits = data.orbits[:300] + 3.0 + np.random.default_rng(0).standard_normal((300, 8, 64))
    codes = autoencoder.encode(orbits[:, 0])
    design = np.column_stack([codes, np.ones(300)])
    solution, *_ = np.linalg.lstsq(design, orbits.reshape(300, -1), rcond=None)
    moments = code_moments(autoencoder, orbits, None)
    found = solve(moments, D4, 1e-9)
    np.testing.assert_allclose(found.atoms.reshape(48, -1), solution[:-1], atol=1e-4)
    np.testing.assert_allclose(found.intercept.ravel(), solution[-1], atol=1e-4)
    np.testing.assert_array_equal(moments.firings, (codes > 0).sum(axis=0))
    residual = orbits.reshape(300, -1) - design @ solution
    total = orbits.reshape(300, -1) - orbits.reshape(300, -1).mean(axis=0)
    expected = 1 - np.square(residual).sum() / np.square(total).sum()
    assert explained(moments, moments, [1e-9]) == pytest.approx([expected], abs=1e-5)


def test_what_a_decoder_explains_of_other_samples_is_known_without_it(data, autoencoder):
    rng = np.random.default_rng(0)
    first, second = data.orbits[:150], data.orbits[150:400] * 1.3 + 2.0
    first = first + rng.standard_normal(first.shape)
    decoded, judged = (code_moments(autoencoder, part, None) for part in (first, second))
    ridges = [1e-3, 0.3, 3.0]
    codes = autoencoder.encode(second[:, 0])
    total = np.square(second - second.mean(axis=0)).sum()
    expected = []
    for ridge in ridges:
        lift = solve(decoded, D4, ridge)
        fitted = lift.intercept + np.tensordot(codes, lift.atoms, 1)
        expected.append(1 - np.square(second - fitted).sum() / total)
    assert explained(decoded, judged, ridges) == pytest.approx(expected, abs=1e-5)
    assert np.ptp(expected) > 1e-3


def test_some_atoms_are_those_of_the_whole_decoder(data, autoencoder):
    moments, some = code_moments(autoencoder, data.orbits[:300], None), np.array([3, 8])
    expected = solve(moments, D4, 0.1).atoms[some]
    np.testing.assert_allclose(solve_atoms(moments, D4, 0.1, some), expected, atol=1e-6)


def test_larger_codes_make_smaller_atoms(data, autoencoder):
    scaled = perfect_autoencoder(data)
    sizes = np.random.default_rng(0).uniform(1, 20, (48, 1)).astype(np.float32)
    scaled.encoder_ = scaled.encoder_ * sizes
    scaled.threshold_ = 0.5 * sizes[:, 0]
    before = lift_dictionary(autoencoder, data.orbits, group=D4)
    after = lift_dictionary(scaled, data.orbits, group=D4)
    np.testing.assert_allclose(after * sizes[:, :, None], before, atol=1e-4)


def test_codes_that_always_fire_together_share_and_dead_ones_stay_zero(data):
    doubled = perfect_autoencoder(data)
    doubled.encoder_[1] = doubled.encoder_[0]
    doubled.encoder_[2] = 0
    atoms = lift_dictionary(doubled, data.orbits, group=D4)
    assert np.isfinite(atoms).all()
    assert not atoms[2].any()
    np.testing.assert_allclose(atoms[0], atoms[1], atol=1e-6)
    np.testing.assert_allclose(atoms[0] + atoms[1], data.components[0], atol=0.03)


def test_a_constant_code_belongs_to_the_intercept(data, autoencoder):
    constant = perfect_autoencoder(data)
    constant.encoder_[0], constant.encoder_intercept_[0] = 0, 1
    assert not lift_dictionary(constant, data.orbits, group=D4)[0].any()


def test_a_crosscoder_and_one_of_another_group_can_be_lifted(data):
    for group in (D4, Cyclic(2)):
        crosscoder = GroupCrosscoder(group, 48, max_epochs=1, random_state=0)
        crosscoder.fit(data.orbits[:, : group.order])
        assert lift_dictionary(crosscoder, data.orbits, group=D4).shape == (48, 8, 64)


def test_orbits_may_be_flat_narrow_mapped_or_stored(data, autoencoder, tmp_path, monkeypatch):
    orbits = data.orbits[:200].astype(np.float16)
    expected = lift_dictionary(autoencoder, orbits, group=D4)
    np.save(tmp_path / "orbits.npy", orbits)
    mapped = np.load(tmp_path / "orbits.npy", mmap_mode="r")
    images = [StoredImage(name, name, 100) for name in "ab"]
    store = OrbitStore.create(tmp_path / "a.orbits", group=D4, n_channels=64, images=images)
    with store.writer(0) as writer:
        for image, part in enumerate(np.split(orbits, 2)):
            writer.write(image, part, np.zeros((100, 2)))
    monkeypatch.setattr("sklearn_groupcross.analysis._code_moments._BYTES_A_BATCH", 8 * 8 * 64 * 7)
    for given_orbits in (orbits, orbits.reshape(200, -1), mapped):
        found = lift_dictionary(autoencoder, given_orbits, group=D4)
        np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(lift_dictionary(autoencoder, store), expected, atol=1e-5)
    # the store names its images, too
    table = compare_separation({"a": autoencoder}, store, embedding=False, min_firings=1)
    assert table["n_features"].tolist() == [48]


def test_what_cannot_be_lifted_is_refused(data, autoencoder):
    orbits = data.orbits[:20]
    broken = orbits.copy()
    broken[3, 5, 7] = np.nan
    for bad, options, message in (
        (orbits, {}, "does not name their group"),
        (orbits, {"group": Dihedral(3)}, "8 blocks"),
        (orbits[:, :, :8], {"group": D4}, "same layer"),
        (broken, {"group": D4}, "orbits contains NaN: in rows 3"),
        (orbits[:1], {"group": D4}, "at least two samples"),
        (orbits, {"group": D4, "ridge": 0}, "ridge is positive"),
        (orbits.tolist(), {"group": D4}, "array, memory map or store"),
    ):
        with pytest.raises(ValueError, match=message):
            lift_dictionary(autoencoder, bad, **options)
    with pytest.raises(TypeError, match="Pipeline"):
        lift_dictionary(make_pipeline(autoencoder), orbits, group=D4)
    with pytest.raises(NotFittedError):
        lift_dictionary(GroupCrosscoder(), orbits, group=D4)
    whole = GroupCrosscoder(D4, 4, encoder_input="orbit", max_epochs=1).fit(orbits)
    with pytest.raises(ValueError, match="reads whole orbits"):
        lift_dictionary(whole, orbits)
