"""What a group costs."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from sklearn_groupcross import GroupCrosscoder, OrbitDataset
from sklearn_groupcross.groups import FiniteGroup

from ._group_orbits import GroupOrbits
from ._study import Study


def cost(
    study: Study, orbits: GroupOrbits, name: str, dictionaries: Sequence[GroupCrosscoder]
) -> dict[str, Any]:
    """Measure room and time under a group.

    Returns
    -------
    row : dict
        ``order``; ``bytes_per_orbit`` in a store; ``seconds_per_photograph`` of reading its orbits,
        the first photograph apart, which also sets things up; ``seconds_of_fit``, mean over seeds;
        ``coordinates`` that a fit learns.
    """
    settings, action = study.config["groups"], orbits.subgroups[name][0]
    dataset = OrbitDataset(
        study.parts["pilot"][: 1 + settings["n_timed"]],
        network=study.network,
        layer=study.config["layer"],
        action=action,
        n_positions=settings["n_positions"],
    )
    dataset[0]
    start = time.perf_counter()
    for i in range(1, 1 + settings["n_timed"]):
        dataset[i]
    seconds = (time.perf_counter() - start) / settings["n_timed"]
    return {
        "order": action.group.order,
        "bytes_per_orbit": 2 * action.group.order * dataset.n_channels,
        "seconds_per_photograph": seconds,
        "seconds_of_fit": _seconds_of_fit(study, orbits, action.group),
        "coordinates": float(np.mean([each.n_coordinates_ for each in dictionaries])),
    }


def _seconds_of_fit(study: Study, orbits: GroupOrbits, group: FiniteGroup) -> float:
    """As the kept dictionaries' records have it."""
    asked = {**study.config["dictionary"], **orbits.dictionary}
    asked |= {"orbits": orbits.what, "group": repr(group)}
    seconds = []
    for path in (study.folder / "dictionaries").glob(f"{orbits.what}-*.json"):
        record = json.loads(path.read_text(encoding="utf-8"))
        if all(record.get(key) == value for key, value in asked.items()):
            seconds.append(record["seconds"])
    return float(np.mean(seconds)) if seconds else np.nan
