"""What is asked of dictionaries: what they explain, what they are made of, and what others find."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import silhouette_score

from sklearn_groupcross import GroupCrosscoder, SymmetryAnalyzer
from sklearn_groupcross.analysis import cluster_families
from sklearn_groupcross.model_selection import collect_statistics

from ._large_families import SMALLEST, fires, large_families
from ._measured import Measured
from ._nulls import signs_at_random
from ._recurrence import find_partners
from ._study import Study

FloatArray = NDArray[np.float64]

#: Of `SymmetryAnalyzer.diagnose`: those that a penalty, or a setting, can cause.
SIGNATURES = (
    "poor reconstruction", "dead atoms", "duplicate atoms", "no clusters", "features alone",
    "flat profiles", "too few firings", "training and held-out differ",
)  # fmt: skip
_KINDS = ("line", "grid", "directed", "round", "other")
# Where families end if the dictionary does not settle it: the same for all.
_FIXED_DISTANCE = 0.4
_BATCH = 200


class Judge:
    """Measures dictionaries, all on the same orbits of photographs held out.

    Parameters
    ----------
    study : Study
    n_positions : int
        Of each photograph held out, on which whole orbits are measured; whether a feature is live
        is read from the identity blocks of all.
    change : callable, optional
        Of orbits (n, order, channels), before anything is measured on them.
    """

    def __init__(
        self, study: Study, n_positions: int, change: Callable[[Any], Any] = lambda orbits: orbits
    ) -> None:
        store = study.orbits("held_out")
        every = max(1, study.config["n_positions"] // n_positions)
        self.study = study
        orbits, untransformed = [], []
        step = every * max(1, 2000 // every)
        for start in range(0, len(store), step):
            part = change(store[np.arange(start, min(start + step, len(store)))])
            orbits.append(part[::every])
            untransformed.append(part[:, 0])
        self.orbits, self.untransformed = np.concatenate(orbits), np.concatenate(untransformed)
        self.photographs = np.asarray(store.image_ids)[::every]

    def measure(
        self, dictionaries: Sequence[GroupCrosscoder], *, findings: bool = False
    ) -> Measured:
        """Measure the dictionaries of all seeds of a setting; findings take longest."""
        rows, errors, parts = [], [], []
        for seed, crosscoder in zip(self.study.seeds, dictionaries, strict=True):
            analysis = SymmetryAnalyzer().fit(crosscoder)
            statistics = collect_statistics(crosscoder, self.orbits, keep_rows=findings)
            live = (
                fires(crosscoder, self.untransformed)
                if crosscoder.encoder_input == "identity"
                else statistics.fired
            )
            part = _Part(analysis, live, np.random.default_rng(seed))
            error = self._errors(crosscoder)
            explained = 1 - error.sum(axis=0) / self._totals.sum(axis=0)
            elements = elements_of(self.study)
            kinds = analysis.kinds_[live]
            rows.append({
                "seed": seed,
                "explained": statistics.explained_variance,
                "explained_in_training": 1 - crosscoder.history_["fvu"][-1],
                **{f"explained {name}": explained[g] for name, g in elements.items()},
                "explained all but the identity": explained[1:].mean(),
                "l0": statistics.l0,
                "n_features": len(live),
                "n_live": int(live.sum()),
                "n_dead": int((~live).sum()),
                "n_coordinates": crosscoder.n_coordinates_,
                **part.clustering(),
                **{f"kind {kind}": int((kinds == kind).sum()) for kind in _KINDS},
            })  # fmt: skip
            if findings:
                # fewer rows: ridge regression on them takes longest
                few = {"rows": statistics.rows[::2], "row_codes": statistics.row_codes[::2]}
                statistics = replace(statistics, **few)
                found = analysis.diagnose(crosscoder, self.orbits, statistics=statistics)
                names = {finding.name for finding in found}
                rows[-1] |= {f"finds {name}": int(name in names) for name in SIGNATURES}
            parts.append(part)
            errors.append(self._by_photograph(error))
        pairs = _find_again(parts, self.study)
        seeds = pd.DataFrame(rows)
        for what in pairs.columns.drop(["seed", "other"]):
            seeds[what] = pairs.groupby("seed")[what].mean().reindex(seeds["seed"]).to_numpy()
        return Measured(seeds, pairs, np.array(errors), self._by_photograph(self._totals))

    def _errors(self, crosscoder: GroupCrosscoder) -> FloatArray:
        """Squared error of every block, (n, order)."""
        errors = []
        for start in range(0, len(self.orbits), _BATCH):
            part = self.orbits[start : start + _BATCH].astype(np.float32)
            codes = crosscoder.transform(part.reshape(len(part), -1))
            again = crosscoder.inverse_transform(codes).reshape(part.shape)
            errors.append(np.square(part - again).sum(axis=2, dtype=np.float64))
        return np.concatenate(errors)

    @cached_property
    def _totals(self) -> FloatArray:
        """The squared distance of every block from its mean, (n, order)."""
        mean = self.orbits.mean(axis=0, dtype=np.float64)
        batches = np.arange(_BATCH, len(self.orbits), _BATCH)
        parts = np.split(self.orbits, batches)
        return np.concatenate([np.square(part - mean).sum(axis=2) for part in parts])

    def _by_photograph(self, of_blocks: FloatArray) -> FloatArray:
        numbers = np.unique(self.photographs, return_inverse=True)[1]
        return np.bincount(numbers, of_blocks.sum(axis=1))


class _Part:
    """The live features of a dictionary with their families."""

    def __init__(
        self, analysis: SymmetryAnalyzer, live: NDArray[np.bool_], rng: np.random.Generator
    ) -> None:
        self.analysis, self.live, self.rng = analysis, live, rng
        blocks = analysis.components_.reshape(len(live), analysis.group_.order, -1)
        #: Atoms of nothing are not matched.
        self.atoms = blocks * live[:, None, None]
        self.families = large_families(analysis, live)
        self.labels = _labels_of(self.families, len(live))

    def clustering(self) -> dict[str, float]:
        """How clearly features fall into families, and sign-scrambled ones."""
        live, group, end = self.live, self.analysis.group_, self.analysis.family_distance_
        distances = self.analysis.distances_[np.ix_(live, live)]
        everyone = np.ones(len(distances), dtype=bool)
        fixed = cluster_families(distances, everyone, _FIXED_DISTANCE, min_size=SMALLEST)
        row = _cluster(distances, self.labels[live]) | {"family_distance": end}
        row |= {f"fixed_{key}": value for key, value in _cluster(distances, fixed).items()}
        null = dict.fromkeys(("n_families", "share_in_families", "quality", "silhouette"), np.nan)
        if len(distances) > 1:
            scrambled = signs_at_random(self.atoms[live], self.rng)
            strange = SymmetryAnalyzer(group, family_distance=min(2.0, end)).fit(scrambled)
            families = large_families(strange, everyone)
            null = _cluster(strange.distances_, _labels_of(families, len(everyone)))
        row |= {f"null_{key}": value for key, value in null.items()}
        # of all atoms: a few features that always hold are no dictionary
        for prefix in ("", "null_"):
            share = np.nan_to_num(row[f"{prefix}share_in_families"])
            row[f"{prefix}atoms_in_families"] = share * live.mean()
        return row


def _labels_of(families: Sequence[NDArray[np.int64]], n_features: int) -> NDArray[np.int64]:
    """The number of each feature's family; -1: alone."""
    labels = np.full(n_features, -1)
    for label, members in enumerate(families):
        labels[members] = label
    return labels


def _cluster(distances: NDArray[np.floating], labels: NDArray[np.int64]) -> dict[str, float]:
    inside = labels >= 0
    apart = labels.copy()
    apart[~inside] = labels.max(initial=-1) + 1 + np.arange((~inside).sum())
    return {
        "n_families": len(np.unique(labels[inside])),
        "share_in_families": float(inside.mean()) if len(labels) else np.nan,
        # without families nothing is clear
        "quality": _silhouette(distances, apart) if inside.any() else 0.0,
        "silhouette": _silhouette(distances[np.ix_(inside, inside)], labels[inside]),
    }


def _silhouette(distances: NDArray[np.floating], labels: NDArray[np.int64]) -> float:
    if not 2 <= len(np.unique(labels)) < len(labels):
        return float("nan")
    return float(silhouette_score(distances, labels, metric="precomputed"))


def _find_again(parts: Sequence[_Part], study: Study) -> pd.DataFrame:
    """Shares of the live features, atoms and families of each seed that each other has."""
    atoms, rng = [part.atoms for part in parts], np.random.default_rng(0)
    rows: dict[tuple[int, int], dict[str, float]] = {}
    for prefix, found in (
        ("", find_partners(atoms, group=study.group)),
        ("null_", find_partners(atoms, group=study.group, rng=rng)),
    ):
        for (i, j), partners in found.items():
            has = partners >= 0
            again = [
                _together(parts[j].labels[partners[members[has[members]]]], len(members))
                for members in parts[i].families
            ]
            row = rows.setdefault((i, j), {"seed": study.seeds[i], "other": study.seeds[j]})
            row |= {
                f"{prefix}found_again": has[parts[i].live].mean()
                if parts[i].live.any()
                else np.nan,
                f"{prefix}atoms_found_again": has.mean(),
                f"{prefix}families_found_again": np.mean(again) if again else np.nan,
            }
    pairs = pd.DataFrame(list(rows.values()))
    by_chance = pairs.groupby("seed")["null_found_again"].transform("mean")
    return pairs.assign(beyond_chance=pairs["found_again"] - by_chance)


def _together(families: NDArray[np.int64], n_members: int) -> bool:
    """Whether half of the members have partners in one family, of their partners' families."""
    return bool(2 * np.bincount(families[families >= 0], minlength=1).max() >= n_members)


def elements_of(study: Study) -> dict[str, int]:
    """Some of the dihedral group: turns come first."""
    n = study.group.order // 2
    return {"identity": 0, "quarter turn": n // 4, "half turn": n // 2, "mirror": n}


def first_photographs(
    study: Study, n_photographs: int, every: int = 1
) -> tuple[Callable[[], Any], str]:
    """Training orbits of the first so many photographs, read when needed, and their name.

    Of their positions one in `every`.
    """

    def read() -> Any:
        store = study.orbits("train")
        return store[np.flatnonzero(np.asarray(store.image_ids) < n_photographs)[::every]]

    return read, f"first-{min(n_photographs, study.config['n_train'])}-every-{every}"
