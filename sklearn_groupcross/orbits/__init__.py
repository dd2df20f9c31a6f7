"""Orbits of activations: the samples that a group crosscoder learns from."""

from ._dataset import InceptionOrbitDataset, OrbitDataset
from ._images import ImageSource
from ._planted import make_orbits

__all__ = ["ImageSource", "InceptionOrbitDataset", "OrbitDataset", "make_orbits"]
