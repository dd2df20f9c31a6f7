"""Figures of the stage `families`, from its tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sklearn_groupcross.plotting import PALETTE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_POINTS = 92  # width of a wheel, for circles that do not overlap
BLUE, ORANGE, GREEN, PURPLE, BROWN, GREY = PALETTE


def draw_families(summary: pd.DataFrame) -> Figure:
    """Shares with their nulls: a row a question, a marker a dictionary."""
    import matplotlib.pyplot as plt

    questions = (
        ("share of features in families", "features in families"),
        ("share of features in families, fixed distance", "the same, at one distance"),
        ("features found again", "features found again"),
        ("families found again", "families found again"),
        ("features in families found again", "features in these, of all"),
        ("agreement of families (ARI)", "agreement of families (ARI)"),
    )
    translated = "with translated orbits"
    who = (
        ("group crosscoder", "group crosscoder", BLUE, "o"),
        (translated, "the same with translated orbits", GREEN, "s"),
        ("untrained network", "the same of an untrained network", PURPLE, "*"),
        ("signs at random", "chance: signs of channels at random", ORANGE, "X"),
        (f"signs at random, {translated}", "chance: signs, with translated orbits", ORANGE, "P"),
        ("blocks dealt out", "chance: blocks dealt out", BROWN, "D"),
        ("labels dealt out", "chance: families dealt out", GREY, "^"),
        (f"labels dealt out, {translated}", "chance: families, with translated orbits", GREY, "<"),
    )
    figure, ax = plt.subplots(figsize=(6.6, 4.2), layout="constrained")
    for number, (name, label, color, marker) in enumerate(who):
        part = summary[summary["dictionary"] == name].set_index("what")
        rows = [i for i, (what, _) in enumerate(questions) if what in part.index]
        if not rows:
            continue
        part = part.loc[[questions[i][0] for i in rows]]
        y = -np.array(rows, dtype=float) + 0.36 - 0.09 * number
        error = [part["value"] - part["low"], part["high"] - part["value"]]
        ax.errorbar(part["value"], y, xerr=np.nan_to_num(error), fmt=marker, color=color,
                    markersize=5, linewidth=1.2, capsize=2, label=label)  # fmt: skip
    ax.set_yticks(-np.arange(len(questions)), [label for _, label in questions], fontsize=8)
    ax.set_xlim(-0.05, 1.02)
    ax.tick_params(axis="x", labelsize=7)
    ax.set_xlabel("share (agreement: adjusted Rand index)", fontsize=8)
    ax.grid(axis="x", color="#E2E2E2", linewidth=0.6)
    ax.spines[["top", "right"]].set_visible(False)
    figure.legend(fontsize=7, frameon=False, loc="outside lower center", ncols=2)
    return figure


def draw_types(types: pd.DataFrame) -> Figure:
    """Features of each type: named, confirmed, found again; and by chance."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(6.6, 4.2), layout="constrained")
    y = -np.arange(len(types), dtype=float) - 0.6 * (types["known"].to_numpy() == 0)
    bars = (
        ("features", "named", 0.78, "#C9E1F9"),
        ("confirmed", "and confirmed by other drawings", 0.56, BLUE),
        ("repeated", "and found again, with the same name", 0.32, GREEN),
    )
    for column, label, height, color in bars:
        error = [
            types[f"{column}_value"] - types[f"{column}_low"],
            types[f"{column}_high"] - types[f"{column}_value"],
        ]
        ax.barh(y, types[f"{column}_value"], height, color=color, label=label)
        if column == "repeated":
            ax.errorbar(types[f"{column}_value"], y, xerr=np.nan_to_num(error), fmt="none",
                        color="black", linewidth=0.8, capsize=1.5)  # fmt: skip
    for column, size, label in (
        ("confirmed", 17, "confirmed of as many random directions, hardly more (of blue)"),
        ("repeated", 9, "and found again and named alike, hardly more (of green)"),
    ):
        color = "black" if column == "confirmed" else ORANGE
        ax.plot(types[f"{column}_most"], y, "|", color=color, markersize=size,
                markeredgewidth=2, label=label)  # fmt: skip
    ax.set_yticks(y, types["type"], fontsize=8)
    ax.axhline(
        (y[types["known"] == 1].min() + y[types["known"] == 0].max()) / 2, color=GREY, lw=0.6
    )
    ax.set_xlim(left=0)
    ax.tick_params(axis="x", labelsize=7)
    ax.set_xlabel(
        "features of a dictionary (below the line: what is none of the ten types)", fontsize=8
    )
    ax.spines[["top", "right"]].set_visible(False)
    figure.legend(fontsize=7, frameon=False, loc="outside lower center", ncols=2)
    return figure


def draw_curves(orientations: pd.DataFrame) -> Figure:
    """Radii and orientations of curves that neurons detect, and that features do."""
    import matplotlib.pyplot as plt
    from matplotlib.patches import Patch

    figure, axes = plt.subplots(
        1, 2, figsize=(6.6, 3.9), subplot_kw={"projection": "polar"}, layout="constrained"
    )
    radii = np.unique(orientations["radius"])
    ring = 1.0 + np.searchsorted(radii, orientations["radius"])
    angle = np.radians(orientations["degrees"]) + np.pi / 2
    width = 0.92 * 2 * np.pi / orientations["degrees"].nunique()
    neurons = orientations["neurons"].to_numpy() > 0
    some = orientations["features"].to_numpy() > 0
    again = orientations["seeds_with_one_found_again"].to_numpy() > 0
    pale, empty = "#C9E1F9", "#F3F3F3"
    colors = (
        np.where(neurons, ORANGE, empty),
        np.where(again, BLUE, np.where(some, pale, empty)),
    )
    for ax, title, color in zip(
        axes, ("neurons", "features, of all seeds together"), colors, strict=True
    ):
        ax.bar(angle, 0.9, width, bottom=ring, color=color)
        ax.set_title(title, fontsize=9)
        ax.set_xticks(np.radians([90, 180, 270, 360]), ["0°", "90°", "180°", "270°"], fontsize=7)
        ax.set_yticks([])
        ax.set_ylim(0, len(radii) + 1)
        ax.grid(False)
        ax.spines["polar"].set_visible(False)
        for number, radius in enumerate(radii):
            ax.text(np.pi / 2, number + 1.4, f"{radius:.3g}", fontsize=6, ha="center", va="center")
    alone = again & ~neurons
    axes[1].plot(angle[alone], ring[alone] + 0.45, "o", color=ORANGE, markersize=3.5)
    axes[0].set_xlabel("rings: radius of the curve in pixels", fontsize=7)
    figure.legend(
        [
            Patch(color=ORANGE), Patch(color=pale), Patch(color=BLUE),
            plt.Line2D([], [], color=ORANGE, marker="o", linestyle="none", markersize=4),
        ],
        [
            "a neuron", "a feature of some seed",
            "one that most other seeds have in the same pose", "the same, and no neuron",
        ],
        fontsize=7, frameon=False, loc="outside lower center", ncols=2,
    )  # fmt: skip
    return figure


def draw_wheels(wheels: pd.DataFrame) -> Figure:
    """Poses of families: taken, or empty."""
    import matplotlib.pyplot as plt
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.lines import Line2D

    names = list(dict.fromkeys(wheels["wheel"]))
    n_columns = 4
    n_rows = max(1, -(-len(names) // n_columns))
    figure, axes = plt.subplots(
        n_rows, n_columns, figsize=(6.6, 1.95 * n_rows + 0.7), squeeze=False, layout="constrained"
    )
    shade = LinearSegmentedColormap.from_list("lacked", ["#FFFFFF", ORANGE])
    for ax in axes.flat:
        ax.axis("off")
    for ax, name in zip(axes.flat, names, strict=False):
        part = wheels[wheels["wheel"] == name]
        side = 1.03 * (np.hypot(part["x"], part["y"]) + part["diameter"] / 2).max()
        for taken, places in part.groupby(part["members"] > 0):
            ax.scatter(
                places["x"], places["y"], (0.92 * places["diameter"] * _POINTS / (2 * side)) ** 2,
                c=BLUE if taken else shade(places["lacked"].fillna(0.5)),
                edgecolors=BLUE if taken else GREY, linewidths=0.6, clip_on=False,
                linestyle="-" if taken else (0, (2, 1.5)),
            )  # fmt: skip
        first, n_taken = part.iloc[0], int((part["members"] > 0).sum())
        ax.set_title(
            f"{first['type']}:\n{first['features']} features "
            f"in {n_taken} of {first['n_poses']} poses",
            fontsize=6.5,
        )
        ax.set(xlim=(-side, side), ylim=(-side, side), aspect="equal")
    marker = {"marker": "o", "linestyle": "none", "markersize": 7}
    figure.legend(
        [
            Line2D([], [], color=BLUE, **marker),
            Line2D([], [], markerfacecolor="white", markeredgecolor=GREY, **marker),
        ],
        ["a feature", "a gap"], fontsize=7, frameon=False, loc="outside lower left", ncols=2,
    )  # fmt: skip
    bar = figure.colorbar(ScalarMappable(cmap=shade), ax=axes, shrink=0.6, pad=0.02, aspect=25)
    bar.set_label("gap: probability that the network\nlacks the pose too", fontsize=7)
    bar.ax.tick_params(labelsize=6)
    return figure
