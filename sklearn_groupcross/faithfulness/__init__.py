"""What codes and reconstructions do in the network: downstream effect, maps."""

from ._downstream import downstream_effect
from ._feature_maps import FeatureMaps, feature_maps
from ._probe_kinds import ProbeKinds, probe_kinds
from ._probe_readings import (
    PROBE_CLASSES,
    Probe,
    ProbeReadings,
    read_probes,
    shape_probes,
    untrained,
)

__all__ = [
    "PROBE_CLASSES",
    "FeatureMaps",
    "Probe",
    "ProbeKinds",
    "ProbeReadings",
    "downstream_effect",
    "feature_maps",
    "probe_kinds",
    "read_probes",
    "shape_probes",
    "untrained",
]
