"""Submodules under several names: which calls are made through which of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from ._module_state import unwrapped


def named_parts(module: nn.Module) -> dict[str, nn.Module]:
    """All submodules by their dotted paths, one and the same object under all of its names."""
    return dict(_named(module, "", (module,)))


def _named(
    module: nn.Module, prefix: str, above: tuple[nn.Module, ...]
) -> Iterator[tuple[str, nn.Module]]:
    for name, child in module._modules.items():
        if child is None or any(child is one for one in above):  # a part that knows its owner
            continue
        yield prefix + name, child
        child = unwrapped(child)
        yield from _named(child, f"{prefix}{name}.", (*above, child))


def part_at(module: nn.Module, path: str) -> nn.Module:
    """Return the submodule at a path, of scripts too.

    Raises
    ------
    AttributeError
        If there is none.
    """
    for name in path.split("."):
        part = getattr(module, name)
        if not isinstance(part, nn.Module):
            raise AttributeError(f"{path} is no module")
        module = part
    return module


def shared_paths(parts: dict[str, nn.Module]) -> frozenset[str]:
    """Paths of the submodules that have several.

    Not those of scripts, within which nothing can be watched, and of compiled parts, of which a
    copy would run the original.
    """
    paths: dict[int, list[str]] = defaultdict(list)
    for path, part in parts.items():
        if not isinstance(part, torch.jit.ScriptModule) and unwrapped(part) is part:
            paths[id(part)].append(path)
    return frozenset(path for names in paths.values() if len(names) > 1 for path in names)


def is_shared(path: str, shared: Collection[str]) -> bool:
    """Whether the submodule at a path, or one that it is in, has another name."""
    return any(path == one or path.startswith(f"{one}.") for one in shared)


@contextmanager
def by_name(
    module: nn.Module, paths: Sequence[str], shared: Collection[str]
) -> Iterator[dict[str, nn.Module]]:
    """Give the submodules at some paths, such that hooks on each see the calls through its path.

    While the context lasts, a submodule that has several names is replaced, under those of them
    that are asked for, by a copy which has hooks of its own and shares everything else. A script,
    which takes no hooks, is replaced by a module that calls it.
    """
    replaced: list[tuple[nn.Module, str, nn.Module]] = []
    copies: dict[str, nn.Module] = {}
    found: dict[str, nn.Module] = {}
    try:
        for path in paths:
            owner, reached, in_copy = module, "", False
            for name in path.split("."):
                reached = f"{reached}.{name}" if reached else name
                child = getattr(owner, name)
                is_script = isinstance(child, torch.jit.ScriptModule)
                wanted = reached in shared or in_copy or is_script
                if reached not in copies and wanted and name in owner._modules:
                    copies[reached] = _Caller(child) if is_script else _copy_of(child)
                    replaced.append((owner, name, child))
                    owner._modules[name] = copies[reached]
                in_copy = reached in copies
                found[path] = copies.get(reached, child)
                owner = unwrapped(found[path])
        yield found
    finally:
        for owner, name, child in reversed(replaced):
            owner._modules[name] = child


class _Caller(nn.Module):
    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.part = part

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.part(*args, **kwargs)


def _copy_of(part: nn.Module) -> nn.Module:
    twin: nn.Module = object.__new__(type(part))
    twin.__dict__.update(part.__dict__)
    for table in (
        "_modules",
        "_forward_hooks",
        "_forward_hooks_with_kwargs",
        "_forward_hooks_always_called",
    ):
        if table in part.__dict__:
            twin.__dict__[table] = part.__dict__[table].copy()
    twin.__dict__["_compiled_call_impl"] = None  # it would call the part itself
    return twin
