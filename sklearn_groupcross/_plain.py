"""Arrays as they are handed over, as numpy and torch can read them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ._masked import unmasked


def as_plain(X: Any, name: str = "X") -> Any:
    """Take off what would be lost, or be in the way, when the numbers are read.

    Tensors lose their history, and become arrays where numpy has their type and memory. Masked
    arrays without a masked value become ordinary ones. Other input is returned as it is, whatever
    it is.

    Parameters
    ----------
    X : object
    name : str, default="X"
        For messages.

    Raises
    ------
    ValueError
        If values are masked: what lies under the mask would be taken for data. Or if a tensor is
        on the meta device, which holds no values.
    TypeError
        If a tensor is sparse or quantized.
    """
    X = unmasked(X, name)
    if isinstance(X, Tensor):
        return _detached(X, name)
    if isinstance(X, list | tuple) and _holds_arrays(X):
        return [as_numpy(part, name) for part in X]
    return X


def as_numpy(X: Any, name: str = "X") -> Any:
    """As `as_plain`, for input that is converted whole.

    Tensors of a type or on a device that numpy has not are arrays as well, and arrays have the
    order of bytes of the machine, so that others do not take their type for another.
    """
    X = as_plain(X, name)
    if isinstance(X, Tensor):
        return (X.float() if X.dtype == torch.bfloat16 else X).cpu().numpy()
    if isinstance(X, np.ndarray) and not X.dtype.isnative:
        return X.astype(X.dtype.newbyteorder("="))
    return X


def as_tensor(array: NDArray[Any], dtype: torch.dtype | None = None) -> Tensor:
    """Make a tensor on the CPU to be read, over the same memory where torch can do that."""
    array = as_numpy(array)
    # torch refuses such steps, also where numpy calls the array contiguous, having one row or
    # column; of read-only memory, such as joblib maps, it would warn
    is_strange = any(step < 0 or step % array.itemsize for step in array.strides)
    if is_strange or not array.flags.writeable:
        array = np.array(array, order="C")
    tensor = torch.from_numpy(array)
    return tensor if dtype is None else tensor.to(dtype)


def _detached(X: Tensor, name: str) -> Any:
    if X.layout != torch.strided or X.is_quantized:
        kind = "quantized" if X.is_quantized else "sparse"
        raise TypeError(
            f"{name} is a {kind} tensor; dense values are needed. Pass "
            f"{name}.{'dequantize' if X.is_quantized else 'to_dense'}()."
        )
    if X.device.type == "meta":
        raise ValueError(f"{name} is a tensor on the meta device, which holds no values.")
    X = X.detach().resolve_conj().resolve_neg()
    if X.dtype.is_floating_point and (X.device.type != "cpu" or X.dtype == torch.bfloat16):
        return X  # read some rows at a time
    if X.dtype.is_floating_point and X.dtype.itemsize < 2:
        return X.float().numpy()
    return X.cpu().numpy()


def _holds_arrays(X: list[Any] | tuple[Any, ...]) -> bool:
    kinds = set(map(type, X))  # of numbers there may be millions
    if any(issubclass(kind, np.ma.MaskedArray | Tensor) for kind in kinds):
        return True
    nested = tuple(kind for kind in kinds if issubclass(kind, list | tuple))
    return bool(nested) and any(_holds_arrays(part) for part in X if isinstance(part, nested))
