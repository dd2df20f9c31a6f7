"""What is said of dictionaries of several penalties."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from examples.reproduction import sparsity
from examples.reproduction._claim import FAILS, HOLDS, IN_PART
from examples.reproduction._quality import Judge
from examples.reproduction._recurrence import find_again, find_partners

L1S = (1e-3, 1e-2, 3e-2, 1e-1, 1.0)


def sweep(in_families, live=(1, 1, 1, 1, 1), found_again=None):
    """Of three seeds, alike but for a little, a table of five penalties."""
    rows = []
    for seed in range(3):
        shares = np.array(in_families) + 0.001 * seed
        found = shares if found_again is None else found_again
        rows += [
            {"dictionary": "l1", "l1": l1, "seed": seed, "n_live": 100 * alive, "n_features": 100,
             "share_in_families": share, "atoms_in_families": share * alive,
             "atoms_found_again": again}
            for l1, share, alive, again in zip(L1S, shares, live, found, strict=True)
        ]  # fmt: skip
    return pd.DataFrame(rows)


def verdict_on_ends(seeds):
    return sparsity._optimum({"ends": sparsity._ends(seeds, 0.95)})


def test_an_optimum_stands_above_both_ends():
    estimate, verdict = verdict_on_ends(sweep([0.1, 0.4, 0.5, 0.4, 0.2]))
    assert verdict == HOLDS
    assert estimate.value == pytest.approx(0.3)
    assert verdict_on_ends(sweep([0.1, 0.3, 0.4, 0.5, 0.6]))[1] == IN_PART
    assert verdict_on_ends(sweep([0.6, 0.5, 0.4, 0.3, 0.1]))[1] == FAILS


def test_shares_do_not_fall_because_features_die():
    # the same share of live features all along the sweep: only their number falls
    dying = sweep([0.1, 0.5, 0.5, 0.5, 0.5], live=(1, 1, 1, 0.7, 0.01))
    ends = sparsity._ends(dying, 0.95).set_index("end")
    assert ends.loc["largest", "l1"] == 0.1
    assert ends.loc["largest", "value"] == pytest.approx(0, abs=1e-9)
    assert verdict_on_ends(dying)[1] == IN_PART
    # nothing is alive but at the smallest: no verdict that holds
    estimate, verdict = verdict_on_ends(sweep([0.5] * 5, live=(1, 0, 0, 0, 0)))
    assert verdict == FAILS
    assert np.isnan(estimate.value)


def test_two_neighbours_are_no_range():
    config = {"n_resamples": 20, "confidence": 0.95}

    def judged(in_families, **options):
        return sparsity._wide({"range": sparsity._range(sweep(in_families, **options), config)})

    assert judged([0.1, 0.5, 0.5, 0.5, 0.1])[1] == HOLDS
    alone, verdict = judged([0.1, 0.1, 0.1, 0.5, 0.5])  # a factor of ten, of two
    assert verdict == FAILS
    assert alone.value == 1
    assert judged([0.5] * 5, live=(0,) * 5)[1] == FAILS


def test_partners_are_each_others(study):
    partners = find_partners(study.crosscoders())
    has = np.flatnonzero(partners[0, 1] >= 0)
    assert len(has)
    np.testing.assert_array_equal(partners[1, 0][partners[0, 1][has]], has)
    assert (partners[1, 0] >= 0).sum() == len(has)
    np.testing.assert_array_equal(find_again(study.crosscoders())[1, 0], partners[1, 0] >= 0)


def test_measures_agree_with_those_of_the_package(study):
    crosscoders = study.crosscoders()
    judge = Judge(study, 30)
    measured = judge.measure(crosscoders)
    seeds = measured.seeds
    np.testing.assert_allclose(
        1 - measured.errors.sum(axis=1) / measured.totals.sum(), seeds["explained"], rtol=1e-4
    )
    again = find_again(crosscoders)
    assert seeds["n_live"].tolist() == [48, 48]
    np.testing.assert_allclose(measured.of_pairs("found_again")[0, 1], again[0, 1].mean())
    assert np.isnan(measured.of_pairs("found_again")[0, 0])
    assert measured.explained(study, than=measured) == (0, 0, 0)


def test_dictionaries_in_which_nothing_lives_are_measured(study):
    dictionaries = study.crosscoders()
    for crosscoder in dictionaries:
        crosscoder.encoder_intercept_ = crosscoder.encoder_intercept_ - 1e6
    measured = Judge(study, 30).measure(dictionaries, findings=True)
    assert measured.seeds["n_live"].tolist() == [0, 0]
    assert measured.seeds["share_in_families"].isna().all()
    assert measured.seeds["atoms_in_families"].tolist() == [0, 0]
    assert measured.seeds["atoms_found_again"].tolist() == [0, 0]
    assert np.isnan(measured.of_pairs("beyond_chance")).all()
    assert {"explained", "beyond_chance"} <= set(measured.summary(study)["what"])
