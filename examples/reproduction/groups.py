"""What other groups reveal, what they cost, and whether the same features are found under each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sklearn_groupcross import Cyclic, Dihedral, GroupCrosscoder
from sklearn_groupcross.actions import HueAction, ImageAction
from sklearn_groupcross.analysis import measurable_kinds, name_kinds

from ._claim import FAILS, HOLDS, IN_PART, Claim
from ._dictionary_measures import OfSeeds, share_of, summarize, with_zeros
from ._group_costs import cost
from ._group_figures import draw
from ._group_measures import (
    BINS,
    cross,
    explained_of_first,
    profile_of,
    values_of,
)
from ._group_orbits import GroupOrbits, blocks, some_orbits
from ._group_pairs import UnderGroup, compare
from ._recurrence import blocks_of
from ._statistics import Estimate, columns, over_pairs
from ._study import Study, digest_of

__all__ = ["CLAIMS", "draw", "measure"]

TURNS, HUES = "turns", "hues"  # the two sets of orbits
_KEYS = {
    "measures": ["orbits", "group", "measure"],
    "kinds": ["orbits", "group", "kind"],
    "stabilizers": ["orbits", "group", "type"],
    "hues": ["group", "turns", "hues"],
    "hue_profiles": ["group", "smallest_p"],
}


def measure(study: Study) -> dict[str, pd.DataFrame]:
    """Fit every group's dictionaries on its part of the same orbits, describe and match them."""
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in _KEYS}
    found, again, costs = [], [], []
    confidence = study.config["confidence"]
    rng = np.random.default_rng(study.config["split_seed"])
    for orbits in _all_orbits(study):
        under = {}
        for name, (action, elements) in orbits.subgroups.items():
            dictionaries = study.dictionaries(
                partial(orbits.train, elements),
                orbits.what,
                group=action.group,
                **orbits.dictionary,
            )
            held_out, ids = orbits.held_out
            held_out = blocks(held_out, orbits.subgroups[name][1])
            described = OfSeeds(dictionaries, held_out, ids, rng)
            for measure, estimate in described.recurrence(confidence).items():
                key = {"orbits": orbits.name, "group": name, "measure": measure}
                again.append(key | estimate._asdict())
            under[name] = _describe(orbits, name, dictionaries, described, held_out, rows)
            costs.append({"orbits": orbits.name, "group": name}
                         | cost(study, orbits, name, dictionaries))  # fmt: skip
            print(f"  {name}, on orbits of {orbits.name}", flush=True)
        for pair in compare(orbits.whole, under, rng):
            found.append({"orbits": orbits.name} | _over_pairs(pair, confidence))
    rows["stabilizers"] = with_zeros(rows["stabilizers"], "type")
    tables = {name: summarize(rows[name], keys, confidence) for name, keys in _KEYS.items()}
    tables["measures"] = pd.concat([tables["measures"], pd.DataFrame(again)], ignore_index=True)
    return tables | {"found": pd.DataFrame(found), "costs": pd.DataFrame(costs)}


def _all_orbits(study: Study) -> Iterator[GroupOrbits]:
    """Orbits of turns, which the study has, and those of turns and hues of fewer photographs."""
    settings, n = study.config["groups"], study.config["n_turns"]
    n_positions, whole = settings["n_positions"], study.group
    dictionary = settings["dictionary"]
    planar = {f"D{m}": Dihedral(m) for m in (n, *settings["fewer_turns"])} | {f"C{n}": Cyclic(n)}
    sizes = {"train": settings["n_photographs"], "held_out": settings["n_held_out"]}
    yield GroupOrbits(
        name=TURNS,
        whole=whole,
        subgroups={name: (ImageAction(group), _turned(n, group)) for name, group in planar.items()},
        turns=None,
        dictionary=dictionary,
        what=f"groups-{TURNS}-{digest_of(settings)}",
        parts={
            part: partial(some_orbits, study.orbits(part), size, n_positions)
            for part, size in sizes.items()
        },
    )
    turns, hues = ImageAction(Dihedral(settings["turns_with_hues"])), HueAction(settings["hues"])
    both, m, n_positions = turns * hues, hues.group.order, settings["n_hue_positions"]
    sizes = {"train": settings["n_hue_photographs"], "held_out": settings["n_hue_held_out"]}
    name = f"D{settings['turns_with_hues']}"
    yield GroupOrbits(
        name=HUES,
        whole=both.group,
        subgroups={
            # element (i, j) of the product has the number i * m + j
            f"{name} x hue": (both, tuple(range(both.group.order))),
            name: (turns, tuple(range(0, both.group.order, m))),
            "hue": (hues, tuple(range(m))),
        },
        turns=name,
        dictionary=dictionary | settings["hue_dictionary"],
        what=f"groups-{HUES}-{digest_of(settings)}",
        parts={
            part: partial(
                some_orbits,
                study.orbits(part, size, action=both, n_positions=n_positions),
                size,
                n_positions,
            )
            for part, size in sizes.items()
        },
    )


def _turned(n: int, group: Dihedral | Cyclic) -> tuple[int, ...]:
    """Elements of Dihedral(n) that are those of a subgroup, turns first."""
    turns = range(0, n, n // group.n_turns)
    return tuple(turns) if group.order == group.n_turns else (*turns, *(n + k for k in turns))


def _describe(
    orbits: GroupOrbits,
    name: str,
    dictionaries: Sequence[GroupCrosscoder],
    described: OfSeeds,
    held_out: NDArray[Any],
    rows: Mapping[str, list[dict[str, Any]]],
) -> UnderGroup:
    """Add a group's rows to the tables, and give what its features are matched by."""
    of_data = profile_of(held_out, dictionaries[0].group_.cayley_table)
    under = UnderGroup(orbits.subgroups[name][1], [], [], [])
    for seed, (dictionary, found) in enumerate(zip(dictionaries, described, strict=True)):
        of = {"orbits": orbits.name, "group": name, "seed": seed}
        values = values_of(found) | {
            "explained of the first block": explained_of_first(dictionary, held_out),
            "smallest p of activations": float(of_data.min()),
        }
        rows["measures"] += [of | {"measure": key, "value": v} for key, v in values.items()]
        types = found.stabilizer_shares()
        rows["stabilizers"] += [of | {"type": key, "value": v} for key, v in types.items()]
        profiles, holds = found.analysis.profiles_, found.holds
        turning = orbits.turns or name
        turns, hues = (_kinds_at(orbits, name, part, profiles) for part in (turning, "hue"))
        if turns is not None:
            rows["kinds"] += [
                of | {"kind": kind, "value": share_of(turns[holds] == kind)}
                for kind in measurable_kinds(orbits.subgroups[turning][0].group)
            ]
        if hues is not None:
            rows["hues"] += [of | row for row in cross(turns, hues, holds)]
            at = orbits.at(name, "hue")
            counts = np.histogram(profiles[holds][:, at].min(axis=1), BINS)[0]
            rows["hue_profiles"] += [
                of | {"smallest_p": round(middle, 2),
                      "value": count / holds.sum() if holds.any() else np.nan}
                for middle, count in zip((BINS[1:] + BINS[:-1]) / 2, counts, strict=True)
            ]  # fmt: skip
        under.atoms.append(blocks_of(dictionary))
        under.live.append(found.live)
        under.kinds.append(turns)
    return under


def _kinds_at(
    orbits: GroupOrbits, name: str, part: str, profiles: NDArray[Any]
) -> NDArray[np.str_] | None:
    """Kinds by the elements of a subgroup alone; None where a dictionary's group lacks it."""
    at = orbits.at(name, part)
    if at is None:
        return None
    words = "group" if part == "hue" else "plane"
    return name_kinds(profiles[:, at], orbits.subgroups[part][0].group, words=words)


def _over_pairs(pair: Mapping[str, Any], confidence: float) -> dict[str, Any]:
    """Means over pairs of seeds, with intervals, of every matrix of a pair of groups."""
    row: dict[str, Any] = {}
    for name, of in pair.items():
        if isinstance(of, str):
            row[name] = of
        else:
            estimates = columns([over_pairs(of, confidence)], name)
            row |= {column: values[0] for column, values in estimates.items()}
    return row


def _found_under(larger: str, orbits: str, what: str = "") -> Any:
    """Judge whether a group's features, or their kinds, are those under another."""
    found, chance = ("same_kind", "same_kind_chance") if what == "kinds" else ("share", "chance")
    below = f"{found}_below_ceiling" if what == "kinds" else "below_ceiling"

    def judge(tables: Mapping[str, pd.DataFrame]) -> tuple[Estimate, str]:
        pairs = tables["found"][tables["found"]["orbits"] == orbits]
        names = list(dict.fromkeys(pairs["features_of"]))  # the whole group's first
        # turns: the fewest, and none of the mirrors; hues: the turns alone
        smaller = {"fewest turns": names[-2], "no mirrors": names[-1], "no hues": names[1]}[larger]
        row = pairs[(pairs["features_of"] == names[0]) & (pairs["found_under"] == smaller)].iloc[0]
        lost = Estimate(*row[[f"{below}_{field}" for field in Estimate._fields]])
        if not row[f"{found}_low"] > row[f"{chance}_value"] + 0.1:
            return lost, FAILS
        return lost, HOLDS if lost.high < 0.1 else IN_PART

    return judge


def _hue_invariant(tables: Mapping[str, pd.DataFrame]) -> tuple[Estimate, str]:
    hues = tables["hues"].set_index(["group", "turns", "hues"])
    share = Estimate(*hues.loc[("hue", "any", "invariant"), list(Estimate._fields)])
    if share.low > 0.5:
        return share, HOLDS
    return share, IN_PART if share.low > 0.25 else FAILS


_EFFECT = (
    "Share of the features that fire that are found, below that which another start finds in its "
    "own group; 0 is no loss."
)
_RULE = (
    "Holds if the upper bound over pairs of seeds of what is lost is below 0.1, a tenth of the"
    " features, and the lower bound of the share is above chance (channels with random signs) by as"
    " much; in part if only the latter; fails otherwise."
)
CLAIMS = (
    Claim(
        "6a",
        "The features found under the largest group are found under one with a quarter of the"
        " turns as well.",
        _EFFECT,
        _RULE,
        _found_under("fewest turns", TURNS),
    ),
    Claim(
        "6b",
        "They are of the same kind there.",
        "Share of features found whose kind differs, beyond that between starts in one group; 0 is"
        " no difference.",
        _RULE.replace("what is lost", "it").replace(
            "(channels with random signs)", "(partners dealt out)"
        ),
        _found_under("fewest turns", TURNS, "kinds"),
    ),
    Claim(
        "6c",
        "Turns alone, without mirrors, find the same features.",
        _EFFECT,
        _RULE,
        _found_under("no mirrors", TURNS),
    ),
    Claim(
        "6d",
        "No hue turn changes most features of this layer.",
        "Share of features that hold whose self-profile stays above 0.8 at every hue.",
        "Holds if the lower bound over seeds exceeds a half; in part if it exceeds a quarter; fails"
        " otherwise.",
        _hue_invariant,
        held_out="n_hue_held_out",
    ),
    Claim(
        "6e",
        "Features found under turns and hues together are found under turns alone.",
        _EFFECT,
        _RULE,
        _found_under("no hues", HUES),
        held_out="n_hue_held_out",
    ),
)
