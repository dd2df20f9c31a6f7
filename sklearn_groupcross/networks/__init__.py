"""Vision networks, read at a layer, and where in the image a layer's units look."""

from ._derivation import receptive_field
from ._field import ReceptiveField
from ._footprint import confirm_receptive_field
from ._listing import LayerSummary, list_layers
from ._network import Network
from ._window import Window
from ._zoo import load_network, resolve_network

__all__ = [
    "LayerSummary",
    "Network",
    "ReceptiveField",
    "Window",
    "confirm_receptive_field",
    "list_layers",
    "load_network",
    "receptive_field",
    "resolve_network",
]
