"""Groups that turn and mirror the plane: `Trivial`, `Cyclic` and `Dihedral`."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._group_names import read_group_name
from ._arguments import is_whole
from ._finite_group import FiniteGroup
from ._irreps import Irrep
from ._subgroup import Subgroup

_TURN_NAMES = {
    2: "half turn",
    3: "third of a turn",
    4: "quarter turn",
    5: "fifth of a turn",
    6: "sixth of a turn",
    8: "eighth of a turn",
}


class PlanarGroup(FiniteGroup):
    """A finite group of turns of the plane about a point, with or without mirrors.

    Elements ``0 ... n-1`` are the rotations ``ρ^r`` by ``2πr/n`` counter-clockwise (y up);
    with mirrors, elements ``n ... 2n-1`` are the reflections ``ρ^r σ``, where ``σ`` swaps left
    and right. Use the subclasses.

    Parameters
    ----------
    n_turns : int
        Number of rotations.
    has_mirrors : bool
    """

    n_turns: int
    has_mirrors: bool

    def __init__(self, n_turns: int, has_mirrors: bool) -> None:
        if isinstance(n_turns, bool) or not isinstance(n_turns, Integral) or n_turns < 1:
            raise ValueError(
                f"{type(self).__name__}(n) takes a whole number of rotations n >= 1; "
                f"got {n_turns!r}."
            )
        self.n_turns = int(n_turns)
        self.has_mirrors = has_mirrors
        turn, mirrored = self.turns, self.mirrored.astype(np.int64)
        # ρ^a σ ρ^b = ρ^(a-b) σ: a reflection on the left turns the right factor backwards
        sign = 1 - 2 * mirrored
        product_turn = (turn[:, None] + sign[:, None] * turn[None, :]) % self.n_turns
        super().__init__(product_turn + self.n_turns * (mirrored[:, None] ^ mirrored[None, :]))

    @property
    def turns(self) -> NDArray[np.int64]:
        """Array of shape (order,): r of the element ``ρ^r`` or ``ρ^r σ``."""
        return np.tile(np.arange(self.n_turns), 2 if self.has_mirrors else 1)

    @property
    def mirrored(self) -> NDArray[np.bool_]:
        """Array of shape (order,): whether the element is a reflection."""
        return np.repeat([False, True] if self.has_mirrors else [False], self.n_turns)

    def degrees(self, element: int) -> float:
        """Angle of the element's turn in degrees, counter-clockwise, in [0, 360).

        Parameters
        ----------
        element : int

        Returns
        -------
        degrees : float
        """
        return 360.0 * int(self.turns[self._check_element(element)]) / self.n_turns

    def rotation_by(self, degrees: float) -> int:
        """Index of the rotation by `degrees`.

        Parameters
        ----------
        degrees : float
            Counter-clockwise; a multiple of the group's step, of either sign.

        Returns
        -------
        element : int

        Raises
        ------
        ValueError
            If the group has no such rotation.
        """
        steps = degrees * self.n_turns / 360.0
        if abs(steps - round(steps)) > 1e-9:
            raise ValueError(
                f"{self!r} has no turn by {degrees}°; its step is {360 / self.n_turns}°."
            )
        return round(steps) % self.n_turns

    def _find_irreps(self) -> list[Irrep]:
        """Fourier modes of the turns; a mirror conjugates them, which makes them of real type."""
        n, turns, mirrored = self.n_turns, self.turns, self.mirrored
        signs = {"trivial": np.ones(self.order)}
        if n % 2 == 0:
            signs["alternating"] = np.where(turns % 2, -1.0, 1.0)
        if self.has_mirrors:
            det = np.where(mirrored, -1.0, 1.0)
            signs |= {
                "mirror sign" if name == "trivial" else f"{name}, mirror sign": sign * det
                for name, sign in signs.items()
            }
        irreps = [Irrep(self, name, sign[:, None, None]) for name, sign in signs.items()]
        for k in range(1, (n - 1) // 2 + 1):
            angle = 2 * np.pi * (k * turns % n) / n
            matrices = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            matrices = np.moveaxis(matrices, 2, 0).copy()
            matrices[mirrored, :, 1] *= -1
            irreps.append(Irrep(self, f"frequency {k}", matrices))
        return irreps

    def element_name(self, element: int) -> str:
        """Return the symbol of an element, such as ``"ρ^3 σ"``.

        Parameters
        ----------
        element : int

        Returns
        -------
        name : str
        """
        element = self._check_element(element)
        turn = int(self.turns[element])
        power = {0: "", 1: "ρ"}.get(turn, f"ρ^{turn}")
        mirror = "σ" if self.mirrored[element] else ""
        return f"{power} {mirror}".strip() or "e"

    def describe_element(self, element: int) -> str:
        """Say in words what an element does, such as ``"turn 33.75°, mirrored"``.

        Parameters
        ----------
        element : int

        Returns
        -------
        words : str
        """
        element = self._check_element(element)
        if element == 0:
            return "identity"
        parts = [f"turn {self.degrees(element):g}°"] if self.turns[element] else []
        parts += ["mirrored"] if self.mirrored[element] else []
        return ", ".join(parts)

    def mirror_axis(self, element: int) -> float:
        """Angle of a reflection's axis in degrees, in [0, 180), 0 horizontal, 90 vertical.

        Parameters
        ----------
        element : int
            A reflection.

        Returns
        -------
        degrees : float
        """
        return (90.0 + self.degrees(element) / 2) % 180.0

    def describe_subgroup(self, subgroup: Subgroup) -> str:
        """Say what a subgroup is: ``"C2: half turn"``, ``"D1: mirror (axis 45°)"``.

        Parameters
        ----------
        subgroup : Subgroup
            Of this group.

        Returns
        -------
        words : str
        """
        mirrors = [g for g in subgroup.elements if self.mirrored[g]]
        n_turns = subgroup.order - len(mirrors)
        if subgroup.order == 1:
            return "C1: none"
        if subgroup.order == self.order and self.n_turns > 2:
            everything = "every turn and mirror" if mirrors else "every turn"
            return f"{'D' if mirrors else 'C'}{n_turns}: {everything}"
        parts = []
        if n_turns > 1:
            parts.append(_TURN_NAMES.get(n_turns, f"turn {360 / n_turns:g}°"))
        if mirrors:
            axes = ", ".join(f"{a:g}°" for a in sorted(self.mirror_axis(g) for g in mirrors)[:2])
            parts.append(
                f"mirror{'s' * (len(mirrors) > 1)} (axis {axes}{', …' * (len(mirrors) > 2)})"
            )
        return f"{'D' if mirrors else 'C'}{n_turns}: {' and '.join(parts)}"


class Trivial(PlanarGroup):
    """The group of one element: a group crosscoder over it is a sparse autoencoder."""

    def __init__(self) -> None:
        super().__init__(1, has_mirrors=False)

    def _init_args(self) -> tuple[Any, ...]:
        return ()

    @classmethod
    def _count_elements(cls, arguments: list[Any]) -> int | None:
        return None if arguments else 1


class Cyclic(PlanarGroup):
    """The n rotations by multiples of ``360°/n``.

    Parameters
    ----------
    n : int
        Order of the group.

    Examples
    --------
    >>> from sklearn_groupcross import Cyclic
    >>> Cyclic(4).describe_element(3)
    'turn 270°'
    """

    def __init__(self, n: int) -> None:
        super().__init__(n, has_mirrors=False)

    def _init_args(self) -> tuple[Any, ...]:
        return (self.n_turns,)

    @classmethod
    def _count_elements(cls, arguments: list[Any]) -> int | None:
        match arguments:
            case [n] if is_whole(n, 1):
                return n
        return None


class Dihedral(PlanarGroup):
    """The 2n symmetries of the regular n-gon: n rotations, then n reflections.

    Parameters
    ----------
    n : int
        Number of rotations; the order is ``2 n``. The paper's D32 is ``Dihedral(32)``.

    Examples
    --------
    >>> from sklearn_groupcross import Dihedral
    >>> group = Dihedral(32)
    >>> group.order, group.element_name(35), group.describe_element(35)
    (64, 'ρ^3 σ', 'turn 33.75°, mirrored')
    """

    def __init__(self, n: int) -> None:
        super().__init__(n, has_mirrors=True)

    def _init_args(self) -> tuple[Any, ...]:
        return (self.n_turns,)

    @classmethod
    def _count_elements(cls, arguments: list[Any]) -> int | None:
        match arguments:
            case [n] if is_whole(n, 1):
                return 2 * n
        return None


def parse_group(text: str) -> PlanarGroup:
    """Build a group from the way a command line names it.

    Parameters
    ----------
    text : str
        ``"trivial"``, ``"cyclic:8"`` or ``"dihedral:16"``.

    Returns
    -------
    group : PlanarGroup

    Raises
    ------
    ValueError
        If the text names no group, or one of more than 1024 elements, which is not built.
    """
    family, n = read_group_name(text)
    if family == "trivial":
        return Trivial()
    families: dict[str, type[Cyclic] | type[Dihedral]] = {"cyclic": Cyclic, "dihedral": Dihedral}
    return families[family](n)
