"""Does it matter how orbits are read? Positions, interpolation and masks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sklearn_groupcross import Dihedral, GroupCrosscoder
from sklearn_groupcross.plotting import PALETTE

from ._claim import FAILS, HOLDS, IN_PART, Claim
from ._explaining import explained_variance, gain_over, over_photographs, unexplained
from ._large_families import fires
from ._reading_ways import (
    CUT,
    GRID,
    REFERENCE,
    SAME_DISK,
    Orbits,
    Ways,
    block_norms,
    describe_features,
)
from ._recurrence import Found, find_again, shares_found
from ._statistics import Estimate, columns, over_pairs, over_seeds
from ._study import Study, digest_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Tables = Mapping[str, pd.DataFrame]


def measure(study: Study) -> dict[str, pd.DataFrame]:
    """Read orbits in every way, learn dictionaries of each, and compare them."""
    ways, confidence = Ways(study, study.config["sampling"]), study.config["confidence"]
    rng = np.random.default_rng(study.config["split_seed"])
    dictionaries: dict[str, list[GroupCrosscoder]] = {}
    live: dict[str, list[NDArray[np.bool_]]] = {}
    found: dict[tuple[str, str], NDArray[Any]] = {}
    reading, learned, errors = [], [], {}
    for way in ways.names():
        orbits = ways.training(way)
        reading.append({"what": way, "radius": ways.radius(way)} | _norms(study, orbits, ways, rng))
        dictionaries[way] = fitted = _fit(study, way, orbits)
        reference, own = ways.held_out(ways.reference(way)), ways.held_out(way)
        errors[way] = {
            "own": np.array([unexplained(each, own) for each in fitted]),
            "reference": np.array([unexplained(each, reference) for each in fitted]),
        }
        live[way] = [fires(each, own.values[:, ways.group.identity]) for each in fitted]
        described = pd.DataFrame(map(describe_features, fitted, live[way]))
        found[way, way] = shares_found(find_again(fitted), live[way])
        learned.append(
            {"what": way}
            | _row(explained_variance(study, errors[way]["own"], rng), "explained")
            | _row(explained_variance(study, errors[way]["reference"], rng), "explained_reference")
            | _row(over_pairs(found[way, way], confidence), "found_again")
            | {"found_again_null": _mean(find_again(fitted, rng=rng), live[way])}
            | {key: value for name in described for key, value in
               _row(over_seeds(described[name], confidence), name).items()}
        )  # fmt: skip
    compared = [(way, ways.reference(way)) for way in ways.names() if way != ways.reference(way)]
    across = []
    for way, other in compared:
        of_other = dictionaries[other], dictionaries[way]
        found[other, way] = shares_found(find_again(*of_other), live[other])
    for way, other in compared:
        of_other = dictionaries[other], dictionaries[way]
        shares = {
            "found": found[other, way],
            "other_seed": found[other, other],
            "above_seed": found[other, way] - found[other, other],
        }
        if way in SAME_DISK:
            shares["above_others"] = found[other, way] - found[other, SAME_DISK[way]]
        row = {"what": way, "reference": other}
        for name, of in shares.items():
            row |= _row(over_pairs(of, confidence), name)
        row["null"] = _mean(find_again(*of_other, rng=rng), live[other])
        # of the way's own orbits, and of those that its reference learns from, by both
        for name, read in (("own_gain", "own"), ("gain", "reference")):
            gain = gain_over(study, errors[way][read], errors[other]["own"], rng)
            row |= _row(gain, name)
        across.append(row)
    return {
        "reading": pd.DataFrame(reading),
        "learned": pd.DataFrame(learned),
        "across": pd.DataFrame(across),
        "amount": _amounts(study, ways, ways.held_out(REFERENCE), rng),
    }


def _fit(study: Study, what: str, orbits: Orbits) -> list[GroupCrosscoder]:
    """Dictionaries of all seeds, of as many steps whatever the number of samples."""
    settings = study.config["sampling"]
    n_batches = math.ceil(len(orbits.values) / settings["dictionary"]["batch_size"])
    return study.dictionaries(
        lambda: orbits.values,
        f"sampling-{what.replace(', ', '-').replace(' ', '-')}-{digest_of(settings)}",
        group=Dihedral(settings["n_turns"]),
        max_epochs=math.ceil(settings["n_steps"] / n_batches),
        **settings["dictionary"],
    )


def _norms(
    study: Study, orbits: Orbits, ways: Ways, rng: np.random.Generator
) -> dict[str, float | int]:
    """Deviations of blocks' mean norms from the mean of all, in percent, over photographs."""
    norms, numbers = block_norms(orbits, ways.group)
    turns = np.concatenate([np.arange(ways.group.n_turns)] * 2)
    lattice = 4 * turns % ways.group.n_turns == 0

    def deviations(rows: NDArray[np.int64]) -> NDArray[Any]:
        mean = norms[rows].mean(axis=0)
        return np.asarray(100 * (mean / mean.mean() - 1))

    result: dict[str, float | int] = {
        "n_photographs": len(numbers),
        "n_samples": len(orbits.values),
    }
    for name, statistic in {
        "identity": lambda rows: float(deviations(rows)[0]),
        "lattice": lambda rows: float(deviations(rows)[lattice].mean()),
        "largest": lambda rows: float(np.abs(deviations(rows)).max()),
    }.items():
        result |= _row(over_photographs(study, statistic, len(norms), rng), name)
    return result


def _amounts(study: Study, ways: Ways, reference: Orbits, rng: np.random.Generator) -> pd.DataFrame:
    """More photographs, or more positions of each: the same number of steps for all."""
    settings, base, confidence = study.config["sampling"], ways.base, study.config["confidence"]
    many, few = settings["n_photographs"], settings["n_photographs"] // 4
    counts = [settings["n_positions"], settings["most_positions"]]
    rows, errors = [], {}
    for n_photographs in (few, many):
        for n_positions in counts:
            what = f"{n_photographs} x {n_positions}"
            orbits = base.some(range(n_photographs), range(n_positions))
            is_reference = (n_photographs, n_positions) == (many, counts[0])
            name = REFERENCE if is_reference else f"disk {n_photographs}x{n_positions}"
            fitted = _fit(study, name, orbits)
            live = [fires(each, reference.values[:, ways.group.identity]) for each in fitted]
            errors[n_photographs, n_positions] = np.array(
                [unexplained(each, reference) for each in fitted]
            )
            rows.append(
                {"what": what, "n_photographs": n_photographs, "n_positions": n_positions,
                 "n_samples": len(orbits.values)}
                | _row(explained_variance(study, errors[n_photographs, n_positions], rng))
                | _row(over_pairs(shares_found(find_again(fitted), live), confidence),
                       "found_again")
            )  # fmt: skip
    for what, first, second in (
        ("more photographs", (many, counts[0]), (few, counts[0])),
        ("more positions", (few, counts[1]), (few, counts[0])),
        ("photographs less positions", (many, counts[0]), (few, counts[1])),
        ("more positions of all", (many, counts[1]), (many, counts[0])),
    ):
        rows.append({"what": what} | _row(gain_over(study, errors[first], errors[second], rng)))
    return pd.DataFrame(rows)


def _mean(found: Found, live: list[NDArray[np.bool_]]) -> float:
    return over_pairs(shares_found(found, live)).value


def _row(estimate: Estimate, prefix: str = "") -> dict[str, float]:
    return {name: values[0] for name, values in columns([estimate], prefix).items()}


def _read(table: pd.DataFrame, what: str, prefix: str = "") -> Estimate:
    row = table.set_index("what").loc[what]
    return Estimate(*(float(row[f"{prefix}_{f}" if prefix else f]) for f in Estimate._fields))


def _judge_ways(tables: Tables) -> tuple[Estimate, str]:
    """The way that finds the fewest, beside other photographs."""
    gains = [_read(tables["across"], way, "above_others") for way in SAME_DISK]
    n_above = sum(gain.low > 0 for gain in gains)
    verdict = HOLDS if n_above == len(gains) else IN_PART if n_above > len(gains) / 2 else FAILS
    return min(gains, key=lambda gain: gain.value), verdict


def _judge_grid(tables: Tables) -> tuple[Estimate, str]:
    grid, disk = (_read(tables["reading"], way, "identity") for way in (GRID, REFERENCE))
    if grid.low > 5 and max(abs(disk.low), abs(disk.high)) < 4:
        return grid, HOLDS
    return grid, IN_PART if grid.low > disk.high else FAILS


def _judge_amount(tables: Tables) -> tuple[Estimate, str]:
    gain = _read(tables["amount"], "photographs less positions")
    return gain, HOLDS if gain.low > 0 else IN_PART if gain.value > 0 else FAILS


def _judge_cut(tables: Tables) -> tuple[Estimate, str]:
    own, gain = (_read(tables["across"], CUT, prefix) for prefix in ("own_gain", "gain"))
    flattered, worse = own.low > 0, gain.high < 0
    return own, HOLDS if flattered and worse else IN_PART if flattered or worse else FAILS


CLAIMS = (
    Claim(
        "7a",
        "How orbits are read in the same disk changes features less than other photographs do.",
        "of the worst of three ways (energy, grid, exact): share of the reference's features that "
        "it finds again, less that which the reference's way finds on other photographs; 0 if it "
        "costs as much",
        "holds if the interval over pairs of seeds is above 0 for each of them; in part if for "
        "two. Disks of other sizes, and masks, for which photographs are scaled otherwise, show "
        "the network something else, and are no part of this; settled on a trial of 60 photographs",
        _judge_ways,
    ),
    Claim(
        "7b",
        "Positions on the layer's grid break the symmetry of orbits.",
        "percent by which the identity block's norm exceeds the mean of all blocks; 0 in a "
        "symmetric orbit",
        "holds if the interval over photographs is above 5, and within 4 of 0 for positions "
        "drawn from the disk (a sample is then told from its copies by its size); in part if it "
        "is above that of the disk; settled on a trial of 60 photographs",
        _judge_grid,
    ),
    Claim(
        "7c",
        "A photograph is worth more than positions.",
        "explained variance held out, with four times the photographs less with four times the "
        "positions of each, the same number of samples and steps",
        "holds if the interval, over seeds and photographs, is above 0; in part if the value is",
        _judge_amount,
    ),
    Claim(
        "7d",
        "A mask that reaches into fields flatters the fit and harms the features.",
        "explained variance of orbits whose fields the mask cuts, less that of whole ones by "
        "dictionaries of whole ones, at the same scale",
        "holds if this is above 0, and the same dictionaries explain less of whole orbits than "
        "dictionaries of whole ones do, both by their intervals over seeds and photographs; in "
        "part if one of the two; settled on a trial of 60 photographs",
        _judge_cut,
    ),
)


def draw(tables: Tables) -> dict[str, Figure]:
    """Every way a line: norms of the identity block, what is explained, what is found again."""
    import matplotlib.pyplot as plt

    blue, orange, green, _, _, grey = PALETTE
    names = list(tables["reading"]["what"])
    y = dict(zip(names, range(len(names), 0, -1), strict=True))
    figure, axes = plt.subplots(1, 3, figsize=(7.2, 3.6), sharey=True, layout="constrained")

    def dots(
        ax: Any, table: pd.DataFrame, prefix: str, color: str, label: str, shift: float = 0
    ) -> None:
        known = table[table[f"{prefix}_value"].notna()]
        value, low, high = (known[f"{prefix}_{f}"].to_numpy() for f in Estimate._fields)
        ax.errorbar(
            value, known["what"].map(y).to_numpy() + shift,
            xerr=np.abs([value - low, high - value]), fmt="o", markersize=3.5, linewidth=1,
            color=color, label=label,
        )  # fmt: skip

    dots(axes[0], tables["reading"], "identity", blue, "identity block")
    axes[0].axvline(0, color=grey, linewidth=0.8, linestyle=":")
    axes[0].set_xlabel("norm of the identity block,\n% above the mean of all blocks")
    dots(axes[1], tables["learned"], "explained", orange, "read as in training", 0.14)
    dots(axes[1], tables["learned"], "explained_reference", blue, "read as the reference", -0.14)
    axes[1].set_xlim(left=max(axes[1].get_xlim()[0], -0.3))
    axes[1].set_xlabel("explained variance,\nphotographs held out")
    axes[1].legend(loc="upper left", bbox_to_anchor=(0, 1.13), ncols=1, fontsize=7, frameon=False)
    across = tables["across"]
    dots(axes[2], across, "other_seed", grey, "by another seed, same way", 0.14)
    dots(axes[2], across, "found", green, "by this way, another seed", -0.14)
    axes[2].plot(across["null"], across["what"].map(y), "|", color="black", label="signs at random")
    axes[2].set_xlabel("share of the reference's features\nthat is found again")
    axes[2].set_xlim(0, 1)
    axes[2].legend(loc="upper left", bbox_to_anchor=(0, 1.18), fontsize=7, frameon=False)
    axes[0].set_yticks(list(y.values()), names, fontsize=8)
    for ax in axes:
        ax.tick_params(labelsize=8)
        ax.xaxis.label.set_size(8)
        ax.grid(axis="y", color="#E2E2E2", linewidth=0.5)
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
    return {"ways": figure}
