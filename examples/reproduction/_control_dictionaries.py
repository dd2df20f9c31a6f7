"""Dictionaries that others are held against: one a seed, with the same settings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sklearn_groupcross import GroupCrosscoder
from sklearn_groupcross.faithfulness import untrained
from sklearn_groupcross.groups import Trivial

from ._quality import first_photographs
from ._study import Study

#: Of the network itself, of its weights in a random order, of blocks in a random order.
FEWER, UNTRAINED, SHUFFLED = "fewer photographs", "untrained network", "shuffled blocks"


def control_dictionaries(study: Study, what: str) -> list[GroupCrosscoder]:
    """Dictionaries of one control.

    Parameters
    ----------
    study : Study
    what : {"fewer photographs", "untrained network", "shuffled blocks"}
        The second is of as many photographs as the study's own. Shuffled blocks have many times as
        many coordinates, and are of as few as the first, beside which they stand.
    """
    settings = study.config
    n = settings["n_train"] if what == UNTRAINED else settings["transform_blocks"]["n_fewer"]
    orbits = {
        FEWER: first_photographs(study, n)[0],
        SHUFFLED: lambda: _shuffled(study, n),
        UNTRAINED: lambda: study.orbits(
            "train", n, named="untrained", network=untrained(study.network)
        ),
    }[what]
    return study.dictionaries(orbits, f"{what.replace(' ', '-')}-{n}", group=study.group)


def untransformed_of(study: Study, what: str = FEWER) -> NDArray[np.floating]:
    """Identity blocks held out, of the network that these dictionaries are of."""
    if what != UNTRAINED:
        return np.array(study.held_out[:, 0])
    network = untrained(study.network)
    store = study.orbits("held_out", named="untrained", network=network, group=Trivial())
    return store[np.arange(len(store))][:, 0]


def _shuffled(study: Study, n: int) -> NDArray[np.floating]:
    rng, orbits = np.random.default_rng(0), first_photographs(study, n)[0]()
    for orbit in orbits:
        # the encoder reads the first block: it stays, or nothing could be predicted
        orbit[1:] = orbit[1 + rng.permutation(len(orbit) - 1)]
    return orbits
