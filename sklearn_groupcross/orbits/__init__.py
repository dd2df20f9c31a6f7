"""Orbits of activations: the samples that a group crosscoder learns from."""

from ._dataset import OrbitDataset
from ._extract import choose_chunk_bytes
from ._images import DamagedImage, ImageSource
from ._inception import InceptionOrbitDataset
from ._planted import make_orbits
from ._probes import Arc, Corner, Disk, Edge, Shape, draw_probe, probe_orbits
from ._stacking import extract_orbits, stack_orbits
from ._store import OrbitStore
from ._store_images import StoredImage
from ._store_locating import is_store
from ._store_reading import StoredOrbits
from ._store_verify import StoreReport
from ._store_writer import ChunkWriter
from ._surroundings import activations_around, patches_around

__all__ = [
    "Arc",
    "ChunkWriter",
    "Corner",
    "DamagedImage",
    "Disk",
    "Edge",
    "ImageSource",
    "InceptionOrbitDataset",
    "OrbitDataset",
    "OrbitStore",
    "Shape",
    "StoreReport",
    "StoredImage",
    "StoredOrbits",
    "activations_around",
    "choose_chunk_bytes",
    "draw_probe",
    "extract_orbits",
    "is_store",
    "make_orbits",
    "patches_around",
    "probe_orbits",
    "stack_orbits",
]
