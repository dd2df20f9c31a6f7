"""From a dictionary over a group to stated symmetries."""

from ._analyzer import SymmetryAnalyzer
from ._families import Family
from ._kinds import KINDS, name_kinds

__all__ = ["KINDS", "Family", "SymmetryAnalyzer", "name_kinds"]
