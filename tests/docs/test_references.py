"""Which names must lead somewhere."""

from __future__ import annotations

import re

import pytest

from .extensions import load_extension

references = load_extension("references")


@pytest.mark.parametrize(
    ("name", "may_be_missing"),
    [
        ("group", True),
        ("X", True),
        ("n_features_in_", True),
        ("labels_.shape", True),
        ("OrbitStore", False),
        ("Network.preprocess", False),
        ("torch.nn.Module", False),
        ("torch", True),
        ("sklearn_groupcross.groups.Cyclic", False),
    ],
)
def test_what_looks_like_a_name_must_lead_somewhere(name, may_be_missing):
    ignored = re.fullmatch(references.what_may_be_missing(["torch"]), name)
    assert bool(ignored) == may_be_missing


def test_private_bases_are_left_out():
    from sklearn.base import BaseEstimator

    from sklearn_groupcross import OrbitStore
    from sklearn_groupcross.actions import ImageAction, ProductAction
    from sklearn_groupcross.crosscoder import GroupCrosscoder

    for cls in (GroupCrosscoder, OrbitStore, ImageAction, ProductAction):
        bases = list(cls.__bases__)
        references.show_public_bases(None, cls.__name__, cls, {}, bases)
        assert bases
        assert not any(base.__name__.startswith("_") for base in bases)
        assert all(
            references._is_public(base)
            for base in bases
            if base.__module__.startswith(references.PACKAGE)
        )
    bases = [BaseEstimator]
    references.show_public_bases(None, "", None, {}, bases)
    assert bases == [BaseEstimator]
