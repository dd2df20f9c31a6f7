"""Finite groups as the package sees them: a Cayley table, its subgroups and their names."""

from ._description import order_from_json
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
from ._planar import Cyclic, Dihedral, PlanarGroup, Trivial, parse_group
from ._polyhedral import RotationGroup
from ._serialisation import group_from_json, group_to_json
from ._stabilizer import Stabilizer, find_stabilizers
from ._subgroup import MAX_ORDER_FOR_ALL_SUBGROUPS, Subgroup

__all__ = [
    "MAX_ORDER_FOR_ALL_SUBGROUPS",
    "Alternating",
    "Cyclic",
    "Dihedral",
    "DirectProduct",
    "FiniteGroup",
    "GroupFourier",
    "Irrep",
    "PlanarGroup",
    "Quaternion",
    "RotationGroup",
    "SemidirectProduct",
    "Stabilizer",
    "Subgroup",
    "Symmetric",
    "Trivial",
    "find_stabilizers",
    "group_from_json",
    "group_to_json",
    "order_from_json",
    "parse_group",
]
