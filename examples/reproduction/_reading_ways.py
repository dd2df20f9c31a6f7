"""Ways of reading orbits, and what dictionaries of them have in common."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_groupcross import Dihedral, GroupCrosscoder, OrbitDataset, SymmetryAnalyzer
from sklearn_groupcross.actions import ImageAction
from sklearn_groupcross.groups import FiniteGroup
from sklearn_groupcross.networks import receptive_field

from ._dictionary_measures import share_of
from ._large_families import in_families, large_families
from ._study import Study

Array = NDArray[Any]

REFERENCE, AGAIN, OTHERS = "disk", "other positions", "other photographs"
NARROW, WIDE, ENERGY, GRID = "narrow disk", "wide disk", "energy", "grid"
MASK, CUT = "mask, fields whole", "mask, fields cut"
FEW, OTHERS_FEW = "disk, few positions", "other photographs, few"
EXACT, CENTER = "exact, few positions", "centre"
SAME_SIZE = "disk, as many as centre"
#: Ways that read the same disk, at the same scale, as other ways do: with what they are compared.
SAME_DISK = {ENERGY: OTHERS, GRID: OTHERS, EXACT: OTHERS_FEW}
KINDS = ("line", "grid", "directed", "round")


class Orbits(NamedTuple):
    """Orbits (n, order, channels) with the photograph of each."""

    values: Array
    photographs: NDArray[np.int64]

    def some(self, photographs: range, positions: range) -> Orbits:
        """Of these photographs, these positions."""
        ids = self.photographs
        rank = np.arange(len(ids)) - np.searchsorted(ids, ids)
        rows = np.isin(ids, photographs) & np.isin(rank, positions)
        return Orbits(self.values[rows], ids[rows])


class Ways:
    """Orbits of the same photographs, read in different ways, each once.

    Parameters
    ----------
    study : Study
    settings : mapping
        Of the stage.
    """

    def __init__(self, study: Study, settings: Mapping[str, Any]) -> None:
        self._study, self._settings = study, settings
        self.group: FiniteGroup = Dihedral(settings["n_turns"])
        self._read: dict[tuple[str, str], Orbits] = {}

    @cached_property
    def radii(self) -> dict[str, float]:
        """Radius of the positions, in pixels, and of the two masks."""
        study, layer = self._study, self._study.config["layer"]
        files, masked = study.parts["train"][:1], ImageAction(self.group, mask=True)
        options = {"network": study.network, "layer": layer}
        # the largest disk in which fields are whole within the largest mask
        radius = OrbitDataset(files, action=masked, **options).radius
        wide = OrbitDataset(files, group=self.group, **options).radius
        field = receptive_field(study.network, layer)
        return {
            REFERENCE: radius,
            NARROW: radius / 2,
            WIDE: wide,
            MASK: field.input_size / 2,
            CUT: self._settings["cutting_mask"] * max(field.size),
        }

    def names(self) -> list[str]:
        """All ways, the references first."""
        of_disk = [REFERENCE, AGAIN, OTHERS, NARROW, WIDE, ENERGY, GRID, MASK, CUT]
        return [*of_disk, FEW, OTHERS_FEW, EXACT, SAME_SIZE, CENTER]

    def reference(self, way: str) -> str:
        """What a way is compared with: of as many positions, and with a mask, of the same scale."""
        if way == CUT:
            return MASK
        if way in (FEW, OTHERS_FEW, EXACT):
            return FEW
        return SAME_SIZE if way in (SAME_SIZE, CENTER) else REFERENCE

    def radius(self, way: str) -> float:
        """Radius of the disk of a way's positions, in pixels."""
        return 0.0 if way == CENTER else self.radii[way if way in (NARROW, WIDE) else REFERENCE]

    def training(self, way: str) -> Orbits:
        """Orbits to learn from."""
        s, n = self._settings, self._settings["n_photographs"]
        positions, few = s["n_positions"], s["few_positions"]
        n_centers = min(s["n_centers"], self._study.config["n_train"])
        of_base = {
            REFERENCE: (range(n), range(positions)),
            AGAIN: (range(n), range(positions, 2 * positions)),
            OTHERS: (range(n, 2 * n), range(positions)),
            FEW: (range(n), range(few)),
            OTHERS_FEW: (range(n, 2 * n), range(few)),
            SAME_SIZE: (range(max(1, round(n_centers / positions))), range(positions)),
        }
        if way in of_base:
            return self.base.some(*of_base[way])
        return self._orbits("train", n_centers if way == CENTER else n, way)

    def held_out(self, way: str) -> Orbits:
        """Orbits of photographs held out, read in the same way."""
        if way in (AGAIN, OTHERS, FEW, OTHERS_FEW, SAME_SIZE):
            way = REFERENCE
        return self._orbits("held_out", self._settings["n_held_out"], way)

    @property
    def base(self) -> Orbits:
        """Many positions of twice as many photographs, read as the reference is."""
        return self._orbits("train", 2 * self._settings["n_photographs"], "base")

    def _orbits(self, part: str, n_photographs: int, way: str) -> Orbits:
        key = (part, way)
        if key not in self._read:
            options = {"n_positions": self._settings["n_positions"], **self._options(way)}
            store = self._study.orbits(part, n_photographs, **options)
            self._read = {k: v for k, v in self._read.items() if k[1] in (REFERENCE, "base")}
            self._read[key] = Orbits(store[np.arange(len(store))], np.asarray(store.image_ids))
        return self._read[key]

    def _options(self, way: str) -> dict[str, Any]:
        radii = self.radii
        options: dict[str, Any] = {"group": self.group, "radius": radii[REFERENCE]}
        masked = {
            name: ImageAction(self.group, mask=True, mask_radius=radii[name])
            for name in (MASK, CUT)
        }
        changes: dict[str, dict[str, Any]] = {
            REFERENCE: {},
            "base": {"n_positions": self._settings["most_positions"]},
            NARROW: {"radius": radii[NARROW]},
            WIDE: {"radius": radii[WIDE]},
            ENERGY: {"sampling": "energy"},
            GRID: {"sampling": "grid"},
            EXACT: {"interpolation": "exact", "n_positions": self._settings["few_positions"]},
            MASK: {"action": masked[MASK]},
            CUT: {"action": masked[CUT]},
            CENTER: {"sampling": "center", "n_positions": 1},
        }
        options |= changes[way]
        if "action" in options:
            del options["group"]
        return options


def block_norms(orbits: Orbits, group: FiniteGroup) -> tuple[Array, NDArray[np.int64]]:
    """Mean norm of every block of each photograph, (n_photographs, order), and their numbers."""
    numbers = np.unique(orbits.photographs)
    norms = [
        np.linalg.norm(orbits.values[orbits.photographs == i].astype(np.float32), axis=2).mean(
            axis=0
        )
        for i in numbers
    ]
    return np.array(norms), numbers


def describe_features(dictionary: GroupCrosscoder, live: NDArray[np.bool_]) -> dict[str, float]:
    """What kinds of features there are among those that fire, and how many are in families."""
    analysis = SymmetryAnalyzer().fit(dictionary)
    return {
        "firing": float(live.sum()),
        **{kind: share_of(analysis.kinds_[live] == kind) for kind in KINDS},
        "families": float(len(large_families(analysis, live))),
        "in_families": share_of(in_families(analysis, live)[live]),
    }
