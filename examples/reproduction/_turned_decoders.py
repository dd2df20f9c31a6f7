"""How decoders come back after a turn: tables by class, with tests and distributions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from sklearn_groupcross.analysis import KINDS
from sklearn_groupcross.faithfulness import PROBE_CLASSES

from ._control_dictionaries import FEWER, SHUFFLED, UNTRAINED
from ._named_features import NamedFeatures
from ._resampled_features import (
    FloatArray,
    Tested,
    draws,
    less,
    profile_rows,
    share_row,
    tell_lines,
    weighted_mean,
)
from ._study import Study

#: What the package calls gone and back (`KINDS`), settled before this study.
GONE, BACK = 0.5, 0.8
#: What p(180°) has to lie between for a feature to be neither.
BETWEEN = (0.2, 0.8)
#: Classes that have no half turn: the two sides of an edge differ.
DIRECTED = ("curve", "edge", "corner")
#: The main test.
TEST = "decoder, lines from curves"
#: Of histograms of p(180°).
BINS = np.linspace(-0.6, 1.0, 33).round(2)


def by_class(
    study: Study, named: Mapping[str, NamedFeatures], weights: Mapping[str, FloatArray]
) -> pd.DataFrame:
    """How features of each class come back in the decoder, by dictionary."""
    confidence, rows = study.config["confidence"], []
    for what, features in named.items():
        table = features.table
        p90, p180, period = table["p90"], table["p180"], table["period"]
        values = pd.DataFrame(
            {
                "p90": p90,
                "p180": p180,
                "gone": p180 < GONE,
                "back": (p180 >= BACK) & (p90 < GONE),
                "rises": p180 > p90,
                "between": p180.between(*BETWEEN),
                "full_turn": period == 360,
                "half_turn": period == 180,
                "any_turn": period == 0,
            }
        ).astype(float)
        for name in ("every", *PROBE_CLASSES, "other"):
            chosen = (table["class"] == name).to_numpy() | (name == "every")
            row: dict[str, Any] = {"features": what, "class": name, "n": int(chosen.sum())}
            for key in values:
                part = values[key].to_numpy()[chosen]
                row |= share_row(part, weights[what][:, chosen], confidence, key)
            rows.append(row)
    return pd.DataFrame(rows)


def half_turn_tests(
    study: Study,
    named: Mapping[str, NamedFeatures],
    weights: Mapping[str, FloatArray],
    rng: np.random.Generator,
) -> list[dict[str, Any]]:
    """AUC for telling lines from curves, and from all that need the full turn.

    A large p(180°) says that a feature comes back, or that it is round; so beside it stand how far
    the half turn exceeds the quarter turn, the quarter turn alone, and features that are not round
    (by their decoder: p > 0.8 at all turns).
    """
    rows: list[dict[str, Any]] = []
    tests: dict[tuple[str, str], Tested] = {}

    def add(
        what: str, features: NamedFeatures, w: FloatArray, test: str, values: pd.Series,
        others: tuple[str, ...] = ("curve",),
    ) -> None:  # fmt: skip
        classes, copies = (features.table[key].to_numpy() for key in ("class", "copies"))
        tested = tell_lines(study, values.to_numpy(float), classes, copies, w, rng, others=others)
        tests[test, what] = tested
        rows.append({"test": test, "features": what} | tested.row)

    for what, features in named.items():
        table, w = features.table, weights[what]
        for test, values in half_turns(table["p180"], table["p90"], TEST).items():
            add(what, features, w, test, values)
        add(what, features, w, "decoder, lines from directed", table["p180"], DIRECTED)
        turning = table["period"] != 0
        part = features.chosen(turning)
        add(what, part, w[:, turning.to_numpy()], f"{TEST}, none round", part.table["p180"])
    for first, second in (("all", SHUFFLED), (FEWER, SHUFFLED), ("all", UNTRAINED)):
        for test in half_turns(0, 0, TEST):
            difference = less(study, tests[test, first], tests[test, second])
            rows.append({"test": test, "features": f"{first} less {second}"} | difference)
    of_seed = named["all"].table["seed"]
    for seed in of_seed.unique():
        part = named["all"].chosen(of_seed == seed)
        w = draws(part.table["copies"], rng, study.config["n_resamples"])
        add(f"seed {seed}", part, w, TEST, part.table["p180"])
    return rows


def half_turns(half: Any, quarter: Any, test: str) -> dict[str, Any]:
    """What a test is made of, by name: at the half turn, beyond the quarter turn, and at that."""
    return {
        test: half,
        f"{test}, half turn beyond quarter turn": half - quarter,
        f"{test}, quarter turn": quarter,
    }


def distribution(
    main: NamedFeatures, named: Mapping[str, NamedFeatures], rng: np.random.Generator
) -> pd.DataFrame:
    """Histograms of p(180°): shares of all features of the dictionaries, by class."""
    p180 = main.table["p180"]
    groups = {
        ("all", name): p180[main.table["class"] == name] for name in (*PROBE_CLASSES, "other")
    }
    for what in [w for w in ("augmented", FEWER, UNTRAINED, SHUFFLED) if w in named]:
        groups[what, "every"] = named[what].table["p180"]
    groups["half turn of another", "every"] = pd.Series(_of_another(main, rng))
    rows = []
    for (what, name), values in groups.items():
        counts = np.histogram(np.clip(values, BINS[0], BINS[-1]), BINS)[0]
        total = len(p180) if what == "all" else len(values)
        for low, count in zip(BINS[:-1], counts, strict=True):
            share = count / total
            rows.append({"features": what, "class": name, "from": low, "n": count, "share": share})
    return pd.DataFrame(rows)


def _of_another(main: NamedFeatures, rng: np.random.Generator) -> FloatArray:
    """Cosine of every atom with the half turn of another one of its dictionary."""
    found = []
    for seed, analysis in enumerate(main.analyses):
        group = analysis.group_
        live = rng.permutation(main.table["feature"][main.table["seed"] == seed])
        atoms = analysis.components_[live].reshape(len(live), group.order, -1)
        atoms = atoms / np.linalg.norm(atoms, axis=(1, 2), keepdims=True)
        turned = atoms[:, group.right_translation(group.rotation_by(180))]
        # in a random order, each with the one before it: none with itself
        found.append((atoms * np.roll(turned, 1, axis=0)).sum(axis=(1, 2)))
    return np.concatenate(found)


def mean_profiles(study: Study, main: NamedFeatures, weights: FloatArray) -> pd.DataFrame:
    groups = {name: (main.table["class"] == name).to_numpy() for name in (*PROBE_CLASSES, "other")}
    # of the decoder's own words this one alone: no probe is round
    groups["round"] = (main.table["word"] == "round").to_numpy()
    rows = []
    for name, chosen in groups.items():
        once = chosen[None].astype(float)
        mean = weighted_mean(main.profiles, once)[0]
        drawn = weighted_mean(main.profiles, weights * once)
        rows += profile_rows(study, "decoder", name, int(chosen.sum()), mean, drawn)
    return pd.DataFrame(rows)


def mean_blocks(study: Study, main: NamedFeatures) -> pd.DataFrame:
    """Transform blocks averaged over curves and lines in one pose, in hundredths."""
    group, rows = study.group, []
    for name in ("curve", "line"):
        of_class = main.table[main.table["class"] == name]
        chosen = of_class[of_class["found_again"] >= 0.5]
        # with few photographs no other seed has them
        which, chosen = ("found again", chosen) if len(chosen) else ("all", of_class)
        total = np.zeros((group.order, group.order))
        for seed, feature, degrees in chosen[["seed", "feature", "orientation"]].to_numpy():
            # the pose is the probe's: one that the decoder chose would make mirrors out of noise
            moved = group.right_translation(group.rotation_by(-degrees % 360))
            block = main.analyses[int(seed)].transform_blocks(int(feature))
            total += block[np.ix_(moved, moved)]
        mean = 100 * total / len(chosen) if len(chosen) else np.full_like(total, np.nan)
        for g, values in enumerate(mean.round()):
            row: dict[str, Any] = {"class": name, "features": which, "block": g, "n": len(chosen)}
            rows.append(row | {f"h{h}": value for h, value in enumerate(values)})
    return pd.DataFrame(rows)


def words(main: NamedFeatures) -> pd.DataFrame:
    """How many features of each class the decoder's word is said of."""
    counted = pd.crosstab(main.table["class"], main.table["word"])
    shown = [word for word in KINDS if word in counted]
    counted = counted.reindex([*PROBE_CLASSES, "other"], fill_value=0)[shown]
    return counted.rename_axis(columns=None).reset_index()


def tuning(named: Mapping[str, NamedFeatures]) -> pd.DataFrame:
    """How wide the tuning is, and in how many dimensions an atom turns: medians, quartiles."""
    rows = []
    for what in [w for w in ("all", "augmented") if w in named]:
        features = named[what]
        n = features.profiles.shape[1]
        # an atom in all turns has a circulant Gram matrix: its eigenvalues, by frequency
        power = np.clip(np.fft.fft(features.profiles, axis=1).real, 0, None)
        power /= power.sum(axis=1, keepdims=True)
        frequency = np.minimum(np.arange(n), n - np.arange(n))
        held = np.cumsum(np.sort(power, axis=1)[:, ::-1], axis=1)
        values = pd.DataFrame(
            {
                "half_width": features.table["half_width"],
                "next_turn": features.profiles[:, 1],
                "constant": power[:, 0],
                "first": power[:, frequency == 1].sum(axis=1),
                "second": power[:, frequency == 2].sum(axis=1),
                "up_to_three": power[:, frequency <= 3].sum(axis=1),
                "dimensions": 1 + (held < 0.9).sum(axis=1),
            }
        )
        for name in (*PROBE_CLASSES, "other"):
            part = values[features.table["class"] == name]
            row: dict[str, Any] = {"features": what, "class": name, "n": len(part)}
            for key in values:
                low, middle, high = part[key].quantile([0.25, 0.5, 0.75])
                row |= {key: middle, f"{key}_low": low, f"{key}_high": high}
            rows.append(row)
    return pd.DataFrame(rows)
