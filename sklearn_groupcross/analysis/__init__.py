"""From a dictionary over a group to stated symmetries."""

from ._analyzer import SymmetryAnalyzer
from ._clustering import cluster_families
from ._diagnosis import diagnose
from ._downstream import downstream_effect
from ._embedding import MIN_FEATURES_FOR_A_MAP
from ._equivariance import Equivariance, equivariance_index
from ._families import Family, describe_families, families_table
from ._feature_maps import FeatureMaps, feature_maps
from ._finding import Finding
from ._kinds import KINDS, measurable_kinds, name_kinds
from ._lift import lift_dictionary
from ._matching import Matching, match_dictionaries
from ._separation import compare_separation
from ._stability import Stability, stability

__all__ = [
    "KINDS",
    "MIN_FEATURES_FOR_A_MAP",
    "Equivariance",
    "Family",
    "FeatureMaps",
    "Finding",
    "Matching",
    "Stability",
    "SymmetryAnalyzer",
    "cluster_families",
    "compare_separation",
    "describe_families",
    "diagnose",
    "downstream_effect",
    "equivariance_index",
    "families_table",
    "feature_maps",
    "lift_dictionary",
    "match_dictionaries",
    "measurable_kinds",
    "name_kinds",
    "stability",
]
