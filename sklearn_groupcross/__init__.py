"""Group crosscoders: which features of a network move together under a symmetry group, and how.

The public names of the package; its rooms hold the rest (see the documentation).
"""

from ._version import __version__
from .analysis import SymmetryAnalyzer
from .crosscoder import GroupCrosscoder, OrbitScaler, crosscoder_path
from .groups import Cyclic, Dihedral, FiniteGroup, Trivial
from .networks import Network, load_network, receptive_field
from .orbits import (
    InceptionOrbitDataset,
    OrbitDataset,
    OrbitStore,
    make_orbits,
    stack_orbits,
)

__all__ = [
    "Cyclic",
    "Dihedral",
    "FiniteGroup",
    "GroupCrosscoder",
    "InceptionOrbitDataset",
    "Network",
    "OrbitDataset",
    "OrbitScaler",
    "OrbitStore",
    "SymmetryAnalyzer",
    "Trivial",
    "__version__",
    "crosscoder_path",
    "load_network",
    "make_orbits",
    "receptive_field",
    "stack_orbits",
]
