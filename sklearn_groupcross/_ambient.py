"""The state of torch and numpy in which we compute, whatever that of the host program is."""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import cache
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch

Module = TypeVar("Module", bound=torch.nn.Module)

_FULL = ("none", "ieee")
# Packages whose frames stand between a user's line and our warning.
_BETWEEN = (__package__, "sklearn", "contextlib", "joblib", "numba", "torch")


@contextmanager
def own_state(*, gradients: bool | None = False) -> Iterator[None]:
    """Compute as in a fresh process: a decorator of public methods, or for a ``with``.

    `torch.autocast` is off, gradients are recorded or not as asked for, without inference mode,
    float32 products are full ones, and numpy warns as it does by default. What was set before is
    set again, also after an error.

    The default dtype and device are left alone, since other threads would see a change of the
    first: every tensor that the package makes names its own.

    Parameters
    ----------
    gradients : bool or None, default=False
        Whether autograd records. None leaves that, and inference mode, to the caller: for functions
        of tensors, through which callers may take gradients.

    Notes
    -----
    Not around a ``yield``: what runs between two items is the caller's code. All of this state but
    the precision of products belongs to one thread; threads that are started inside begin with the
    defaults of torch and numpy.
    """
    with ExitStack() as stack:
        if gradients is not None:
            stack.enter_context(torch.inference_mode(False))
            stack.enter_context(torch.set_grad_enabled(gradients))
        for device_type in _autocast_devices():
            stack.enter_context(torch.autocast(device_type, enabled=False))
        stack.enter_context(_products.full())
        stack.enter_context(np.errstate(divide="warn", over="warn", under="ignore", invalid="warn"))
        yield


def made_plain(make: Callable[[], Module]) -> Module:
    """Make a torch module of float32 on the CPU, whatever torch's defaults are set to.

    Modules draw weights when they are made; the host's generator stays where it was.
    """
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        module = make()
    return module.to(torch.float32)


def warn_caller(message: str, category: type[Warning]) -> None:
    """Warn of what was called from outside of the package, whatever wraps our functions."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] in _BETWEEN:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def _autocast_devices() -> list[str]:
    """Types of devices whose autocast is on; to switch off all would make torch look for them."""
    return [device for device in _devices_with_autocast() if torch.is_autocast_enabled(device)]


@cache
def _devices_with_autocast() -> list[str]:
    known = ["cpu", "cuda", "mps", "xpu", "hpu", "mtia", torch._C._get_privateuse1_backend_name()]
    return [device for device in known if _has_autocast(device)]


def _has_autocast(device: str) -> bool:
    try:
        torch.is_autocast_enabled(device)
    except RuntimeError:  # this build of torch has no autocast for it
        return False
    return True


@cache
def _parts_with_precision() -> list[Any]:
    """Where torch says in what precision float32 is multiplied; before torch 2.9 nowhere."""
    parts: list[Any] = [torch.backends.cuda.matmul]
    for name in ("matmul", "conv"):  # of the CPU
        if hasattr(torch.backends.mkldnn, name):
            parts.append(getattr(torch.backends.mkldnn, name))
    return parts if hasattr(parts[0], "fp32_precision") else []


class _Products:
    """In what precision the whole process multiplies float32, while any of our threads computes.

    The first that comes keeps what the host has set, the last that goes sets it again.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_inside = self._n_tf32 = 0
        self._of_host: _Precision | None = None
        self._of_others: _Precision | None = None

    @contextmanager
    def full(self) -> Iterator[None]:
        """No bfloat16 or TF32 in place of float32."""
        with self._lock:
            if self._n_inside == 0:
                self._of_host = _precision()
                _make_full(self._of_host)
            self._n_inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._n_inside -= 1
                if self._n_inside == 0 and self._of_host is not None:
                    _set_precision(self._of_host)

    @contextmanager
    def tf32(self) -> Iterator[None]:
        """TF32 on CUDA, for what other threads of ours compute meanwhile as well."""
        with self._lock:
            if self._n_tf32 == 0:
                self._of_others = _precision()
                torch.set_float32_matmul_precision("high")
            self._n_tf32 += 1
        try:
            yield
        finally:
            with self._lock:
                self._n_tf32 -= 1
                if self._n_tf32 == 0 and self._of_others is not None:
                    _set_precision(self._of_others)


_products = _Products()


def tf32_products(device: torch.device, *, wanted: bool) -> AbstractContextManager[None]:
    """Let a CUDA device multiply float32 matrices in TF32, if that is wanted, and no longer."""
    return _products.tf32() if wanted and device.type == "cuda" else nullcontext()


@contextmanager
def tf32_convolutions(device: torch.device, *, wanted: bool) -> Iterator[None]:
    """Let a CUDA device convolve float32 in TF32 or not; torch lets it, unless it is told.

    As with products, threads that want different things at once get what the last one asked for.
    """
    if device.type != "cuda":
        yield
        return
    cudnn: Any = torch.backends.cudnn
    is_new = hasattr(cudnn, "conv")  # torch 2.9; the old way fails where the new one has been used
    part, name = (cudnn.conv, "fp32_precision") if is_new else (cudnn, "allow_tf32")
    before = getattr(part, name)
    setattr(part, name, ("tf32" if wanted else "ieee") if is_new else wanted)
    try:
        yield
    finally:
        setattr(part, name, before)


class _Precision(NamedTuple):
    """What torch's two ways of saying it say: the old one, None where they contradict, the new."""

    old: str | None
    new: list[str]


def _precision() -> _Precision:
    try:
        old = torch.get_float32_matmul_precision()
    except RuntimeError:
        old = None
    return _Precision(old, [part.fp32_precision for part in _parts_with_precision()])


def _set_precision(wanted: _Precision) -> None:
    if wanted == _precision():
        return
    if wanted.old is not None:
        torch.set_float32_matmul_precision(wanted.old)
    for part, precision in zip(_parts_with_precision(), wanted.new, strict=True):
        if part.fp32_precision != precision:
            part.fp32_precision = precision


def _make_full(found: _Precision) -> None:
    # in the way in which the host has said it: modules that run inside may ask
    if found.old not in (None, "highest"):
        torch.set_float32_matmul_precision("highest")
    for part in _parts_with_precision():
        if part.fp32_precision not in _FULL:
            part.fp32_precision = "ieee"
