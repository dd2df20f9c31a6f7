"""The group crosscoder: arrays in, arrays out."""

from .._stacks._validation import flatten_orbits
from ._codes import codes_of_activations, codes_of_orbits, dictionary_of
from ._estimator import GroupCrosscoder
from ._path import crosscoder_path
from ._reading import check_reads_activations
from ._resolution import check_parameters, sparsity_parameter
from ._resumable import keeping_checkpoint
from ._scaler import OrbitScaler

__all__ = [
    "GroupCrosscoder",
    "OrbitScaler",
    "check_parameters",
    "check_reads_activations",
    "codes_of_activations",
    "codes_of_orbits",
    "crosscoder_path",
    "dictionary_of",
    "flatten_orbits",
    "keeping_checkpoint",
    "sparsity_parameter",
]
