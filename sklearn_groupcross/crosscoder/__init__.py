"""The group crosscoder: arrays in, arrays out."""

from .._stacks._validation import flatten_orbits
from ._codes import codes_of_activations, codes_of_orbits, dictionary_of
from ._communication import communication_bytes
from ._ensemble import crosscoder_ensemble
from ._estimator import GroupCrosscoder
from ._outcome import FEWEST_FIRINGS, firings_per_number
from ._path import crosscoder_path
from ._reading import check_reads_activations
from ._resolution import check_parameters, sparsity_parameter
from ._resumable import keeping_checkpoint
from ._scaler import OrbitScaler

__all__ = [
    "FEWEST_FIRINGS",
    "GroupCrosscoder",
    "OrbitScaler",
    "check_parameters",
    "check_reads_activations",
    "codes_of_activations",
    "codes_of_orbits",
    "communication_bytes",
    "crosscoder_ensemble",
    "crosscoder_path",
    "dictionary_of",
    "firings_per_number",
    "flatten_orbits",
    "keeping_checkpoint",
    "sparsity_parameter",
]
