"""The state in which a module is read: by one thread, in evaluation mode, as plain Python."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import nn

from .._ambient import own_state, tf32_convolutions, tf32_products
from ._turns import Turns

_turns = Turns()

#: How the names of layers begin in modules that wrap another one.
WRAPPER_PREFIXES = ("module.", "_orig_mod.")


@contextmanager
def state_of_a_pass(
    module: nn.Module, device: torch.device, precision: str
) -> Iterator[list[nn.Module]]:
    """Torch and a module in the state for a forward pass; gradients as they are outside.

    Yields the parts of the module, as `reading` does.
    """
    with ExitStack() as stack:
        parts = stack.enter_context(reading(module))
        stack.enter_context(own_state(gradients=torch.is_grad_enabled()))
        stack.enter_context(tf32_convolutions(device, wanted=precision == "tf32"))
        stack.enter_context(tf32_products(device, wanted=precision == "tf32"))
        if precision == "bfloat16":
            # converted weights are not kept: a pass of the caller's may want theirs with gradients
            stack.enter_context(torch.autocast(device.type, torch.bfloat16, cache_enabled=False))
        stack.enter_context(uncompiled(module, parts))
        yield parts


@contextmanager
def reading(module: nn.Module) -> Iterator[list[nn.Module]]:
    """Have a module for one thread, in evaluation mode, and each part in its own mode afterwards.

    Other threads that want to read one of its parts wait. Within a thread, readings may be nested.

    Only the flags are set: `train` and `eval` of a module may do more than that, which could not be
    undone.

    Yields
    ------
    parts : list of torch.nn.Module
        The module and all of its parts, each once.

    Raises
    ------
    ValueError
        If a part was put into training mode meanwhile.
    """
    trained: list[nn.Module] = []
    with _turns.at(module) as parts:
        try:
            for part in parts:
                if getattr(part, "training", False):  # frozen scripts have none
                    trained.append(part)
                    _set_mode(part, training=False)
            yield parts
            changed = [part for part in parts if getattr(part, "training", False)]
            if changed:
                raise ValueError(
                    f"{type(changed[0]).__name__} was put into training mode while it ran, by its "
                    "own forward, by a hook or by another thread: what came out may be random, and "
                    "running statistics may have changed. Take that call of train() out."
                )
        finally:
            modes = dict.fromkeys(map(id, trained), True)
            for part in parts:
                mode = modes.get(id(part), False)
                if getattr(part, "training", mode) != mode:
                    _set_mode(part, training=mode)


@contextmanager
def tracing(module: nn.Module) -> Iterator[None]:
    """State in which a module's graph may be traced: no other thread reads any module."""
    with reading(module), _turns.alone(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _set_mode(part: nn.Module, *, training: bool) -> None:
    attributes = part.__dict__
    if "training" in attributes:  # modules look at every value that is set: ten times as slow
        attributes["training"] = training
    else:  # scripts
        part.training = training


@contextmanager
def uncompiled(module: nn.Module, parts: Sequence[nn.Module]) -> Iterator[None]:
    """Run what `torch.compile` made of parts of a module as plain Python, which hooks can watch.

    Raises
    ------
    ValueError
        If this release of torch has no switch for it.
    """
    if not any(map(_is_compiled, parts)):
        yield
        return
    if not hasattr(torch.compiler, "set_stance"):  # torch 2.4 and 2.5
        compiled = [name for name, part in module.named_modules() if _is_compiled(part)]
        raise ValueError(
            f"The module has compiled parts ({', '.join(map(repr, compiled[:3]))}), which only "
            "torch 2.6 and later can run as they were before that. Read it without torch.compile."
        )
    with torch.compiler.set_stance("force_eager"):
        yield


@contextmanager
def watching_batches(module: nn.Module, parts: Sequence[nn.Module]) -> Iterator[list[str]]:
    """Yield a list that names the parts that normalise by statistics of the batch, as they run.

    Parameters
    ----------
    module : torch.nn.Module
    parts : sequence of torch.nn.Module
        Those of its parts that are watched.
    """
    seen: list[str] = []
    watched = {id(part) for part in parts if _normalizes_batches(part)}
    with ExitStack() as stack:
        for name, part in module.named_modules() if watched else ():
            if id(part) in watched:

                def note(*_: object, name: str = name) -> None:
                    if name not in seen:
                        seen.append(name)

                stack.callback(part.register_forward_pre_hook(note).remove)
        yield seen


def _normalizes_batches(part: nn.Module) -> bool:
    return isinstance(part, nn.modules.batchnorm._BatchNorm) and part.running_mean is None


def unwrapped(module: nn.Module) -> nn.Module:
    """Return the module within those that spread it over devices or compile it.

    It computes the same, and hooks see its layers, whole batches at a time.
    """
    while True:
        if isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
            module = module.module
        elif _is_compiled_wrapper(module):
            module = module._orig_mod  # type: ignore[assignment]
        else:
            return module


def _is_compiled(part: nn.Module) -> bool:
    return _is_compiled_wrapper(part) or getattr(part, "_compiled_call_impl", None) is not None


def _is_compiled_wrapper(part: nn.Module) -> bool:
    # not imported for this: whoever has compiled a module has imported it
    dynamo = sys.modules.get("torch._dynamo.eval_frame")
    return dynamo is not None and isinstance(part, dynamo.OptimizedModule)
