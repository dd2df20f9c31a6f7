"""Names of planar groups and the sizes that are supported: groups before they are built.

The command line reads names before anything is imported that builds groups.
"""

from __future__ import annotations

from typing import NamedTuple

from ._suggestions import did_you_mean

#: Largest supported order: a Cayley table of 8 MiB.
MAX_ORDER = 1024
#: Largest order of which all subgroups are listed, and symmetries named.
MAX_ORDER_FOR_ALL_SUBGROUPS = 128

_ELEMENTS_A_TURN = {"cyclic": 1, "dihedral": 2}


class GroupName(NamedTuple):
    """Name of a planar group.

    Attributes
    ----------
    family : {"trivial", "cyclic", "dihedral"}
    n : int
        Turns.
    """

    family: str
    n: int = 1

    @property
    def order(self) -> int:
        """Number of the group's elements."""
        return self.n * _ELEMENTS_A_TURN.get(self.family, 1)

    def __str__(self) -> str:
        return self.family if self.family == "trivial" else f"{self.family}:{self.n}"


def read_group_name(text: str) -> GroupName:
    """Read ``trivial``, ``cyclic:8`` or ``dihedral:16``, in letters of any case.

    Raises
    ------
    ValueError
        If the text names no group, or one of more than `MAX_ORDER` elements.

    Examples
    --------
    >>> name = read_group_name(" Dihedral:016")
    >>> str(name), name.order
    ('dihedral:16', 32)
    """
    family, _, number = text.strip().lower().partition(":")
    if family == "trivial" and not number:
        return GroupName(family)
    digits = number.lstrip("0")
    if family in _ELEMENTS_A_TURN and digits.isdecimal():
        largest = MAX_ORDER // _ELEMENTS_A_TURN[family]
        # long numbers take long to read
        if len(digits) > len(str(MAX_ORDER)) or int(digits) > largest:
            raise ValueError(
                f"This group has more than {MAX_ORDER} elements: {family}:{largest} is the largest."
            )
        return GroupName(family, int(digits))
    others = [name for name in ("trivial", *_ELEMENTS_A_TURN) if name != family]
    raise ValueError(
        f"Unknown group {text!r}: expected 'trivial', 'cyclic:N' or 'dihedral:N', "
        f"for example 'dihedral:16' (32 elements).{did_you_mean(family, others)}"
    )


def check_nameable_order(order: int, advice: str = "Take a smaller group.") -> None:
    """Refuse an order of which not all subgroups are listed; see `groups.check_nameable`.

    Raises
    ------
    ValueError
        If it is above `MAX_ORDER_FOR_ALL_SUBGROUPS`.
    """
    if order > MAX_ORDER_FOR_ALL_SUBGROUPS:
        raise ValueError(
            "All subgroups are listed, and symmetries named, for groups of at most "
            f"{MAX_ORDER_FOR_ALL_SUBGROUPS} elements; this one has {order}. {advice}"
        )
