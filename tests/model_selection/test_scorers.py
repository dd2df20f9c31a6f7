from __future__ import annotations

import tracemalloc

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.exceptions import NotFittedError, UndefinedMetricWarning
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_groupcross import GroupCrosscoder
from sklearn_groupcross.model_selection import (
    _statistics,
    collect_statistics,
    explained_variance,
    neg_dead_share,
    neg_description_length,
    neg_l0,
    score_crosscoder,
)

from .conftest import small_crosscoder

SINGLE = {
    "explained_variance": explained_variance,
    "neg_l0": neg_l0,
    "neg_dead_share": neg_dead_share,
    "neg_description_length": neg_description_length,
}


class Store:
    """Rows on request, as a file would give them; remembers how many were asked for."""

    def __init__(self, array):
        self.array, self.shape, self.dtype, self.asked = array, array.shape, array.dtype, []

    def __len__(self):
        return len(self.array)

    def __getitem__(self, rows):
        self.asked.append(rows.stop - rows.start)
        return self.array[rows]


@pytest.mark.parametrize("activation", ["relu", "topk"])
def test_scores_are_what_they_say(train_orbits, test_orbits, activation):
    k = 3 if "topk" in activation else None
    crosscoder = small_crosscoder(activation=activation, k=k).fit(train_orbits)
    scores = score_crosscoder(crosscoder, test_orbits)
    codes = crosscoder.transform(test_orbits)
    assert scores["explained_variance"] == pytest.approx(crosscoder.score(test_orbits), rel=1e-6)
    assert scores["neg_l0"] == pytest.approx(-(codes > 0).sum(axis=1).mean())
    assert scores["neg_dead_share"] == pytest.approx(-(~(codes > 0).any(axis=0)).mean())
    assert all(type(score) is float for score in scores.values())


def test_dead_atoms_are_those_that_never_fire(train_orbits, test_orbits):
    crosscoder = small_crosscoder().fit(train_orbits)
    crosscoder.encoder_intercept_[:3] = -1e6
    alive = (crosscoder.transform(test_orbits) > 0).any(axis=0)
    assert neg_dead_share(crosscoder, test_orbits) == pytest.approx(alive.mean() - 1)
    assert neg_dead_share(crosscoder, test_orbits) <= -3 / 12


def test_single_scorers_agree_with_all_at_once(fitted, test_orbits):
    scores = score_crosscoder(fitted, test_orbits)
    assert scores == {name: scorer(fitted, test_orbits) for name, scorer in SINGLE.items()}


def test_flat_and_stacked_input_agree(fitted, test_orbits):
    flat = test_orbits.reshape(len(test_orbits), -1)
    assert score_crosscoder(fitted, flat) == score_crosscoder(fitted, test_orbits)


def test_a_pipeline_is_scored_on_what_its_crosscoder_sees(train_orbits, test_orbits):
    train, test = (X.reshape(len(X), -1) for X in (train_orbits, test_orbits))
    halve, again = FunctionTransformer(lambda X: X / 2), FunctionTransformer(lambda X: X + 1)
    pipeline = make_pipeline(halve, "passthrough", make_pipeline(again, small_crosscoder()))
    pipeline.fit(train)
    crosscoder = pipeline[-1][-1]
    assert score_crosscoder(pipeline, test) == score_crosscoder(crosscoder, test / 2 + 1)
    assert score_crosscoder(pipeline, test) != score_crosscoder(crosscoder, test)


def test_batches_do_not_change_the_scores(fitted, test_orbits, monkeypatch):
    far = test_orbits + np.float32(300)  # sums of squares would cancel here
    whole = [score_crosscoder(fitted, X) for X in (test_orbits, far)]
    monkeypatch.setattr(_statistics, "_BYTES_A_BATCH", 7 * 8 * (4 * 48 + 2 * 12))
    store = Store(test_orbits)
    collect_statistics(fitted, store)
    assert store.asked == [7] * 14 + [2]
    for X, expected in zip((test_orbits, far), whole, strict=True):
        assert score_crosscoder(fitted, X) == pytest.approx(expected, rel=1e-5)


def test_a_half_precision_map_is_never_widened_whole(fitted, test_orbits, tmp_path, monkeypatch):
    path = tmp_path / "orbits.npy"
    np.save(path, np.tile(test_orbits.reshape(100, -1), (300, 1)).astype(np.float16))
    X = np.load(path, mmap_mode="r")
    monkeypatch.setattr(_statistics, "_BYTES_A_BATCH", 2**18)
    tracemalloc.start()
    try:
        score = explained_variance(fitted, X)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < X.nbytes / 2
    assert score == pytest.approx(fitted.score(test_orbits), abs=1e-3)


def test_half_precision_is_computed_in_single(fitted, test_orbits):
    half = test_orbits.astype(np.float16)
    expected = score_crosscoder(fitted, half.astype(np.float32))
    assert score_crosscoder(fitted, half) == expected
    assert score_crosscoder(fitted, torch.from_numpy(half)) == expected


@pytest.mark.parametrize(
    "convert",
    [
        torch.from_numpy,
        Store,
        lambda X: X.reshape(len(X), -1).tolist(),
        lambda X: np.asfortranarray(X.reshape(len(X), -1)),
    ],
)
def test_other_containers_give_the_same(fitted, test_orbits, convert):
    expected = score_crosscoder(fitted, test_orbits)
    assert score_crosscoder(fitted, convert(test_orbits)) == pytest.approx(expected, rel=1e-4)


def test_other_kinds_of_codes_give_the_same(train_orbits, test_orbits):
    train, test = (
        pd.DataFrame(X.reshape(len(X), -1)).add_prefix("c") for X in (train_orbits, test_orbits)
    )
    plain = small_crosscoder().fit(train)
    frames = small_crosscoder().set_output(transform="pandas").fit(train)
    assert score_crosscoder(frames, test) == score_crosscoder(plain, test)
    sparse = small_crosscoder(sparse_output=True).fit(train)
    assert score_crosscoder(sparse, test) == score_crosscoder(plain, test)


def test_usable_as_scorers(train_orbits):
    flat = train_orbits.reshape(len(train_orbits), -1)
    crosscoder = small_crosscoder(max_epochs=2)
    for scorer in SINGLE.values():
        assert cross_val_score(crosscoder, flat, scoring=scorer, cv=2).shape == (2,)
    together = cross_validate(crosscoder, flat, scoring=score_crosscoder, cv=2)
    apart = cross_validate(crosscoder, flat, scoring=SINGLE, cv=2)
    for name in SINGLE:
        np.testing.assert_array_equal(together[f"test_{name}"], apart[f"test_{name}"])


def test_constant_samples(fitted, test_orbits):
    X = np.repeat(test_orbits[:1], 9, axis=0)
    scores = score_crosscoder(fitted, X)
    assert scores["explained_variance"] == 0.0
    assert scores["neg_description_length"] == 0.0


def test_what_cannot_be_scored(fitted, test_orbits):
    with pytest.raises(TypeError, match="last step is one, can be scored; got LinearRegression"):
        score_crosscoder(make_pipeline(LinearRegression()), test_orbits)
    with pytest.raises(NotFittedError):
        score_crosscoder(GroupCrosscoder(), test_orbits)
    with pytest.raises(ValueError, match="no rows"):
        score_crosscoder(fitted, test_orbits[:0])
    broken = test_orbits.copy()
    broken[30, 2, 1] = np.nan  # not in the block that the encoder reads
    with pytest.raises(ValueError, match="NaN or infinity in rows 0 to 99"):
        score_crosscoder(fitted, broken)


def test_one_sample_has_no_scores_of_fidelity(fitted, test_orbits):
    with pytest.warns(UndefinedMetricWarning, match="less than two samples"):
        scores = score_crosscoder(fitted, test_orbits[:1])
    assert np.isnan(scores["explained_variance"])
    assert np.isnan(scores["neg_description_length"])
    assert scores["neg_l0"] < 0
