"""Whether a pose is missing from the network or from the dictionary."""

import numpy as np
import pandas as pd
import pytest

from sklearn_groupcross import Dihedral, GroupCrosscoder, SymmetryAnalyzer, make_orbits
from sklearn_groupcross.analysis import missing_poses
from sklearn_groupcross.analysis._missing_poses import _log_odds

GROUP = Dihedral(4)
IN_NETWORK, LACKED = 2, 13  # a pose that the dictionary alone lacks, and one that the network lacks


@pytest.fixture(scope="module")
def truth():
    """Two families of eight; the network lacks a pose of the second."""
    return make_orbits(
        2, group=GROUP, n_channels=48, n_families=2, stabilizers="trivial", random_state=0
    ).components


@pytest.fixture(scope="module")
def network(truth):
    return np.delete(truth, LACKED, axis=0)


@pytest.fixture(scope="module")
def orbits(network):
    rng = np.random.default_rng(0)
    codes = rng.exponential(size=(800, len(network))) * (rng.random((800, len(network))) < 0.15)
    orbits = np.tensordot(codes, network, axes=1)
    return (orbits + 0.05 * rng.standard_normal(orbits.shape)).astype(np.float32)


@pytest.fixture(scope="module")
def crosscoder(network, orbits):
    """The network's atoms but one, and an encoder that reads their codes."""
    known = np.delete(network, IN_NETWORK, axis=0)
    fitted = GroupCrosscoder(GROUP, len(known), max_epochs=1, random_state=0).fit(orbits[:64])
    fitted.components_ = known.reshape(len(known), -1).astype(np.float32)
    fitted.encoder_ = np.linalg.pinv(known[:, 0]).T.astype(np.float32)
    fitted.encoder_intercept_ = np.zeros(len(known), dtype=np.float32)
    fitted.intercept_ = np.zeros_like(fitted.intercept_)
    return fitted


@pytest.fixture(scope="module")
def analysis(crosscoder):
    return SymmetryAnalyzer().fit(crosscoder)


def lacked(table, analysis, truth):
    """For each row, whether the network lacks the pose that it is about."""
    atoms = analysis.components_.reshape(-1, GROUP.order, truth.shape[2])
    medoids = [analysis.families_[f].medoid for f in table["family"]]
    turned = [
        atoms[m][GROUP.right_translation(h)] for m, h in zip(medoids, table["pose"], strict=True)
    ]
    nearest = (np.reshape(turned, (len(turned), -1)) @ truth.reshape(len(truth), -1).T).argmax(1)
    assert sorted(nearest.tolist()) == [IN_NETWORK, LACKED]
    return nearest == LACKED


def test_orbits_tell(analysis, crosscoder, orbits, truth):
    ids = np.arange(len(orbits)) // 20
    table = missing_poses(analysis, crosscoder, orbits, ids)
    is_lacked = lacked(table, analysis, truth)
    assert (table["probability"][is_lacked] > 0.95).all()
    assert (table["probability"][~is_lacked] < 0.05).all()
    np.testing.assert_allclose(table["probability"], table["probability_orbits"])
    assert table["activity"][~is_lacked].item() == pytest.approx(1, abs=0.5)
    assert table["activity"][is_lacked].item() < 0.3
    assert (table["activity_low"] <= table["activity"]).all()
    assert (table["activity"] <= table["activity_high"]).all()
    assert table["expected"].isna().all()
    again = missing_poses(analysis, crosscoder, orbits, ids)
    pd.testing.assert_frame_equal(table, again)


def test_other_dictionaries_tell_and_both_multiply(analysis, crosscoder, orbits, network, truth):
    others = [network.reshape(len(network), -1), network[::-1].reshape(len(network), -1)]
    table = missing_poses(analysis, others=others)
    is_lacked = lacked(table, analysis, truth)
    assert table["found"][is_lacked].tolist() == [0]
    assert table["found"][~is_lacked].tolist() == [2]
    assert (table["expected"] == 1).all()
    assert table["activity"].isna().all()
    ids = np.arange(len(orbits)) // 20
    orbits_alone = missing_poses(analysis, crosscoder, orbits, ids)
    both = missing_poses(analysis, crosscoder, orbits, ids, others=others)

    def odds(t):
        return np.log(t["probability"] / (1 - t["probability"]))

    np.testing.assert_allclose(odds(both), odds(table) + odds(orbits_alone), rtol=1e-6)


def test_the_odds_are_those_of_the_beta_binomial():
    """By integration over q, on a grid."""
    q = (np.arange(20000) + 0.5) / 20000
    posterior = q**6 * (1 - q) ** 2  # six found and two not, in the poses that are there
    posterior /= posterior.sum()
    for k in range(4):
        has = (posterior * (1 - q) * q**k * (1 - q) ** (3 - k)).sum()
        lacks = 0.98 * 0.02**k * 0.98 ** (3 - k)
        found = _log_odds(np.array([k]), 3, 6, 2)[0]
        assert found == pytest.approx(np.log(lacks / has), abs=1e-3)


def test_complete_families_have_no_rows(truth):
    complete = SymmetryAnalyzer(group=GROUP).fit(truth.reshape(len(truth), -1))
    table = missing_poses(complete, others=[truth])
    assert len(table) == 0
    assert "probability" in table.columns


def test_bad_input_is_refused(analysis, crosscoder, orbits, truth):
    with pytest.raises(ValueError, match="from orbits, from other dictionaries, or both"):
        missing_poses(analysis)
    with pytest.raises(TypeError, match="takes a fitted SymmetryAnalyzer first.*got a GroupCross"):
        missing_poses(crosscoder, orbits=orbits)
    with pytest.raises(TypeError, match="min_size is a whole number; got 'a'"):
        missing_poses(analysis, others=[truth], min_size="a")
    with pytest.raises(ValueError, match="n_resamples is at least 1"):
        missing_poses(analysis, others=[truth], n_resamples=0)
    with pytest.raises(ValueError, match="got NoneType for crosscoder"):
        missing_poses(analysis, orbits=orbits, image_ids=np.arange(len(orbits)))
    with pytest.raises(ValueError, match="image_ids says of which image"):
        missing_poses(analysis, crosscoder, orbits)
    with pytest.raises(ValueError, match=r"of the 800 samples.* got shape \(3,\)"):
        missing_poses(analysis, crosscoder, orbits, np.arange(3))
    with pytest.raises(ValueError, match="of 48 channels; got 47"):
        missing_poses(analysis, others=[truth[:, :, 1:]])
    whole = SymmetryAnalyzer(group=GROUP).fit(truth.reshape(len(truth), -1))
    with pytest.raises(ValueError, match="The analysis is of another crosscoder"):
        missing_poses(whole, crosscoder, orbits, np.arange(len(orbits)))


def test_too_few_images_and_a_single_dictionary_are_refused(analysis, crosscoder, orbits, network):
    with pytest.raises(ValueError, match=r"5 of them or more; orbits are of 3.*others="):
        missing_poses(analysis, crosscoder, orbits[:60], np.arange(60) // 20)
    with pytest.raises(TypeError, match="others is a list of dictionaries"):
        missing_poses(analysis, others=network.reshape(len(network), -1))
