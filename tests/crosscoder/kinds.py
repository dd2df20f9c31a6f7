"""All activations, for tests of what each of them has to do."""

from __future__ import annotations

from sklearn_groupcross.crosscoder._activations import ACTIVATIONS

NAMES = list(ACTIVATIONS)


def k_for(activation, k):
    """`k` where it has an effect, otherwise None: `fit` warns of one that has none."""
    return k if ACTIVATIONS[activation].uses_k else None
