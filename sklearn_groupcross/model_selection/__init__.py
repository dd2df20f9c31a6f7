"""Scorers and refit rules, so that a search over the sparsity picks a value for a reason."""

from ._description_length import DescriptionLength, description_length
from ._refit import KneePoint, SparsestWithin, read_frontier
from ._scorers import (
    explained_variance,
    neg_dead_share,
    neg_description_length,
    neg_l0,
    score_crosscoder,
)
from ._statistics import Statistics, collect_statistics

__all__ = [
    "DescriptionLength",
    "KneePoint",
    "SparsestWithin",
    "Statistics",
    "collect_statistics",
    "description_length",
    "explained_variance",
    "neg_dead_share",
    "neg_description_length",
    "neg_l0",
    "read_frontier",
    "score_crosscoder",
]
