from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from sklearn_groupcross import Dihedral, GroupCrosscoder, SymmetryAnalyzer, make_orbits
from sklearn_groupcross.analysis import diagnose, found_again
from sklearn_groupcross.analysis._fit_signatures import (
    find_disagreement,
    find_features_alone,
    find_few_firings,
    find_gap,
)
from sklearn_groupcross.model_selection import collect_statistics

GROUP = Dihedral(4)


def fitted_as(*, n_steps=60, passes=20, l0=32.0, m=1024, n_columns=30720, compression=None, kept=0):
    """What a crosscoder says of its training."""
    return SimpleNamespace(
        history_={"l0": [40.0] * (passes - 1) + [l0], "fvu": [0.5] * passes},
        components_=np.zeros((m, n_columns), dtype=np.int8),
        compression=compression,
        n_coordinates_=n_columns if compression is None else kept,
        n_steps_=n_steps * passes,
        batch_size=1024,
    )


def names(findings):
    return [finding.name for finding in findings]


def test_nearly_all_alone():
    labels = np.repeat([-1, 0, 1], [80, 12, 8])
    finding = find_features_alone(labels)
    assert finding.name == "features alone"
    assert finding.value == 0.8 > finding.limit
    np.testing.assert_array_equal(finding.evidence["family_sizes"], [12, 8])
    assert "compression=0.8" in finding.advice
    assert find_features_alone(np.full(9, -1)).value == 1.0
    assert find_features_alone(np.repeat([-1, 0, 1], [60, 32, 8])) is None
    assert find_features_alone(labels[:0]) is None


def test_free_atoms_of_many_numbers_fire_too_rarely():
    finding = find_few_firings(fitted_as(m=2048))
    assert finding.name == "too few firings"
    firings, numbers = finding.evidence["firings_and_numbers"]
    assert (firings, numbers) == (60 * 1024 * 32 / 2048, 30720)
    assert finding.value == firings / numbers < finding.limit
    assert "fires on some 960 training orbits" in finding.message
    # coordinates that were not kept are not learned
    assert find_few_firings(fitted_as(compression=0.8, kept=1184)) is None
    assert find_few_firings(fitted_as(compression=0.9, kept=20_000, m=2048)).value < 0.05
    unknown = fitted_as()
    unknown.history_ = {}
    assert find_few_firings(unknown) is None


def test_a_gap_between_training_and_held_out():
    finding = find_gap(fitted_as(), 0.2)
    assert finding.name == "training and held-out differ"
    assert finding.value == pytest.approx(0.3)
    assert "50% of the variance in training and 20% here" in finding.message
    assert find_gap(fitted_as(), 0.45) is None
    assert find_gap(fitted_as(), 0.7) is None
    assert find_gap(fitted_as(), float("nan")) is None


def test_seeds_that_disagree():
    one, other = (np.random.default_rng(seed).standard_normal((20, 8 * 16)) for seed in (0, 1))
    translated = other.reshape(20, 8, 16)[:, GROUP.right_translation(3)].reshape(20, -1)

    def disagreement(atoms, others):
        return find_disagreement(found_again(atoms, others, group=GROUP))

    assert disagreement(other, [translated]) is None
    finding = disagreement(one, [translated, other])
    assert finding.name == "seeds disagree"
    assert finding.value == 0
    half = np.concatenate([one[:10], other[:10]])
    finding = disagreement(half, [translated, one, other[10:]])
    assert finding.value == pytest.approx(1 / 3)
    np.testing.assert_allclose(finding.evidence["found_again"], 1 / 3)
    one[:15] = 0  # dead atoms are not missed
    assert disagreement(one, [one[15:]]) is None
    assert disagreement(np.zeros_like(one), [other]) is None
    assert find_disagreement(np.full(20, np.nan)) is None  # nothing to be found again in


@pytest.fixture(scope="module")
def planted():
    return make_orbits(800, group=GROUP, n_families=3, n_active=3, random_state=1)


def fit(orbits, n_features, seed=0, **options):
    return GroupCrosscoder(
        GROUP, n_features, activation="topk", k=3, max_epochs=30, batch_size=64,
        dead_features=None, random_state=seed, **options,
    ).fit(orbits)  # fmt: skip


def test_an_overfitted_dictionary_shows_all_of_it(planted):
    """Far too many atoms on far too few orbits, of which noise is a large part."""
    rng = np.random.default_rng(0)
    noisy = planted.orbits + 0.15 * rng.standard_normal(planted.orbits.shape).astype(np.float32)
    train, held_out = noisy[:150], noisy[150:]
    one, other = (fit(train, 100, seed) for seed in (0, 1))
    found = diagnose(SymmetryAnalyzer().fit(one), one, held_out, others=[other])
    assert {"too few firings", "training and held-out differ", "seeds disagree"} <= set(
        names(found)
    )
    # what the analysis knows of others, and of orbits, is not asked again
    again = SymmetryAnalyzer().fit(one, others=[other])
    statistics = collect_statistics(one, held_out, keep_rows=True)
    assert again.diagnose(one, held_out, statistics=statistics) == found
    with pytest.raises(ValueError, match="statistics hold no rows"):
        again.diagnose(one, held_out, statistics=statistics.without_rows())


def test_a_healthy_dictionary_shows_none(planted):
    one, other = (fit(planted.orbits[:600], 30, seed) for seed in (0, 1))
    analysis = SymmetryAnalyzer().fit(one)
    assert analysis.diagnose(one, planted.orbits[600:], others=[other]) == []
