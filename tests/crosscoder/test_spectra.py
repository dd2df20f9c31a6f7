from __future__ import annotations

import numpy as np
import pytest
import torch

from sklearn_groupcross.crosscoder import _spectra
from sklearn_groupcross.crosscoder._spectra import (
    leading_spectrum,
    needed_spectra,
    whole_spectrum,
)
from tests.tolerances import rounding


def square(size, decay, seed=0, scale=1.0):
    """A matrix of squares with eigenvalues that fall as a power, and these."""
    rng = np.random.default_rng(seed)
    values = scale * np.arange(1, size + 1, dtype=np.float64) ** -decay
    vectors = np.linalg.qr(rng.standard_normal((size, size)))[0]
    return torch.from_numpy((vectors * values) @ vectors.T).float(), values


@pytest.mark.parametrize("decay", [0.5, 1.0, 3.0])
def test_trusted_axes_hold_what_the_exact_ones_do(decay):
    matrix, values = square(400, decay)
    found = leading_spectrum(matrix)
    n = found.n_trusted
    assert 0 < n < len(found.values) < 400
    assert torch.all(found.values.diff() <= 0)
    np.testing.assert_allclose(
        found.values[:n], values[:n], rtol=1e-2, atol=rounding(np.float32, 400)
    )
    axes = found.axes[:n].double()
    held = float(((axes @ matrix.double()) * axes).sum())
    assert held == pytest.approx(values[:n].sum(), rel=1e-3)
    torch.testing.assert_close(
        axes @ axes.T, torch.eye(n).double(), rtol=0, atol=rounding(np.float32, 400)
    )
    assert found.rest + float(found.values.sum()) == pytest.approx(values.sum(), rel=1e-5)


def test_small_matrices_are_done_whole():
    matrix, values = square(2 * _spectra._LEADING, 1.0)
    found = leading_spectrum(matrix)
    assert found.rest == 0.0
    assert found.n_trusted == len(matrix)
    np.testing.assert_allclose(found.values, values, atol=rounding(np.float32, len(matrix)))
    np.testing.assert_array_equal(found.values, whole_spectrum(matrix).values)


def test_equal_matrices_have_equal_spectra():
    first, second = (leading_spectrum(square(300, 1.0)[0]) for _ in range(2))
    np.testing.assert_array_equal(first.axes, second.axes)


def test_a_matrix_of_low_rank_has_no_more_axes_than_that():
    rows = torch.randn(5, 300, generator=torch.Generator().manual_seed(0))
    found = leading_spectrum(rows.T @ rows)
    assert (found.values > 1e-4).sum() == 5
    assert found.rest == pytest.approx(0.0, abs=1e-3)
    assert torch.isfinite(found.axes).all()
    assert torch.isfinite(leading_spectrum(torch.zeros(300, 300)).axes).all()


@pytest.mark.parametrize("n", [1, 40, 200, 500])
def test_only_what_is_needed_is_done_whole(n, monkeypatch):
    """The n largest of all eigenvalues, of matrices of which the first hold more than the last."""
    made = [square(300, 1.0, seed, scale=10.0**-seed) for seed in range(3)]
    done = []
    whole = _spectra.whole_spectrum
    monkeypatch.setattr(_spectra, "whole_spectrum", lambda one: done.append(len(one)) or whole(one))

    def count(spectra):
        values = np.concatenate([one.values for one in spectra])
        owner = np.repeat(np.arange(3), [len(one.values) for one in spectra])
        return np.bincount(owner[np.argsort(-values)[:n]], minlength=3).tolist()

    spectra, counts = needed_spectra([matrix for matrix, _ in made], [1, 1, 1], count)
    every = np.concatenate([values for _, values in made])
    expected = np.bincount(np.repeat([0, 1, 2], 300)[np.argsort(-every)[:n]], minlength=3)
    np.testing.assert_allclose(counts, expected, atol=1)
    assert done.count(300) == (expected > _spectra._LEADING // 2).sum()
    for spectrum, used in zip(spectra, counts, strict=True):
        assert used <= spectrum.n_trusted
