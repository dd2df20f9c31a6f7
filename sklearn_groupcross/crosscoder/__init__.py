"""The group crosscoder: arrays in, arrays out."""

from ._estimator import INTERRUPTED_FILE, GroupCrosscoder
from ._validation import flatten_orbits

__all__ = ["INTERRUPTED_FILE", "GroupCrosscoder", "flatten_orbits"]
