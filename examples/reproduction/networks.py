"""What of it is there without training, and which measure tells trained networks from others?

The measure is chosen on two networks, by a rule that was written down before: the largest of the
smallest gaps between trained and random weights. It is judged on three others, whose figures had
been seen once, in a trial, before it was chosen. They come with facenet-pytorch, which is optional;
without it they are listed as missing, with the reason, and 8c does not hold.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sklearn_groupcross import Dihedral
from sklearn_groupcross.faithfulness import probe_kinds
from sklearn_groupcross.networks import receptive_field
from sklearn_groupcross.orbits import OrbitStore

from ._claim import FAILS, HOLDS, IN_PART, Claim
from ._large_families import fires
from ._network_figures import draw
from ._recurrence import find_again, shares_found
from ._statistics import Estimate, auc, columns, combined, over_pairs, over_seeds, paired
from ._study import Study, as_array, digest_of
from ._subjects import (
    CHOOSING,
    CHOSEN,
    DRAWN,
    JUDGING,
    MEASURES,
    ORDER,
    TRAINED,
    Subject,
    kurtosis_over_photographs,
    measure_dictionary,
    read_shapes,
    subjects,
)

__all__ = ["CLAIMS", "draw", "measure"]

Tables = Mapping[str, pd.DataFrame]


def measure(study: Study) -> dict[str, pd.DataFrame]:
    """Learn dictionaries of every network, measure them, and compare trained with untrained."""
    rng = np.random.default_rng(study.config["split_seed"])
    made, missing = subjects(study)
    described, values, drawn = [], [], {}
    for subject in made:
        field = receptive_field(subject.draw(study.seeds[0]), subject.layer)
        described.append({
            "what": subject.what, "architecture": subject.architecture,
            "weights": subject.weights, "role": subject.role, "layer": subject.layer,
            "channels": field.n_channels, "field": max(field.size), "side": field.input_size,
        })  # fmt: skip
        of_seeds = [_measure_seed(study, subject, seed, rng) for seed in study.seeds]
        values += [{"what": subject.what, **row} for row, _ in of_seeds]
        drawn[subject.what] = np.mean([each for _, each in of_seeds], axis=0)
    absent = [{"what": name, "missing": reason} for name, reason in missing.items()]
    networks = pd.DataFrame([*described, *absent])
    known = networks[["what", "architecture", "weights", "role"]]
    table = pd.DataFrame(values).merge(known, on="what")
    confidence = study.config["confidence"]
    return {
        "networks": networks,
        "measures": _summarize(table, confidence),
        "differences": _differences(table, drawn, confidence),
        "telling": _telling(table),
    }


def _measure_seed(
    study: Study, subject: Subject, seed: int, rng: np.random.Generator
) -> tuple[dict[str, float], NDArray[np.float64]]:
    """All measures, by name; and the chosen one with photographs drawn anew."""
    settings, network = study.config["networks"], subject.draw(seed)
    group, layer = Dihedral(settings["n_turns"]), subject.layer

    def read(part: str, n_photographs: int) -> OrbitStore:
        return study.orbits(
            part,
            n_photographs,
            named=subject.named(seed),
            network=network,
            layer=layer,
            group=group,
            n_positions=settings["n_positions"],
        )

    store = read("held_out", settings["n_held_out"])
    orbits, photographs = as_array(store), np.asarray(store.image_ids)
    n_samples = settings["n_photographs"] * settings["n_positions"]
    n_batches = math.ceil(n_samples / settings["dictionary"]["batch_size"])
    # the second starts elsewhere on the same orbits: what it finds again is of one network
    both = study.dictionaries(
        lambda: as_array(read("train", settings["n_photographs"])),
        f"networks-{subject.named(seed)}-{digest_of(settings, layer)}",
        group=group,
        seeds=[seed, len(study.seeds) + seed],
        max_epochs=math.ceil(settings["n_steps"] / n_batches),
        **settings["dictionary"],
    )
    live = [fires(each, orbits[:, group.identity]) for each in both]
    readings = read_shapes(study, subject, network, seed, 2 * settings["n_turns"])
    options = {"readings": readings, "untrained_readings": readings, "n_controls": 2000}
    shapes = probe_kinds(both[0], network, layer, **options)
    row = measure_dictionary(both[0], live[0], shapes, orbits)
    row["found_again_null"] = over_pairs(shares_found(find_again(both, rng=rng), live)).value
    again = over_pairs(shares_found(find_again(both), live)).value
    row["found_again"] = again - row["found_again_null"]
    # the same draws for all networks: their differences are of the same photographs
    n, n_draws = len(np.unique(photographs)), study.config["n_resamples"]
    draws = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), n_draws)
    return row, kurtosis_over_photographs(both[0], live[0], orbits, photographs, draws)


def _summarize(of_seeds: pd.DataFrame, confidence: float) -> pd.DataFrame:
    rows = []
    names = [name for name in of_seeds if of_seeds[name].dtype.kind == "f"]
    for what, part in of_seeds.groupby("what", sort=False):
        for name in names:
            estimate = over_seeds(part[name], confidence)
            rows.append({"what": what, "measure": name, **_row(estimate)})
    return pd.DataFrame(rows)


def _differences(
    of_seeds: pd.DataFrame, drawn: Mapping[str, NDArray[np.float64]], confidence: float
) -> pd.DataFrame:
    """Trained less untrained, of the same architecture and seeds.

    Intervals are over seeds, and so over draws of random weights; that of the chosen measure also
    over photographs. ``any`` is of one of four intervals: as likely wrong as one alone is.
    """
    tails = [50 * (1 - confidence), 50 * (1 + confidence)]
    rows = []
    for architecture, part in of_seeds.groupby("architecture", sort=False):
        trained = part[part["weights"] == TRAINED]
        if trained.empty:
            continue
        for weights in (ORDER, DRAWN):
            other = part[part["weights"] == weights]
            for name in MEASURES:
                pair = trained[name].to_numpy(), other[name].to_numpy()
                estimate = paired(*pair, confidence)
                if name == CHOSEN:
                    first, second = (drawn[f"{architecture}, {w}"] for w in (TRAINED, weights))
                    low, high = np.percentile(first - second, tails)
                    estimate = combined(estimate, Estimate(estimate.value, low, high))
                rows.append({
                    "what": architecture, "less": weights, "measure": name,
                    "role": part["role"].iloc[0], **_row(estimate),
                    **_row(paired(*pair, 1 - (1 - confidence) / 4), "any"),
                })  # fmt: skip
    return pd.DataFrame(rows)


def _telling(of_seeds: pd.DataFrame) -> pd.DataFrame:
    """How well each measure tells trained from untrained within an architecture."""
    rows = []
    for role in (CHOOSING, JUDGING):
        part = of_seeds[of_seeds["role"] == role]
        for name in MEASURES:
            aucs = [
                auc(each[name], each["weights"] == TRAINED)
                for _, each in part.groupby("architecture")
            ]
            gaps = _gaps(part, name) / (part[name].max() - part[name].min())
            rows.append({
                "measure": name, "role": role, "n_networks": len(aucs),
                "auc": np.mean(aucs) if aucs else np.nan,
                "lowest_auc": np.min(aucs) if aucs else np.nan,
                "smallest_gap": gaps.min(),
            })  # fmt: skip
    return pd.DataFrame(rows)


def _gaps(of_seeds: pd.DataFrame, name: str) -> pd.Series:
    """Of each architecture, the trained mean less that of the random weights with the most."""
    means = of_seeds.pivot_table(name, "architecture", "weights")
    if TRAINED not in means:
        return pd.Series(dtype=float)
    return means[TRAINED] - means.drop(columns=TRAINED).max(axis=1)


def _row(estimate: Estimate, prefix: str = "") -> dict[str, float]:
    return {name: values[0] for name, values in columns([estimate], prefix).items()}


def _smallest(table: pd.DataFrame) -> Estimate:
    """The estimate with the smallest value; NaN where none is known."""
    if table["value"].isna().all():
        return Estimate(np.nan, np.nan, np.nan)
    row = table.loc[table["value"].idxmin()]
    return Estimate(*(float(row[field]) for field in Estimate._fields))


def _judge_surviving(tables: Tables) -> tuple[Estimate, str]:
    """Of the untrained network with the least."""
    table = tables["measures"].merge(tables["networks"][["what", "weights"]], on="what")
    table = table[(table["measure"] == "index_excess") & (table["weights"] != TRAINED)]
    least = _smallest(table)
    n_above = int((table["low"] > 0.2).sum())
    return least, HOLDS if n_above == len(table) else IN_PART if n_above else FAILS


def _judge_index(tables: Tables) -> tuple[Estimate, str]:
    table = tables["differences"]
    table = table[(table["measure"] == "index") & (table["role"] == CHOOSING)]
    if table[["low", "any_high"]].isna().any(axis=None):
        return Estimate(np.nan, np.nan, np.nan), FAILS
    least = _smallest(table)
    # all above: it tells them; some below: a network has more of it without training
    if (table["low"] > 0).all():
        return least, FAILS
    return least, HOLDS if (table["any_high"] < 0).any() else IN_PART


def _judge_telling(tables: Tables) -> tuple[Estimate, str]:
    """The smallest difference among the networks that the measure was not chosen on."""
    table = tables["differences"]
    table = table[(table["measure"] == CHOSEN) & (table["role"] == JUDGING)]
    if table.empty:
        return _smallest(table), FAILS
    least = _smallest(table)
    n_above = int((table["low"] > 0).sum())
    return least, HOLDS if n_above == len(table) else IN_PART if n_above > len(table) / 2 else FAILS


CLAIMS = (
    Claim(
        "8a",
        "Features move with the group in networks that were never trained.",
        "median equivariance index of features, less that of pairs of blocks dealt out at random; "
        "of the untrained network with the least; 0 by chance",
        "holds if the interval over seeds (weights drawn anew for each) is above 0.2 in every "
        "network with random weights, a third of what trained ones have; in part if in some. Atoms "
        "whose blocks are all alike have no index, and if a draw has such atoms alone, its network "
        "has none",
        _judge_surviving,
    ),
    Claim(
        "8b",
        "The equivariance index does not tell trained networks from untrained ones.",
        "median index of the trained network less that of the same architecture with random "
        "weights: the smallest of the differences on the two networks to choose on",
        "holds if one of the four intervals over seeds and draws of weights, each at a confidence "
        "of 98.75 % where one alone has 95 %, is below 0 (more of it without training); in part if "
        "none is, and one at 95 % includes 0; fails if all are above 0, or one is unknown; settled "
        "on a trial of 60 photographs",
        _judge_index,
    ),
    Claim(
        "8c",
        "Responses to photographs have heavier tails in trained networks than in untrained ones, "
        "also in networks that this measure was not chosen on.",
        "median excess kurtosis, trained less untrained, of the same architecture and seeds: the "
        "smallest of the differences on three networks that find faces, with two kinds of random "
        "weights",
        "holds if the interval, over seeds (weights drawn anew for each) and photographs, is above "
        "0 for all three networks and both kinds; in part if for more than half. Without "
        "facenet-pytorch there is nothing to judge it on, and it does not hold",
        _judge_telling,
    ),
)
