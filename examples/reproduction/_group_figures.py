"""Figures of `groups`, from its tables alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sklearn_groupcross.plotting import KIND_COLORS, PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage


def draw(tables: Mapping[str, pd.DataFrame]) -> dict[str, Figure]:
    """Draw what is found under other groups, and what hues do."""
    import matplotlib.pyplot as plt

    pairs = dict(list(tables["found"].groupby("orbits", sort=False)))
    found, axes = plt.subplots(
        1,
        len(pairs),
        figsize=(8.2, 3.7),
        layout="constrained",
        gridspec_kw={"width_ratios": [4, 3]},
    )
    for ax, table in zip(axes, pairs.values(), strict=True):
        image = _draw_pairs(ax, table, tables["measures"])
    found.colorbar(image, ax=axes, label="share of features found", shrink=0.8)
    hues, (kinds, smallest) = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
    _draw_hue_kinds(kinds, tables["hues"])
    _draw_smallest(smallest, tables["hue_profiles"])
    return {"found": found, "hues": hues}


def _draw_pairs(ax: Axes, table: pd.DataFrame, measures: pd.DataFrame) -> AxesImage:
    """Shares found; in brackets what another start finds on the same blocks."""
    names = list(dict.fromkeys(table["features_of"]))
    shares = np.full((len(names), len(names)), np.nan)
    image = ax.imshow(shares, cmap="viridis", vmin=0, vmax=1)
    for row in table.itertuples():
        i, j = names.index(row.features_of), names.index(row.found_under)
        shares[i, j] = row.share_value
        color = "white" if row.share_value < 0.6 else "black"
        text = f"{row.share_value:.2f}\n({row.ceiling_value:.2f})"
        ax.text(j, i, text, ha="center", va="center", fontsize=9, color=color)
    own = measures[measures["measure"] == "found again"].set_index(["orbits", "group"])["value"]
    for i, name in enumerate(names):
        again = own.loc[(table["orbits"].iloc[0], name)]
        ax.text(i, i, f"({again:.2f})", ha="center", va="center", fontsize=9, color="0.3")
    image.set_data(shares)
    labels = [name.replace(" x ", " × ") for name in names]
    ax.set_xticks(range(len(names)), labels, fontsize=9)
    ax.set_yticks(range(len(names)), labels, fontsize=9)
    ax.set_xlabel("found under")
    ax.set_ylabel("features of")
    return image


def _draw_hue_kinds(ax: Axes, table: pd.DataFrame) -> None:
    """Stack what hues do, over all features and over kinds by turns."""
    rows = table[(table["group"] == "hue") | (table["group"].str.contains(" x "))]
    bars = []
    for (group, turns), part in rows.groupby(["group", "turns"], sort=False):
        name = group.replace(" x ", " × ") + ("" if turns == "any" else f": {turns}")
        bars.append((name, part.set_index("hues")["value"]))
    bars = sorted(bars, key=lambda bar: bar[0] != "hue")
    floor = np.zeros(len(bars))
    for kind in ("invariant", "symmetric", "free", "other"):
        widths = np.array([bar.get(kind, 0.0) for _, bar in bars])
        if np.nansum(widths):
            ax.barh(range(len(bars)), widths, 0.7, floor, label=kind, color=KIND_COLORS[kind])
        floor = floor + np.nan_to_num(widths)
    ax.set_yticks(range(len(bars)), [name for name, _ in bars], fontsize=9)
    ax.invert_yaxis()
    ax.set_xlim(0, 1)
    ax.set_xlabel("share of features that hold, by what hue turns do")
    if ax.patches:
        ax.legend(fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=4, frameon=False)


def _draw_smallest(ax: Axes, table: pd.DataFrame) -> None:
    for (group, part), color in zip(table.groupby("group", sort=False), PALETTE, strict=False):
        ax.step(part["smallest_p"], part["value"], where="mid", color=color,
                label=group.replace(" x ", " × "))  # fmt: skip
    ax.axvline(0.8, color="0.6", lw=0.8, ls="--")
    ax.set_xlabel("smallest self-profile over hue turns")
    ax.set_ylabel("share of features that hold")
    ax.legend(fontsize=8, loc="upper left")
