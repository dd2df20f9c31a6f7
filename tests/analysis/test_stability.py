from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross import Cyclic, Dihedral
from sklearn_groupcross.analysis import stability
from tests.analysis.planted import moved_copy, strangers

D4 = Dihedral(4)


def noisy(atoms, size, seed):
    noise = np.random.default_rng(seed).standard_normal(atoms.shape)
    return atoms + size * noise / np.sqrt(atoms[0].size)


def test_copies_are_stable_and_unrelated_atoms_are_not():
    atoms = strangers(D4, n_families=20, n_channels=32).components
    copy, *_ = moved_copy(atoms, D4, np.random.default_rng(0))
    unrelated = strangers(D4, seed=9, n_families=20, n_channels=32).components
    found = stability({"a": atoms, "b": copy, "c": unrelated}, group=D4).summary
    found = found.set_index("dictionary")
    # a finds all of itself in b and nothing in c
    assert found["stable_share"].to_dict() == {"a": 0.5, "b": 0.5, "c": 0.0}
    assert (found["null_stable_share"] == 0).all()
    assert (found["mean_max_similarity"] >= found["mean_similarity"]).all()


@pytest.mark.parametrize("null", ["signs", "gaussian"])
def test_unrelated_dictionaries_are_as_stable_as_the_null(null):
    first, second = (strangers(D4, seed, 30).components for seed in (1, 2))
    row = stability([first, second], group=D4, null=null).summary.iloc[0]
    assert row["mean_max_similarity"] == pytest.approx(row["null_mean_max_similarity"], abs=0.05)
    related = stability([first, noisy(first, 0.5, 0)], group=D4, null=null).summary.iloc[0]
    assert related["mean_max_similarity"] > related["null_mean_max_similarity"] + 0.3


def test_the_interval_covers_the_share_and_is_wider_for_families():
    rng = np.random.default_rng(0)
    free = strangers(D4, n_families=40, stabilizers="trivial", n_channels=24).components
    kept = rng.permutation(40) < 20
    half = np.where(kept[:, None, None], free, rng.standard_normal(free.shape))
    alone = stability([free, half], group=D4).summary.iloc[0]
    assert alone["stable_share"] == 0.5
    assert alone["stable_share_low"] < 0.5 < alone["stable_share_high"]
    # the same with each feature four times over: no more witnesses than before
    copies = np.concatenate([noisy(free, 0.1, seed) for seed in range(4)])
    repeated = stability([copies, np.tile(half, (4, 1, 1))], group=D4).summary.iloc[0]
    widths = [row["stable_share_high"] - row["stable_share_low"] for row in (alone, repeated)]
    assert repeated["stable_share"] == 0.5
    assert widths[1] == pytest.approx(widths[0], rel=0.2)


def test_one_row_a_feature_and_other_dictionary():
    atoms = strangers(D4).components.copy()
    atoms[2] = 0
    found = stability([atoms, atoms[:2]], group=D4)
    own = found.features[found.features["dictionary"] == "dictionary 0"]
    assert own["feature"].tolist() == [0, 1, 3]
    assert own["match"].tolist() == [0, 1, -1]
    assert own["stable"].tolist() == [True, True, False]
    assert np.isnan(own["similarity"].iloc[2])
    row = found.summary.iloc[0]
    assert (row["n_live"], row["n_dead"]) == (3, 1)
    assert row["stable_share"] == pytest.approx(2 / 3)
    assert np.isnan(row["stable_share_low"])  # three families are too few to draw from


def test_dead_dictionaries_have_no_figures():
    atoms = strangers(D4).components
    summary = stability([atoms, np.zeros_like(atoms)], group=D4).summary
    assert summary["stable_share"].iloc[0] == 0
    assert np.isnan(summary["stable_share"].iloc[1])
    assert summary["mean_max_similarity"].isna().all()


def test_the_same_seed_gives_the_same_figures():
    first, second = strangers(D4, 1).components, strangers(D4, 2).components
    one, again, other = (
        stability([first, second], group=D4, random_state=seed).summary for seed in (0, 0, 1)
    )
    assert one.equals(again)
    assert not one.equals(other)


def test_stability_refuses_what_cannot_be_compared():
    atoms = strangers(D4).components
    with pytest.raises(ValueError, match="at least two"):
        stability([atoms], group=D4)
    with pytest.raises(ValueError, match="same layer"):
        stability([atoms, atoms[:, :, :3]], group=D4)
    with pytest.raises(ValueError, match="null is one of"):
        stability([atoms, atoms], group=D4, null="none")
    with pytest.raises(ValueError, match="8 blocks"):
        stability([atoms, atoms], group=Cyclic(4))
