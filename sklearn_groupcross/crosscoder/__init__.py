"""The group crosscoder: arrays in, arrays out."""

from ._estimator import GroupCrosscoder
from ._path import crosscoder_path
from ._scaler import OrbitScaler
from ._validation import flatten_orbits

__all__ = ["GroupCrosscoder", "OrbitScaler", "crosscoder_path", "flatten_orbits"]
