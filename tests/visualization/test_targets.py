from __future__ import annotations

import numpy as np
import pytest
import torch

from sklearn_groupcross.visualization._targets import targets_of

FEATURES, ELEMENTS = np.array([5, 2]), np.array([0, 3])


def targets(crosscoder, n_controls=0, seed=0):
    rng = np.random.default_rng(seed)
    return targets_of(crosscoder, FEATURES, ELEMENTS, n_controls, rng)


def test_values_are_preactivations_and_cosines_with_blocks(small_crosscoder):
    activations = np.random.default_rng(0).random((6, 12))
    found = targets(small_crosscoder).values(torch.from_numpy(activations)).numpy()
    atoms = small_crosscoder.components_.reshape(24, 8, 12)
    biases = small_crosscoder.intercept_.reshape(8, 12)
    for i, feature in enumerate(FEATURES):
        encoder = small_crosscoder.encoder_[feature]
        expected = activations[3 * i] @ encoder + small_crosscoder.encoder_intercept_[feature]
        assert found[3 * i] == pytest.approx(expected, rel=1e-5)
        for j, element in enumerate(ELEMENTS):
            k = 3 * i + 1 + j
            centered, block = activations[k] - biases[element], atoms[feature, element]
            cosine = centered @ block / np.linalg.norm(centered) / np.linalg.norm(block)
            assert found[k] == pytest.approx(cosine, rel=1e-5)


def test_codes_are_preactivations_above_the_threshold(small_crosscoder):
    activations = np.random.default_rng(0).random((1, 12)).astype(np.float32)
    every = np.arange(24)
    both = targets_of(small_crosscoder, every, np.array([0]), 0, np.random.default_rng(0))
    values = both.values(torch.from_numpy(activations).expand(48, -1))[::2].numpy()
    codes = small_crosscoder.encode(activations)[0]
    active = codes > 0
    assert 0 < active.sum() <= 4
    np.testing.assert_allclose(values[active], codes[active], rtol=1e-5)
    assert values[~active].max() <= values[active].min()


def test_the_objective_of_a_block_is_projection_times_cosine(small_crosscoder):
    both = targets(small_crosscoder)
    activations = torch.from_numpy(np.random.default_rng(0).random((6, 12)))
    objective, values = both.objective(activations), both.values(activations)
    length = (activations - both.centers).norm(dim=1)
    expected = length * values * values.clamp(min=0.1)
    torch.testing.assert_close(objective[both.is_block], expected[both.is_block])
    torch.testing.assert_close(objective[~both.is_block], values[~both.is_block])


def test_at_the_center_gradients_are_finite(small_crosscoder):
    both = targets(small_crosscoder)
    activations = both.centers.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(both.objective(activations).sum(), activations)
    assert gradient.isfinite().all()


def test_controls_have_the_second_moments_of_real_directions(small_crosscoder):
    many = targets(small_crosscoder, n_controls=4000)
    rows = many.weights.reshape(-1, 3, 12)[2:].numpy()
    encoder = small_crosscoder.encoder_.astype(np.float64)
    for column, real in ((0, encoder), (2, small_crosscoder.components_.reshape(24, 8, 12)[:, 3])):
        expected = real.T.astype(np.float64) @ real / len(real)
        found = rows[:, column].T @ rows[:, column] / len(rows)
        assert np.linalg.norm(found - expected) < 0.1 * np.linalg.norm(expected)
    again = targets(small_crosscoder, n_controls=4000)
    assert torch.equal(again.weights, many.weights)
    assert not torch.equal(targets(small_crosscoder, 4000, seed=1).weights, many.weights)
    # features are what they are whatever is drawn
    assert torch.equal(many.weights[:6], targets(small_crosscoder).weights)


def test_features_without_a_direction_are_refused(small_crosscoder):
    components, encoder = small_crosscoder.components_, small_crosscoder.encoder_
    try:
        small_crosscoder.components_ = components.copy()
        small_crosscoder.components_[2, 36:48] = 0.0
        with pytest.raises(ValueError, match="Feature 2 has weights that are all zero"):
            targets(small_crosscoder)
        small_crosscoder.components_ = components
        small_crosscoder.encoder_ = encoder * (np.arange(24) != 5)[:, None]
        with pytest.raises(ValueError, match="Feature 5 has weights that are all zero"):
            targets(small_crosscoder)
    finally:
        small_crosscoder.components_, small_crosscoder.encoder_ = components, encoder
