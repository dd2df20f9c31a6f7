from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError, UndefinedMetricWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_groupcross import Cyclic, Dihedral, GroupCrosscoder, Trivial, make_orbits
from tests.tolerances import assert_near, assert_same_codes, rounding

GROUP = Dihedral(3)


@pytest.fixture(scope="module")
def orbits():
    return make_orbits(300, group=GROUP, n_channels=8, n_families=2, random_state=0).orbits


def small(**options):
    defaults = {"group": GROUP, "n_features": 12, "max_epochs": 20, "random_state": 0}
    return GroupCrosscoder(**{**defaults, **options})


# the data of scikit-learn's checks are noise, of which nothing is learned
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(
    [GroupCrosscoder(max_epochs=5), GroupCrosscoder(activation="topk", k=1, max_epochs=5)]
)
def test_scikit_learn_compatible(estimator, check):
    check(estimator)


# the data of scikit-learn's checks are noise, of which nothing is learned
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_default_constructed_passes_every_check():
    """The estimator as it comes; scikit-learn itself skips the array API check."""
    from sklearn.utils.estimator_checks import check_estimator

    results = check_estimator(GroupCrosscoder(), on_fail=None, on_skip=None)
    assert len(results) > 40
    not_passed = {r["check_name"] for r in results if r["status"] != "passed"}
    assert not_passed <= {"check_array_api_input"}


def test_shapes(orbits):
    crosscoder = small().fit(orbits)
    codes = crosscoder.transform(orbits)
    assert codes.shape == (300, 12)
    assert (codes >= 0).all()
    assert crosscoder.components_.shape == (12, 48)
    assert crosscoder.encoder_.shape == (12, 8)
    assert crosscoder.inverse_transform(codes).shape == (300, 48)
    assert crosscoder.n_features_in_ == 48
    assert crosscoder.n_channels_ == 8
    assert crosscoder.get_feature_names_out()[1] == "groupcrosscoder1"


@pytest.mark.parametrize("options", [{}, {"activation": "topk", "k": 3}, {"augment": True}])
def test_flat_and_stacked_input_agree(orbits, options):
    stacked = small(**options).fit(orbits)
    flat = small(**options).fit(orbits.reshape(300, -1))
    np.testing.assert_array_equal(stacked.components_, flat.components_)
    np.testing.assert_array_equal(
        stacked.transform(orbits), flat.transform(orbits.reshape(300, -1))
    )


def test_the_encoder_reads_the_identity_block_alone(orbits):
    crosscoder = small().fit(orbits)
    changed = orbits.copy()
    changed[:, 1:] = 7.0
    np.testing.assert_array_equal(crosscoder.transform(orbits), crosscoder.transform(changed))
    np.testing.assert_array_equal(crosscoder.transform(orbits), crosscoder.encode(orbits[:, 0]))


def test_codes_and_reconstruction_are_the_formula(orbits):
    crosscoder = small().fit(orbits)
    codes = np.maximum(orbits[:, 0] @ crosscoder.encoder_.T + crosscoder.encoder_intercept_, 0)
    size = (np.abs(orbits[:, 0]) @ np.abs(crosscoder.encoder_).T).max()
    assert_near(crosscoder.transform(orbits), codes, 8 + 1, size)
    expected = codes @ crosscoder.components_ + crosscoder.intercept_
    size = (codes @ np.abs(crosscoder.components_)).max()
    assert_near(crosscoder.inverse_transform(codes), expected, 12 + 1, size)


def test_the_same_seed_gives_the_same_bits(orbits):
    first, second, other = (small(random_state=seed).fit(orbits) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.components_, second.components_)
    np.testing.assert_array_equal(first.encoder_, second.encoder_)
    assert not np.array_equal(first.components_, other.components_)


def test_no_global_generator_is_touched(orbits):
    numpy_state = np.random.get_state()[1].copy()  # noqa: NPY002
    torch_state = torch.get_rng_state()
    small().fit(orbits)
    np.testing.assert_array_equal(numpy_state, np.random.get_state()[1])  # noqa: NPY002
    assert torch.equal(torch_state, torch.get_rng_state())


@pytest.mark.parametrize("factor", [1e-3, 1e4])
def test_units_are_folded_back(orbits, factor):
    """In other units the same codes come out, and atoms in those units."""
    small_units, large_units = small().fit(orbits), small().fit(orbits * np.float32(factor))
    np.testing.assert_allclose(
        large_units.components_ / factor, small_units.components_, rtol=1e-2, atol=1e-4
    )
    np.testing.assert_allclose(
        large_units.transform(orbits * np.float32(factor)), small_units.transform(orbits), atol=1e-2
    )


def test_topk_keeps_k_codes_and_l1_has_no_effect_on_it(orbits):
    crosscoder = small(activation="topk", k=3).fit(orbits)
    active = (crosscoder.transform(orbits) > 0).sum(axis=1)
    assert active.max() == 3
    other = small(activation="topk", k=3, l1=5.0).fit(orbits)
    np.testing.assert_array_equal(crosscoder.components_, other.components_)


# the largest penalty is meant to leave nothing
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_larger_l1_is_sparser(orbits):
    l0 = [
        (small(l1=l1, max_epochs=150).fit(orbits).transform(orbits) > 0).sum(1).mean()
        for l1 in (0.0, 0.3, 3.0)
    ]
    assert l0[0] > l0[1] > l0[2]


def test_growing_atoms_gains_nothing(orbits):
    """The penalty weighs codes by their atoms' norms, so only their product counts."""
    crosscoder = small(l1=2.0).partial_fit(orbits)
    trainer = crosscoder._trainer
    parameters, rule = trainer.parameters, trainer.options.rule
    values = torch.rand(300, 12)
    price = rule.price(values, None, parameters, 2.0)
    parameters.decoder.data *= 10
    rescaled = rule.price(values / 10, None, parameters, 2.0)
    torch.testing.assert_close(price, rescaled)
    dearer = rule.price(values, None, parameters, 2.0)
    torch.testing.assert_close(dearer, 10 * price)


@pytest.mark.parametrize("activation", ["relu", "topk"])
@pytest.mark.parametrize("offset", [1.0, 100.0])
def test_the_mean_of_the_data_does_not_matter(orbits, activation, offset):
    """Nor does one loud channel: what counts is how data vary, not where they lie."""
    options = {"activation": activation, "max_epochs": 20}
    plain = small(**options).fit(orbits).score(orbits)
    assert plain > 0.1
    shifted = orbits + offset
    assert small(**options).fit(shifted).score(shifted) == pytest.approx(plain, abs=0.01)
    loud = orbits.copy()
    loud[:, :, 3] += offset
    assert small(**options).fit(loud).score(loud) == pytest.approx(plain, abs=0.01)


def test_planted_dictionaries_are_recovered():
    data = make_orbits(3000, group=Dihedral(4), n_channels=32, n_families=4, random_state=0)
    crosscoder = GroupCrosscoder(
        group=Dihedral(4),
        n_features=len(data.components),
        activation="topk",
        k=4,
        max_epochs=120,
        random_state=0,
    ).fit(data.orbits)
    atoms = crosscoder.components_ / np.linalg.norm(crosscoder.components_, axis=1, keepdims=True)
    cosines = atoms @ data.components.reshape(len(atoms), -1).T
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(-cosines)
    assert cosines[rows, columns].mean() > 0.95
    assert crosscoder.score(data.orbits) > 0.95


def test_with_the_trivial_group_it_is_a_sparse_autoencoder():
    """One block, encoded and reconstructed: planted directions of ordinary data come back."""
    data = make_orbits(
        3000, group=Trivial(), n_channels=24, n_families=12, n_active=2, random_state=0
    )
    X = data.orbits[:, 0]
    autoencoder = GroupCrosscoder(
        n_features=24, activation="topk", k=2, max_epochs=60, random_state=0
    ).fit(X)
    assert autoencoder.group_ == Trivial()
    codes = np.maximum(X @ autoencoder.encoder_.T + autoencoder.encoder_intercept_, 0)
    codes[codes < np.sort(codes, axis=1)[:, [-2]]] = 0
    size = (np.abs(X) @ np.abs(autoencoder.encoder_).T).max()
    assert_same_codes(autoencoder.transform(X), codes, rounding(np.float32, 24 + 1, size))
    atoms = autoencoder.components_ / np.linalg.norm(autoencoder.components_, axis=1, keepdims=True)
    assert (atoms @ data.components[:, 0].T).max(axis=0).mean() > 0.95
    assert autoencoder.score(X) > 0.9


@pytest.mark.parametrize("seed", [0, 2])
def test_augmentation_keeps_a_closed_dictionary_and_loses_one_that_is_not(seed):
    group = Dihedral(4)
    found = {}
    for closed, n_families in ((True, 3), (False, 12)):
        data = make_orbits(
            3000, group=group, n_families=n_families, closed=closed, n_active=2, random_state=seed
        )
        planted = data.components.reshape(len(data.components), -1)
        for augment in (True, False):
            crosscoder = GroupCrosscoder(
                group=group,
                n_features=2 * len(planted),  # room to spare: no atom is lost to a bad start
                activation="topk",
                k=2,
                augment=augment,
                max_epochs=60,
                random_state=0,
            ).fit(data.orbits)
            atoms = crosscoder.components_
            atoms = atoms / np.linalg.norm(atoms, axis=1, keepdims=True)
            found[closed, augment] = (atoms @ planted.T).max(axis=0).mean()
    assert found[True, True] > 0.98
    assert found[True, False] > 0.98
    assert found[False, False] > 0.98
    assert found[False, True] < 0.9


def test_augmentation_shares_the_bias_among_blocks(orbits):
    intercept = small(augment=True).fit(orbits).intercept_.reshape(6, 8)
    np.testing.assert_array_equal(intercept, np.broadcast_to(intercept[0], (6, 8)))
    assert np.ptp(small().fit(orbits).intercept_.reshape(6, 8), axis=0).max() > 0


def test_score_is_the_explained_variance(orbits):
    crosscoder = small().fit(orbits)
    flat = orbits.reshape(300, -1).astype(np.float64)
    error = np.square(flat - crosscoder.inverse_transform(crosscoder.transform(orbits))).sum()
    expected = 1 - error / np.square(flat - flat.mean(0)).sum()
    atol = rounding(np.float32, 8 + 12)  # an encoder of 8 channels, a decoder of 12 atoms
    assert crosscoder.score(orbits) == pytest.approx(expected, abs=atol)


def test_history(orbits):
    crosscoder = small(activation="topk", k=2, max_epochs=30).fit(orbits)
    history = crosscoder.history_
    assert {len(values) for values in history.values()} == {30}  # one batch an epoch
    assert history["fvu"][-1] < history["fvu"][0]
    assert history["l0"][-1] <= 2
    assert crosscoder.n_iter_ == crosscoder.n_steps_ == 30


def test_grid_search_over_l1_in_a_pipeline(orbits):
    pipeline = make_pipeline(FunctionTransformer(np.abs), small(max_epochs=5))
    search = GridSearchCV(pipeline, {"groupcrosscoder__l1": [0.1, 1.0]}, cv=2)
    search.fit(orbits.reshape(300, -1))
    assert search.best_params_["groupcrosscoder__l1"] in (0.1, 1.0)


@pytest.mark.parametrize("container", ["numpy", "pandas", "default"])
def test_set_output(orbits, container):
    crosscoder = small().fit(orbits)
    if container == "pandas":
        codes = crosscoder.set_output(transform="pandas").transform(orbits)
        assert list(codes.columns) == list(crosscoder.get_feature_names_out())
    else:
        assert isinstance(crosscoder.transform(orbits), np.ndarray)


def test_clone_and_pickle(orbits):
    flat = orbits.reshape(300, -1)
    crosscoder = small(group=Cyclic(2)).fit(flat)
    assert clone(crosscoder).group == Cyclic(2)
    again = pickle.loads(pickle.dumps(crosscoder))
    np.testing.assert_array_equal(again.transform(flat), crosscoder.transform(flat))


def test_constant_data_are_learned_by_the_bias():
    X = np.full((20, 48), 3.0)
    with pytest.warns(UserWarning, match="All 20 samples of X are equal: only the intercept"):
        crosscoder = small().fit(X)
    np.testing.assert_allclose(crosscoder.inverse_transform(crosscoder.transform(X)), X, atol=0.1)
    with pytest.warns(UserWarning, match="only the intercept"):
        assert np.isfinite(small().fit(np.zeros((20, 48))).components_).all()


@pytest.mark.parametrize("factor", [1e-25, 1e20])
def test_the_score_of_very_small_and_large_values(orbits, factor):
    X = (orbits * factor).astype(np.float32)
    assert small().fit(X).score(X) == pytest.approx(small().fit(orbits).score(orbits), abs=1e-3)
    far = small().fit(orbits)
    expected = orbits - orbits.mean(0, dtype=np.float64)
    residual = X.astype(float) - far.inverse_transform(far.transform(X)).reshape(X.shape)
    total = np.square(expected).sum() * factor**2
    assert far.score(X) == pytest.approx(1 - np.square(residual).sum() / total, rel=1e-3)


def test_the_score_of_one_sample_is_not_defined(orbits):
    with pytest.warns(UndefinedMetricWarning, match="less than two samples"):
        assert np.isnan(small().fit(orbits).score(orbits[:1]))


class TestWarnings:
    def test_all_atoms_dead(self, orbits):
        with pytest.warns(ConvergenceWarning, match="12 of 12 atoms did not fire.*a lower l1"):
            small(l1=100, dead_features=None, max_epochs=60, batch_size=100).fit(orbits)

    def test_no_better_than_the_mean(self, orbits):
        with pytest.warns(ConvergenceWarning, match="no better than the mean") as caught:
            small(activation="topk", k=3, batch_size=3, max_epochs=1, learning_rate=1e-9).fit(
                orbits
            )
        assert len(caught) == 1
        assert caught[0].filename == __file__
        assert "l1" not in str(caught[0].message)

    def test_a_short_trial_is_left_alone(self, orbits):
        small(activation="topk", k=3, max_epochs=1, learning_rate=1e-9).fit(orbits)

    def test_k_without_effect(self, orbits):
        with pytest.warns(UserWarning, match="k=3 has no effect with activation='relu'") as caught:
            small(k=3).fit(orbits)
        assert sum("no effect" in str(warning.message) for warning in caught) == 1
        assert caught[0].filename == __file__


class TestBadInput:
    def test_a_dataset_that_is_still_to_be_read(self, small_dataset):
        with pytest.raises(TypeError, match=r"OrbitDataset, .*Call as_array\(\).*extract\(path\)"):
            small(group=Dihedral(4)).fit(small_dataset)

    def test_the_path_of_a_store(self, orbits):
        fitted = small().fit(orbits)
        for method in (small().fit, small().partial_fit, fitted.transform, fitted.score):
            with pytest.raises(TypeError, match=r"X is a path, 'd4\.orbits'.*OrbitStore\(path\)"):
                method("d4.orbits")

    def test_more_than_three_dimensions(self, orbits):
        message = r"shape \(300, 1, 6, 8\); orbit stacks have shape \(n_samples, order, "
        for X in (orbits[:, None], orbits[:, None].tolist()):
            with pytest.raises(ValueError, match=message):
                small().fit(X)

    def test_one_orbit(self, orbits):
        crosscoder = small().fit(orbits)
        with pytest.raises(ValueError, match=r"that of one orbit.*orbits\[:1\]"):
            crosscoder.transform(orbits[0])
        assert crosscoder.transform(orbits[:1]).shape == (1, 12)

    @pytest.mark.parametrize("group", [("dihedral", 3), 6])
    def test_groups_that_are_none(self, orbits, group):
        with pytest.raises(ValueError, match=r"must be a FiniteGroup, such as Dihedral\(4\)"):
            small(group=group).fit(orbits)

    @pytest.mark.parametrize(
        ("factor", "message"),
        [
            (1e300, "squares cannot be represented"),
            (1e-300, "squares cannot be represented"),
            (1e60, "computes in float32"),
            (1e-60, "computes in float32"),
        ],
    )
    def test_values_beyond_what_can_be_computed_with(self, orbits, factor, message):
        with pytest.raises(ValueError, match=message):
            small().fit(orbits.astype(np.float64) * factor)

    def test_values_that_cannot_be_scored(self, orbits):
        with pytest.raises(ValueError, match="squares cannot be represented"):
            small().fit(orbits).score(orbits.astype(np.float64) * 1e300)

    @pytest.mark.parametrize("early_stopping", [False, True])
    def test_groups_of_another_length(self, orbits, early_stopping):
        with pytest.raises(ValueError, match=r"each of the 300 samples.*shape \(299,\)"):
            small(early_stopping=early_stopping).fit(orbits, groups=np.arange(299))

    def test_early_stopping_with_one_group(self, orbits):
        with pytest.raises(ValueError, match="at least 2; all samples are of group 7"):
            small(early_stopping=True).fit(orbits, groups=np.full(300, 7))

    def test_devices_that_torch_cannot_use(self, orbits):
        # torch has a name for it, and has never had a backend
        message = "Device 'fpga' was asked for, but torch cannot use it"
        with pytest.raises(ValueError, match=message):
            small(device="fpga").fit(orbits)

    @pytest.mark.parametrize(
        "error", [NotImplementedError, RuntimeError, AssertionError, ImportError]
    )
    def test_whatever_an_absent_backend_says(self, orbits, monkeypatch, error):
        def absent(*arguments, **options):
            raise error("no such backend")

        monkeypatch.setattr(torch, "empty", absent)
        with pytest.raises(ValueError, match="Device 'xpu' was asked for, but torch cannot use it"):
            small(device="xpu").fit(orbits)

    def test_columns_that_do_not_divide_into_blocks(self):
        message = r"X has 130 columns; Dihedral\(32\) has 64 elements.*multiple of 64"
        with pytest.raises(ValueError, match=message):
            GroupCrosscoder(group=Dihedral(32)).fit(np.zeros((4, 130)))

    def test_stacks_of_another_group(self, orbits):
        with pytest.raises(ValueError, match=r"6 blocks; Dihedral\(4\) has order 8"):
            small(group=Dihedral(4)).fit(orbits)

    def test_other_columns_than_in_fit(self, orbits):
        with pytest.raises(ValueError, match="expecting 48 features"):
            small().fit(orbits).transform(orbits[:, :, :4])

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_values_that_are_not_finite(self, orbits, bad):
        orbits = orbits.copy()
        orbits[3, 2, 1] = bad
        with pytest.raises(ValueError, match=r"contains (NaN|infinity): in rows 3\."):
            small().fit(orbits)

    def test_values_that_are_not_finite_at_inference(self, orbits):
        crosscoder = small().fit(orbits)
        bad = orbits.copy()
        bad[[5, 8], 0, 1] = np.nan
        with pytest.raises(ValueError, match=r"NaN: in rows 5, 8\."):
            crosscoder.transform(bad)
        with pytest.raises(ValueError, match=r"Input X contains NaN: in rows 5, 8\."):
            crosscoder.score(bad)

    def test_one_sample(self, orbits):
        with pytest.raises(ValueError, match="n_samples=1: a dictionary needs at least 2"):
            small().fit(orbits[:1])

    def test_more_active_codes_than_atoms(self, orbits):
        with pytest.raises(ValueError, match="k=13 .* n_features=12"):
            small(activation="topk", k=13).fit(orbits)

    @pytest.mark.parametrize(
        "options",
        [{"l1": -1.0}, {"n_features": 0}, {"activation": "gelu"}, {"group": "D32"}, {"k": 0}],
    )
    def test_parameters_out_of_range(self, orbits, options):
        with pytest.raises(ValueError, match=f"'{next(iter(options))}' parameter"):
            small(**options).fit(orbits)

    def test_training_that_diverges(self, orbits):
        with pytest.raises(ValueError, match="Training diverged.*Lower learning_rate"):
            small(learning_rate=1e30).fit(orbits)

    def test_a_forgotten_group(self, orbits):
        with pytest.raises(ValueError, match=r"Was group=... forgotten\?"):
            GroupCrosscoder().fit(orbits)

    def test_a_failed_fit_leaves_nothing_fitted(self, orbits):
        crosscoder = small(activation="topk", k=13)
        with pytest.raises(ValueError, match="k=13"):
            crosscoder.fit(orbits)
        with pytest.raises(NotFittedError):
            crosscoder.transform(orbits)

    def test_absent_devices(self, orbits):
        with pytest.raises(ValueError, match="Unknown device 'gpu0'"):
            small(device="gpu0").fit(orbits)

    def test_cuda_where_there_is_none(self, orbits, monkeypatch):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        with pytest.raises(ValueError, match="Device 'cuda' was asked for, but torch finds no"):
            small(device="cuda").fit(orbits)

    def test_orbits_where_activations_are_expected(self, orbits):
        with pytest.raises(ValueError, match="8 channels; got 48 columns"):
            small().fit(orbits).encode(orbits.reshape(300, -1))

    def test_codes_of_another_dictionary(self, orbits):
        with pytest.raises(ValueError, match="one column an atom, 12; got 5"):
            small().fit(orbits).inverse_transform(np.zeros((2, 5)))


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device")
def test_cuda_gives_numpy_and_about_the_same(orbits):
    on_cpu, on_cuda = (small(device=d, max_epochs=3).fit(orbits) for d in ("cpu", "cuda"))
    assert isinstance(on_cuda.transform(orbits), np.ndarray)
    np.testing.assert_allclose(on_cuda.components_, on_cpu.components_, atol=1e-2)


class TestLargeDecoders:
    """Large ones are multiplied by the codes that are not zero, where those are few."""

    @pytest.fixture(scope="class")
    @classmethod
    def fitted(cls):
        X = np.random.default_rng(0).standard_normal((300, 6, 64), dtype=np.float32)
        return GroupCrosscoder(
            group=Dihedral(3), n_features=256, activation="topk", k=4, max_epochs=1, random_state=0
        ).fit(X)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("share", [0.0, 0.02, 0.9])
    @pytest.mark.parametrize("make", [np.asarray, csr_array], ids=["dense", "sparse"])
    def test_reconstructions_are_the_product_with_all_codes(self, fitted, dtype, share, make):
        rng = np.random.default_rng(1)
        codes = rng.standard_normal((700, 256)) * (rng.random((700, 256)) < share)
        codes = codes.astype(dtype)  # negative ones among them
        expected = codes.astype(np.float64) @ fitted.components_ + fitted.intercept_
        found = fitted.inverse_transform(make(codes))
        assert found.dtype == dtype
        size = (np.abs(codes) @ np.abs(fitted.components_) + np.abs(fitted.intercept_)).max()
        assert_near(found, expected, 256 + 1, size)

    def test_the_score_is_that_of_the_reconstruction(self, fitted):
        X = np.random.default_rng(2).standard_normal((50, 6 * 64), dtype=np.float32)
        rebuilt = fitted.inverse_transform(fitted.transform(X))
        explained = 1 - np.square(X - rebuilt).sum() / np.square(X - X.mean(0)).sum()
        assert fitted.score(X) == pytest.approx(explained, abs=1e-5)

    def test_weights_are_not_changed_by_their_use(self, fitted):
        before = {name: getattr(fitted, name).copy() for name in ("components_", "encoder_")}
        X = np.random.default_rng(3).standard_normal((50, 6 * 64), dtype=np.float32)
        fitted.inverse_transform(fitted.transform(X))
        fitted.score(X)
        for name, array in before.items():
            np.testing.assert_array_equal(getattr(fitted, name), array)
