"""Groups that rearrange what stands along one axis: sets, signals, lattices. Exact."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from .._integers import check_integer
from ..groups import Alternating, Cyclic, FiniteGroup, Symmetric, as_group
from ._laws import check_permutations
from ._product import Composable
from ._protocols import check_inputs


class PermutationAction(Composable):
    """A group permutes the places along one axis: ``(g·x)(π_g(u)) = x(u)``.

    What stands at place u goes to place ``π_g(u)``; so ``(g·x)(u) = x(π_g⁻¹(u))``, which is a left
    action. Nothing is computed: results are exact, and any dtype will do.

    Parameters
    ----------
    group : FiniteGroup or str
    permutations : array-like of shape (order, length), of int
        ``permutations[g][u]`` is where place u goes, with ``π_gh(u) = π_g(π_h(u))``.
    axis : int, default=-1
        The axis of the inputs whose places move; not the first, which counts the inputs.

    Attributes
    ----------
    group : FiniteGroup
    permutations : ndarray of shape (order, length), int64
    axis : int

    Raises
    ------
    ValueError
        If a row is no permutation, or they do not compose as the elements of the group do; the
        message names a pair of elements.

    Examples
    --------
    The six rearrangements of three things, acting on their three pairs:

    >>> import torch
    >>> from sklearn_groupcross.actions import PermutationAction
    >>> from sklearn_groupcross.groups import Symmetric
    >>> group, pairs = Symmetric(3), [{0, 1}, {0, 2}, {1, 2}]
    >>> moved = [[pairs.index({p[a] for a in pair}) for pair in pairs] for p in group.permutations]
    >>> action = PermutationAction(group, moved)
    >>> group.element_name(2), action.transform(torch.tensor([[10, 20, 30]]))[0, 2].tolist()
    ('(0 1)', [10, 30, 20])
    """

    def __init__(self, group: FiniteGroup | str, permutations: ArrayLike, axis: int = -1) -> None:
        array, group = np.array(permutations), as_group(group)
        if array.ndim != 2 or len(array) != group.order or array.dtype.kind not in "iu":
            raise ValueError(
                f"Permutations of {group!r} are integers of shape ({group.order}, length), one row "
                f"for each element; got {array.dtype} of shape {array.shape}."
            )
        self.group = group
        self.permutations = array.astype(np.int64)
        check_permutations(group, self.permutations)
        self.permutations.setflags(write=False)
        self.axis = axis

    def __repr__(self) -> str:
        length = self.permutations.shape[1]
        return f"{type(self).__name__}({self.group!r}, {length} places, axis={self.axis})"

    def example_axes(self) -> dict[int, int]:
        """Axes that inputs have, and a length that each may have.

        Returns
        -------
        axes : dict of int to int
        """
        return {self.axis: self.permutations.shape[1]}

    def transform(self, inputs: Tensor) -> Tensor:
        """Rearrange every input by every element.

        Parameters
        ----------
        inputs : Tensor of shape (n, ...)
            As many entries along the axis as there are places.

        Returns
        -------
        transformed : Tensor of shape (n, order, ...)

        Raises
        ------
        ValueError
            If the axis is not there or has another length.
        """
        check_inputs(inputs, self.axis)
        order, length = self.permutations.shape
        if inputs.shape[self.axis] != length:
            raise ValueError(
                f"{self!r} moves {length} places along axis {self.axis}; got inputs of shape "
                f"{tuple(inputs.shape)}."
            )
        # a function of places takes the inverse: what arrives at u comes from π⁻¹(u)
        origins = torch.from_numpy(np.argsort(self.permutations, axis=1)).to(inputs.device)
        axis = self.axis % inputs.ndim
        gathered = inputs.index_select(axis, origins.flatten())
        return gathered.unflatten(axis, (order, length)).movedim(axis, 1)


class SetAction(PermutationAction):
    """Permutations of n points act on sets of n items: "permute (0 2 1)".

    Parameters
    ----------
    group : Symmetric or Alternating
        Its n is the number of items.
    axis : int, default=-2
        The axis of the items: the last but one in inputs (n_sets, n, n_channels).

    Raises
    ------
    TypeError
        If the group is another one: `PermutationAction` takes any.

    Examples
    --------
    >>> import torch
    >>> from sklearn_groupcross.actions import SetAction
    >>> from sklearn_groupcross.groups import Symmetric
    >>> SetAction(Symmetric(4)).transform(torch.randn(7, 4, 2)).shape
    torch.Size([7, 24, 4, 2])
    """

    def __init__(self, group: FiniteGroup, axis: int = -2) -> None:
        group = as_group(group).unnamed
        if not isinstance(group, (Symmetric, Alternating)):
            raise TypeError(
                f"Sets are permuted by Symmetric(n) or Alternating(n); got {group!r}. For others: "
                "PermutationAction(group, permutations)."
            )
        names = [f"permute {group.element_name(g)}" for g in range(group.order)]
        super().__init__(group.named(["identity", *names[1:]]), group.permutations, axis)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.group!r}, axis={self.axis})"


class TimeShiftAction(Composable):
    """Cyclic shifts of periodic signals: element k delays by ``k / n`` of the length.

    ``(g_k·x)(t) = x(t - k length / n)``, with time modulo the length. Exact. Elements are called
    "shift by 3 of 16".

    Parameters
    ----------
    group : Cyclic or str
    axis : int, default=-1
        The axis of time; not the first, which counts the signals.
    length : int, optional
        Length of the signals, a multiple of the group's order. Elements are then called "shift by
        3 of 16 (12 samples)", and other lengths are refused.

    Attributes
    ----------
    group : NamedGroup

    Raises
    ------
    TypeError
        If the group is not cyclic, or the length no whole number.
    ValueError
        If the length is no multiple of the group's order.

    Examples
    --------
    >>> import torch
    >>> from sklearn_groupcross import Cyclic
    >>> from sklearn_groupcross.actions import TimeShiftAction
    >>> TimeShiftAction(Cyclic(4)).transform(torch.arange(8)[None])[0, 1].tolist()
    [6, 7, 0, 1, 2, 3, 4, 5]
    """

    def __init__(
        self, group: FiniteGroup | str, axis: int = -1, *, length: int | None = None
    ) -> None:
        group = as_group(group).unnamed
        if not isinstance(group, Cyclic):
            raise TypeError(f"Signals are shifted by Cyclic(n); got {group!r}.")
        n = group.order
        self.length = None if length is None else check_integer("length", length, 1)
        if self.length is not None:
            _check_length(group, self.length)
        names = [f"shift by {k} of {n}" for k in range(1, n)]
        if self.length is not None:
            step = self.length // n
            names = [f"{name} ({_in_samples(k * step)})" for k, name in enumerate(names, start=1)]
        self.group = group.named(["identity", *names])
        self.axis = axis

    def __repr__(self) -> str:
        length = "" if self.length is None else f", length={self.length}"
        return f"{type(self).__name__}({self.group!r}, axis={self.axis}{length})"

    def example_axes(self) -> dict[int, int]:
        """Axes that inputs have, and a length that each may have.

        Returns
        -------
        axes : dict of int to int
        """
        return {self.axis: self.length or 2 * self.group.order}

    def transform(self, inputs: Tensor) -> Tensor:
        """Shift every signal by every element.

        Parameters
        ----------
        inputs : Tensor of shape (n_signals, ...)
            The length along the axis of time is a multiple of the group's order.

        Returns
        -------
        transformed : Tensor of shape (n_signals, order, ...)

        Raises
        ------
        ValueError
            If the length is no multiple of the order, or the axis is not there.
        """
        check_inputs(inputs, self.axis)
        length, n = inputs.shape[self.axis], self.group.order
        if self.length not in (None, length):
            raise ValueError(
                f"{self!r} shifts signals of {self.length} samples along axis {self.axis}; got "
                f"inputs of shape {tuple(inputs.shape)}."
            )
        _check_length(self.group, length)
        axis = self.axis % inputs.ndim
        return torch.stack([inputs.roll(k * (length // n), axis) for k in range(n)], dim=1)


def _check_length(group: FiniteGroup, length: int) -> None:
    n = group.order
    if length % n:
        longer = length + n - length % n
        raise ValueError(
            f"{group!r} shifts by 1/{n} of a signal, and {length} samples are no multiple "
            f"of {n}: resample the signals, to {longer} samples for example."
        )


def _in_samples(n_samples: int) -> str:
    return f"{n_samples} sample{'s' * (n_samples > 1)}"
