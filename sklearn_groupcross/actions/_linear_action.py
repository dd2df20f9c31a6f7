"""Groups that act by matrices along one axis: vectors, point clouds, colours."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from .._ambient import own_state
from ..groups import FiniteGroup, RotationGroup, as_group
from ._laws import check_representation
from ._product import Composable
from ._protocols import check_inputs


class LinearAction(Composable):
    """A group acts by a real representation along one axis: ``(g·x)_i = Σ_j ρ(g)_ij x_j``.

    Parameters
    ----------
    group : FiniteGroup or str
    matrices : array-like of shape (order, k, k)
        ``matrices[g]`` is ρ(g), what g does to a column vector, with ``ρ(gh) = ρ(g) ρ(h)``.
    axis : int, default=-1
        The axis of the inputs, of length k, that is multiplied; not the first, which counts the
        inputs.

    Attributes
    ----------
    group : FiniteGroup
    matrices : ndarray of shape (order, k, k), float64
    axis : int

    Raises
    ------
    ValueError
        If the matrices are not finite, have another shape, or do not multiply as the elements of
        the group do; the message names a pair of elements.

    Examples
    --------
    >>> import torch
    >>> from sklearn_groupcross import Dihedral
    >>> from sklearn_groupcross.actions import LinearAction
    >>> group = Dihedral(3)
    >>> triangle = next(irrep for irrep in group.irreps if irrep.dimension == 2)
    >>> LinearAction(group, triangle.matrices).transform(torch.randn(5, 10, 2)).shape
    torch.Size([5, 6, 10, 2])
    """

    def __init__(self, group: FiniteGroup | str, matrices: ArrayLike, axis: int = -1) -> None:
        self.group = as_group(group)
        self.matrices = _check_matrices(self.group, matrices)
        self.axis = axis

    def __repr__(self) -> str:
        k = self.matrices.shape[1]
        return f"{type(self).__name__}({self.group!r}, {k} x {k} matrices, axis={self.axis})"

    def example_axes(self) -> dict[int, int]:
        """Axes that inputs have, and a length that each may have.

        Returns
        -------
        axes : dict of int to int
        """
        return {self.axis: self.matrices.shape[1]}

    @own_state(gradients=None)
    def transform(self, inputs: Tensor) -> Tensor:
        """Multiply every input by the matrix of every element.

        Parameters
        ----------
        inputs : Tensor of shape (n, ...)
            Floating point, with k entries along the axis.

        Returns
        -------
        transformed : Tensor of shape (n, order, ...)

        Raises
        ------
        ValueError
            If the axis is not there or has another length.
        """
        check_inputs(inputs, self.axis)
        k = self.matrices.shape[1]
        if inputs.shape[self.axis] != k or not inputs.is_floating_point():
            raise ValueError(
                f"{self!r} multiplies floating-point inputs with {k} entries along axis "
                f"{self.axis}; got {inputs.dtype} of shape {tuple(inputs.shape)}."
            )
        matrices = torch.tensor(self.matrices, dtype=inputs.dtype, device=inputs.device)
        moved = torch.einsum("gij,n...j->ng...i", matrices, inputs.movedim(self.axis, -1))
        # the new axis of the elements comes before every other but the first
        return moved.movedim(-1, self.axis if self.axis < 0 else self.axis + 1)


class PointCloudAction(LinearAction):
    """The rotations of a regular solid act on points (x, y, z), the last axis of the inputs.

    Parameters
    ----------
    group : RotationGroup or {"tetrahedral", "octahedral", "icosahedral"}

    Raises
    ------
    TypeError
        If the group is another one: `LinearAction` takes any group and its matrices.

    Examples
    --------
    >>> import torch
    >>> from sklearn_groupcross.actions import PointCloudAction
    >>> clouds = torch.randn(4, 100, 3)
    >>> PointCloudAction("icosahedral").transform(clouds).shape
    torch.Size([4, 60, 100, 3])
    """

    group: RotationGroup

    def __init__(self, group: FiniteGroup | str) -> None:
        group = RotationGroup(group) if isinstance(group, str) else as_group(group).unnamed
        if not isinstance(group, RotationGroup):
            raise TypeError(
                "Point clouds are turned by a RotationGroup, 'tetrahedral', 'octahedral' or "
                f"'icosahedral'; got {group!r}. For others: LinearAction(group, matrices)."
            )
        super().__init__(group, group.matrices, axis=-1)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.group!r})"


def _check_matrices(group: FiniteGroup, matrices: ArrayLike) -> NDArray[np.float64]:
    array = np.array(matrices)
    square = array.ndim == 3 and array.shape[1] == array.shape[2] >= 1
    if not square or len(array) != group.order:
        raise ValueError(
            f"Matrices of {group!r} have shape ({group.order}, k, k), one for each element; "
            f"got {array.shape}."
        )
    if np.iscomplexobj(array) or not np.isfinite(array).all():
        raise ValueError("Matrices are real and finite; these have complex, NaN or inf entries.")
    array = array.astype(np.float64)
    check_representation(group, array)
    array.setflags(write=False)
    return array
