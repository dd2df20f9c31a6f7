from __future__ import annotations

import pickle
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks

from sklearn_groupcross import Cyclic, Dihedral, GroupCrosscoder, Trivial, make_orbits
from sklearn_groupcross._stacks import _rows
from sklearn_groupcross.crosscoder._scaler import OrbitScaler
from sklearn_groupcross.groups import Alternating
from sklearn_groupcross.testing import groups, orbit_stacks

GROUP = Dihedral(3)
OPTIONS = [
    {"with_mean": with_mean, "scaling": scaling}
    for with_mean in (True, False)
    for scaling in ("norm", "channel", None)
]


@pytest.fixture(scope="module")
def orbits():
    """Blocks of different means and spreads, and channels too."""
    rng = np.random.default_rng(0)
    spread = rng.uniform(0.5, 3, (6, 1)) * rng.uniform(0.1, 10, 5)
    return spread * rng.standard_normal((200, 6, 5)) + rng.uniform(-4, 4, (6, 5))


@parametrize_with_checks(
    [OrbitScaler(), OrbitScaler(scaling="channel"), OrbitScaler(scaling=None, with_mean=False)]
)
def test_scikit_learn_compatible(estimator, check):
    check(estimator)


def test_default_constructed_passes_every_check():
    """scikit-learn itself skips the array API check."""
    results = check_estimator(OrbitScaler(), on_fail=None, on_skip=None)
    assert len(results) > 40
    not_passed = {r["check_name"] for r in results if r["status"] != "passed"}
    assert not_passed <= {"check_array_api_input"}


class TestWhatItDoes:
    def test_the_norm(self, orbits):
        scaler = OrbitScaler(group=GROUP).fit(orbits)
        scaled = scaler.transform(orbits).reshape(-1, 5)
        np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-12)
        assert np.square(scaled).sum(axis=1).mean() == pytest.approx(5)
        assert isinstance(scaler.scale_, float)
        # one factor: proportions between channels stay
        np.testing.assert_allclose(scaled.std(axis=0) * scaler.scale_, orbits.std(axis=(0, 1)))

    def test_channels(self, orbits):
        scaler = OrbitScaler(group=GROUP, scaling="channel").fit(orbits)
        scaled = scaler.transform(orbits).reshape(-1, 5)
        np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-12)
        np.testing.assert_allclose(scaled.std(axis=0), 1)
        np.testing.assert_allclose(scaler.scale_, orbits.std(axis=(0, 1)))

    def test_without_centring_spread_is_the_distance_from_zero(self, orbits):
        flat = orbits.reshape(200, -1)
        norm = OrbitScaler(group=GROUP, with_mean=False).fit(orbits)
        np.testing.assert_allclose(norm.transform(orbits), flat / np.sqrt((flat**2).mean()))
        channel = OrbitScaler(group=GROUP, with_mean=False, scaling="channel").fit(orbits)
        by_channel = orbits / np.sqrt((orbits**2).mean(axis=(0, 1)))
        np.testing.assert_allclose(channel.transform(orbits), by_channel.reshape(200, -1))

    def test_centring_alone(self, orbits):
        scaler = OrbitScaler(group=GROUP, scaling=None).fit(orbits)
        expected = (orbits - orbits.mean(axis=(0, 1))).reshape(200, -1)
        np.testing.assert_allclose(scaler.transform(orbits), expected)
        assert scaler.scale_ == 1.0

    def test_nothing_at_all(self, orbits):
        scaler = OrbitScaler(group=GROUP, scaling=None, with_mean=False).fit(orbits)
        np.testing.assert_array_equal(scaler.transform(orbits), orbits.reshape(200, -1))

    def test_attributes(self, orbits):
        scaler = OrbitScaler(group=GROUP).fit(orbits)
        np.testing.assert_allclose(scaler.mean_, orbits.mean(axis=(0, 1)))
        np.testing.assert_allclose(scaler.var_, orbits.var(axis=(0, 1)))
        assert (scaler.group_, scaler.n_channels_) == (GROUP, 5)
        assert (scaler.n_features_in_, scaler.n_samples_seen_) == (30, 200)

    def test_with_the_trivial_group_channels_are_standardized_columns(self, orbits):
        flat = orbits.reshape(200, -1)
        scaler = OrbitScaler(scaling="channel").fit(flat)
        assert scaler.group_ == Trivial()
        np.testing.assert_allclose(scaler.transform(flat), StandardScaler().fit_transform(flat))

    @pytest.mark.parametrize("options", OPTIONS)
    def test_there_and_back(self, orbits, options):
        scaler = OrbitScaler(group=GROUP, **options).fit(orbits)
        back = scaler.inverse_transform(scaler.transform(orbits))
        np.testing.assert_allclose(back, orbits.reshape(200, -1), atol=1e-12)
        np.testing.assert_allclose(
            scaler.inverse_transform(scaler.transform(orbits).reshape(orbits.shape)), back
        )

    @pytest.mark.parametrize("options", OPTIONS)
    def test_flat_and_stacked_input_agree(self, orbits, options):
        stacked = OrbitScaler(group=GROUP, **options).fit(orbits)
        flat = OrbitScaler(group=GROUP, **options).fit(orbits.reshape(200, -1))
        np.testing.assert_array_equal(stacked.scale_, flat.scale_)
        np.testing.assert_array_equal(
            stacked.transform(orbits), flat.transform(orbits.reshape(200, -1))
        )

    @pytest.mark.parametrize(
        ("dtype", "expected"),
        [("float16", "float32"), ("float32", "float32"), ("float64", "float64"), (int, "float64")],
    )
    def test_dtypes(self, orbits, dtype, expected):
        X = orbits.astype(dtype)
        scaler = OrbitScaler(group=GROUP).fit(X)
        assert scaler.transform(X).dtype == expected
        assert scaler.inverse_transform(X).dtype == expected
        assert scaler.transform(X).shape == (200, 30)

    def test_the_input_is_not_changed(self, orbits):
        before = orbits.copy()
        OrbitScaler(group=GROUP).fit(orbits).inverse_transform(orbits)
        OrbitScaler(group=GROUP).fit_transform(orbits)
        np.testing.assert_array_equal(orbits, before)

    def test_clone_and_pickle(self, orbits):
        scaler = OrbitScaler(group=GROUP, scaling="channel").fit(orbits)
        assert clone(scaler).group == GROUP
        again = pickle.loads(pickle.dumps(scaler))
        np.testing.assert_array_equal(again.transform(orbits), scaler.transform(orbits))

    def test_names_of_columns_pass_through(self, orbits):
        names = [f"block{g}_channel{c}" for g in range(6) for c in range(5)]
        frame = pd.DataFrame(orbits.reshape(200, -1), columns=names)
        scaler = OrbitScaler(group=GROUP).set_output(transform="pandas").fit(frame)
        scaled = scaler.transform(frame)
        assert scaled.columns.tolist() == names
        assert scaler.get_feature_names_out().tolist() == names
        # a reconstruction has no names, and none are asked for
        np.testing.assert_allclose(scaler.inverse_transform(scaled.to_numpy()), frame)


class TestConstantChannels:
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_they_are_centered_and_keep_the_factor_one(self, orbits, dtype):
        X = orbits.astype(dtype)
        X[:, :, 2] = 0.1  # the mean of many of these is not exactly 0.1
        scaler = OrbitScaler(group=GROUP, scaling="channel").fit(X)
        assert scaler.scale_[2] == 1
        np.testing.assert_allclose(scaler.transform(X).reshape(X.shape)[:, :, 2], 0, atol=1e-12)

    @pytest.mark.parametrize("options", OPTIONS)
    @pytest.mark.parametrize("value", [0.0, 0.1, -1e30])
    def test_everything_constant(self, value, options):
        X = np.full((7, 6, 2), value)
        scaler = OrbitScaler(group=GROUP, **options).fit(X)
        scaled = scaler.transform(X)
        assert np.isfinite(scaled).all()
        if options["with_mean"]:
            np.testing.assert_array_equal(scaler.scale_, np.ones_like(scaler.scale_))
        np.testing.assert_allclose(scaler.inverse_transform(scaled), X.reshape(7, -1))


def moved(X, group, h):
    return X[:, group.right_translation(h)]


def fits_alike(scaler, X, group, h):
    """Whether R_h X gives the same scaler as X."""
    first, other = (clone(scaler).fit(Z.reshape(len(X), -1)) for Z in (X, moved(X, group, h)))
    return np.allclose(first.mean_, other.mean_) and np.allclose(first.scale_, other.scale_)


def commutes(scaler, X, group, h):
    """Whether scaling R_h X is the same as translating what was scaled."""
    scaler = clone(scaler).fit(X.reshape(len(X), -1))
    scaled = scaler.transform(X.reshape(len(X), -1)).reshape(X.shape)
    other = scaler.transform(moved(X, group, h).reshape(len(X), -1)).reshape(X.shape)
    return np.array_equal(other, moved(scaled, group, h))


class TestEquivariance:
    @given(st.data(), groups(abelian=False, max_order=24), st.sampled_from(OPTIONS))
    def test_the_scaler_commutes_with_right_translation(self, data, group, options):
        X = 3 + data.draw(orbit_stacks(group, n_samples=5))
        h = data.draw(st.integers(0, group.order - 1))
        scaler = OrbitScaler(group=group, **options)
        assert fits_alike(scaler, X, group, h)
        assert commutes(scaler, X, group, h)

    @given(st.data(), groups(abelian=False, max_order=24))
    def test_one_factor_a_column_does_not(self, data, group):
        X = 3 + data.draw(orbit_stacks(group, n_samples=5))
        h = data.draw(st.integers(1, group.order - 1))
        assert not fits_alike(StandardScaler(), X, group, h)
        assert not commutes(StandardScaler(), X, group, h)
        # nor does the scaler itself, if it takes all columns for one block
        assert not commutes(OrbitScaler(scaling="channel"), X, group, h)


class TestStreaming:
    @given(
        st.lists(st.integers(0, 40), max_size=5),
        st.sampled_from(OPTIONS),
        st.sampled_from([0.0, 1e6]),
    )
    def test_pieces_give_what_the_whole_gives(self, cuts, options, offset):
        group = Alternating(4)
        X = np.random.default_rng(0).standard_normal((40, 12, 3)) * [1, 10, 100] + offset
        whole = OrbitScaler(group=group, **options).fit(X)
        pieces = OrbitScaler(group=group, **options)
        for part in np.split(X, sorted(cuts)):
            if len(part):
                pieces.partial_fit(part)
        assert pieces.n_samples_seen_ == 40
        np.testing.assert_allclose(pieces.mean_, whole.mean_, rtol=1e-12, atol=1e-12)
        # a mean of 1e6 costs six of sixteen digits, not twelve
        np.testing.assert_allclose(pieces.var_, whole.var_, rtol=1e-9)
        np.testing.assert_allclose(pieces.var_, X.var(axis=(0, 1)), rtol=1e-9)
        np.testing.assert_allclose(pieces.scale_, whole.scale_, rtol=1e-9)

    def test_fit_forgets_and_partial_fit_does_not(self, orbits):
        scaler = OrbitScaler(group=GROUP).fit(orbits[:50])
        assert scaler.partial_fit(orbits[50:]).n_samples_seen_ == 200
        assert scaler.fit(orbits[:20]).n_samples_seen_ == 20
        np.testing.assert_allclose(scaler.mean_, orbits[:20].mean(axis=(0, 1)))
        # other columns are no obstacle to a new fit
        assert scaler.fit(orbits[:, :, :2]).n_channels_ == 2

    def test_chunks_change_nothing(self, orbits, monkeypatch):
        whole = OrbitScaler(group=GROUP, scaling="channel").fit(orbits)
        expected = whole.transform(orbits)
        monkeypatch.setattr(_rows, "_BYTES_A_PASS", 7 * 8 * 30)
        pieces = OrbitScaler(group=GROUP, scaling="channel").fit(orbits)
        np.testing.assert_allclose(pieces.scale_, whole.scale_, rtol=1e-12)
        np.testing.assert_array_equal(whole.transform(orbits), expected)

    def test_a_memory_map_is_never_copied_whole(self, tmp_path, monkeypatch):
        monkeypatch.setattr(_rows, "_BYTES_A_PASS", 2**18)
        rng = np.random.default_rng(0)
        X = rng.standard_normal((20_000, 6, 8)).astype(np.float16)
        np.save(tmp_path / "orbits.npy", X)
        mapped = np.load(tmp_path / "orbits.npy", mmap_mode="r")
        tracemalloc.start()
        scaler = OrbitScaler(group=GROUP).fit(mapped)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < mapped.nbytes / 2  # widened whole, it would be twice or four times that
        np.testing.assert_allclose(scaler.mean_, X.astype(float).mean(axis=(0, 1)), atol=1e-12)
        assert scaler.transform(mapped).dtype == np.float32


def test_a_pipeline_in_a_grid_search_split_by_photograph():
    data = make_orbits(120, group=GROUP, n_channels=8, random_state=0)
    pipeline = Pipeline(
        [
            ("scale", OrbitScaler(group=GROUP)),
            (
                "crosscoder",
                GroupCrosscoder(group=GROUP, n_features=12, max_epochs=5, random_state=0),
            ),
        ]
    )
    grid = {"crosscoder__l1": [0.05, 1.0], "scale__with_mean": [True, False]}
    search = GridSearchCV(pipeline, grid, cv=GroupKFold(3))
    search.fit(data.orbits.reshape(120, -1), groups=np.repeat(np.arange(12), 10))
    assert search.cv_results_["mean_test_score"].shape == (4,)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.transform(data.orbits).shape == (120, 12)


class Carrying(np.ndarray):
    """An array that says which group it was made with."""

    group = None


class TestBadInput:
    def test_columns_that_do_not_divide_into_blocks(self):
        with pytest.raises(ValueError, match=r"X has 20 columns; Dihedral\(3\) has 6 elements"):
            OrbitScaler(group=GROUP).fit(np.zeros((4, 20)))

    def test_stacks_of_another_order(self, orbits):
        with pytest.raises(ValueError, match=r"6 blocks; Dihedral\(4\) has order 8"):
            OrbitScaler(group=Dihedral(4)).fit(orbits)
        with pytest.raises(ValueError, match=r"Was group=... forgotten\?"):
            OrbitScaler().fit(orbits)
        scaler = OrbitScaler(group=GROUP).fit(orbits)
        with pytest.raises(ValueError, match="5 blocks"):
            scaler.inverse_transform(orbits[:, :5])

    def test_data_of_another_group(self, orbits):
        X = orbits.view(Carrying)
        X.group = GROUP
        scaler = OrbitScaler(group=GROUP).fit(X)
        X.group = Cyclic(6)
        message = r"Cyclic\(6\).*Dihedral\(3\)"
        for method in (clone(scaler).fit, clone(scaler).partial_fit, scaler.transform):
            with pytest.raises(ValueError, match=message):
                method(X)

    def test_a_column_named_group_is_no_group(self, orbits):
        frame = pd.DataFrame(orbits.reshape(200, -1)).rename(columns=str)
        frame = frame.rename(columns={"3": "group"})
        assert OrbitScaler(group=GROUP).fit(frame).n_samples_seen_ == 200

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    @pytest.mark.parametrize("as_list", [False, True])
    def test_values_that_are_not_finite(self, orbits, bad, as_list):
        X = orbits.reshape(200, -1).copy()
        X[150, 3] = bad
        X = X.tolist() if as_list else X
        scaler = OrbitScaler(group=GROUP).fit(orbits)
        for method in (clone(scaler).fit, scaler.transform, scaler.inverse_transform):
            with pytest.raises(ValueError, match="NaN|infinity"):
                method(X)

    def test_a_failed_fit_leaves_nothing_fitted(self, orbits):
        bad = orbits.copy()
        bad[-1, 0, 0] = np.nan
        scaler = OrbitScaler(group=GROUP)
        with pytest.raises(ValueError, match="NaN"):
            scaler.fit(bad)
        with pytest.raises(NotFittedError):
            scaler.transform(orbits)

    def test_a_failed_partial_fit_changes_nothing(self, orbits):
        scaler = OrbitScaler(group=GROUP).fit(orbits)
        bad = orbits.copy()
        bad[-1, 0, 0] = np.nan
        with pytest.raises(ValueError, match="NaN"):
            scaler.partial_fit(bad)
        assert scaler.n_samples_seen_ == 200
        np.testing.assert_allclose(scaler.mean_, orbits.mean(axis=(0, 1)))

    def test_other_columns_than_in_fit(self, orbits):
        scaler = OrbitScaler(group=GROUP).fit(orbits)
        for method in (scaler.partial_fit, scaler.transform):
            with pytest.raises(ValueError, match="expecting 30 features"):
                method(orbits[:, :, :4])
        with pytest.raises(ValueError, match="24 columns.* have 30: 6 blocks of 5"):
            scaler.inverse_transform(orbits[:, :, :4])

    @pytest.mark.parametrize("options", [{"group": "D3"}, {"with_mean": 2}, {"scaling": "std"}])
    def test_parameters_out_of_range(self, orbits, options):
        with pytest.raises(ValueError, match=f"'{next(iter(options))}' parameter"):
            OrbitScaler(**options).fit(orbits)


def test_groups_are_made_by_classes():
    with pytest.raises(ValueError, match="OrbitScaler: group must be a FiniteGroup"):
        OrbitScaler(group=4).fit(np.eye(4))
