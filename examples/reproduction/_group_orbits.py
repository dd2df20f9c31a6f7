"""Orbits under a group, of which those under its subgroups are a part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sklearn_groupcross.actions import PositionedAction
from sklearn_groupcross.groups import FiniteGroup
from sklearn_groupcross.orbits import OrbitStore

Read = Callable[[], tuple[NDArray[np.float16], NDArray[np.int64]]]


@dataclass
class GroupOrbits:
    """Orbits of which several groups' dictionaries are fitted: block i is that of an element.

    Attributes
    ----------
    name : str
    whole : FiniteGroup
    subgroups : mapping of str to (PositionedAction, tuple of int)
        How each group acts, and the numbers of its elements in the whole, in its own order.
    turns : str or None
        The subgroup that turns pictures; None: each of them does.
    dictionary : mapping of str
        Settings of dictionaries, where they differ from the study's own.
    what : str
        Names the orbits to fit.
    parts : mapping of str to callable
        ``"train"`` and ``"held_out"``: gives orbits (n, order, channels) and their photographs.
    """

    name: str
    whole: FiniteGroup
    subgroups: Mapping[str, tuple[PositionedAction, tuple[int, ...]]]
    turns: str | None
    dictionary: Mapping[str, Any]
    what: str
    parts: Mapping[str, Read]

    def train(self, elements: Sequence[int]) -> NDArray[np.float16]:
        """Orbits to fit, under a subgroup. Read when they are first asked for."""
        return blocks(self._train, elements)

    @cached_property
    def _train(self) -> NDArray[np.float16]:
        return self.parts["train"]()[0]

    @cached_property
    def held_out(self) -> tuple[NDArray[np.float16], NDArray[np.int64]]:
        """Orbits held out, and the photograph of each."""
        return self.parts["held_out"]()

    def at(self, name: str, part: str) -> NDArray[np.int64] | None:
        """Where a group's blocks are those of another; None if it has not all of them."""
        own, elements = (self.subgroups.get(key, (None, None))[1] for key in (name, part))
        if elements is None or not set(elements) <= set(own):
            return None
        return np.searchsorted(own, elements)


def blocks(orbits: NDArray[np.float16], elements: Sequence[int]) -> NDArray[np.float16]:
    """Orbits under a subgroup."""
    if len(elements) == orbits.shape[1]:
        return orbits
    return np.ascontiguousarray(orbits[:, np.asarray(elements)])


def some_orbits(
    store: OrbitStore, n_photographs: int, n_positions: int
) -> tuple[NDArray[np.float16], NDArray[np.int64]]:
    """The first positions of the first photographs of a store, and the photograph of each."""
    ids = np.asarray(store.image_ids)
    position = pd.Series(ids).groupby(ids).cumcount().to_numpy()
    rows = np.flatnonzero((ids < n_photographs) & (position < n_positions))
    return store[rows], ids[rows]
