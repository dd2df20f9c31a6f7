"""Training in the coordinates of the principal axes of each isotypic component."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from sklearn_groupcross import GroupCrosscoder, crosscoder_path
from sklearn_groupcross.crosscoder._feed import _LEAST_KEPT, _MOST_KEPT

from .kinds import NAMES, k_for
from .small_fits import LARGER_GROUP, compressing, larger_orbits


@pytest.fixture(scope="module")
def orbits():
    return larger_orbits()


@pytest.mark.parametrize("encoder_input", ["identity", "orbit"])
@pytest.mark.parametrize("augment", [False, True])
@pytest.mark.parametrize("activation", NAMES)
def test_it_explains_about_as_much_with_fewer_coordinates(
    orbits, activation, augment, encoder_input
):
    options = {"activation": activation, "augment": augment, "encoder_input": encoder_input}
    options["k"] = k_for(activation, 6)
    plain = compressing(**options, compression=None, max_epochs=40).fit(orbits)
    compressed = compressing(**options, max_epochs=40).fit(orbits)
    assert compressed.n_coordinates_ < plain.n_coordinates_ == orbits[0].size
    assert 0.9 <= compressed.kept_variance_ < 0.99
    assert plain.kept_variance_ == 1.0
    assert compressed.components_.shape == plain.components_.shape
    lost = 1 - compressed.kept_variance_
    assert compressed.score(orbits) > plain.score(orbits) - lost - 0.04
    blocks = compressed.intercept_.reshape(LARGER_GROUP.order, -1)
    assert augment == np.allclose(blocks, blocks[:1], atol=1e-4 * np.abs(blocks).max())


def test_what_is_lost_counts_as_unexplained(orbits):
    """The history speaks of all of the variance, so that values of compression can be compared."""
    crosscoder = compressing(decay=0.0, learning_rate=1e-9, max_epochs=1).fit(orbits)
    trainer = crosscoder.partial_fit(orbits)._trainer
    lost = trainer.fitted_basis.lost
    assert lost == pytest.approx((1 - crosscoder.kept_variance_) * trainer.variance, rel=1e-3)
    rebuilt = crosscoder.inverse_transform(crosscoder.transform(orbits))
    flat = orbits.reshape(len(orbits), -1)
    unexplained = np.square(flat - rebuilt).sum() / np.square(flat - flat.mean(0)).sum()
    assert crosscoder.history_["fvu"][0] == pytest.approx(unexplained, rel=1e-3)


def test_all_of_the_variance_is_all_coordinates(orbits):
    crosscoder = compressing(compression=1.0).fit(orbits)
    assert crosscoder.n_coordinates_ == orbits[0].size
    assert crosscoder.kept_variance_ == pytest.approx(1.0)


def test_portions_share_the_basis_of_the_first(orbits):
    crosscoder = compressing().partial_fit(orbits[:200])
    basis = crosscoder._trainer.basis
    crosscoder.partial_fit(orbits[200:])
    assert crosscoder._trainer.basis is basis
    copied = pickle.loads(pickle.dumps(crosscoder))
    copied.partial_fit(orbits[:100])
    crosscoder.partial_fit(orbits[:100])
    np.testing.assert_array_equal(copied.components_, crosscoder.components_)
    with pytest.raises(ValueError, match=r"compression=0.5 \(was 0.9\)"):
        crosscoder.set_params(compression=0.5).partial_fit(orbits)


def test_warm_starts_and_given_atoms_are_compressed(orbits):
    first = compressing(max_epochs=60).fit(orbits)
    again = compressing(max_epochs=1, warm_start=True, dead_features=None, learning_rate=1e-6)
    for name in ("components_", "encoder_", "encoder_intercept_", "intercept_", "group_"):
        setattr(again, name, getattr(first, name))
    for name in ("n_features_in_", "n_channels_", "activation_", "threshold_", "k_"):
        setattr(again, name, getattr(first, name))
    again.fit(orbits)
    assert again.score(orbits) == pytest.approx(first.score(orbits), abs=0.01)
    given_atoms = compressing(max_epochs=1, dict_init=first.components_, learning_rate=1e-6).fit(
        orbits
    )
    products = (given_atoms.components_ * first.components_).sum(1)
    norms = np.linalg.norm(given_atoms.components_, axis=1)
    norms *= np.linalg.norm(first.components_, axis=1)
    np.testing.assert_allclose(products / norms, 1.0, atol=1e-3)


def test_a_path_shares_the_basis(orbits):
    path = crosscoder_path(compressing(max_epochs=10), orbits, [0.05, 0.2])
    assert len({fitted.n_coordinates_ for fitted in path}) == 1
    assert all(fitted.score(orbits) > 0.3 for fitted in path)


def test_saved_models_know_their_compression(orbits, tmp_path):
    crosscoder = compressing(max_epochs=2).fit(orbits)
    crosscoder.save(tmp_path / "model.safetensors")
    loaded = GroupCrosscoder.load(tmp_path / "model.safetensors")
    assert loaded.compression == 0.9
    assert loaded.n_coordinates_ == crosscoder.n_coordinates_
    assert loaded.kept_variance_ == crosscoder.kept_variance_
    np.testing.assert_array_equal(loaded.transform(orbits), crosscoder.transform(orbits))


def test_auto_keeps_what_the_firings_can_teach(orbits):
    """The more often an atom fires in a pass, the more coordinates; shares stay within bounds."""
    few, many = (compressing(compression="auto", max_epochs=1).fit(orbits[:n]) for n in (8, None))
    least, most = (compressing(compression=c, max_epochs=1) for c in (_LEAST_KEPT, _MOST_KEPT))
    assert few.n_coordinates_ == least.fit(orbits[:8]).n_coordinates_
    assert few.n_coordinates_ < many.n_coordinates_ <= most.fit(orbits).n_coordinates_
    sparse = compressing(compression="auto", max_epochs=1, n_features=2000).fit(orbits)
    assert sparse.n_coordinates_ < many.n_coordinates_


def test_a_model_of_auto_is_saved_and_goes_on(orbits, tmp_path):
    crosscoder = compressing(compression="auto", max_epochs=2).fit(orbits)
    crosscoder.save(tmp_path / "model.safetensors")
    loaded = GroupCrosscoder.load(tmp_path / "model.safetensors")
    assert loaded.compression == "auto"
    assert loaded.n_coordinates_ == crosscoder.n_coordinates_
    assert crosscoder.partial_fit(orbits).compression == "auto"


@pytest.mark.parametrize("compression", [0.0, -0.1, 1.5, "much"])
def test_shares_out_of_range_are_refused(orbits, compression):
    with pytest.raises(ValueError, match="'compression' parameter"):
        compressing(compression=compression).fit(orbits)


def test_equal_samples_have_no_axes_to_speak_of():
    with pytest.warns(UserWarning, match="are equal"):
        crosscoder = compressing(max_epochs=1).fit(np.ones((20, LARGER_GROUP.order, 3), np.float32))
    assert np.isfinite(crosscoder.components_).all()
    assert crosscoder.kept_variance_ == 1.0


def test_a_few_new_samples_do_not_undo_what_was_learned(orbits):
    """The coordinates of partial_fit after fit are those of the atoms as well."""
    crosscoder = compressing(max_epochs=60).fit(orbits)
    before = crosscoder.score(orbits)
    crosscoder.set_params(learning_rate=1e-6, dead_features=None).partial_fit(orbits[:4])
    assert crosscoder.score(orbits) > before - 0.1


def test_given_atoms_of_which_nothing_is_kept_are_refused():
    data = np.zeros((50, LARGER_GROUP.order, 4), np.float32)
    data[..., 0] = np.random.default_rng(0).standard_normal((50, LARGER_GROUP.order))
    atoms = np.zeros((3, LARGER_GROUP.order * 4), np.float32)
    atoms[0, 0], atoms[1, 1], atoms[2, 2] = 1, 1, 1
    crosscoder = compressing(n_features=3, dict_init=atoms)
    with pytest.raises(ValueError, match=r"keeps nothing: 1, 2\."):
        crosscoder.fit(data)
