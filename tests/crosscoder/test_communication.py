"""Bytes that processes send in a step."""

from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross.crosscoder import communication_bytes
from tests.crosscoder.distributed.worlds import BATCH, build, fit_all, found

SIZES = {"n_atoms": 64, "n_read": 12, "n_columns": 96, "n_biases": 96, "batch_size": 32}
CASES = {
    "topk": {"activation": "topk", "k": 4, "max_epochs": 1},
    "compressed": {"activation": "topk", "k": 4, "max_epochs": 1, "compression": 0.8},
    "augmented": {"l1": 0.1, "max_epochs": 1, "augment": True, "dead_features": None},
    "jumprelu": {"activation": "jumprelu", "l1": 0.1, "max_epochs": 1, "dead_features": None},
}


@pytest.mark.parametrize("parallel", ["data", "atoms"])
def test_it_is_what_is_sent(parallel, tmp_path):
    fit_all({name: {**case, "parallel": parallel} for name, case in CASES.items()}, 2, tmp_path)
    for name, case in CASES.items():
        crosscoder, learned = build(**case), found(tmp_path, name)
        n_columns, n_biases = map(int, learned["widths"])
        expected = communication_bytes(
            2,
            parallel=parallel,
            n_atoms=crosscoder.n_features,
            n_read=12,
            n_columns=n_columns,
            n_biases=n_biases,
            batch_size=BATCH,
            activation=crosscoder.activation,
            k=crosscoder.k,
        )
        np.testing.assert_array_equal(np.diff(learned["sent"]), expected, err_msg=name)


@pytest.mark.parametrize("parallel", ["data", "atoms"])
def test_more_processes_send_more_and_one_sends_nothing(parallel):
    sent = [communication_bytes(n, parallel=parallel, **SIZES) for n in (1, 2, 4, 8)]
    assert sent[0] == 0
    assert sent == sorted(sent)
    # a process of a ring sends about as much, however many there are
    if parallel == "data":
        assert sent[3] / 8 < 2 * sent[1] / 2


def test_the_batch_costs_where_atoms_are_divided_and_atoms_where_samples_are():
    def grows_with(name, parallel):
        more = {**SIZES, name: 2 * SIZES[name]}
        before, after = (communication_bytes(2, parallel=parallel, **s) for s in (SIZES, more))
        return after > before

    assert grows_with("n_atoms", "data")
    assert not grows_with("batch_size", "data")
    assert grows_with("batch_size", "atoms")
    assert not grows_with("n_atoms", "atoms")


def test_what_is_not_there_is_refused():
    with pytest.raises(ValueError, match=r'parallel is "data" or "atoms"; got \'model\''):
        communication_bytes(2, parallel="model", **SIZES)
    with pytest.raises(ValueError, match="activation='softmax' is none of relu"):
        communication_bytes(2, parallel="data", activation="softmax", **SIZES)
