from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import FunctionTransformer

from sklearn_groupcross import Cyclic, stack_orbits
from sklearn_groupcross.actions import TimeShiftAction

ACTION = TimeShiftAction(Cyclic(4))


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


SIGNALS = normal(30, 8).double().numpy()
LABELS = np.arange(30) % 3


@pytest.mark.parametrize(
    "method",
    [
        PCA(n_components=3).fit(SIGNALS).transform,
        LogisticRegression().fit(SIGNALS, LABELS).predict_proba,
        FunctionTransformer(np.abs).fit(SIGNALS).transform,
    ],
    ids=lambda method: method.__qualname__,
)
@pytest.mark.parametrize("inputs", [SIGNALS, torch.from_numpy(SIGNALS), SIGNALS.tolist()])
def test_methods_of_scikit_learn_get_arrays(method, inputs):
    orbits = stack_orbits(inputs, ACTION, method, batch_size=10)
    assert orbits.dtype == np.float32
    for g in range(4):
        np.testing.assert_allclose(
            orbits[:, g], method(np.roll(SIGNALS, 2 * g, axis=1)), rtol=1e-5, atol=1e-6
        )


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int16])
def test_a_function_of_arrays_gets_them_in_their_own_dtype(dtype):
    seen = []

    def function(array):
        seen.append((type(array), array.dtype))
        return np.abs(np.fft.rfft(array))

    signals = (10 * SIGNALS).astype(dtype)
    orbits = stack_orbits(signals, ACTION, function, arrays=True)
    assert set(seen) == {(np.ndarray, np.dtype(dtype))}
    # magnitudes of a spectrum do not change when the signal is shifted
    np.testing.assert_allclose(orbits, np.repeat(orbits[:, :1], 4, axis=1), rtol=1e-4, atol=1e-4)


def test_a_function_gets_tensors_unless_told_otherwise():
    seen = []

    def function(tensor):
        seen.append(type(tensor))
        return tensor

    np.testing.assert_array_equal(
        stack_orbits(SIGNALS, ACTION, function),
        stack_orbits(SIGNALS, ACTION, function, arrays=False),
    )
    assert set(seen) == {torch.Tensor}


def test_what_is_written_into_an_array_stays_out_of_the_inputs():
    def function(array):
        array *= 0
        return array

    before = SIGNALS.copy()
    stack_orbits(SIGNALS, ACTION, function, arrays=True)
    np.testing.assert_array_equal(SIGNALS, before)


@pytest.mark.parametrize(
    ("function", "kind", "message"),
    [
        (csr_array, TypeError, r"got csr_array: give its values.toarray\(\)"),
        (np.fft.rfft, ValueError, "real values .* got complex128"),
        (lambda x: x.astype(str), ValueError, "real values .* got <U"),
        (lambda x: x[:, 0], ValueError, r"values\[:, None\]"),
        (lambda x: x[:, None], ValueError, r"values.reshape\(len\(values\), -1\)"),
        (lambda x: 1e300 * np.ones_like(x), ValueError, "result contains infinity"),
    ],
)
def test_arrays_of_something_else_are_refused(function, kind, message):
    with pytest.raises(kind, match=message):
        stack_orbits(SIGNALS[:3], ACTION, function, arrays=True)


def test_a_module_reads_no_arrays():
    with pytest.raises(ValueError, match="A torch module reads tensors"):
        stack_orbits(SIGNALS, ACTION, torch.nn.Linear(8, 3), arrays=True)


@pytest.mark.parametrize(
    ("function", "kind", "message"),
    [
        (lambda x: x.numpy(), TypeError, "for the tensor .* got ndarray. .* arrays=True"),
        (lambda x: x.tolist(), TypeError, "returns a torch Tensor .* got list"),
        (lambda x: x.sum(1), ValueError, r"values\[:, None\]"),
        (lambda x: x[:, None], ValueError, "Pool or flatten"),
        (lambda x: x[:2], ValueError, r"for m = 12 transformed inputs; got .* \(2, 8\)\.$"),
        (lambda x: x.to(torch.complex64), ValueError, "real values"),
        (
            lambda x: x.log(),
            ValueError,
            "result contains NaN: in rows 1, 2, first in block 0, channel 0",
        ),
    ],
)
def test_functions_that_return_something_else_are_refused(function, kind, message):
    signals = torch.ones(3, 8)
    signals[1:] = -1
    with pytest.raises(kind, match=message):
        stack_orbits(signals, TimeShiftAction(Cyclic(4)), function)


def test_channels_that_change_between_batches_are_refused():
    widths = iter([3, 4])
    with pytest.raises(ValueError, match="4 channels for inputs 1 and after, 3 before"):
        stack_orbits(
            normal(2, 8),
            TimeShiftAction(Cyclic(4)),
            lambda x: x[:, : next(widths)],
            batch_size=4,
        )
