from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_groupcross import Dihedral, GroupCrosscoder, crosscoder_ensemble, make_orbits
from sklearn_groupcross.analysis import (
    consensus_dictionary,
    found_again,
    match_dictionaries,
)
from tests.analysis.planted import moved_copy, strangers

D4 = Dihedral(4)


def noisy_runs(truth, rng, n_runs, size):
    spread = size / np.sqrt(truth[0].size)
    return [
        moved_copy(truth + spread * rng.standard_normal(truth.shape), D4, rng)[0]
        for _ in range(n_runs)
    ]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), n_runs=st.integers(2, 6), size=st.floats(0.1, 0.6))
def test_what_all_runs_have_is_found_and_is_nearer_to_the_truth(seed, n_runs, size):
    rng = np.random.default_rng(seed)
    truth = strangers(D4, seed, n_families=6, n_channels=32, stabilizers="trivial").components
    runs = noisy_runs(truth, rng, n_runs, size)
    consensus = consensus_dictionary(runs, group=D4)
    assert consensus.n_runs.tolist() == [n_runs] * 6
    found = match_dictionaries(truth, consensus.atoms, group=D4).similarity
    single = match_dictionaries(truth, runs[0], group=D4).similarity
    assert (1 - found).mean() < 0.75 * (1 - single).mean()


def test_members_are_of_the_runs_and_alignments_carry_them_to_the_atom():
    rng = np.random.default_rng(0)
    truth = strangers(D4, n_families=10, n_channels=24).components
    runs = {f"seed {r}": run for r, run in enumerate(noisy_runs(truth, rng, 4, 0.6))}
    consensus = consensus_dictionary(runs, group=D4)
    assert consensus.names == tuple(runs)
    for r, run in enumerate(runs.values()):
        features = np.flatnonzero(consensus.members[:, r] >= 0)
        members = consensus.members[features, r]
        assert len(set(members)) == len(members)
        for i, j in zip(features, members, strict=True):
            moved = run[j][D4.right_translation(int(consensus.alignment[i, r]))]
            cosine = (moved * consensus.atoms[i]).sum() / np.linalg.norm(moved)
            assert cosine == pytest.approx(consensus.similarity[i, r])
            assert cosine >= 0.7
    frame = consensus.to_frame()
    assert frame["n_runs"].is_monotonic_decreasing
    assert frame["seed 2"].tolist() == consensus.members[:, 2].tolist()
    assert (frame["share"] == frame["n_runs"] / 4).all()


@pytest.mark.parametrize(("min_share", "least"), [(0.1, 2), (0.4, 2), (0.6, 3), (0.61, 4), (1, 5)])
def test_as_many_runs_as_are_asked_for_and_two_in_any_case(min_share, least):
    truth = strangers(D4, n_families=10, n_channels=24).components
    rng = np.random.default_rng(0)
    # features 2r and 2r + 1 are in r + 1 of the five runs
    runs = [moved_copy(truth[2 * r :], D4, rng)[0] for r in range(5)]
    consensus = consensus_dictionary(runs, group=D4, min_share=min_share)
    expected = [n for n in (5, 4, 3, 2, 1) if n >= least for _ in range(2)]
    assert consensus.n_runs.tolist() == expected


def test_unrelated_runs_agree_on_nothing():
    runs = [strangers(D4, seed, n_families=20, n_channels=24).components for seed in range(3)]
    consensus = consensus_dictionary(runs, group=D4)
    assert len(consensus) == 0
    assert consensus.components.shape == (0, 8 * 24)
    assert len(consensus.to_frame()) == 0


def test_families_that_all_runs_have_in_all_poses_keep_all_poses():
    truth = make_orbits(
        2, group=D4, n_families=3, stabilizers="trivial", n_channels=24, random_state=0
    ).components
    rng = np.random.default_rng(0)
    runs = [
        (truth + 0.5 * rng.standard_normal(truth.shape) / np.sqrt(truth[0].size))[order]
        for order in (rng.permutation(24) for _ in range(5))
    ]
    atoms = consensus_dictionary(runs, group=D4).atoms
    still = match_dictionaries(truth, atoms, group=D4, up_to_group=False)
    assert len(atoms) == 24
    assert still.similarity.min() > 0.9


def test_the_order_of_the_runs_does_not_matter():
    rng = np.random.default_rng(0)
    truth = strangers(D4, n_families=10, n_channels=24).components
    runs = noisy_runs(truth, rng, 4, 0.6)
    one, other = (consensus_dictionary(order, group=D4) for order in (runs, runs[::-1]))
    matching = match_dictionaries(one.atoms, other.atoms, group=D4, threshold=0.99)
    assert matching.share == 1
    np.testing.assert_array_equal(
        one.members[matching.pairs[:, 0]], other.members[matching.pairs[:, 1]][:, ::-1]
    )


def test_a_consensus_is_stable_and_refitted_explains_as_much_as_a_run():
    planted = make_orbits(800, group=D4, n_families=10, n_channels=24, closed=False, random_state=0)

    def estimator(seed, **options):
        return GroupCrosscoder(
            D4, activation="topk", k=4, batch_size=50, max_epochs=20, random_state=seed, **options
        )

    ensembles = [crosscoder_ensemble(estimator(s, n_features=14), planted.orbits) for s in (0, 1)]
    one, other = map(consensus_dictionary, ensembles)
    assert found_again(one.atoms, [other.atoms], group=D4).mean() >= 0.9
    refitted = estimator(0, n_features=len(one), dict_init=one.components).fit(planted.orbits)
    assert refitted.score(planted.orbits) > ensembles[0][0].score(planted.orbits) - 0.03
    stayed = found_again(one.atoms, [refitted], group=D4, up_to_group=False)
    assert stayed.mean() >= 0.9


def test_bad_input_is_refused():
    atoms = strangers(D4).components
    with pytest.raises(ValueError, match="two dictionaries or more; got 1"):
        consensus_dictionary([atoms], group=D4)
    with pytest.raises(ValueError, match=r"min_share is a share.*got 0"):
        consensus_dictionary([atoms, atoms], group=D4, min_share=0)
    with pytest.raises(ValueError, match="threshold is a cosine"):
        consensus_dictionary([atoms, atoms], group=D4, threshold=0)
    with pytest.raises(TypeError, match="dictionaries is a list"):
        consensus_dictionary(atoms, group=D4)
