"""Finite groups as the package sees them: a Cayley table, its subgroups and their names."""

from ._finite_group import FiniteGroup
from ._planar import Cyclic, Dihedral, PlanarGroup, Trivial, parse_group
from ._stabilizer import Stabilizer, find_stabilizers
from ._subgroup import MAX_ORDER_FOR_ALL_SUBGROUPS, Subgroup

__all__ = [
    "MAX_ORDER_FOR_ALL_SUBGROUPS",
    "Cyclic",
    "Dihedral",
    "FiniteGroup",
    "PlanarGroup",
    "Stabilizer",
    "Subgroup",
    "Trivial",
    "find_stabilizers",
    "parse_group",
]
