"""Group crosscoders: which features of a network move together under a symmetry group, and how.

The public names of the package; its rooms hold the rest (see the documentation). A room is imported
when one of its names is first asked for: torch and scikit-learn take seconds, and the command line
needs neither to print its version.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from .analysis import SymmetryAnalyzer
    from .crosscoder import GroupCrosscoder, OrbitScaler, crosscoder_ensemble, crosscoder_path
    from .groups import Cyclic, Dihedral, FiniteGroup, Trivial
    from .networks import Network, load_network, receptive_field
    from .orbits import (
        InceptionOrbitDataset,
        OrbitDataset,
        OrbitStore,
        extract_orbits,
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
    "crosscoder_ensemble",
    "crosscoder_path",
    "extract_orbits",
    "load_network",
    "make_orbits",
    "receptive_field",
    "stack_orbits",
]

#: Public names by room.
_ROOMS = {
    "actions": (),
    "analysis": ("SymmetryAnalyzer",),
    "crosscoder": ("GroupCrosscoder", "OrbitScaler", "crosscoder_ensemble", "crosscoder_path"),
    "faithfulness": (),
    "groups": ("Cyclic", "Dihedral", "FiniteGroup", "Trivial"),
    "model_selection": (),
    "networks": ("Network", "load_network", "receptive_field"),
    "orbits": (
        "InceptionOrbitDataset",
        "OrbitDataset",
        "OrbitStore",
        "extract_orbits",
        "make_orbits",
        "stack_orbits",
    ),
    "plotting": (),
    "report": (),
    "visualization": (),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a room, or the room of a name (PEP 562)."""
    if name in _ROOMS:
        return import_module(f".{name}", __name__)
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_ROOM_OF[name]}", __name__), name)
    globals()[name] = value  # found at once from now on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_ROOMS})
