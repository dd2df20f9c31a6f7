"""Training in the coordinates of the principal axes of each isotypic component."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross import Dihedral, GroupCrosscoder, crosscoder_path, make_orbits
from sklearn_groupcross.crosscoder import _feed
from sklearn_groupcross.crosscoder._basis import fit_basis
from sklearn_groupcross.crosscoder._feed import translate
from sklearn_groupcross.testing import groups

GROUP = Dihedral(4)


@pytest.fixture(scope="module")
def orbits():
    return make_orbits(
        400, group=GROUP, n_channels=12, n_families=3, noise=0.1, random_state=0
    ).orbits


def build(**options):
    defaults = {
        "group": GROUP,
        "n_features": 24,
        "batch_size": 50,
        "max_epochs": 15,
        "compression": 0.9,
        "random_state": 0,
    }
    return GroupCrosscoder(**{**defaults, **options})


@st.composite
def bases(draw, max_order=12):
    """A basis, and orbit stacks that it was not made of; channels, shares and spectra vary."""
    group = draw(groups(max_order=max_order))
    n_channels, share = draw(st.integers(1, 5)), draw(st.floats(0.05, 1.0))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31 - 1)))
    width = group.order * n_channels
    decay = torch.linspace(0, draw(st.floats(0.0, 5.0)), width).neg().exp()
    stacks = torch.randn(draw(st.integers(1, 30)), width, generator=generator) * decay
    fitted = fit_basis(stacks.split(7), group, share)
    lost = (stacks - fitted.basis.expand(fitted.basis.compress(stacks))).square().sum()
    assert fitted.lost * len(stacks) == pytest.approx(
        float(lost), rel=1e-3, abs=1e-5 * float(stacks.square().sum())
    )
    return fitted.basis, stacks, share, fitted.kept, torch.randn(4, width, generator=generator)


@given(case=bases())
def test_coordinates_are_an_isometry_of_the_share_that_is_asked_for(case):
    basis, stacks, share, kept, others = case
    coordinates = basis.compress(stacks)
    assert kept >= share - 1e-6
    assert float(coordinates.square().sum()) == pytest.approx(
        kept * float(stacks.square().sum()), rel=1e-4
    )
    assert coordinates.shape[1] == basis.n_coordinates <= stacks.shape[1]
    given_ones = basis.compress(others)
    torch.testing.assert_close(basis.compress(basis.expand(given_ones)), given_ones)
    torch.testing.assert_close(
        basis.expand(given_ones).norm(dim=1), given_ones.norm(dim=1), rtol=1e-4, atol=1e-5
    )
    if share == 1.0 and len(stacks) > stacks.shape[1]:
        torch.testing.assert_close(basis.expand(given_ones), others, rtol=1e-4, atol=1e-4)


@given(case=bases(), data=st.data())
def test_translations_stay_within_the_span(case, data):
    basis, _, _, _, others = case
    h = data.draw(st.integers(0, basis.group.order - 1))
    moved = basis.translate(basis.compress(others), h)
    expected = basis.compress(translate(others, basis.group, h))
    torch.testing.assert_close(moved, expected, rtol=1e-4, atol=1e-5)


@given(case=bases())
def test_invariant_parts_are_the_same_in_every_block(case):
    basis, _, _, _, others = case
    order = basis.group.order
    part = basis.invariant_part(basis.compress(others))
    blocks = basis.expand(part).reshape(len(others), order, -1)
    torch.testing.assert_close(blocks, blocks[:, :1].expand_as(blocks), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(basis.expand(part, slice(1)), blocks[:, 0], rtol=1e-4, atol=1e-5)


def test_no_axis_is_kept_that_is_not_needed():
    """Orbits of three features and their translates fill three axes of every component at most."""
    group = Dihedral(3)
    atoms = torch.randn(3, 6 * 20, generator=torch.Generator().manual_seed(0))
    stacks = torch.cat([translate(atoms, group, h) for h in range(group.order)])
    fitted = fit_basis([stacks], group, 1 - 1e-6)
    # irreps of dimension 1, 1 and 2: of the last both columns lie along the same six axes
    assert [len(axes) for axes in fitted.basis.axes] == [3, 3, 6]
    assert fitted.kept == pytest.approx(1.0)


def test_coordinates_hold_alike_shares_of_the_variance():
    """Adam moves every number alike: without mixing the first would hold a thousand times more."""
    decay = torch.logspace(0, -3, 8 * 32)
    stacks = torch.randn(2000, 8 * 32, generator=torch.Generator().manual_seed(0)) * decay
    basis = fit_basis([stacks], GROUP, 0.999).basis
    deviations = basis.compress(stacks).std(dim=0)[: basis.n_coordinates // 64 * 64]
    assert float(deviations.max() / deviations.min()) < 3


@pytest.mark.parametrize("encoder_input", ["identity", "orbit"])
@pytest.mark.parametrize("augment", [False, True])
@pytest.mark.parametrize("activation", ["relu", "topk", "batch_topk", "jumprelu"])
def test_it_explains_about_as_much_with_fewer_coordinates(
    orbits, activation, augment, encoder_input
):
    options = {"activation": activation, "augment": augment, "encoder_input": encoder_input}
    options["k"] = 6 if "topk" in activation else None
    plain = build(**options, compression=None, max_epochs=40).fit(orbits)
    compressed = build(**options, max_epochs=40).fit(orbits)
    assert compressed.n_coordinates_ < plain.n_coordinates_ == orbits[0].size
    assert 0.9 <= compressed.kept_variance_ < 0.99
    assert plain.kept_variance_ == 1.0
    assert compressed.components_.shape == plain.components_.shape
    lost = 1 - compressed.kept_variance_
    assert compressed.score(orbits) > plain.score(orbits) - lost - 0.04
    blocks = compressed.intercept_.reshape(GROUP.order, -1)
    assert augment == np.allclose(blocks, blocks[:1], atol=1e-4 * np.abs(blocks).max())


def test_what_is_lost_counts_as_unexplained(orbits):
    """The history speaks of all of the variance, so that values of compression can be compared."""
    crosscoder = build(decay=0.0, learning_rate=1e-9, max_epochs=1).fit(orbits)
    trainer = crosscoder.partial_fit(orbits)._trainer
    lost = trainer.fitted_basis.lost
    assert lost == pytest.approx((1 - crosscoder.kept_variance_) * trainer.variance, rel=1e-3)
    rebuilt = crosscoder.inverse_transform(crosscoder.transform(orbits))
    flat = orbits.reshape(len(orbits), -1)
    unexplained = np.square(flat - rebuilt).sum() / np.square(flat - flat.mean(0)).sum()
    assert crosscoder.history_["fvu"][0] == pytest.approx(unexplained, rel=1e-3)


@pytest.mark.parametrize("augment", [False, True])
def test_coordinates_of_each_batch_are_those_that_are_kept(orbits, augment, monkeypatch):
    kept = build(augment=augment, max_epochs=3).fit(orbits)
    monkeypatch.setattr(_feed, "_BYTES_KEPT", 0)
    computed = build(augment=augment, max_epochs=3).fit(orbits)
    scale = np.abs(kept.components_).max()
    np.testing.assert_allclose(computed.components_, kept.components_, atol=1e-3 * scale)


def test_all_of_the_variance_is_all_coordinates(orbits):
    crosscoder = build(compression=1.0).fit(orbits)
    assert crosscoder.n_coordinates_ == orbits[0].size
    assert crosscoder.kept_variance_ == pytest.approx(1.0)


def test_rows_that_stand_for_all_are_drawn_from_the_seed(orbits, monkeypatch):
    monkeypatch.setattr(_feed, "_ROWS_FOR_BASIS", 100)
    first, second, other = (
        build(max_epochs=1, random_state=seed).fit(orbits) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first.components_, second.components_)
    assert first.kept_variance_ == second.kept_variance_ != other.kept_variance_


def test_portions_share_the_basis_of_the_first(orbits):
    crosscoder = build().partial_fit(orbits[:200])
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
    first = build(max_epochs=60).fit(orbits)
    again = build(max_epochs=1, warm_start=True, dead_features=None, learning_rate=1e-6)
    for name in ("components_", "encoder_", "encoder_intercept_", "intercept_", "group_"):
        setattr(again, name, getattr(first, name))
    for name in ("n_features_in_", "n_channels_", "threshold_", "k_"):
        setattr(again, name, getattr(first, name))
    again.fit(orbits)
    assert again.score(orbits) == pytest.approx(first.score(orbits), abs=0.01)
    given_atoms = build(max_epochs=1, dict_init=first.components_, learning_rate=1e-6).fit(orbits)
    products = (given_atoms.components_ * first.components_).sum(1)
    norms = np.linalg.norm(given_atoms.components_, axis=1)
    norms *= np.linalg.norm(first.components_, axis=1)
    np.testing.assert_allclose(products / norms, 1.0, atol=1e-3)


def test_a_path_shares_the_basis(orbits):
    path = crosscoder_path(build(max_epochs=10), orbits, [0.05, 0.2])
    assert len({fitted.n_coordinates_ for fitted in path}) == 1
    assert all(fitted.score(orbits) > 0.3 for fitted in path)


def test_saved_models_know_their_compression(orbits, tmp_path):
    crosscoder = build(max_epochs=2).fit(orbits)
    crosscoder.save(tmp_path / "model.safetensors")
    loaded = GroupCrosscoder.load(tmp_path / "model.safetensors")
    assert loaded.compression == 0.9
    assert loaded.n_coordinates_ == crosscoder.n_coordinates_
    assert loaded.kept_variance_ == crosscoder.kept_variance_
    np.testing.assert_array_equal(loaded.transform(orbits), crosscoder.transform(orbits))


@pytest.mark.parametrize("compression", [0.0, -0.1, 1.5, "much"])
def test_shares_out_of_range_are_refused(orbits, compression):
    with pytest.raises(ValueError, match="'compression' parameter"):
        build(compression=compression).fit(orbits)


@pytest.mark.parametrize("call", ["fit", "partial_fit", "check_parameters"])
def test_blockwise_weights_need_blocks(orbits, call):
    crosscoder = build(l1_weight="blockwise")
    with pytest.raises(ValueError, match='l1_weight="joint"'):
        getattr(crosscoder, call)(*(() if call == "check_parameters" else (orbits,)))


def test_equal_samples_have_no_axes_to_speak_of():
    with pytest.warns(UserWarning, match="are equal"):
        crosscoder = build(max_epochs=1).fit(np.ones((20, GROUP.order, 3), np.float32))
    assert np.isfinite(crosscoder.components_).all()
    assert crosscoder.kept_variance_ == 1.0


def test_a_few_new_samples_do_not_undo_what_was_learned(orbits):
    """The coordinates of partial_fit after fit are those of the atoms as well."""
    crosscoder = build(max_epochs=60).fit(orbits)
    before = crosscoder.score(orbits)
    crosscoder.set_params(learning_rate=1e-6, dead_features=None).partial_fit(orbits[:4])
    assert crosscoder.score(orbits) > before - 0.1


def test_given_atoms_of_which_nothing_is_kept_are_refused():
    data = np.zeros((50, GROUP.order, 4), np.float32)
    data[..., 0] = np.random.default_rng(0).standard_normal((50, GROUP.order))
    atoms = np.zeros((3, GROUP.order * 4), np.float32)
    atoms[0, 0], atoms[1, 1], atoms[2, 2] = 1, 1, 1
    crosscoder = build(n_features=3, dict_init=atoms)
    with pytest.raises(ValueError, match=r"keeps nothing: 1, 2\."):
        crosscoder.fit(data)
