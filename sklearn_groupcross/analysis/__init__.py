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

__all__ = [
    "KINDS",
    "MIN_FEATURES_FOR_A_MAP",
    "Equivariance",
    "Family",
    "FeatureMaps",
    "Finding",
    "SymmetryAnalyzer",
    "cluster_families",
    "describe_families",
    "diagnose",
    "downstream_effect",
    "equivariance_index",
    "families_table",
    "feature_maps",
    "measurable_kinds",
    "name_kinds",
]
