"""Codes, and the weights behind them, for code that computes with them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse import issparse
from sklearn import config_context
from sklearn.exceptions import NotFittedError

from sklearn_groupcross import Dihedral, GroupCrosscoder, make_orbits
from sklearn_groupcross._stacks._codes import are_codes
from sklearn_groupcross.crosscoder import codes_of_activations, codes_of_orbits, dictionary_of

GROUP = Dihedral(3)


@pytest.fixture(scope="module")
def orbits():
    return make_orbits(100, group=GROUP, n_channels=4, random_state=0).orbits


@pytest.fixture(scope="module", params=["relu", "topk", "batch_topk", "jumprelu"])
def fitted(request, orbits):
    k = 3 if "topk" in request.param else None
    return GroupCrosscoder(
        GROUP, 8, activation=request.param, k=k, max_epochs=3, random_state=0
    ).fit(orbits)


@pytest.mark.parametrize("container", ["default", "pandas", "polars"])
def test_they_are_those_of_transform_in_any_container(fitted, orbits, container):
    expected = fitted.transform(orbits)
    with config_context(transform_output=container):
        codes = codes_of_orbits(fitted, orbits)
        of_blocks = codes_of_activations(fitted, orbits[:, 0])
    assert type(codes) is type(of_blocks) is np.ndarray
    np.testing.assert_array_equal(codes, expected)
    np.testing.assert_array_equal(of_blocks, expected)


def test_they_are_sparse_if_the_caller_wants_it_and_not_if_the_user_does(fitted, orbits):
    dense = codes_of_orbits(fitted, orbits)
    fitted.set_params(sparse_output=True)
    try:
        assert not issparse(codes_of_orbits(fitted, orbits))
        assert not issparse(codes_of_activations(fitted, orbits[:, 0]))
    finally:
        fitted.set_params(sparse_output=False)
    for sparse in (
        codes_of_orbits(fitted, orbits, sparse=True),
        codes_of_activations(fitted, orbits[:, 0], sparse=True),
    ):
        np.testing.assert_array_equal(sparse.toarray(), dense)


def test_only_what_users_get_is_marked_as_codes(fitted, orbits):
    assert are_codes(fitted.transform(orbits))
    assert not are_codes(codes_of_orbits(fitted, orbits))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_weights_as_tensors_make_the_same_codes_and_orbits(fitted, orbits, dtype):
    flat = orbits.reshape(100, -1).astype(dtype)
    dictionary = dictionary_of(fitted, np.dtype(dtype), torch.device("cpu"))
    codes = dictionary.encode(torch.from_numpy(flat[:, :4].copy()))
    assert codes.numpy().dtype == dtype
    np.testing.assert_array_equal(codes.numpy(), codes_of_orbits(fitted, flat))
    rebuilt = dictionary.decode(codes).numpy()
    np.testing.assert_array_equal(rebuilt, fitted.inverse_transform(codes.numpy()))


def test_what_is_not_fitted_has_none(orbits):
    for codes_of in (codes_of_orbits, codes_of_activations):
        with pytest.raises(NotFittedError):
            codes_of(GroupCrosscoder(GROUP), orbits)
