"""Features named by the drawings of known types: named, judged by other drawings, found again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from sklearn_groupcross.faithfulness import untrained

from ._family_measures import Seeds
from ._known_kinds import CLASSES, LOOKS, TYPES, limits, prefer, read_drawings
from ._large_families import large_families
from ._recurrence import has_partner, share_of_seeds
from ._statistics import columns, over_seeds
from ._study import Study

NO_TYPE = -1


@dataclass(frozen=True)
class Types:
    """Types of features, as indices of `CLASSES`: -1 for none.

    Attributes
    ----------
    named : ndarray of shape (m,)
    judged : ndarray of shape (m,)
        The class nearest by the second set, whatever the limits.
    selectivity : ndarray of shape (m,)
        Of the class named, by the first set.
    """

    named: NDArray[np.int64]
    judged: NDArray[np.int64]
    selectivity: NDArray[np.float64]

    @property
    def confirmed(self) -> NDArray[np.int64]:
        return np.where(self.named == self.judged, self.named, NO_TYPE)


@dataclass(frozen=True)
class Drawn:
    """The layer on both sets of drawings, and what random directions show there.

    Attributes
    ----------
    readings : dict of str to ndarray
        ``"naming"``, ``"judging"``, and ``"untrained"``: the naming set, weights in random order.
    limits : ndarray of shape (n_classes,)
    directions : ndarray of shape (n_controls, n_channels)
        Random ones, other than those that set limits.
    controls : Types
        Of these.
    """

    readings: dict[str, NDArray[np.float32]]
    limits: NDArray[np.float64]
    directions: NDArray[np.float64]
    controls: Types


def read_all(study: Study) -> Drawn:
    """Read the layer on drawings, once, and set limits."""
    layer, settings = study.config["layer"], study.config["families"]
    options = {"n_turns": settings["n_turns"], "n_positions": settings["n_drawn_positions"]}
    readings = {}
    for which in LOOKS:
        readings[which] = study.kept(
            f"drawings-{which}",
            lambda w=which: read_drawings(study.network, layer, w, **options),
            *options.values(),
        )
    readings["untrained"] = study.kept(
        "drawings-untrained",
        lambda: read_drawings(untrained(study.network), layer, "naming", **options),
        *options.values(),
    )
    rng = np.random.default_rng(study.config["split_seed"])
    directions = rng.standard_normal((2, settings["n_controls"], readings["naming"].shape[-1]))
    limit = limits(prefer(directions[0], readings["naming"]), settings["error_rate"])
    return Drawn(readings, limit, directions[1], name(directions[1], readings, limit))


def name(
    directions: NDArray[np.floating],
    readings: dict[str, NDArray[np.float32]],
    limit: NDArray[np.float64],
    by: str = "naming",
) -> Types:
    """Give directions a class where they prefer it by more than random directions do."""
    first, second = (prefer(directions, readings[which]) for which in (by, "judging"))
    nearest = first.argmax(axis=1)
    strength = first[np.arange(len(first)), nearest]
    named = np.where(strength > limit[nearest], nearest, NO_TYPE)
    return Types(named, second.argmax(axis=1), strength)


def shares_of(classes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share of each class among all."""
    return np.array([np.mean(classes == k) for k in range(len(CLASSES))])


def by_chance(seeds: Seeds, i: int, drawn: Drawn, rng: np.random.Generator) -> NDArray[np.int64]:
    """`repeated` of random directions that change from seed to seed as features do.

    Each takes the place of a live feature: other seeds have a copy of it where they have that
    feature, and the copy differs from it by what the encoders differ by. (Encoders are compared in
    one pose: a feature that is found in another one lends its place, and another feature of the
    two seeds its difference.)
    """
    directions = _units(drawn.directions)
    here = drawn.controls.confirmed
    chosen = np.flatnonzero(here != NO_TYPE)  # the rest is none whatever copies are named
    places = rng.choice(np.flatnonzero(seeds.live[i]), len(chosen))
    votes = np.zeros(len(chosen))
    encoder = _units(seeds.crosscoders[i].encoder_)
    for j in seeds.others(i):
        in_pose = seeds.partners_in_pose[i, j]
        has = np.flatnonzero(in_pose >= 0)
        if not len(has):
            continue
        other = _units(seeds.crosscoders[j].encoder_)[in_pose]
        cosines = (encoder * other).sum(axis=1, keepdims=True)
        lent = np.where(in_pose[places] >= 0, places, rng.choice(has, len(places)))
        changed = cosines[lent] * directions[chosen] + (other - cosines * encoder)[lent]
        named = name(changed, drawn.readings, drawn.limits).named
        votes += (seeds.partners[i, j][places] >= 0) & (named == here[chosen])
    kept = chosen[2 * votes > len(seeds.others(i))]
    repeats = np.full(len(here), NO_TYPE)
    repeats[kept] = here[kept]
    return repeats


def hardly_more(study: Study, n: int, classes: NDArray[np.int64]) -> NDArray[np.float64]:
    """How many of each class `n` directions would hardly exceed, all types together.

    Parameters
    ----------
    study : Study
    n : int
    classes : ndarray
        Of random directions; one is added to what is found: none of some thousands is not never.
    """
    level = 1 - (1 - study.config["confidence"]) / len(TYPES)
    share = (shares_of(classes) * len(classes) + 1) / (len(classes) + 1)
    return np.asarray(stats.binom.ppf(level, n, share))


def _units(rows: NDArray[np.floating]) -> NDArray[np.float64]:
    rows = np.asarray(rows, dtype=np.float64)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def repeated(seeds: Seeds, types: list[Types], i: int) -> NDArray[np.int64]:
    """Types confirmed whose feature most other seeds find again, and name so by themselves."""
    here = types[i].confirmed
    votes = np.zeros(len(here))
    for j in seeds.others(i):
        partner = seeds.partners[i, j]
        votes += (partner >= 0) & (types[j].named[partner] == here)
    kept = (here != NO_TYPE) & seeds.live[i] & (2 * votes > len(seeds.others(i)))
    return np.where(kept, here, NO_TYPE)


def family_types(seeds: Seeds, types: list[Types], i: int) -> list[int]:
    """Type of each family of three or more: that of most of its members, or none."""
    of_families = []
    for members in large_families(seeds.analyses[i], seeds.live[i]):
        counts = np.bincount(types[i].named[members] + 1, minlength=2)
        best = int(counts[1:].argmax())
        of_families.append(best if 2 * counts[best + 1] > len(members) else NO_TYPE)
    return of_families


@dataclass(frozen=True)
class Counted:
    """How many of each class are in the dictionary of each seed, and of random directions.

    Attributes
    ----------
    live : list of int
    counts : dict of str to ndarray of shape (n_seeds, n_classes)
        Of what each name of a column of `types_table` says.
    most : dict of str to ndarray of shape (n_seeds, n_classes)
        What as many random directions hardly exceed that pass the same sieve. ``"unasked"``: what
        the first full run held what is repeated against, random directions of which no other seed
        was asked, as many as features are found again.
    repeated_by_chance : ndarray of shape (n_classes,)
        Share of random directions, mean over seeds.
    """

    live: list[int]
    counts: dict[str, NDArray[np.int64]]
    most: dict[str, NDArray[np.float64]]
    repeated_by_chance: NDArray[np.float64]

    def appears(self, what: str) -> NDArray[np.bool_]:
        """Whether there are more, (n_seeds, n_classes), of ``most``'s names."""
        return self.counts["confirmed" if what == "confirmed" else "repeated"] > self.most[what]


def count(study: Study, seeds: Seeds, types: list[Types], drawn: Drawn) -> Counted:
    """Count features and families of each class."""
    n, rng = range(len(types)), np.random.default_rng(study.config["split_seed"])
    again = [share_of_seeds(has_partner(seeds.partners), i) > 0.5 for i in n]
    live = [int(mask.sum()) for mask in seeds.live]
    n_again = [int((seeds.live[i] & again[i]).sum()) for i in n]
    chance = [by_chance(seeds, i, drawn, rng) for i in n]
    confirmed = drawn.controls.confirmed
    behind_untrained = [
        name(each.encoder_, drawn.readings, drawn.limits, "untrained").named
        for each in seeds.crosscoders
    ]
    classes = {
        "features": [types[i].named[seeds.live[i]] for i in n],
        "confirmed": [types[i].confirmed[seeds.live[i]] for i in n],
        "repeated": [repeated(seeds, types, i) for i in n],
        "families": [np.array(family_types(seeds, types, i), dtype=int) for i in n],
        "untrained": [behind_untrained[i][seeds.live[i]] for i in n],
    }
    return Counted(
        live,
        {
            what: np.array([[np.sum(each == k) for k in range(len(CLASSES))] for each in of_seeds])
            for what, of_seeds in classes.items()
        },
        {
            "confirmed": np.array([hardly_more(study, live[i], confirmed) for i in n]),
            "repeated": np.array([hardly_more(study, live[i], chance[i]) for i in n]),
            "unasked": np.array([hardly_more(study, n_again[i], confirmed) for i in n]),
        },
        np.mean([shares_of(each) for each in chance], axis=0),
    )


def types_table(study: Study, counted: Counted, drawn: Drawn) -> pd.DataFrame:
    """One row a class: how many features and families are of it, and how many by chance."""
    table = {"type": CLASSES, "known": [int(kind in TYPES) for kind in CLASSES]}
    for what, values in counted.counts.items():
        of_classes = [over_seeds(column, study.config["confidence"]) for column in values.T]
        table |= columns(of_classes, what)
    for what, share in (
        ("features", shares_of(drawn.controls.named)),
        ("confirmed", shares_of(drawn.controls.confirmed)),
        ("repeated", counted.repeated_by_chance),
    ):
        table[f"{what}_chance"] = np.mean(counted.live) * share
    for what, most in counted.most.items():
        table[f"{what}_most"] = most.mean(axis=0)
        table[f"{what}_seeds_with"] = counted.appears(what).sum(axis=0)
    neurons = name(np.eye(drawn.directions.shape[1]), drawn.readings, drawn.limits).confirmed
    table["neurons"] = [int(np.sum(neurons == k)) for k in range(len(CLASSES))]
    table["limit"] = drawn.limits
    return pd.DataFrame(table)
