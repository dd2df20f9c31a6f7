"""Groups that turn space: the rotations of the regular solids."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ._finite_group import FiniteGroup
from ._validation import IntArray

# Scipy's names of their groups, and how many turns they have.
_SOLIDS = {"tetrahedral": ("T", 12), "octahedral": ("O", 24), "icosahedral": ("I", 60)}


class RotationGroup(FiniteGroup):
    """The rotations of space that bring a regular solid back to itself.

    Element 0 is the identity; the others come by angle, and then by axis, (1, 1, 1) before
    (1, 1, -1). The solids stand as `scipy.spatial.transform.Rotation.create_group` places them: the
    coordinate axes are axes of quarter turns of the cube, and of half turns of the other two.

    Parameters
    ----------
    solid : {"tetrahedral", "octahedral", "icosahedral"}
        Order 12 (isomorphic to A4), 24 (S4: the cube and the octahedron) or 60 (A5: the
        dodecahedron and the icosahedron).

    Attributes
    ----------
    matrices : ndarray of shape (order, 3, 3), float64
        What each element does to a column vector (x, y, z). Read-only.

    Raises
    ------
    ValueError
        If the solid is none of the three.

    Examples
    --------
    >>> from sklearn_groupcross.groups import RotationGroup
    >>> group = RotationGroup("octahedral")
    >>> group.order, group.isomorphism_type, group.describe_element(1)
    (24, 'S4', 'turn 90° about (1, 0, 0)')
    """

    def __init__(self, solid: str) -> None:
        if solid not in _SOLIDS:
            raise ValueError(
                f"RotationGroup takes 'tetrahedral', 'octahedral' or 'icosahedral'; got {solid!r}."
            )
        self.solid = solid
        rotations = Rotation.create_group(_SOLIDS[solid][0])
        axes, degrees = _axes_and_degrees(rotations)
        # by rounded numbers: the order is the same on every machine
        order = np.lexsort((*np.round(-axes, 6).T[::-1], np.round(degrees)))
        self._axes, self._degrees = axes[order], degrees[order]
        matrices = rotations.as_matrix()[order]
        whole = np.round(2 * matrices) / 2
        # turns of the cube only swap coordinates: 0 in place of 2e-16 makes them exact
        self.matrices: NDArray[np.float64] = np.where(
            np.abs(matrices - whole) < 1e-9, whole, matrices
        )
        self.matrices.setflags(write=False)
        super().__init__(_table(self.matrices))

    def _init_args(self) -> tuple[Any, ...]:
        return (self.solid,)

    @classmethod
    def _count_elements(cls, arguments: list[Any]) -> int | None:
        match arguments:
            case [str(solid)] if solid in _SOLIDS:
                return _SOLIDS[solid][1]
        return None

    def describe_element(self, element: int) -> str:
        """Say in words what an element does, such as ``"turn 120° about (1, 1, 1)"``.

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
        axis = ", ".join(f"{a:g}" for a in np.round(self._axes[element], 2) + 0.0)
        return f"turn {self._degrees[element]:.0f}° about ({axis})"


def _axes_and_degrees(rotations: Rotation) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Axes with 1 as their largest coordinate, and angles in degrees, in [0, 180]."""
    vectors = rotations.as_rotvec()
    angles = np.linalg.norm(vectors, axis=1)
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    axes = np.divide(vectors, largest, out=np.zeros_like(vectors), where=largest > 1e-9)
    half_turns = np.abs(angles - np.pi) < 1e-9  # their axes point both ways: the positive is taken
    first = np.argmax(np.abs(axes) > 1e-6, axis=1)
    sign = np.sign(axes[np.arange(len(axes)), first])
    axes[half_turns] *= sign[half_turns, None]
    return axes, np.degrees(angles)


def _table(matrices: NDArray[np.float64]) -> IntArray:
    """Cayley table of rotation matrices, by the nearest one to every product."""
    flat = matrices.reshape(len(matrices), 9)
    products = (matrices[:, None] @ matrices).reshape(-1, 9)
    # tr(AᵀB) of two rotations is 3 where they are equal and smaller otherwise
    return np.argmax(products @ flat.T, axis=1).reshape(len(matrices), -1)
