"""From a dictionary over a group to stated symmetries."""

from ._analyzer import SymmetryAnalyzer
from ._clustering import cluster_families
from ._diagnosis import diagnose
from ._embedding import MIN_FEATURES_FOR_A_MAP
from ._equivariance import Equivariance, equivariance_index
from ._evidence import ProfileEvidence
from ._families import Family, describe_families, families_table
from ._finding import Finding
from ._jackknife import gather_evidence
from ._kinds import KINDS, measurable_kinds, name_kinds
from ._lift import lift_dictionary
from ._matching import Matching, match_dictionaries
from ._separation import compare_separation
from ._spectra import irrep_power
from ._stability import Stability, stability

__all__ = [
    "KINDS",
    "MIN_FEATURES_FOR_A_MAP",
    "Equivariance",
    "Family",
    "Finding",
    "Matching",
    "ProfileEvidence",
    "Stability",
    "SymmetryAnalyzer",
    "cluster_families",
    "compare_separation",
    "describe_families",
    "diagnose",
    "equivariance_index",
    "families_table",
    "gather_evidence",
    "irrep_power",
    "lift_dictionary",
    "match_dictionaries",
    "measurable_kinds",
    "name_kinds",
    "stability",
]
