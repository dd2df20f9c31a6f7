"""What several commands check."""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # `main` needs this module, and --version none of scipy
    from ..groups import FiniteGroup


def choose_count(count: int | None, available: int, option: str) -> int:
    """How many of the images that there are; all, if no number is given."""
    if count is None:
        return available
    if not 1 <= count <= available:
        raise ValueError(
            f"{option} lies between 1 and {available}, the images there are; got {count}."
        )
    return count


def check_installed(*modules: str, extra: str = "report") -> None:
    """See that what draws and writes at the end is installed, before hours of work.

    Parameters
    ----------
    *modules : str
    extra : str, default="report"
        Which brings them.

    Raises
    ------
    ImportError
        If it is not; the message says what to install.
    """
    for module in modules:
        try:
            import_module(module)
        except ImportError as error:
            raise ImportError(
                f"This command needs {module}: pip install 'sklearn-groupcross[{extra}]'."
            ) from error


def in_words(group: FiniteGroup) -> str:
    """Say what a group does to images."""
    from ..groups import PlanarGroup

    if not isinstance(group, PlanarGroup):
        return f"{group!r}, {group.order} elements"
    return f"{group.n_turns} turns{' with mirrors' if group.has_mirrors else ''}"


def as_json(value: Any) -> str:
    """Write what a person and a program can read."""
    return json.dumps(value, indent=2, ensure_ascii=False)
