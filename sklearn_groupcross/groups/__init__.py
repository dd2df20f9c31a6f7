"""Finite groups as the package sees them: a Cayley table, its subgroups and their names."""

from .._group_names import MAX_ORDER_FOR_ALL_SUBGROUPS
from ._compact_fourier import CompactFourier
from ._families import (
    Alternating,
    DirectProduct,
    Quaternion,
    SemidirectProduct,
    Symmetric,
)
from ._finite_group import FiniteGroup
from ._fourier import GroupFourier
from ._irreps import Irrep
from ._named import NamedGroup, with_names
from ._planar import Cyclic, Dihedral, PlanarGroup, Trivial, parse_group
from ._polyhedral import RotationGroup
from ._resolution import as_group
from ._serialization import group_from_json, group_to_json, order_from_json
from ._stabilizer import Stabilizer, find_stabilizers, largest_subgroups, score_subgroups
from ._subgroup import Subgroup, check_nameable

__all__ = [
    "MAX_ORDER_FOR_ALL_SUBGROUPS",
    "Alternating",
    "CompactFourier",
    "Cyclic",
    "Dihedral",
    "DirectProduct",
    "FiniteGroup",
    "GroupFourier",
    "Irrep",
    "NamedGroup",
    "PlanarGroup",
    "Quaternion",
    "RotationGroup",
    "SemidirectProduct",
    "Stabilizer",
    "Subgroup",
    "Symmetric",
    "Trivial",
    "as_group",
    "check_nameable",
    "find_stabilizers",
    "group_from_json",
    "group_to_json",
    "largest_subgroups",
    "order_from_json",
    "parse_group",
    "score_subgroups",
    "with_names",
]
