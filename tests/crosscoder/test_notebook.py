from __future__ import annotations

import numpy as np
import pytest
import torch

from sklearn_groupcross import Cyclic, GroupCrosscoder
from tests.notebook import read_small


@pytest.fixture(scope="module")
def crosscoder():
    X = np.random.default_rng(0).standard_normal((40, 12), dtype=np.float32)
    return GroupCrosscoder(Cyclic(3), n_features=6, max_epochs=3, random_state=0).fit(X)


def test_a_fitted_crosscoder_shows_what_it_learned(crosscoder):
    before, threads = dict(vars(crosscoder)), torch.get_num_threads()
    html = crosscoder._repr_html_()
    assert vars(crosscoder).keys() == before.keys()
    assert torch.get_num_threads() == threads
    learned = crosscoder._learned_html()
    assert html.endswith(learned)
    words, tags = read_small(learned)
    assert words.startswith("What was learned group Cyclic(3) atoms 6")
    n_alive = 6 - int(crosscoder.history_["dead"][-1])
    assert f"fired in the last epoch {n_alive} atoms" in words
    assert f"steps {crosscoder.n_steps_} in 3 epochs" in words
    assert f"last loss {crosscoder.history_['loss'][-1]:.4g}" in words
    assert "polyline" in {tag for tag, _ in tags}


def test_without_a_history_the_rest_is_shown(crosscoder, monkeypatch):
    monkeypatch.setattr(crosscoder, "history_", {})
    words, tags = read_small(crosscoder._learned_html())
    assert "atoms 6" in words
    assert "loss" not in words
    assert "svg" not in {tag for tag, _ in tags}
