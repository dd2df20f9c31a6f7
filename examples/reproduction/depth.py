"""Which symmetries survive in deeper layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sklearn_groupcross import Dihedral
from sklearn_groupcross.analysis import KINDS, measurable_kinds
from sklearn_groupcross.faithfulness import untrained
from sklearn_groupcross.networks import Network
from sklearn_groupcross.orbits import OrbitStore

from ._claim import FAILS, HOLDS, IN_PART, Claim
from ._depth_figures import draw
from ._dictionary_measures import Described, OfSeeds, summarize, with_zeros
from ._group_measures import profile_of
from ._layer_geometry import layer_geometry
from ._statistics import Estimate
from ._study import Study, digest_of

__all__ = ["CLAIMS", "draw", "measure"]

TRAINED, UNTRAINED = "trained", "untrained"
_BACK = "back before the full turn"  # line, grid and round features together


def measure(study: Study) -> dict[str, pd.DataFrame]:
    """Read all layers in one pass at the same positions, and give each dictionaries of one size."""
    settings, confidence = study.config["depth"], study.config["confidence"]
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in _KEYS}
    again: list[dict[str, Any]] = []
    rng = np.random.default_rng(study.config["split_seed"])
    for weights, network, seeds in _networks(study):
        stores = _stores(study, weights, network)
        for layer in settings["layers"]:
            dictionaries = study.dictionaries(
                lambda store=stores["train"], layer=layer: channels_of(store, layer),
                f"depth-{weights}-{layer}-{digest_of(settings)}",
                group=_group(study),
                seeds=seeds,
                **settings["dictionary"],
            )
            held_out = channels_of(stores["held_out"], layer)
            ids = np.asarray(stores["held_out"].image_ids)
            between = _between_photographs(held_out, ids)
            of_data = profile_of(held_out, _group(study).cayley_table)
            described = OfSeeds(dictionaries, held_out, ids, rng)
            for name, estimate in described.recurrence(confidence).items():
                key = {"weights": weights, "layer": layer, "measure": name}
                again.append(key | estimate._asdict())
            for seed, crosscoder, found in zip(seeds, dictionaries, described, strict=True):
                of_layer = {"weights": weights, "layer": layer, "seed": seed}
                values = _values(found) | {
                    "channels": held_out.shape[2],
                    "coordinates": crosscoder.n_coordinates_,
                    "variance between photographs": between,
                    "p(180°) of activations": of_data[_group(study).rotation_by(180)],
                    "invariant energy of activations": of_data.mean(),
                }
                _extend(rows["measures"], of_layer, "measure", values)
                _extend(rows["kinds"], of_layer, "kind", found.kind_shares(_kinds(study)))
                _extend(rows["stabilizers"], of_layer, "type", found.stabilizer_shares())
                _extend(rows["profiles"], of_layer, "degrees", _profile(found))
            print(f"  {layer}, {weights}", flush=True)
    rows["stabilizers"] = with_zeros(rows["stabilizers"], "type")
    tables = {name: summarize(rows[name], keys, confidence) for name, keys in _KEYS.items()}
    tables["measures"] = pd.concat([tables["measures"], pd.DataFrame(again)], ignore_index=True)
    tables["trends"] = summarize(_slopes(rows, settings["layers"]), ["weights", "what"], confidence)
    tables["geometry"] = layer_geometry(study)
    return tables


_KEYS = {
    "measures": ["weights", "layer", "measure"],
    "kinds": ["weights", "layer", "kind"],
    "stabilizers": ["weights", "layer", "type"],
    "profiles": ["weights", "layer", "degrees"],
}


def _networks(study: Study) -> list[tuple[str, Network, list[int]]]:
    """All dictionaries without training are of one network, or none would be found again."""
    return [
        (TRAINED, study.network, study.seeds),
        (UNTRAINED, untrained(study.network), list(study.config["depth"]["untrained_seeds"])),
    ]


def _group(study: Study) -> Dihedral:
    return Dihedral(study.config["depth"]["n_turns"])


def _kinds(study: Study) -> list[str]:
    return [kind for kind in measurable_kinds(_group(study)) if kind != "dead"]


def _stores(study: Study, weights: str, network: Network) -> dict[str, OrbitStore]:
    """Orbits of all layers. The radius is meant, and says so: see `layer_geometry`."""
    settings = study.config["depth"]
    sizes = {"train": settings["n_photographs"], "held_out": settings["n_held_out"]}
    return {
        part: study.orbits(
            part,
            size,
            named="" if weights == TRAINED else weights,
            network=network,
            layer=settings["layers"],
            group=_group(study),
            radius=settings["radius"],
            n_positions=settings["n_positions"],
        )
        for part, size in sizes.items()
    }


def channels_of(store: OrbitStore, layer: str) -> NDArray[np.float16]:
    """Orbits of one layer of several, in memory; what is read of the others is not kept."""
    first, last = store.metadata["layers"][layer]
    n_samples, order, _ = store.shape
    orbits = np.empty((n_samples, order, last - first), dtype=np.float16)
    for rows in np.array_split(np.arange(n_samples), max(1, n_samples // 500)):
        orbits[rows] = store[rows][..., first:last]
    return orbits


def _between_photographs(orbits: NDArray[Any], ids: NDArray[np.int64]) -> float:
    """Share of the variance of unturned activations that lies between photographs.

    With it positions of one photograph become copies of one another, and orbits fewer than their
    number says.
    """
    first = pd.DataFrame(orbits[:, 0].astype(np.float64))
    within = first - first.groupby(ids).transform("mean")
    return 1 - float(within.var(ddof=0).sum() / first.var(ddof=0).sum())


def _values(found: Described) -> dict[str, float]:
    """Figures of a dictionary; medians and means over the features that hold."""
    analysis, holds = found.analysis, found.holds
    back = np.isin(analysis.kinds_, ["line", "grid", "three-fold", "round"])
    half_turn = analysis.group_.rotation_by(180)
    return found.values() | {
        _BACK: _of(np.mean, back[holds]),
        "symmetry stated": _of(
            np.mean, np.array([s.subgroup.order > 1 for s in analysis.stabilizers_])[holds]
        ),
        "p(180°)": _of(np.median, analysis.profiles_[holds, half_turn]),
        "smallest p": _of(np.median, analysis.profiles_[holds].min(axis=1)),
        "half width": _of(np.median, analysis.tuning_.half_widths[holds]),
        "invariant energy": _of(np.mean, analysis.profiles_[holds].mean(axis=1)),
        "equivariance index": _of(np.median, analysis.equivariance_.index[holds]),
        "equivariance index, dealt": _of(np.median, analysis.equivariance_.shuffled[holds]),
    }


def _of(function: Any, values: NDArray[Any]) -> float:
    known = np.asarray(values, dtype=float)
    known = known[np.isfinite(known)]
    return float(function(known)) if len(known) else np.nan


def _profile(found: Described) -> dict[float, float]:
    """Median self-profile over the turns up to 180°, of features that hold."""
    group = found.analysis.group_
    return {
        360 * turn / group.n_turns: _of(np.median, found.analysis.profiles_[found.holds, turn])
        for turn in range(group.n_turns // 2 + 1)
    }


def _extend(
    rows: list[dict[str, Any]], labels: Mapping[str, Any], key: str, values: Mapping[Any, float]
) -> None:
    rows += [{**labels, key: name, "value": value} for name, value in values.items()]


#: Of what the change from layer to layer is asked.
_TRENDS = (
    _BACK, "symmetry stated", "p(180°)", "smallest p", "half width",
    "invariant energy", "explained", "share in families",
)  # fmt: skip


def _slopes(
    rows: Mapping[str, list[dict[str, Any]]], layers: Sequence[str]
) -> list[dict[str, Any]]:
    """Least squares over the layers, a step being from one to the next, of every seed."""
    everything = pd.concat([
        pd.DataFrame(rows["measures"]).rename(columns={"measure": "what"}),
        pd.DataFrame(rows["kinds"]).rename(columns={"kind": "what"}),
    ])  # fmt: skip
    asked = (*_TRENDS, *(kind for kind in KINDS if kind != "dead"))
    everything = everything[everything["what"].isin(asked)]
    slopes = []
    for (weights, what, seed), part in everything.groupby(["weights", "what", "seed"], sort=False):
        at = part["layer"].map(list(layers).index).to_numpy(dtype=float)
        known = np.isfinite(part["value"].to_numpy())
        slope = np.nan
        if known.sum() >= 3:
            slope = np.polyfit(at[known], part["value"].to_numpy()[known], 1)[0]
        slopes.append({"weights": weights, "what": what, "seed": seed, "value": slope})
    return slopes


def _trend(what: str, sign: int, smallest: float) -> Any:
    """Judge a trend over depth: its sign, its size, and that of the network without training."""

    def judge(tables: Mapping[str, pd.DataFrame]) -> tuple[Estimate, str]:
        trends = tables["trends"]
        rows = trends[trends["what"] == what].set_index("weights")
        found = Estimate(*rows.loc[TRAINED, ["value", "low", "high"]])
        control = rows.loc[UNTRAINED, "value"]
        nearest = found.low if sign > 0 else -found.high
        if not nearest > 0:
            return found, FAILS
        # what an untrained network does as much is the doing of fields and padding
        beyond = sign * (found.value - control) > smallest / 2
        return found, HOLDS if beyond and sign * found.value >= smallest else IN_PART

    return judge


def _worst_layer(tables: Mapping[str, pd.DataFrame]) -> tuple[Estimate, str]:
    """The layer at which features are found again least for certain, beyond chance."""
    measures = tables["measures"].set_index(["weights", "measure"])
    rows = measures.loc[(TRAINED, "found again beyond chance")]
    # a layer of which nothing is known comes first
    worst = Estimate(*rows.sort_values("low", na_position="first")[[*Estimate._fields]].iloc[0])
    if not worst.low > 0:
        return worst, FAILS
    return worst, HOLDS if worst.low > 0.2 else IN_PART


_RULE = (
    "Holds if the interval over seeds excludes 0 on the side said, the change is {:g} a step or"
    " more (there are four: {:.0%} from first to last), and exceeds that of untrained weights (of"
    " one draw, mean over seeds) by half of this; in part if the interval excludes 0 and one of the"
    " others is missed, or unknown; fails otherwise."
)
CLAIMS = (
    Claim(
        "5a",
        "In deeper layers fewer features come back before the full turn, as lines, grids and round"
        " features do.",
        "Change of their share among the features that hold, from a layer to the next; 0 is no"
        " trend.",
        _RULE.format(0.02, 0.08),
        _trend(_BACK, -1, 0.02),
    ),
    Claim(
        "5b",
        "What comes in their place are features that need the full turn.",
        "Change of the share of directed features, from a layer to the next; 0 is no trend.",
        _RULE.format(0.02, 0.08),
        _trend("directed", 1, 0.02),
    ),
    Claim(
        "5c",
        "Deeper features are more invariant: a larger share of an atom's energy is what no turn or"
        " mirror changes.",
        "Change of the mean share, from a layer to the next; 0 is no trend.",
        _RULE.format(0.02, 0.08),
        _trend("invariant energy", 1, 0.02),
    ),
    Claim(
        "5d",
        "At every depth other seeds find the features again.",
        "Share of features that fire that another seed has, less that by chance, at the layer with"
        " the smallest lower bound; 0 is chance.",
        "Holds if the lower bound over pairs of seeds exceeds 0.2 at that layer: a fifth of the"
        " features, or shares of kinds would rest on few; in part if it exceeds 0; fails otherwise,"
        " or if a layer has no interval.",
        _worst_layer,
    ),
)
