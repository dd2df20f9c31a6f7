"""Tables of features kept and taken out: over families, seeds and photographs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ._class_effects import STATISTICS, Changes, over_both, over_photographs
from ._statistics import Estimate, over_seeds

FloatArray = NDArray[np.float64]

#: Kinds of families; what no turn changes is round, whether mirrors do or not.
KINDS = ("directed", "line", "grid", "round", "other")
CONTROLS = ("random", "turned")
FAMILY_COLUMNS = [
    *("family", "kind", "size", "found_again", "energy", "random_energy", "deviation"),
    *(prefix + name for prefix in ("", "random_", "turned_") for name in STATISTICS),
]


class Ablated(NamedTuple):
    """A family taken out, and what stands beside it; `STATISTICS` of all resamples."""

    row: dict[str, Any]
    effects: dict[str, dict[str, FloatArray]]
    changes: FloatArray
    random_changes: FloatArray


def replaced_table(replaced: Mapping[str, list[dict[str, Any]]], confidence: float) -> pd.DataFrame:
    """Over seeds: what is kept of the answer by each set of features."""
    rows = []
    for what, seeds in replaced.items():
        row: dict[str, Any] = {"what": what}
        for name in ("features", "energy", "deviation", "explained"):
            row[name] = np.mean([found[name] for found in seeds])
        for name in ("kl", "agreement", "recovered"):
            estimate = over_both([found[name] for found in seeds], confidence)
            row |= _named(estimate, name)
        rows.append(row)
    return pd.DataFrame(rows)


def ablated_table(ablated: Sequence[Ablated], confidence: float) -> pd.DataFrame:
    """Over families of a kind, and of all kinds: effects beside those of the controls."""
    rows = []
    for kind in ("all", *KINDS):
        chosen = [a for a in ablated if kind in ("all", a.row["kind"])]
        row: dict[str, Any] = {"kind": kind, "families": len(chosen)}
        for name in ("size", "energy", "random_energy"):
            row[name] = np.mean([a.row[name] for a in chosen]) if chosen else np.nan
        for name in STATISTICS:
            for which in ("family", *CONTROLS):
                values = _of_seeds(chosen, which, name)
                row |= _named(over_both(values, confidence), f"{which}_{name}")
        rows.append(row)
    return pd.DataFrame(rows)


def _of_seeds(chosen: Sequence[Ablated], which: str, name: str) -> FloatArray:
    """Means over the families of every seed, (n_seeds, n_resamples + 1)."""
    by_seed: dict[str, list[FloatArray]] = {}
    for a in chosen:
        by_seed.setdefault(a.row["family"].split("-")[0], []).append(a.effects[which][name])
    return np.array([np.mean(values, axis=0) for values in by_seed.values()])


def classes_table(
    ablated: Sequence[Ablated],
    changes: Changes,
    names: Sequence[str],
    n_shown: int,
    confidence: float,
) -> pd.DataFrame:
    """The classes that lose most by the strongest family of each of three kinds.

    Chosen on one half of the photographs, and shown on the other.
    """
    shown = {a.row["kind"]: a for a in sorted(ablated, key=lambda a: a.row["energy"])}
    choosing, showing = changes.halves
    weights = changes.weights[:, showing] / len(showing)
    rows = []
    for kind in [kind for kind in KINDS if kind in shown][:3]:
        of_class = shown[kind].changes
        chosen = np.argsort(of_class[choosing].mean(axis=0))[:n_shown]
        drops = -weights @ of_class[np.ix_(showing, chosen)]
        random = -shown[kind].random_changes[np.ix_(showing, chosen)].mean(axis=0)
        for number, drop, by_random in zip(chosen, drops.T, random, strict=True):
            rows.append({
                "family": shown[kind].row["family"],
                "class": int(number),
                "kind": kind,
                "name": names[number],
                **_named(over_photographs(drop, confidence), "drop"),
                "random_drop": by_random,
            })  # fmt: skip
    columns = ["family", "class", "kind", "name", "drop_value", "drop_low", "drop_high"]
    return pd.DataFrame(rows, columns=[*columns, "random_drop"])


def summary_table(
    replaced: Mapping[str, list[dict[str, Any]]],
    ablated: Sequence[Ablated],
    changes: Changes,
    settings: Mapping[str, Any],
    confidence: float,
) -> pd.DataFrame:
    """Families beside their controls, in differences; ratios are of means, without interval."""
    families, random = replaced["families"], replaced["random features"]
    estimates = {
        f"{name}_difference": over_both(
            [f[name] - r[name] for f, r in zip(families, random, strict=True)], confidence
        )
        for name in ("recovered", "agreement", "kl")
    }
    for key, which in (("families", families), ("random", random)):
        share = [f["features"] / a["features"] for f, a in zip(
            which, replaced["all features"], strict=True)]  # fmt: skip
        estimates[f"{key}_share_of_features"] = over_seeds(share, confidence)
        estimates[f"{key}_explained"] = over_seeds([f["explained"] for f in which], confidence)
    values: dict[str, float] = {}
    for control in CONTROLS:
        for name in STATISTICS:
            family, other = (_of_seeds(ablated, which, name) for which in ("family", control))
            estimates[f"{name}_less_{control}"] = over_both(family - other, confidence)
            if name in ("kl", "worst") and len(family):
                means = family[:, 0].mean(), other[:, 0].mean()
                # a control that hurts nothing: there is no ratio
                values[f"{name}_over_{control}"] = means[0] / means[1] if means[1] > 0 else np.nan
    values |= {
        "largest_deviation": max([a.row["deviation"] for a in ablated], default=np.nan),
        "largest_deviation_kept": max(found["deviation"] for found in random),
        "photographs": len(changes.log_p),
        "seeds": len(families),
        "classes": changes.log_p.shape[1],
        "classes_hit_hardest": changes.n_worst,
        "families_ablated": len(ablated),
        "random_sets": len(ablated) * settings["n_draws"],
    }
    rows: list[dict[str, Any]] = [{"what": k, **e._asdict()} for k, e in estimates.items()]
    return pd.DataFrame(rows + [{"what": k, "value": v} for k, v in values.items()])


def _named(estimate: Estimate, name: str) -> dict[str, float]:
    return {f"{name}_{field}": value for field, value in estimate._asdict().items()}
