"""What codes and reconstructions do in the network: downstream effect, maps, responses."""

from ._code_profiles import CodeProfiles, code_profiles
from ._downstream import downstream_effect
from ._feature_maps import FeatureMaps, feature_maps

__all__ = [
    "CodeProfiles",
    "FeatureMaps",
    "code_profiles",
    "downstream_effect",
    "feature_maps",
]
