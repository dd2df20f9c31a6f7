"""Orbits of any function of any inputs: for networks that read no images, and for all others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from tqdm.auto import tqdm

from .._ambient import own_state
from .._device import resolve_device
from .._plain import as_plain, as_tensor
from .._stacks._rows import check_finite
from ..actions import Action, apply_action


@own_state()
def stack_orbits(
    inputs: ArrayLike | Tensor,
    action: Action,
    function: Callable[[Tensor], Tensor],
    *,
    batch_size: int = 256,
    device: str | torch.device = "auto",
    progress: bool = False,
) -> NDArray[np.float32]:
    """Stack what a function makes of every transformed input: ``O[i, g] = function(g·x_i)``.

    For images read at positions of a convolutional layer there is `OrbitDataset`.

    Parameters
    ----------
    inputs : array-like or Tensor of shape (n, ...)
        What the action transforms. Floating-point inputs are given to the function in the dtype
        of its parameters if it is a module, else in float32; others as they are.
    action : Action
        For example `PointCloudAction`, `TimeShiftAction`, or a class of your own.
    function : callable or torch.nn.Module
        Maps transformed inputs (m, ...) to a tensor (m, n_channels), each row by itself. A module
        is put in evaluation mode meanwhile, and left on `device`. No gradients are recorded.
    batch_size : int, default=256
        Transformed inputs given to the function at once.
    device : str or torch.device, default="auto"
        Where inputs are transformed and the function runs. ``"auto"`` is CUDA when there is one.
    progress : bool, default=False
        Show a progress bar.

    Returns
    -------
    orbits : ndarray of shape (n, order, n_channels), float32
        What `GroupCrosscoder.fit` takes.

    Raises
    ------
    TypeError
        If the action has no ``group`` or ``transform``, or the function returns no tensor.
    ValueError
        If there are no inputs, or the function's values are not finite or have another shape.

    Examples
    --------
    >>> import torch
    >>> from sklearn_groupcross import Cyclic, stack_orbits
    >>> from sklearn_groupcross.actions import TimeShiftAction
    >>> generator = torch.Generator().manual_seed(0)
    >>> signals = torch.randn(10, 64, generator=generator)
    >>> network = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU())
    >>> stack_orbits(signals, TimeShiftAction(Cyclic(8)), network).shape
    (10, 8, 32)
    """
    if not isinstance(action, Action):
        raise TypeError(
            f"An action has a group and a method transform; got {action!r}. "
            "See sklearn_groupcross.actions.Action."
        )
    if batch_size < 1:
        raise ValueError(f"batch_size is at least 1; got {batch_size}.")
    source, where, order = _sliceable(inputs), resolve_device(device), action.group.order
    at_once = max(1, batch_size // order)
    orbits: NDArray[np.float32] | None = None
    with _observed(function, where) as dtype, torch.no_grad():
        starts = range(0, len(source), at_once)
        for start in tqdm(starts, desc="stacking orbits", disable=not progress, leave=False):
            piece = source[start : start + at_once]
            # a copy: the function may write into what it is given
            batch = piece if isinstance(piece, Tensor) else as_tensor(piece.copy())
            batch = batch.to(where)
            batch = batch.to(dtype) if batch.is_floating_point() else batch
            views = apply_action(action, batch)
            values = [_checked(function(v), len(v)) for v in views.flatten(0, 1).split(batch_size)]
            rows = torch.cat(values).float().cpu().unflatten(0, (len(batch), order)).numpy()
            check_finite(rows, range(start, start + len(rows)), "The function's result")
            if orbits is None:
                orbits = np.empty((len(source), *rows.shape[1:]), dtype=np.float32)
            elif rows.shape[1:] != orbits.shape[1:]:
                raise ValueError(
                    f"The function returns {rows.shape[2]} channels for inputs {start} and after, "
                    f"{orbits.shape[2]} before."
                )
            orbits[start : start + at_once] = rows
    assert orbits is not None  # there is at least one input
    return orbits


def _sliceable(inputs: ArrayLike | Tensor) -> NDArray[Any] | Tensor:
    """Inputs as something to take slices of: a memory map stays on disk."""
    inputs = as_plain(inputs, "inputs")
    array = inputs if isinstance(inputs, Tensor) else np.asanyarray(inputs)
    if array.ndim < 2 or len(array) == 0:
        raise ValueError(
            "Inputs have shape (n, ...) with n >= 1 and at least one axis that the action moves; "
            f"got {tuple(array.shape)}."
        )
    return array


@contextmanager
def _observed(function: Callable[[Tensor], Tensor], device: torch.device) -> Iterator[torch.dtype]:
    """Put a module on the device in evaluation mode, and say in which dtype it computes."""
    if not isinstance(function, nn.Module):
        yield torch.float32
        return
    training = [module for module in function.modules() if module.training]
    function.to(device).eval()
    dtypes = (p.dtype for p in function.parameters() if p.is_floating_point())
    try:
        yield next(dtypes, torch.float32)
    finally:
        for module in training:
            module.training = True


def _checked(values: object, n: int) -> Tensor:
    if not isinstance(values, Tensor):
        raise TypeError(
            f"The function returns a torch Tensor (m, n_channels); got {type(values).__name__}."
        )
    if values.ndim == 2 and len(values) == n and not values.is_complex():
        return values
    if values.ndim > 2 and len(values) == n:
        hint = " Pool or flatten the axes after the first, for example with values.flatten(1)."
    elif values.ndim == 1 and len(values) == n:
        hint = " One value for each input is values[:, None]."
    else:
        hint = ""
    raise ValueError(
        f"The function returns real values of shape (m, n_channels) for m = {n} transformed "
        f"inputs; got {values.dtype} of shape {tuple(values.shape)}.{hint}"
    )
