"""The Fourier transform of a finite group: blocks to irreps and back, convolution, correlation.

Works on numpy arrays and on torch tensors alike, through their common operations; torch itself is
not imported.
"""

from __future__ import annotations

import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._masked import unmasked

if TYPE_CHECKING:
    from ._finite_group import FiniteGroup


class GroupFourier:
    """Fourier transform over a finite group, in its real orthogonal irreps.

    ``Ŵ(ρ)[a, b] = Σ_g ρ(g)[a, b] W[g]``. All coefficients stand side by side on one axis, of
    length ``Σ_ρ D²``, irrep after irrep, each matrix row by row; `slices` says where.

    Parameters
    ----------
    group : FiniteGroup

    Attributes
    ----------
    slices : list of slice
        Where each irrep of ``group.irreps`` stands.

    Notes
    -----
    The transform is that of [1]_, taken over the reals: irreps and their types are those of [2]_.
    With real dimension D and ``t = dim End(ρ)`` of each irrep, inversion, Plancherel, power and
    correlation all carry the weight ``D / (t |G|)``; with ``D / |G|`` irreps of complex type would
    count twice. Matrices of complex and quaternionic type hold each number t times, so the
    coefficients are as many as blocks for groups whose irreps are all real, and more otherwise.

    References
    ----------
    .. [1] Persi Diaconis, *Group Representations in Probability and Statistics*, Institute of
       Mathematical Statistics (1988), chapter 2.
    .. [2] Jean-Pierre Serre, *Linear Representations of Finite Groups*, Springer (1977), sections
       2.6 and 13.2.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_groupcross.groups import Dihedral, GroupFourier
    >>> fourier = GroupFourier(Dihedral(4))
    >>> blocks = np.random.default_rng(0).standard_normal((8, 3))
    >>> np.allclose(fourier.inverse(fourier.transform(blocks, axis=0), axis=0), blocks)
    True
    """

    def __init__(self, group: FiniteGroup) -> None:
        self.group = group
        sizes = [irrep.dimension**2 for irrep in group.irreps]
        stops = np.cumsum(sizes).tolist()
        self.slices = [slice(stop - size, stop) for stop, size in zip(stops, sizes, strict=True)]

    @cached_property
    def _forward(self) -> NDArray[np.float64]:
        """Coefficients of every irrep over the elements, (Σ D², order)."""
        order = self.group.order
        return np.concatenate([rho.matrices.reshape(order, -1).T for rho in self.group.irreps])

    @cached_property
    def _weights(self) -> NDArray[np.float64]:
        """``D / (t |G|)`` of every coefficient, (Σ D²,)."""
        return np.concatenate([np.full(rho.dimension**2, rho.weight) for rho in self.group.irreps])

    def transform(self, blocks: Any, axis: int = 0) -> Any:
        """Coefficients of blocks.

        Parameters
        ----------
        blocks : ndarray or Tensor of shape (..., order, ...)
            Real floating point; `axis` indexes the group's elements.
        axis : int, default=0

        Returns
        -------
        coefficients : ndarray or Tensor of shape (..., Σ D², ...)
            The same shape, but for `axis`.

        Raises
        ------
        ValueError
            If the axis has another length than the group has elements, or the array is not of
            real floating-point numbers.
        """
        self._check(blocks, axis, self.group.order, "elements")
        return _apply(self._forward, blocks, axis)

    def inverse(self, coefficients: Any, axis: int = 0) -> Any:
        """Blocks from coefficients, ``W[g] = Σ_ρ D/(t|G|) Σ_ab ρ(g)[a, b] Ŵ(ρ)[a, b]``.

        Parameters
        ----------
        coefficients : ndarray or Tensor of shape (..., Σ D², ...)
            As from `transform`.
        axis : int, default=0

        Returns
        -------
        blocks : ndarray or Tensor of shape (..., order, ...)

        Raises
        ------
        ValueError
            If the axis has another length than there are coefficients, or the array is not of
            real floating-point numbers.
        """
        self._check(coefficients, axis, len(self._weights), "Fourier coefficients")
        return _apply(self._forward.T * self._weights, coefficients, axis)

    def power(self, blocks: Any, axis: int = 0) -> Any:
        """Share of the energy in each isotypic component; the shares sum to 1.

        Parameters
        ----------
        blocks : ndarray or Tensor of shape (order, ...) or (m, ..., order, ...)
            All axes but `axis` and the first of the others are summed over: for atoms
            (m, order, d) with ``axis=1``, the power of each atom.
        axis : int, default=0

        Returns
        -------
        power : ndarray or Tensor of shape (n_irreps,), or (m, n_irreps) where there is an axis
            before `axis`
            Zero blocks have no power anywhere.
        """
        moved = _move_last(self.transform(blocks, axis), axis)
        energy = moved * moved * _like(self._weights, moved)
        lead = moved.shape[0] if axis % blocks.ndim else 1
        energy = energy.reshape(lead, -1, moved.shape[-1]).sum(1)
        parts = [energy[:, part].sum(1) for part in self.slices]
        total = sum(parts)
        total = total + (total == 0)
        stacked = _stack_last([part / total for part in parts])
        return stacked if axis % blocks.ndim else stacked[0]

    def convolve(self, left: Any, right: Any) -> Any:
        """Convolution ``(f * w)[g] = Σ_h f[h] w[h⁻¹ g]``, a product of matrices for each irrep.

        Parameters
        ----------
        left : ndarray or Tensor of shape (order,)
        right : ndarray or Tensor of shape (order, ...)

        Returns
        -------
        product : ndarray or Tensor of shape (order, ...)

        Raises
        ------
        ValueError
            If the left factor has more than one axis, either has not one entry an element, or one
            is not of real floating-point numbers.
        """
        if left.ndim != 1:
            raise ValueError(f"The left factor has shape (order,); got {tuple(left.shape)}.")
        a, b = self.transform(left), self.transform(right)
        trailing = tuple(right.shape[1:])
        products = []
        for irrep, part in zip(self.group.irreps, self.slices, strict=True):
            d = irrep.dimension
            product = _multiply(a[part].reshape(d, d), b[part].reshape(d, -1))
            products.append(product.reshape((d * d, *trailing)))
        return self.inverse(_concatenate(products))

    def correlate(self, left: Any, right: Any) -> Any:
        """All cross-correlations ``C[i, j, h] = Σ_g ⟨W_i[g], V_j[g h]⟩`` of two stacks.

        ``Σ_ρ D/(t|G|) Σ_bc ρ(h)[b, c] Σ_a ⟨Ŵ_i(ρ)[a, b], V̂_j(ρ)[a, c]⟩``: a few large matrix
        products, ``Σ D³`` multiplications for each pair and channel instead of ``|G|²``.

        Parameters
        ----------
        left : ndarray or Tensor of shape (m, order, d)
        right : ndarray or Tensor of shape (n, order, d)

        Returns
        -------
        correlations : ndarray or Tensor of shape (m, n, order)
        """
        a, b = self.transform(left, axis=1), self.transform(right, axis=1)
        m, n = len(left), len(right)
        products = []
        for irrep, part in zip(self.group.irreps, self.slices, strict=True):
            d = irrep.dimension
            # [i, a, b, channel] -> rows (i, b), columns (a, channel)
            rows = _swap(a[:, part].reshape(m, d, d, -1), 1, 2).reshape(m * d, -1)
            columns = _swap(b[:, part].reshape(n, d, d, -1), 1, 2).reshape(n * d, -1)
            product = _multiply(rows, columns.T)
            products.append(_swap(product.reshape(m, d, n, d), 1, 2).reshape(m * n, d * d))
        coefficients = _concatenate(products, axis=1)
        return self.inverse(coefficients, axis=1).reshape(m, n, self.group.order)

    def _check(self, array: Any, axis: int, length: int, what: str) -> None:
        is_floating = array.is_floating_point() if _is_torch(array) else array.dtype.kind == "f"
        unmasked(array, "blocks")
        if not is_floating:
            raise ValueError(f"The transform takes real floating-point arrays; got {array.dtype}.")
        if array.shape[axis] != length:
            raise ValueError(
                f"Axis {axis} of the array has length {array.shape[axis]}; "
                f"{self.group!r} has {length} {what}. Shape: {tuple(array.shape)}."
            )


def _is_torch(array: Any) -> bool:
    return hasattr(array, "new_tensor")


def _multiply(left: Any, right: Any) -> Any:
    """Matrix product, of tensors in their own precision also within `torch.autocast`."""
    if not _is_torch(left):
        return left @ right
    torch = sys.modules["torch"]  # it has been imported, since there are tensors
    kind = left.device.type
    if not (torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)):
        return left @ right
    with torch.autocast(kind, enabled=False):
        return left @ right


def _like(matrix: NDArray[np.float64], array: Any) -> Any:
    """Give a constant the kind, precision and device of an array."""
    return array.new_tensor(matrix) if _is_torch(array) else matrix.astype(array.dtype, copy=False)


def _move_last(array: Any, axis: int) -> Any:
    return array.movedim(axis, -1) if _is_torch(array) else np.moveaxis(array, axis, -1)


def _swap(array: Any, first: int, second: int) -> Any:
    return array.transpose(first, second) if _is_torch(array) else array.swapaxes(first, second)


def _apply(matrix: NDArray[np.float64], array: Any, axis: int) -> Any:
    """Multiply one axis of an array by a matrix."""
    if axis % array.ndim == 0:
        flat = array.reshape(array.shape[0], -1)
        return _multiply(_like(matrix, array), flat).reshape((len(matrix), *array.shape[1:]))
    if axis % array.ndim == 1 and array.ndim == 3:
        return _multiply(_like(matrix, array), array)  # a batch of products, without a copy
    moved = _multiply(_move_last(array, axis), _like(matrix, array).T)
    return moved.movedim(-1, axis) if _is_torch(array) else np.moveaxis(moved, -1, axis)


def _concatenate(arrays: list[Any], axis: int = 0) -> Any:
    if not _is_torch(arrays[0]):
        return np.concatenate(arrays, axis=axis)
    lengths = [array.shape[axis] for array in arrays]
    shape = list(arrays[0].shape)
    shape[axis] = sum(lengths)
    result = arrays[0].new_empty(shape)
    start = 0
    for array, length in zip(arrays, lengths, strict=True):
        result.narrow(axis, start, length).copy_(array)
        start += length
    return result


def _stack_last(arrays: list[Any]) -> Any:
    return _concatenate([array[:, None] for array in arrays], axis=1)
