from __future__ import annotations

import warnings

import numpy as np
import pytest

from sklearn_groupcross import Cyclic, Dihedral, GroupCrosscoder
from sklearn_groupcross._stacks._rows import Rows
from sklearn_groupcross.crosscoder._data import check_learnable, prepare_data
from sklearn_groupcross.crosscoder._summary import summarize

X = np.random.default_rng(0).standard_normal((20, 18))


def learnable(data):
    rows = Rows(data)
    check_learnable(rows, summarize(rows))


@pytest.mark.parametrize("scale", [1e-29, 1.0, 1e29])
def test_values_of_any_sensible_size_are_learned_from(scale):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        learnable(scale * X)
        learnable(np.zeros((1, 18)))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (1e-32 * X, "of the size of 1e-32"),
        (1e32 * X, "of the size of 1e\\+32"),
        ((2e7 + X).astype(np.float32), "times its spread from zero"),
        ((2e3 + X).astype(np.float16), "times its spread from zero"),
    ],
)
def test_what_float32_cannot_tell_apart_is_refused(data, message):
    with pytest.raises(ValueError, match=message):
        learnable(data)


def test_equal_samples_are_warned_of():
    with pytest.warns(UserWarning, match="All 20 samples of X are equal"):
        learnable(np.ones((20, 18)))


def test_group_and_columns_are_remembered_and_then_compared(tmp_path):
    crosscoder = GroupCrosscoder("dihedral:3", 4)
    rows, summary = prepare_data(crosscoder, X.reshape(20, 6, 3), reset=True)
    assert (len(rows), summary.digest) == (20, "")
    assert (crosscoder.group_, crosscoder.n_channels_) == (Dihedral(3), 3)
    assert crosscoder.n_features_in_ == 18
    with pytest.raises(ValueError, match="X has 12 features, but GroupCrosscoder is expecting 18"):
        prepare_data(crosscoder, X[:, :12], reset=False)
    with pytest.raises(ValueError, match="torch finds|Unknown device"):
        prepare_data(GroupCrosscoder(Cyclic(3), 4, device="abacus"), X, reset=True)
    # the run will have a checkpoint, which knows its data
    kept = GroupCrosscoder(Cyclic(3), 4, checkpoint_dir=tmp_path)
    assert prepare_data(kept, X, reset=True)[1].digest
