"""From a dictionary over a group to stated symmetries."""

from ._analyzer import SymmetryAnalyzer
from ._downstream import downstream_effect
from ._embedding import MIN_FEATURES_FOR_A_MAP
from ._families import Family
from ._feature_maps import FeatureMaps, feature_maps
from ._kinds import KINDS, measurable_kinds, name_kinds
from ._lift import lift_dictionary
from ._matching import Matching, match_dictionaries
from ._separation import compare_separation
from ._stability import Stability, stability

__all__ = [
    "KINDS",
    "MIN_FEATURES_FOR_A_MAP",
    "Family",
    "FeatureMaps",
    "Matching",
    "Stability",
    "SymmetryAnalyzer",
    "compare_separation",
    "downstream_effect",
    "feature_maps",
    "lift_dictionary",
    "match_dictionaries",
    "measurable_kinds",
    "name_kinds",
    "stability",
]
