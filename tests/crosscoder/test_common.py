"""Laws of every transformer, for groups that scikit-learn's own checks do not know."""

from __future__ import annotations

import pickle

import joblib
import numpy as np
import polars
import pytest
import scipy.sparse
import torch
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_groupcross import Cyclic, Dihedral, GroupCrosscoder, make_orbits
from tests.tolerances import assert_near

from .kinds import NAMES, k_for

N_CHANNELS = 6
GROUPS = [Cyclic(4), Dihedral(4), Dihedral(3) * Cyclic(2)]


# the data of the checks are noise, of which nothing is learned
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(
    [
        *(GroupCrosscoder(activation=name, k=k_for(name, 1), max_epochs=5) for name in NAMES),
        GroupCrosscoder(encoder_input="orbit", max_epochs=5),
        GroupCrosscoder(early_stopping=True, max_epochs=5),
        GroupCrosscoder(dead_features="auxk", max_epochs=5),
    ]
)
def test_scikit_learn_compatible(estimator, check):
    check(estimator)


@pytest.fixture(params=GROUPS, ids=repr)
def group(request):
    return request.param


@pytest.fixture
def orbits(group):
    return make_orbits(60, group=group, n_channels=N_CHANNELS, random_state=0).orbits


@pytest.fixture(params=NAMES)
def crosscoder(group, orbits, request):
    return build(group, activation=request.param).fit(orbits)


def build(group, **options):
    k = k_for(options.get("activation", "relu"), 3)
    return GroupCrosscoder(
        group=group, n_features=10, k=k, max_epochs=6, batch_size=32, random_state=0, **options
    )


def test_a_clone_is_unfitted_and_fits_the_same(crosscoder, orbits):
    again = clone(crosscoder)
    assert not hasattr(again, "components_")
    assert again.get_params() == crosscoder.get_params()
    np.testing.assert_array_equal(again.fit(orbits).components_, crosscoder.components_)


def test_fitting_twice_gives_the_same(crosscoder, orbits):
    before = crosscoder.components_.copy()
    np.testing.assert_array_equal(crosscoder.fit(orbits).components_, before)


@pytest.mark.parametrize("way", ["pickle", "joblib", "save"])
def test_persistence_keeps_codes_and_reconstructions(crosscoder, orbits, tmp_path, way):
    file = tmp_path / "model.safetensors"
    if way == "pickle":
        again = pickle.loads(pickle.dumps(crosscoder))
    elif way == "joblib":
        joblib.dump(crosscoder, file)
        again = joblib.load(file)
    else:
        crosscoder.save(file)
        again = GroupCrosscoder.load(file)
    codes = crosscoder.transform(orbits)
    np.testing.assert_array_equal(again.transform(orbits), codes)
    np.testing.assert_array_equal(
        again.inverse_transform(codes), crosscoder.inverse_transform(codes)
    )
    assert again.score(orbits) == crosscoder.score(orbits)


def test_columns(crosscoder, group):
    assert crosscoder.n_features_in_ == group.order * N_CHANNELS
    assert crosscoder.n_channels_ == N_CHANNELS
    assert len(crosscoder.get_feature_names_out()) == 10


def test_the_order_of_samples_does_not_matter(crosscoder, orbits):
    order = np.random.default_rng(0).permutation(len(orbits))
    codes = crosscoder.transform(orbits)
    size = (np.abs(orbits[:, 0]) @ np.abs(crosscoder.encoder_).T).max()
    assert_near(crosscoder.transform(orbits[order]), codes[order], N_CHANNELS, size)
    one_by_one = np.concatenate([crosscoder.transform(orbits[i : i + 1]) for i in range(60)])
    assert_near(one_by_one, codes, N_CHANNELS, size)


def test_flat_and_stacked_input_agree(crosscoder, orbits):
    flat = orbits.reshape(60, -1)
    np.testing.assert_array_equal(crosscoder.transform(orbits), crosscoder.transform(flat))
    assert crosscoder.score(orbits) == crosscoder.score(flat)
    np.testing.assert_array_equal(clone(crosscoder).fit(flat).components_, crosscoder.components_)


@pytest.mark.parametrize(
    ("given", "gives"),
    [(np.float16, np.float32), (np.float32, np.float32), (np.float64, np.float64)],
)
def test_float_types(crosscoder, orbits, given, gives):
    codes = crosscoder.transform(orbits.astype(given))
    assert codes.dtype == gives
    assert crosscoder.inverse_transform(codes).dtype == gives
    assert crosscoder.components_.dtype == np.float32


def test_tensors_nested_lists_and_read_only_arrays_are_read(crosscoder, orbits):
    codes = crosscoder.transform(orbits)
    read_only = orbits.copy()
    read_only.flags.writeable = False
    for X in (torch.from_numpy(orbits).requires_grad_(True), read_only, orbits.tolist()):
        np.testing.assert_allclose(crosscoder.transform(X), codes, atol=1e-5)
    assert isinstance(crosscoder.transform(torch.from_numpy(orbits)), np.ndarray)


def test_sparse_codes_are_the_dense_ones(crosscoder, orbits):
    codes = crosscoder.transform(orbits)
    sparse = crosscoder.set_params(sparse_output=True).transform(orbits)
    assert scipy.sparse.issparse(sparse)
    assert sparse.format == "csr"
    np.testing.assert_array_equal(sparse.toarray(), codes)
    size = (codes @ np.abs(crosscoder.components_) + np.abs(crosscoder.intercept_)).max()
    assert_near(
        crosscoder.inverse_transform(sparse), crosscoder.inverse_transform(codes), 10 + 1, size
    )
    with pytest.raises(ValueError, match="sparse"):
        crosscoder.set_output(transform="pandas").transform(orbits)


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_set_output(crosscoder, orbits, container):
    codes = crosscoder.transform(orbits)
    frame = crosscoder.set_output(transform=container).transform(orbits)
    if container == "polars":
        assert isinstance(frame, polars.DataFrame)
    assert list(frame.columns) == list(crosscoder.get_feature_names_out())
    np.testing.assert_array_equal(frame.to_numpy(), codes)


def test_the_page_of_a_notebook_shows_the_parameters(crosscoder):
    page = crosscoder._repr_html_()
    assert "GroupCrosscoder" in page
    assert "Fitted" in page


class Labeled(np.ndarray):
    """Orbit stacks that say which group made them."""

    group = Dihedral(4)


def test_data_that_name_another_group_are_refused():
    orbits = make_orbits(60, group=Dihedral(4), n_channels=4, random_state=0).orbits
    labeled = orbits.view(Labeled)
    build(Dihedral(4)).fit(labeled)
    with pytest.raises(ValueError, match=r"under Dihedral\(4\); the estimator's group is Cyclic"):
        build(Cyclic(8)).fit(labeled)
    build(Cyclic(8)).fit(orbits)  # plain arrays cannot tell


class TestEncoderInput:
    def test_whole_orbits_are_read_and_explain_more(self):
        group = Dihedral(4)
        data = make_orbits(1500, group=group, n_channels=8, n_active=3, random_state=0)
        options = {"group": group, "n_features": 48, "activation": "topk", "k": 3}
        identity, orbit = (
            GroupCrosscoder(**options, encoder_input=e, max_epochs=60, random_state=0).fit(
                data.orbits
            )
            for e in ("identity", "orbit")
        )
        assert identity.encoder_.shape == (48, 8)
        assert orbit.encoder_.shape == (48, 64)
        # eight channels cannot tell the planted atoms apart; eight blocks of them can
        assert orbit.score(data.orbits) > identity.score(data.orbits) + 0.1

    def test_untransformed_activations_are_not_enough_for_it(self, orbits, group):
        crosscoder = build(group, encoder_input="orbit").fit(orbits)
        with pytest.raises(ValueError, match='encoder_input="orbit" codes need the whole orbit'):
            crosscoder.encode(orbits[:, 0])


@pytest.mark.parametrize("k", [3, 5])
def test_batch_topk_keeps_k_on_average(k):
    data = make_orbits(3000, group=Dihedral(4), n_channels=32, random_state=0)
    crosscoder = GroupCrosscoder(
        group=Dihedral(4),
        n_features=64,
        activation="batch_topk",
        k=k,
        augment=True,
        max_epochs=30,
        random_state=0,
    ).fit(data.orbits[:2000])
    active = (crosscoder.transform(data.orbits[:2000]) > 0).sum(axis=1)
    assert active.mean() == pytest.approx(k, rel=0.01)
    on_new_data = (crosscoder.transform(data.orbits[2000:]) > 0).sum(axis=1)
    assert on_new_data.mean() == pytest.approx(k, abs=0.3)
    assert on_new_data.max() > k


def test_batch_topk_cuts_nothing_off_where_k_is_never_reached():
    X = np.random.default_rng(0).standard_normal((100, 4))
    crosscoder = GroupCrosscoder(n_features=6, activation="batch_topk", k=6, max_epochs=2).fit(X)
    assert crosscoder.threshold_ == 0
