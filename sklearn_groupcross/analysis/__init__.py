"""From a dictionary over a group to stated symmetries."""

from ._analyzer import SymmetryAnalyzer
from ._code_profiles import CodeProfiles, code_profiles
from ._downstream import downstream_effect
from ._embedding import MIN_FEATURES_FOR_A_MAP
from ._families import Family
from ._feature_maps import FeatureMaps, feature_maps
from ._kinds import KINDS, measurable_kinds, name_kinds

__all__ = [
    "KINDS",
    "MIN_FEATURES_FOR_A_MAP",
    "CodeProfiles",
    "Family",
    "FeatureMaps",
    "SymmetryAnalyzer",
    "code_profiles",
    "downstream_effect",
    "feature_maps",
    "measurable_kinds",
    "name_kinds",
]
