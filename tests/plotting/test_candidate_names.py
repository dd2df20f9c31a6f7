from __future__ import annotations

import pytest

from sklearn_groupcross import Cyclic, GroupCrosscoder
from sklearn_groupcross.plotting._candidate_names import name_candidates, name_sparsity


def test_numbers_that_vary_name_points_and_all_else_names_lines():
    candidates = [
        {"crosscoder__l1": l1, "crosscoder__activation": activation, "crosscoder__k": 4}
        for activation in ("relu", "jumprelu")
        for l1 in (0.125, 1.0)
    ]
    names, labels = name_candidates(candidates, "held out")
    assert names == ["λ=0.12", "λ=1"] * 2
    assert labels == ["held out, relu"] * 2 + ["held out, jumprelu"] * 2


def test_true_is_no_number_and_what_a_candidate_lacks_is_not_named():
    names, labels = name_candidates([{"k": 3, "augment": True}, {"k": 20}], "")
    assert names == ["k=3", "k=20"]
    assert labels == ["augment=True", ""]


def test_of_one_candidate_nothing_varies():
    assert name_candidates([{"l1": 0.5, "augment": False}], "all") == ([""], ["all"])
    assert name_candidates([], "all") == ([], [])


@pytest.mark.parametrize(
    ("activation", "name"),
    [("relu", "λ=0.3"), ("jumprelu", "λ=0.3"), ("topk", "k=5"), ("batch_topk", "k=5")],
)
def test_sparsity_is_named_by_what_decides_it(activation, name):
    crosscoder = GroupCrosscoder(Cyclic(3), activation=activation, l1=0.3)
    crosscoder.activation_, crosscoder.k_, crosscoder.l1_ = activation, 5, 0.3
    for changed in ("relu", "topk"):  # that is for the next fit
        assert name_sparsity(crosscoder.set_params(activation=changed, l1=7, k=3)) == name
