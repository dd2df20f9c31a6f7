"""What several commands check, and how they speak."""

from __future__ import annotations

import sys

from ..groups import FiniteGroup, PlanarGroup


def choose_count(wanted: int | None, available: int, option: str, least: int = 1) -> int:
    """How many of the images that there are; all, if no number is given."""
    if wanted is None:
        return available
    if not least <= wanted <= available:
        raise ValueError(
            f"{option} lies between {least} and {available}, the images there are; got {wanted}."
        )
    return wanted


def in_words(group: FiniteGroup) -> str:
    """Say what a group does to images."""
    if not isinstance(group, PlanarGroup):
        return f"{group!r}, {group.order} elements"
    return f"{group.n_turns} turns{' with mirrors' if group.has_mirrors else ''}"


def say(text: str) -> None:
    """Tell a person something that is no result."""
    print(text, file=sys.stderr, flush=True)
