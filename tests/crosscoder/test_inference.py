from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from scipy import sparse

from sklearn_groupcross._stacks._rows import Rows
from sklearn_groupcross.crosscoder import _inference
from sklearn_groupcross.crosscoder._inference import (
    FittedDictionary,
    decode,
    encode,
    explained_variance,
)
from tests.tolerances import assert_near

from .steps import steps


def fitted(step):
    options, parameters, samples, _, _ = step
    threshold = options.rule.threshold(torch.tensor(0.1), parameters)
    return samples.targets.numpy(), FittedDictionary(parameters, threshold, options.rule)


def close(found, expected):
    """Rows that lie elsewhere in memory have other roundings."""
    assert_near(found, expected, 100, size=10 + float(np.abs(expected).max(initial=0)))


@given(step=steps())
def test_codes_are_those_of_the_blocks_that_are_read_dense_or_sparse(step):
    orbits, dictionary = fitted(step)
    codes = encode(Rows(orbits), dictionary, sparse=False)
    assert codes.dtype == orbits.dtype
    expected = dictionary.encode(torch.from_numpy(orbits[:, : step[0].n_read])).numpy()
    close(codes, expected)
    others = encode(Rows(orbits), dictionary, sparse=True)
    assert sparse.issparse(others)
    close(others.toarray(), codes)
    changed = orbits.copy()
    changed[:, step[0].n_read :] = np.nan  # is not read
    close(encode(Rows(changed), dictionary, sparse=False), codes)


@given(step=steps())
def test_orbits_are_rebuilt_from_dense_and_sparse_codes(step):
    orbits, dictionary = fitted(step)
    codes = encode(Rows(orbits), dictionary, sparse=False)
    rebuilt = decode(codes, dictionary)
    weights = dictionary.parameters
    expected = codes @ weights.decoder.numpy() + weights.flat_bias().numpy()
    size = float((np.abs(codes) @ np.abs(weights.decoder.numpy())).max(initial=1.0))
    assert_near(rebuilt, expected, codes.shape[1], size=size + 1)
    assert_near(decode(sparse.csr_array(codes), dictionary), rebuilt, codes.shape[1], size=size + 1)
    error = np.square(orbits - rebuilt.astype(np.float64)).sum()
    total = orbits.astype(np.float64).var(axis=0).sum() * len(orbits)
    if len(orbits) < 2:
        with pytest.warns(UserWarning, match="one sample|single sample|not well-defined"):
            assert np.isnan(explained_variance(Rows(orbits), dictionary))
    elif total > 1e-3:
        found = explained_variance(Rows(orbits), dictionary)
        assert found == pytest.approx(1 - error / total, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("name", ["_BYTES_OF_CODES", "_BYTES_OF_ORBITS"])
def test_parts_change_nothing(monkeypatch, name, small_crosscoder, small_dataset):
    orbits = small_dataset.as_array()
    codes = small_crosscoder.transform(orbits)
    rebuilt = small_crosscoder.inverse_transform(codes)
    monkeypatch.setattr(_inference, name, 1 << 14)
    parts = small_crosscoder.transform(orbits)
    size = float(np.abs(codes).max())
    assert_near(parts, codes, orbits.shape[2], size=10 * size)
    assert_near(small_crosscoder.inverse_transform(codes), rebuilt, 24, size=10 * size)


def test_rows_that_are_not_finite_are_named(small_crosscoder, small_dataset):
    orbits = small_dataset.as_array().copy()
    orbits[7, 0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN.* 7"):
        small_crosscoder.transform(orbits)
