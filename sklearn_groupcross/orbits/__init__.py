"""Orbits of activations: the samples that a group crosscoder learns from."""

from ._dataset import OrbitDataset
from ._images import ImageSource
from ._inception import InceptionOrbitDataset
from ._planted import make_orbits
from ._stacking import stack_orbits
from ._store import OrbitStore
from ._store_format import StoredImage
from ._store_reading import StoredOrbits
from ._store_verify import StoreReport
from ._store_writer import ChunkWriter

__all__ = [
    "ChunkWriter",
    "ImageSource",
    "InceptionOrbitDataset",
    "OrbitDataset",
    "OrbitStore",
    "StoreReport",
    "StoredImage",
    "StoredOrbits",
    "make_orbits",
    "stack_orbits",
]
