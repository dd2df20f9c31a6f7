"""From a dictionary over a group to stated symmetries."""

from ._analyzer import SymmetryAnalyzer
from ._clustering import cluster_families
from ._code_profiles import CodeProfiles, code_profiles
from ._consensus import Consensus, consensus_dictionary
from ._diagnosis import diagnose
from ._embedding import MIN_FEATURES_FOR_A_MAP
from ._equivariance import Equivariance, equivariance_index
from ._evidence import ProfileEvidence
from ._families import Family, describe_families, families_table
from ._finding import Finding
from ._found_again import found_again
from ._jackknife import MIN_EFFECTIVE_BAGS, gather_evidence
from ._kinds import KINDS, measurable_kinds, name_kinds
from ._lift import lift_dictionary
from ._matching import Matching, match_dictionaries
from ._missing_poses import missing_poses
from ._responses import NOT_MEASURED, Responses
from ._separation import compare_separation
from ._spectra import irrep_power
from ._stability import Stability, stability
from ._tuning import AngleTuning, angle_tuning

__all__ = [
    "KINDS",
    "MIN_EFFECTIVE_BAGS",
    "MIN_FEATURES_FOR_A_MAP",
    "NOT_MEASURED",
    "Consensus",
    "CodeProfiles",
    "AngleTuning",
    "Equivariance",
    "Family",
    "Finding",
    "Matching",
    "ProfileEvidence",
    "Responses",
    "Stability",
    "SymmetryAnalyzer",
    "angle_tuning",
    "cluster_families",
    "code_profiles",
    "compare_separation",
    "consensus_dictionary",
    "describe_families",
    "diagnose",
    "equivariance_index",
    "families_table",
    "found_again",
    "gather_evidence",
    "irrep_power",
    "lift_dictionary",
    "match_dictionaries",
    "measurable_kinds",
    "missing_poses",
    "name_kinds",
    "stability",
]
