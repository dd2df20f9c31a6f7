from __future__ import annotations

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from sklearn_groupcross import GroupCrosscoder, crosscoder_ensemble, crosscoder_path

ORBITS = np.random.default_rng(0).standard_normal((20, 4))
FITS = {
    "crosscoder_path": lambda estimator: crosscoder_path(estimator, ORBITS, [0.1]),
    "crosscoder_ensemble": lambda estimator: crosscoder_ensemble(estimator, ORBITS),
}


@pytest.mark.parametrize("name", FITS)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"early_stopping": True}, "{} does not do early_stopping"),
        ({"checkpoint_dir": "folder"}, "{} does not do checkpoint_dir"),
        ({"batch_size": 0}, "'batch_size' parameter"),
    ],
)
def test_what_is_for_a_single_dictionary_is_refused(name, options, message):
    with pytest.raises(ValueError, match=message.format(name)):
        FITS[name](GroupCrosscoder(**options))


@pytest.mark.parametrize("name", FITS)
def test_a_pipeline_is_refused_by_name(name):
    with pytest.raises(TypeError, match=rf"{name} takes.*got a Pipeline.*pass pipeline\[-1\]"):
        FITS[name](make_pipeline(GroupCrosscoder()))
