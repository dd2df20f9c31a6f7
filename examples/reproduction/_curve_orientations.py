"""Which orientations of curves neurons detect, and which features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sklearn_groupcross.analysis import missing_poses
from sklearn_groupcross.faithfulness import probe_kinds

from ._family_measures import Seeds
from ._large_families import large_families
from ._recurrence import has_partner, share_of_seeds
from ._statistics import columns, over_seeds
from ._study import Study


@dataclass(frozen=True)
class Curves:
    """Of directions: which are curve detectors by both sets of probes, and for what.

    Attributes
    ----------
    is_curve : ndarray of shape (m,), bool
        Named a curve by the first set, nearest to curves by the second too, in orientations that
        differ by no more than a step.
    step : ndarray of shape (m,), int
        Preferred orientation in steps of the group's smallest turn, by the first set.
    size : ndarray of shape (m,), int
        Which radius of the first set, by size.
    radii : ndarray
        Those of the first set, in pixels.
    """

    is_curve: NDArray[np.bool_]
    step: NDArray[np.int64]
    size: NDArray[np.int64]
    radii: NDArray[np.float64]

    def cells(self, which: NDArray[np.bool_], n_turns: int) -> NDArray[np.int64]:
        """How many prefer each radius in each orientation: (n_radii, n_turns)."""
        counts = np.zeros((len(self.radii), n_turns), dtype=int)
        chosen = which & self.is_curve
        np.add.at(counts, (self.size[chosen], self.step[chosen]), 1)
        return counts


def find_curves(study: Study, directions: object) -> Curves:
    """Name directions, or features of a crosscoder, by the study's probes."""
    first, second = (
        probe_kinds(
            directions,
            study.network,
            study.config["layer"],
            readings=study.probe_readings(which),
            # limits are of random directions; behind an untrained network only rates are told
            untrained_readings=study.probe_readings(which),
        )
        for which in ("naming", "judging")
    )
    n_turns = study.group.order // 2
    steps = [np.rint(each.orientations * n_turns / 360).astype(int) for each in (first, second)]
    apart = np.abs(steps[0] - steps[1])
    near = np.minimum(apart, n_turns - apart) <= 1
    radii = np.unique([p.shape.radius for p in first.probes if p.kind == "curve"])
    size = np.searchsorted(radii, np.nan_to_num(first.radii))
    is_curve = (first.kinds == "curve") & (second.nearest == "curve") & near
    return Curves(is_curve, steps[0] % n_turns, size, radii)


def found_in_pose(seeds: Seeds, i: int) -> NDArray[np.bool_]:
    """Features that most other seeds have in the same pose."""
    if not seeds.others(i):
        return np.zeros_like(seeds.live[i])
    return seeds.live[i] & (share_of_seeds(has_partner(seeds.partners_in_pose), i) > 0.5)


def curve_tables(study: Study, seeds: Seeds, curves: list[Curves]) -> dict[str, pd.DataFrame]:
    """What neurons cover, what features cover, and what features alone do."""
    n_turns, confidence = study.group.order // 2, study.config["confidence"]
    n_channels = seeds.crosscoders[0].n_channels_
    every = np.ones(n_channels, dtype=bool)
    neurons = find_curves(study, np.eye(n_channels))
    of_neurons = neurons.cells(every, n_turns)
    rng = np.random.default_rng(study.config["split_seed"])
    rows: dict[str, list[float]] = {}
    found, kept = [], []
    for i, (of, live) in enumerate(zip(curves, seeds.live, strict=True)):
        random = find_curves(study, rng.standard_normal((int(live.sum()), n_channels)))
        counts = {
            "features": of.cells(live, n_turns),
            "features found again in their pose": of.cells(found_in_pose(seeds, i), n_turns),
            "random directions": random.cells(np.ones(len(random.step), dtype=bool), n_turns),
        }
        for who, cells in counts.items():
            rows.setdefault(f"curve {who}", []).append(cells.sum())
            for what, mine, theirs in (
                ("orientations", cells.sum(axis=0), of_neurons.sum(axis=0)),
                ("radii and orientations", cells, of_neurons),
            ):
                alone, lacking = (mine > 0) & (theirs == 0), (mine == 0) & (theirs > 0)
                rows.setdefault(f"{what} of {who}", []).append((mine > 0).sum())
                rows.setdefault(f"{what} of {who}, of no neuron", []).append(alone.sum())
                rows.setdefault(f"{what} of neurons, of no {who}", []).append(lacking.sum())
        found.append(counts["features"])
        kept.append(counts["features found again in their pose"])
    constant = {
        "orientations": n_turns,
        "radii and orientations": of_neurons.size,
        "neurons": n_channels,
        "curve neurons": of_neurons.sum(),
        "orientations of neurons": of_neurons.any(axis=0).sum(),
        "radii and orientations of neurons": (of_neurons > 0).sum(),
    }
    summary = pd.DataFrame({
        "what": [*constant, *rows],
        **columns(
            [over_seeds([value] * len(curves), confidence) for value in constant.values()]
            + [over_seeds(values, confidence) for values in rows.values()]
        ),
    })  # fmt: skip
    radius, step = (index.ravel() for index in np.indices(of_neurons.shape))
    degrees = 360 * step / n_turns
    orientations = pd.DataFrame({
        "place": [
            f"{d:g}°, radius {neurons.radii[r]:.3g} px"
            for r, d in zip(radius, degrees, strict=True)
        ],
        "radius": neurons.radii[radius],
        "degrees": degrees,
        "neurons": of_neurons.ravel(),
        "features": np.mean(found, axis=0).ravel(),
        "features_found_again": np.mean(kept, axis=0).ravel(),
        "seeds_with_one_found_again": np.sum(np.array(kept) > 0, axis=0).ravel(),
    })  # fmt: skip
    return {"curves": summary, "orientations": orientations}


def gaps_of(
    study: Study, seeds: Seeds, i: int, curves: Curves, ids: NDArray[np.int64]
) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Every pose that a family lacks, and the families that are of curves."""
    analysis, crosscoder = seeds.analyses[i], seeds.crosscoders[i]
    rng = np.random.default_rng(study.config["split_seed"])
    n = min(study.config["families"]["n_gap_orbits"], len(ids))
    rows = np.sort(rng.choice(len(ids), n, replace=False))
    table = missing_poses(
        analysis,
        crosscoder,
        study.held_out[rows].astype(np.float32),
        ids[rows],
        others=[seeds.crosscoders[j] for j in seeds.others(i)],
        n_resamples=min(study.config["n_resamples"], 400),
    )
    of_curves = [
        int(analysis.labels_[members[0]])
        for members in large_families(analysis, seeds.live[i])
        if 2 * curves.is_curve[members].sum() > len(members)
    ]
    return table, np.array(of_curves, dtype=int)


def gaps_table(study: Study, tables: list[tuple[pd.DataFrame, NDArray[np.int64]]]) -> pd.DataFrame:
    """How many gaps the network lacks too, and how many it does not."""
    rows: dict[str, list[float]] = {}
    for table, of_curves in tables:
        for who, part in (
            ("all families", table), ("curve families", table[table["family"].isin(of_curves)]),
        ):  # fmt: skip
            p = part["probability"].astype(float)
            for what, value in {
                "families with gaps": part["family"].nunique(),
                "gaps": len(part),
                "gaps that the network lacks (probability above 0.95)": (p > 0.95).sum(),
                "gaps that only the dictionary has (probability below 0.05)": (p < 0.05).sum(),
                "gaps that another seed fills": (part["found"] > 0).sum(),
                "median activity in gaps": part["activity"].astype(float).median(),
                "median activity of strangers": part["strangers"].astype(float).median(),
            }.items():
                rows.setdefault(f"{who}: {what}", []).append(float(value))
    estimates = [over_seeds(values, study.config["confidence"]) for values in rows.values()]
    return pd.DataFrame({"what": list(rows), **columns(estimates)})
