"""Reading a function, of tensors or of arrays, at every transformed input."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from torch import Tensor, nn

from .._device import resolve_device
from .._integers import check_integer
from .._plain import as_plain, as_tensor
from .._stacks._rows import check_finite
from ..actions import Action, apply_action
from ._settings import module_digest

_NUMBERS = "fiub"


class FunctionOrbits:
    """The orbits of a function, ``O[i, g] = function(g·x_i)``, some inputs at a time.

    Parameters
    ----------
    inputs : array-like or Tensor of shape (n, ...)
    action : Action
    function : callable or torch.nn.Module
    arrays : bool or None
        Whether the function is given arrays; None for what `stack_orbits` says.
    batch_size : int
    device : str or torch.device

    Attributes
    ----------
    inputs : ndarray or Tensor of shape (n, ...)
    n_inputs_at_once : int
        As many as keep to the batch size.

    Raises
    ------
    TypeError, ValueError
        Naming the argument that cannot be used.
    """

    def __init__(
        self,
        inputs: ArrayLike | Tensor,
        action: Action,
        function: Callable[[Any], Any],
        *,
        arrays: bool | None,
        batch_size: int,
        device: str | torch.device,
    ) -> None:
        if not isinstance(action, Action):
            raise TypeError(
                f"An action has a group and a method transform; got {action!r}. "
                "See sklearn_groupcross.actions.Action."
            )
        is_module = isinstance(function, nn.Module)
        if is_module and arrays:
            raise ValueError("A torch module reads tensors: leave arrays out.")
        self.inputs, self.action = _sliceable(inputs), action
        self._batch_size = check_integer("batch_size", batch_size, 1)
        self.n_inputs_at_once = max(1, self._batch_size // action.group.order)
        self._function = function
        self._arrays = _reads_arrays(function) if arrays is None else arrays
        where = resolve_device(device)
        self._device = torch.device("cpu") if self._arrays else where
        self._dtype: torch.dtype | None = None if self._arrays else torch.float32
        self._n_channels: int | None = None

    @contextmanager
    def ready(self) -> Iterator[None]:
        """Put a module on the device in evaluation mode; record no gradients."""
        function = self._function
        with torch.no_grad():
            if not isinstance(function, nn.Module):
                yield
                return
            training = [module for module in function.modules() if module.training]
            function.to(self._device).eval()
            dtypes = (p.dtype for p in function.parameters() if p.is_floating_point())
            self._dtype = next(dtypes, torch.float32)
            try:
                yield
            finally:
                for module in training:
                    module.training = True

    def read(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Read orbits of some inputs, within `ready`.

        Parameters
        ----------
        rows : ndarray of int of shape (m,)

        Returns
        -------
        orbits : ndarray of shape (m, order, n_channels), float32

        Raises
        ------
        TypeError, ValueError
            If the function returns something else than values of one width, all of them finite.
        """
        pieces = np.split(rows, range(self.n_inputs_at_once, len(rows), self.n_inputs_at_once))
        return np.concatenate([self._read(piece) for piece in pieces])

    def _read(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        if isinstance(self.inputs, Tensor):
            batch = self.inputs[torch.from_numpy(rows).to(self.inputs.device)]
        else:  # a copy: the function may write into what it is given
            batch = as_tensor(self.inputs[rows])
        batch = batch.to(self._device)
        if self._dtype is not None and batch.is_floating_point():
            batch = batch.to(self._dtype)
        views = apply_action(self.action, batch)
        values = [self._values(view) for view in views.flatten(0, 1).split(self._batch_size)]
        orbits = np.concatenate(values).reshape(len(rows), self.action.group.order, -1)
        check_finite(orbits, rows, "The function's result")
        if self._n_channels not in (None, orbits.shape[2]):
            raise ValueError(
                f"The function returns {orbits.shape[2]} channels for inputs {rows[0]} and after, "
                f"{self._n_channels} before."
            )
        self._n_channels = orbits.shape[2]
        return orbits

    def _values(self, view: Tensor) -> NDArray[np.float32]:
        if not self._arrays:
            return _checked_tensor(self._function(view), len(view)).float().cpu().numpy()
        values = _checked_array(self._function(view.numpy()), len(view))
        with np.errstate(over="ignore"):  # what overflows becomes infinite, and is refused
            return values.astype(np.float32)

    def metadata(self) -> dict[str, Any]:
        """Say what orbits depend on, as JSON can hold it."""
        function = self._function
        metadata: dict[str, Any] = {
            "function": _name_of(function),
            "action": repr(self.action),
            "inputs": {"shape": list(self.inputs.shape[1:]), "dtype": str(self.inputs.dtype)},
        }
        if isinstance(function, nn.Module):
            metadata["function_digest"] = module_digest(function)
        return metadata


def _sliceable(inputs: ArrayLike | Tensor) -> NDArray[Any] | Tensor:
    """Inputs as something to take rows of: a memory map stays on disk."""
    inputs = as_plain(inputs, "inputs")
    array = inputs if isinstance(inputs, Tensor) else np.asanyarray(inputs)
    if array.ndim < 2 or len(array) == 0:
        raise ValueError(
            "Inputs have shape (n, ...) with n >= 1 and at least one axis that the action moves; "
            f"got {tuple(array.shape)}."
        )
    return array


def _reads_arrays(function: Callable[[Any], Any]) -> bool:
    """Whether it is a method of a scikit-learn estimator."""
    return isinstance(getattr(function, "__self__", None), BaseEstimator)


def _name_of(function: Callable[[Any], Any]) -> str:
    if _reads_arrays(function):
        return f"{function.__self__!r}.{function.__name__}"  # type: ignore[attr-defined]
    return str(getattr(function, "__qualname__", type(function).__qualname__))


def _checked_tensor(values: object, n: int) -> Tensor:
    if isinstance(values, np.ndarray):
        raise TypeError(
            "The function returns a torch Tensor (m, n_channels) for the tensor that it is given; "
            "got ndarray. One of arrays is given arrays with arrays=True."
        )
    if not isinstance(values, Tensor):
        raise TypeError(
            f"The function returns a torch Tensor (m, n_channels); got {type(values).__name__}."
        )
    _check_shape(values.shape, values.dtype, is_real=not values.is_complex(), n=n)
    return values


def _checked_array(values: Any, n: int) -> NDArray[Any]:
    if hasattr(values, "toarray"):
        raise TypeError(
            f"The function returns an array (m, n_channels); got {type(values).__name__}: give "
            "its values.toarray()."
        )
    if isinstance(values, Tensor):
        values = values.detach().cpu()
    array = np.asarray(values)
    _check_shape(array.shape, array.dtype, is_real=array.dtype.kind in _NUMBERS, n=n)
    return array


def _check_shape(shape: tuple[int, ...], dtype: object, *, is_real: bool, n: int) -> None:
    if len(shape) == 2 and shape[0] == n and is_real:
        return
    hint = ""
    if len(shape) > 2 and shape[0] == n:
        hint = (
            " Pool or flatten the axes after the first, for example with "
            "values.reshape(len(values), -1)."
        )
    elif len(shape) == 1 and shape[0] == n:
        hint = " One value for each input is values[:, None]."
    raise ValueError(
        f"The function returns real values of shape (m, n_channels) for m = {n} transformed "
        f"inputs; got {dtype} of shape {tuple(shape)}.{hint}"
    )
