from __future__ import annotations

import copy
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.exceptions import UndefinedMetricWarning

from sklearn_groupcross import Dihedral, GroupCrosscoder, make_orbits
from sklearn_groupcross.model_selection import description_length, score_crosscoder
from sklearn_groupcross.model_selection._description_length import (
    code_entropy,
    held_out_variances,
    residual_rate,
    reverse_water_filling,
)


def miller(n_values: int, n: int) -> float:
    return (n_values - 1) / (2 * n * math.log(2))


def entropy_of(columns: list[list[float]], step: float = 1.0) -> float:
    return code_entropy(sparse.csr_array(np.array(columns).T), step)


def test_entropy_by_hand():
    # on half of the time, always the same value: one bit
    assert entropy_of([[0, 0, 5, 5]]) == pytest.approx(1 + miller(2, 4))
    # eight values, zero among them: three bits
    assert entropy_of([list(range(8))]) == pytest.approx(3 + miller(8, 8))
    # shares 1/2, 1/4, 1/4
    assert entropy_of([[0, 0, 1, 2]]) == pytest.approx(1.5 + miller(3, 4))
    # atoms are coded for themselves, even if one follows from the other
    assert entropy_of([[0, 1], [0, 1]]) == pytest.approx(2 * entropy_of([[0, 1]]))


def test_what_rounds_to_one_value_costs_nothing():
    assert entropy_of([[0, 0.4, 0.3, 0]]) == 0
    assert entropy_of([[0.9, 1.1, 1.2, 1.4]]) == 0
    assert entropy_of([[0, 0, 0, 0]]) == 0
    assert entropy_of([[0, 0.4, 0.3, 0]], step=0.1) > 1


def test_finer_steps_cost_a_bit_for_every_halving():
    values = np.random.default_rng(0).exponential(size=(20000, 1))
    codes = sparse.csr_array(values)
    assert code_entropy(codes, 0.02) - code_entropy(codes, 0.04) == pytest.approx(1, abs=0.02)
    # the differential entropy of the exponential is log2 e; minus log2 of the step
    assert code_entropy(codes, 0.02) == pytest.approx(math.log2(math.e / 0.02), abs=0.02)


def test_water_filling_by_hand():
    # level 1/2: errors 1/2 + 1/2 + 1/4; bits log2(8)/2 + log2(2)/2 + 0
    bits, level = reverse_water_filling([1.0, 4.0, 0.25], 1.25)
    assert (bits, level) == (pytest.approx(2.0), pytest.approx(0.5))
    assert reverse_water_filling([1.0, 2.0], 3.0)[0] == 0
    # equal variances, all below: n/2 log2(variance / error)
    assert reverse_water_filling([2.0] * 6, 3.0)[0] == pytest.approx(6.0)


@given(
    st.lists(st.floats(0, 1e6), min_size=1, max_size=30).filter(lambda v: sum(v) > 1e-3),
    st.floats(0.01, 0.99),
)
def test_water_filling_spends_the_budget(variances, share):
    budget = share * sum(variances)
    bits, level = reverse_water_filling(variances, budget)
    assert np.minimum(level, variances).sum() == pytest.approx(budget)
    assert bits > 0
    assert reverse_water_filling(variances[::-1], budget)[0] == pytest.approx(bits)
    assert reverse_water_filling(variances, budget / 2)[0] > bits
    scaled = reverse_water_filling(np.array(variances) * 8, budget * 8)[0]
    assert scaled == pytest.approx(bits)


def test_variances_keep_the_energy():
    rng = np.random.default_rng(0)
    for n, n_columns in ((20, 50), (50, 20), (1, 5)):
        basis, rows = rng.standard_normal((2, n, n_columns))
        variances = held_out_variances(basis, rows)
        assert variances.shape == (n_columns,)
        assert (variances >= 0).all()
        assert variances.sum() == pytest.approx(np.square(rows).sum(axis=1).mean())
    assert held_out_variances(np.zeros((4, 7)), rows[:, :5].repeat(7, axis=1)[:, :7]).std() == 0


@pytest.mark.parametrize("distortion", [0.02, 0.1, 0.3])
def test_noise_is_not_made_cheap_by_having_few_rows(distortion):
    """White noise in 400 directions; the covariance of 100 rows knows of 100."""
    rows = np.random.default_rng(0).standard_normal((100, 400))
    truth = 200 * math.log2(1 / distortion)
    assert residual_rate(rows, 400 * distortion) == pytest.approx(truth, rel=0.03)
    eigenvalues = np.linalg.eigvalsh(rows @ rows.T / 100)
    assert reverse_water_filling(eigenvalues, 400 * distortion)[0] < 0.5 * truth


def test_structure_is_found_from_few_rows():
    rng = np.random.default_rng(0)
    directions = np.linalg.qr(rng.standard_normal((400, 6)))[0]
    rows = rng.standard_normal((100, 6)) @ directions.T + 1e-3 * rng.standard_normal((100, 400))
    assert residual_rate(rows, 0.6) == pytest.approx(3 * math.log2(10), rel=0.05)


def test_parts_add_up_and_less_loss_costs_more(fitted, test_orbits):
    lengths = [description_length(fitted, test_orbits, distortion=d) for d in (0.3, 0.1, 0.03)]
    for length in lengths:
        assert length.bits == length.code_bits + length.residual_bits
        assert min(length.code_bits, length.residual_bits) >= 0
    assert lengths[0].bits < lengths[1].bits < lengths[2].bits
    assert lengths[0].gaussian_bits < lengths[1].gaussian_bits < lengths[2].gaussian_bits
    scores = score_crosscoder(fitted, test_orbits, distortion=0.03)
    assert scores["neg_description_length"] == -lengths[2].bits


def test_units_of_atoms_and_of_data_do_not_matter(fitted, test_orbits):
    expected = description_length(fitted, test_orbits).bits
    grown = copy.deepcopy(fitted)
    grown.components_ = fitted.components_ * 8
    grown.encoder_, grown.encoder_intercept_ = fitted.encoder_ / 8, fitted.encoder_intercept_ / 8
    assert description_length(grown, test_orbits).bits == pytest.approx(expected, rel=1e-5)
    in_units = copy.deepcopy(grown)
    in_units.intercept_ = fitted.intercept_ * 8
    in_units.encoder_intercept_ = fitted.encoder_intercept_
    assert description_length(in_units, test_orbits * 8).bits == pytest.approx(expected, rel=1e-5)
    # an atom that is worth eight times as much, its codes as they were, is another dictionary
    changed = copy.deepcopy(fitted)
    changed.components_ = fitted.components_ * 8
    assert description_length(changed, test_orbits).bits > 1.1 * expected


def test_a_dictionary_without_codes_is_the_code_of_its_residual(fitted, test_orbits):
    silent = copy.deepcopy(fitted)
    silent.encoder_intercept_ = np.full_like(fitted.encoder_intercept_, -1e6)
    silent.intercept_ = test_orbits.reshape(len(test_orbits), -1).mean(axis=0)
    length = description_length(silent, test_orbits)
    assert length.code_bits == 0
    assert length.bits == pytest.approx(length.gaussian_bits, rel=1e-4)


def test_atoms_of_zero_cost_nothing(fitted, test_orbits):
    pruned, without = copy.deepcopy(fitted), copy.deepcopy(fitted)
    pruned.components_[:4] = 0
    without.components_[:4] = 0
    without.encoder_intercept_[:4] = -1e6
    # the number of active codes only sets the grid of steps
    expected = description_length(without, test_orbits).bits
    assert description_length(pruned, test_orbits).bits == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("distortion", [0, 1, -0.1, 2, float("nan")])
def test_distortion_is_a_share(fitted, test_orbits, distortion):
    with pytest.raises(ValueError, match="above 0 and below 1"):
        description_length(fitted, test_orbits, distortion=distortion)


def test_few_samples(fitted, test_orbits):
    with pytest.warns(UndefinedMetricWarning, match="description length is not well-defined"):
        assert math.isnan(description_length(fitted, test_orbits[:1]).bits)
    for n in (2, 3, 5):
        assert 0 < description_length(fitted, test_orbits[:n]).bits < math.inf


def test_the_number_of_samples_hardly_matters(fitted, test_orbits):
    """A code length is a property of the distribution; tiny samples underestimate entropies."""
    more = make_orbits(1000, group=Dihedral(3), n_channels=8, n_families=2, random_state=0).orbits
    lengths = [description_length(fitted, more[-n:]).bits for n in (200, 800)]
    assert lengths[0] == pytest.approx(lengths[1], rel=0.1)


def test_it_prefers_the_penalty_that_finds_the_planted_atoms():
    """Explained variance is largest for the weakest penalty, L0 for the strongest."""
    group = Dihedral(3)
    data = make_orbits(1500, group=group, n_channels=32, n_families=4, random_state=2)
    train, test = data.orbits[:1100], data.orbits[1100:]
    truth = data.components.reshape(len(data.components), -1)
    penalties = np.geomspace(0.003, 1, 7)
    scores, recoveries = [], []
    for l1 in penalties:
        crosscoder = GroupCrosscoder(
            group=group, n_features=len(truth), l1=l1, batch_size=128, max_epochs=30, random_state=0
        ).fit(train)
        atoms = crosscoder.components_
        atoms = atoms / np.maximum(np.linalg.norm(atoms, axis=1, keepdims=True), 1e-12)
        recoveries.append((truth @ atoms.T).max(axis=1).mean())
        scores.append(score_crosscoder(crosscoder, test))
    chosen = int(np.argmax([score["neg_description_length"] for score in scores]))
    assert 0 < chosen < len(penalties) - 1
    assert abs(chosen - int(np.argmax(recoveries))) <= 1
    assert recoveries[chosen] > max(recoveries) - 0.01
    by_variance = int(np.argmax([score["explained_variance"] for score in scores]))
    assert recoveries[by_variance] < recoveries[chosen] - 0.1
