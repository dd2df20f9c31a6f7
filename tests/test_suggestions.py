from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross._suggestions import did_you_mean

NAMES = ["bundled", "inceptionv1", "googlenet", "bvlc_googlenet"]


def test_slips_are_recognised():
    for slip, meant in [
        ("bundle", "bundled"),
        ("INCEPTIONV1", "inceptionv1"),
        ("gogolenet", "googlenet"),
        ("bvlc-googlenet", "bvlc_googlenet"),
    ]:
        assert did_you_mean(slip, NAMES) == f" Did you mean {meant}?"


def test_nothing_is_said_of_what_is_like_nothing():
    for word in ("", "resnet50", "\0"):
        assert did_you_mean(word, NAMES) == ""
    assert did_you_mean("x", []) == ""


@given(st.text(), st.lists(st.text(min_size=1)))
def test_what_is_asked_for_is_known(word, known):
    question = did_you_mean(word, known)
    assert question == "" or question in {f" Did you mean {name}?" for name in known}
