"""Data that lie far from zero, beside their spread, give what centred data give."""

import numpy as np
import pytest
import torch

from sklearn_groupcross import (
    Cyclic,
    GroupCrosscoder,
    OrbitScaler,
    SymmetryAnalyzer,
    crosscoder_path,
    make_orbits,
)
from sklearn_groupcross._stacks._rows import Rows
from sklearn_groupcross.analysis import code_profiles
from sklearn_groupcross.crosscoder import keeping_checkpoint
from sklearn_groupcross.crosscoder._summary import FAR, summarize
from sklearn_groupcross.model_selection import collect_statistics

GROUP = Cyclic(4)
X = make_orbits(300, group=GROUP, n_channels=8, random_state=0).orbits.astype(np.float64)
X -= X.mean(axis=0)
SPREAD = float(np.sqrt(np.square(X).mean()))
OPTIONS = {
    "relu": {"l1": 0.03},
    "topk": {"activation": "topk", "k": 3},
    "batch_topk": {"activation": "batch_topk", "k": 3},
    "jumprelu": {"activation": "jumprelu"},
    "compression": {"activation": "topk", "k": 3, "compression": 0.95},
    "orbit": {"encoder_input": "orbit", "compression": 0.95},
    "augment": {"augment": True},
    "early_stopping": {"early_stopping": True},
    "wide": {"activation": "topk", "k": 3, "n_features": 1500},
}


def crosscoder(**options):
    defaults = {"n_features": 16, "max_epochs": 12, "batch_size": 64, "random_state": 0}
    return GroupCrosscoder(GROUP, **{**defaults, **options})


@pytest.mark.parametrize("name", OPTIONS)
def test_codes_and_scores_are_those_of_centered_data(name):
    want = crosscoder(**OPTIONS[name]).fit(X)
    codes, score = want.transform(X), want.score(X)
    for offset in (1e3, 1e5, 1e7, 1e9):
        one = crosscoder(**OPTIONS[name]).fit(X + offset)
        assert one.score(X + offset) == pytest.approx(score, abs=0.01)
        far = one.transform(X + offset)
        assert np.abs(far - codes).mean() < 0.02 * codes.mean()
        back = one.inverse_transform(far)
        assert np.abs(back - offset - want.inverse_transform(codes)).mean() < 0.02 * SPREAD
        if one.encoder_.shape[1] == 8:
            np.testing.assert_array_equal(one.encode(X[:, 0] + offset), far)


@pytest.mark.parametrize("offset", [3e3, 1e5, 1e6])
def test_float32_is_as_good_as_its_values(offset):
    narrow = (X + offset).astype(np.float32)
    one = crosscoder(l1=0.03).fit(narrow)
    exact = crosscoder(l1=0.03).fit(narrow.astype(np.float64) - offset)
    assert one.score(narrow) == pytest.approx(
        exact.score(narrow.astype(np.float64) - offset), abs=0.01
    )
    codes = one.transform(narrow)
    assert codes.dtype == np.float32
    assert (one.set_params(sparse_output=True).transform(narrow) != codes).sum() == 0
    assert one.intercept_.dtype == one.encoder_intercept_.dtype == np.float64


@pytest.mark.parametrize(
    ("dtype", "offset"), [(np.float32, 1e8), (np.float16, 2e3), (torch.bfloat16, 1e3)]
)
def test_data_that_have_lost_their_digits_are_refused(dtype, offset):
    if isinstance(dtype, torch.dtype):
        data = torch.tensor(X + offset).to(dtype)
    else:
        data = (X + offset).astype(dtype)
    with pytest.raises(ValueError, match=r"times its spread from zero.*farther apart"):
        crosscoder().fit(data)
    with pytest.raises(ValueError, match="times its spread from zero"):
        crosscoder_path(crosscoder(), data, [0.1, 0.03])


def test_near_data_are_computed_as_ever():
    one = crosscoder().fit(X + 10)
    assert one.intercept_.dtype == one.encoder_intercept_.dtype == np.float32
    assert summarize(Rows(X + 10)).distance == pytest.approx(10 / SPREAD, rel=1e-6)
    assert summarize(Rows(np.ones((5, 4)))).distance == 0.0
    assert 10 / SPREAD < FAR


def test_goes_on_from_far_weights(tmp_path):
    far = X + 1e7
    one, near = crosscoder(warm_start=True).fit(far), crosscoder(warm_start=True).fit(X)
    one.save(tmp_path / "model.safetensors")
    again = GroupCrosscoder.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.transform(far), one.transform(far))
    again.partial_fit(far)
    assert again.score(far) > one.score(far) - 0.1
    assert one.fit(far).score(far) == pytest.approx(near.fit(X).score(X), abs=0.02)
    warm_compressed = one.set_params(compression=0.95).fit(far)
    assert warm_compressed.score(far) > 0.3


@pytest.mark.usefixtures("checkpoint_every_step")
def test_a_run_that_was_killed_goes_on_in_the_same_bits(tmp_path):
    far, whole = X + 1e7, crosscoder().fit(X + 1e7)

    class Dies:
        shape, dtype, left = far.shape, far.dtype, 30

        def __getitem__(self, index):
            Dies.left -= 1
            if Dies.left < 0:
                raise OSError("gone")
            return far[index]

    options = {"checkpoint_dir": tmp_path}
    with pytest.raises(OSError, match="gone"):
        crosscoder(**options).fit(Dies())
    assert len(list(tmp_path.iterdir())) == 1
    Dies.left = 10_000
    np.testing.assert_array_equal(crosscoder(**options).fit(Dies()).components_, whole.components_)


def test_analyses_of_far_data():
    far, near = crosscoder().fit(X + 1e7), crosscoder().fit(X)
    ids = np.arange(len(X)) // 10
    its = SymmetryAnalyzer().fit(far, orbits=X + 1e7, image_ids=ids)
    true = SymmetryAnalyzer().fit(near, orbits=X, image_ids=ids)
    np.testing.assert_allclose(its.evidence_.profiles, true.evidence_.profiles, atol=0.02)
    found, wanted = (code_profiles(one, rows).profiles for one, rows in ((far, X + 1e7), (near, X)))
    np.testing.assert_allclose(found, wanted, atol=0.02)
    assert collect_statistics(far, X + 1e7).explained_variance == pytest.approx(
        near.score(X), abs=0.01
    )


@pytest.mark.parametrize("scaling", ["norm", "channel", None])
@pytest.mark.parametrize("offset", [1e5, 1e6])
def test_scaler(scaling, offset):
    narrow = (X + offset).astype(np.float32)
    exact = narrow.astype(np.float64)
    one = OrbitScaler(GROUP, scaling=scaling).fit(narrow)
    want = OrbitScaler(GROUP, scaling=scaling).fit(exact)
    scaled = one.transform(narrow)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled, want.transform(exact), atol=1e-5 * np.abs(scaled).max())
    np.testing.assert_allclose(one.inverse_transform(scaled), narrow.reshape(300, -1), rtol=2e-7)
    assert abs(scaled.mean()) < 1e-4


def test_one_far_channel_is_far_enough_for_a_scaler():
    mixed = X.astype(np.float32)
    mixed[..., 0] += 1e6
    scaled = OrbitScaler(GROUP, scaling="channel").fit(mixed).transform(mixed)
    wide = mixed.astype(np.float64)
    np.testing.assert_allclose(
        scaled, OrbitScaler(GROUP, scaling="channel").fit(wide).transform(wide), atol=1e-5
    )


@pytest.mark.parametrize("name", OPTIONS)
def test_models_and_checkpoints_keep_it(name, tmp_path):
    one = crosscoder(**OPTIONS[name], checkpoint_dir=tmp_path)
    with keeping_checkpoint(one):
        one.fit(X + 1e7)
        one.save(tmp_path / "model")
        (checkpoint,) = tmp_path.glob("*.checkpoint.safetensors")
        again = crosscoder(**OPTIONS[name], checkpoint_dir=tmp_path).fit(X + 1e7)
        of_checkpoint = GroupCrosscoder.load(checkpoint)
    codes = one.transform(X + 1e7)
    for other in (GroupCrosscoder.load(tmp_path / "model"), again):
        np.testing.assert_array_equal(other.transform(X + 1e7), codes)
    assert of_checkpoint.intercept_.dtype == one.intercept_.dtype == np.float64


def test_samples_that_are_all_equal_come_back_from_far():
    X = np.full((40, 8), 1e9 + 0.25)
    with pytest.warns(UserWarning, match="All 40 samples of X are equal"):
        one = GroupCrosscoder(Cyclic(2), 4, max_epochs=1, random_state=0).fit(X)
    np.testing.assert_array_equal(one.inverse_transform(one.transform(X)), X)
