from __future__ import annotations

import numpy as np
import pytest
import torch

from sklearn_groupcross import GroupCrosscoder
from sklearn_groupcross._processor import instruction_sets
from sklearn_groupcross.crosscoder._active import _rough_encoders
from sklearn_groupcross.crosscoder._active._rough_encoders import Bfloat16Encoder

from .kinds import NAMES, k_for
from .small_fits import assert_same_weights, small, small_orbits


@pytest.fixture(scope="module")
def orbits():
    return small_orbits()


@pytest.mark.parametrize("activation", NAMES)
def test_streamed_and_in_memory_fits_agree_bit_for_bit(orbits, tmp_path, activation):
    half = orbits.astype(np.float16)
    np.save(tmp_path / "orbits.npy", half)
    mapped = np.load(tmp_path / "orbits.npy", mmap_mode="r")
    settings = {"activation": activation, "augment": True, "k": k_for(activation, 3)}
    in_memory = small(**settings).fit(half)
    for X in (mapped, mapped.reshape(300, -1), torch.from_numpy(half), half.astype(np.float32)):
        assert_same_weights(in_memory, small(**settings).fit(X))


def test_the_history_of_steps_adds_up_to_that_of_epochs(orbits):
    history = small(max_epochs=3).fit(orbits).history_
    n_batches = -(-300 // 64)
    sizes = np.array([len(part) for part in np.array_split(np.arange(300), n_batches)])
    for name in ("loss", "fvu", "l0"):
        steps = np.reshape(history[f"step_{name}"], (3, n_batches))
        np.testing.assert_allclose(steps @ sizes / 300, history[name])


def test_bfloat16_products_give_nearly_the_same_dictionary(orbits):
    exact, fast = (
        small(max_epochs=60, precision=precision).fit(orbits)
        for precision in ("float32", "bfloat16")
    )
    assert fast.score(orbits) == pytest.approx(exact.score(orbits), abs=0.01)
    assert not np.array_equal(exact.components_, fast.components_)
    assert fast.components_.dtype == np.float32


@pytest.mark.parametrize(
    ("options", "n_features", "expected"),
    [
        ({"activation": "topk", "k": 5}, 1024, "looked for in rough products of {numbers}"),
        ({"activation": "topk", "k": 5}, 20, "looked for in exact products"),
        ({}, 20, "dense steps in float32"),
    ],
)
def test_the_log_says_how_products_are_made(options, n_features, expected, caplog, monkeypatch):
    monkeypatch.setattr(_rough_encoders, "fastest_kind", lambda: Bfloat16Encoder)
    X = np.random.default_rng(0).standard_normal((20, 64), dtype=np.float32)
    with caplog.at_level("INFO", "sklearn_groupcross"):
        crosscoder = GroupCrosscoder(n_features=n_features, max_epochs=1, device="cpu", **options)
        crosscoder.partial_fit(X)
    (line,) = caplog.messages
    assert line.startswith(f"training on the CPU ({instruction_sets()}; threads: ")
    assert line.endswith(expected.format(numbers="bfloat16"))
