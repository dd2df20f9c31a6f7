from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross import (
    Dihedral,
    GroupCrosscoder,
    SymmetryAnalyzer,
    crosscoder_ensemble,
    make_orbits,
)
from sklearn_groupcross.analysis import (
    consensus_dictionary,
    found_again,
    match_dictionaries,
    stability,
)
from tests.analysis.planted import moved_copy, plant, strangers

D4 = Dihedral(4)


def test_a_feature_counts_for_each_run_that_has_it_in_any_order_pose_and_size():
    rng = np.random.default_rng(0)
    atoms = strangers(D4, n_families=6).components
    others = [moved_copy(atoms[kept], D4, rng)[0] for kept in ([0, 1, 2], [0, 1], [0, 3, 4, 5])]
    shares = np.array([3, 2, 1, 1, 1, 1]) / 3
    np.testing.assert_allclose(found_again(atoms, others, group=D4), shares)
    still = found_again(atoms, others, group=D4, up_to_group=False)
    assert still.sum() < shares.sum()


def test_one_to_one_a_copy_is_not_found_by_what_finds_the_other():
    atoms = strangers(D4).components
    twice = np.concatenate([atoms[:1], atoms])
    assert found_again(twice, [atoms], group=D4).sum() == len(atoms)
    assert (found_again(twice, [twice], group=D4) == 1).all()


def test_dead_features_are_not_counted_on_either_side():
    atoms = strangers(D4).components.copy()
    other = atoms.copy()
    atoms[1], other[2] = 0, 0
    np.testing.assert_array_equal(
        found_again(atoms, [other, np.zeros_like(other)], group=D4), [0.5, np.nan, 0, 0.5]
    )


def test_stability_counts_the_same():
    rng = np.random.default_rng(1)
    truth = strangers(D4, n_families=12, n_channels=24).components
    runs = [truth + size * rng.standard_normal(truth.shape) / 14 for size in (0.5, 0.6, 0.7, 0.8)]
    summary = stability(runs, group=D4).summary
    shares = [found_again(run, runs[:i] + runs[i + 1 :], group=D4) for i, run in enumerate(runs)]
    np.testing.assert_allclose(summary["stable_share"], [share.mean() for share in shares])
    assert 0.1 < summary["stable_share"].mean() < 0.9


def test_the_analyzer_puts_it_into_its_tables():
    _, atoms = plant(D4, n_families=2, stabilizers="trivial")
    atoms = np.concatenate([atoms, np.zeros_like(atoms[:1])])
    other = atoms[:4]
    analysis = SymmetryAnalyzer(group=D4).fit(atoms, others=[other, atoms])
    expected = found_again(atoms, [other, atoms], group=D4)
    np.testing.assert_array_equal(analysis.found_again_, expected)
    np.testing.assert_array_equal(analysis.features_table_["found_again"], expected)
    assert np.isnan(expected[-1])
    means = [expected[list(family.members)].mean() for family in analysis.families_]
    assert analysis.families_table_["found_again"].tolist() == means
    assert len(means) == 2
    alone = SymmetryAnalyzer(group=D4).fit(atoms)
    for table in (alone.features_table_, alone.families_table_):
        assert table["found_again"].isna().all()


@pytest.mark.parametrize(
    ("others", "error", "message"),
    [
        ([], ValueError, "others holds no dictionary"),
        (strangers(D4).components, TypeError, "others is a list of dictionaries"),
        ([np.ones((2, 16))], ValueError, "same layer"),
    ],
)
def test_bad_input_is_refused_before_the_work(others, error, message):
    atoms = strangers(D4).components
    for look_up in (
        lambda: found_again(atoms, others, group=D4),
        lambda: SymmetryAnalyzer(group=D4).fit(atoms, others=others),
    ):
        with pytest.raises(error, match=message):
            look_up()
    with pytest.raises(ValueError, match="threshold is a cosine"):
        found_again(atoms, [atoms], group=D4, threshold=1.5)


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("n", [8, 12])
def test_what_is_found_again_is_planted_and_what_is_planted_is_found_again(n, closed):
    group = Dihedral(n)
    planted = make_orbits(
        1500,
        group=group,
        n_channels=48,
        n_families=3 if closed else 25,
        n_active=3,
        closed=closed,
        noise=0.1,
        random_state=0,
    )
    estimator = GroupCrosscoder(
        group,
        n_features=round(1.1 * len(planted.components)),
        activation="topk",
        k=3,
        batch_size=50,
        max_epochs=15,
        random_state=0,
    )
    ensemble = crosscoder_ensemble(estimator, planted.orbits, 4)
    found, true = [], []
    for i, one in enumerate(ensemble):
        found.append(found_again(one, [*ensemble[:i], *ensemble[i + 1 :]]) >= 0.5)
        # two features of this cosine, whose errors have nothing in common, have 0.7
        best = match_dictionaries(one, planted.components, group=group).best_first
        true.append(best >= 0.7**0.5)
    found, true = np.concatenate(found), np.concatenate(true)
    assert true[found].mean() >= 0.95
    assert found[true].mean() >= 0.9
    consensus = consensus_dictionary(ensemble)
    of_planted = match_dictionaries(planted.components, consensus.atoms, group=group, threshold=0.9)
    assert of_planted.matched_first.mean() >= 0.9
