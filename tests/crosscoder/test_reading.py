from __future__ import annotations

import pytest
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from sklearn_groupcross import Cyclic, GroupCrosscoder, OrbitScaler, make_orbits
from sklearn_groupcross.crosscoder._reading import check_reads_activations

GROUP = Cyclic(3)


@pytest.mark.parametrize("encoder_input", ["identity", "orbit"])
def test_whole_orbits_are_not_what_a_forward_pass_computes(encoder_input):
    orbits = make_orbits(20, group=GROUP, n_channels=4, n_families=2, random_state=0).orbits
    crosscoder = GroupCrosscoder(
        GROUP, 4, max_epochs=1, random_state=0, encoder_input=encoder_input
    )
    crosscoder.fit(orbits)
    if encoder_input == "identity":
        check_reads_activations(crosscoder)
        return
    with pytest.raises(ValueError, match="'mine' has encoder_input='orbit'"):
        check_reads_activations(crosscoder, "mine")


@pytest.mark.parametrize(
    ("crosscoder", "error", "message"),
    [
        (make_pipeline(OrbitScaler(GROUP), GroupCrosscoder(GROUP)), TypeError, "is a Pipeline"),
        (OrbitScaler(GROUP), TypeError, "must be a GroupCrosscoder; got a OrbitScaler"),
        (GroupCrosscoder(GROUP), NotFittedError, "not fitted yet"),
    ],
)
def test_anything_else_is_refused(crosscoder, error, message):
    with pytest.raises(error, match=message):
        check_reads_activations(crosscoder)
