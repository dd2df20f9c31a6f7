"""The group crosscoder: arrays in, arrays out."""

from ._estimator import GroupCrosscoder

__all__ = ["GroupCrosscoder"]
