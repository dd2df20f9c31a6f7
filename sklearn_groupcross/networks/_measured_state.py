"""What a measured receptive field depends on, as a key that keeps no module alive."""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Callable, Hashable
from itertools import chain

import torch
from torch import Tensor, nn

from ._compatibility import FLOAT_TYPES
from ._preprocess import Normalize


def state_of_paths(module: nn.Module) -> Hashable:
    """Structure of a module, and which of its weights are zero: these open no path."""
    tensors = chain(module.parameters(), module.buffers())
    return repr(module), tuple(_zeros(tensor) for tensor in tensors)


def preprocess_as_key(preprocess: Callable[[Tensor], Tensor] | None) -> Hashable:
    """Stand for a preprocess, which may refer to the module, as long as it is there.

    Raises
    ------
    TypeError
        If it can be no key.
    """
    if preprocess is None or isinstance(preprocess, Normalize):
        return preprocess
    reference: Hashable = weakref.ref(preprocess)
    hash(reference)  # which a reference takes from what it refers to, while that is there
    if isinstance(preprocess, nn.Module):
        return reference, state_of_paths(preprocess)
    return reference


@torch.no_grad()
def _zeros(tensor: Tensor) -> Hashable:
    # by content, since weights may change through `data`, which torch does not count
    if tensor.dtype not in FLOAT_TYPES or tensor.layout != torch.strided or tensor.is_meta:
        return id(tensor), tensor._version
    n_zeros = tensor.numel() - int(torch.count_nonzero(tensor))
    if n_zeros in (0, tensor.numel()):
        return tuple(tensor.shape), n_zeros
    zeros = (tensor == 0).cpu().numpy()
    return tuple(tensor.shape), hashlib.sha1(zeros.tobytes(), usedforsecurity=False).digest()
