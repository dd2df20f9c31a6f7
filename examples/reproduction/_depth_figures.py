"""Figures of `depth`, from its tables alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sklearn_groupcross.plotting import KIND_COLORS, PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw(tables: Mapping[str, pd.DataFrame]) -> dict[str, Figure]:
    """Draw kinds and what is found again by layer, and how far a feature can be turned."""
    import matplotlib.pyplot as plt

    layers = list(tables["geometry"]["layer"])
    kinds, (trained, shuffled, again) = plt.subplots(
        1, 3, figsize=(8.6, 3.4), layout="constrained", gridspec_kw={"width_ratios": [1, 1, 1.15]}
    )
    for ax, weights in ((trained, "trained"), (shuffled, "untrained")):
        _draw_kinds(ax, tables["kinds"].set_index("weights").loc[[weights]], layers)
        ax.set_title(f"{weights} weights", fontsize=10)
    trained.set_ylabel("share of features that hold")
    handles, labels = trained.get_legend_handles_labels()
    kinds.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=8)
    _draw_found_again(again, tables["measures"], layers)
    profiles, ax = plt.subplots(figsize=(5.6, 3.4), layout="constrained")
    _draw_profiles(ax, tables["profiles"].set_index("weights").loc[["trained"]], layers)
    return {"kinds": kinds, "profiles": profiles}


def _short(layer: str) -> str:
    return layer.removeprefix("inception_").removesuffix("_output").removeprefix("mixed")


def _mark_layers(ax: Axes, layers: list[str]) -> None:
    ax.set_xticks(range(len(layers)), [_short(layer) for layer in layers])
    ax.set_xlabel("layer")


def _draw_kinds(ax: Axes, table: pd.DataFrame, layers: list[str]) -> None:
    wide = table.pivot_table(index="layer", columns="kind", values="value", dropna=False)
    wide = wide.reindex(layers).fillna(0)
    floor = np.zeros(len(layers))
    for kind in (kind for kind in KIND_COLORS if kind in wide):
        ax.bar(range(len(layers)), wide[kind], 0.75, floor, label=kind, color=KIND_COLORS[kind])
        floor = floor + wide[kind].to_numpy()
    _mark_layers(ax, layers)
    ax.set_ylim(0, 1)


def _draw_found_again(ax: Axes, table: pd.DataFrame, layers: list[str]) -> None:
    for weights, color, line in (("trained", PALETTE[0], "-"), ("untrained", PALETTE[4], "--")):
        for measure, marker in (("found again", "o"), ("found again by chance", None)):
            part = table[(table["weights"] == weights) & (table["measure"] == measure)]
            part = part.set_index("layer").reindex(layers)
            errors = np.clip(np.nan_to_num(
                [part["value"] - part["low"], part["high"] - part["value"]]
            ), 0, None)  # fmt: skip
            ax.errorbar(
                range(len(layers)), part["value"], errors if marker else None,
                color=color if marker else "0.6", linestyle=line, marker=marker, markersize=4,
                capsize=2, label=f"{weights}{'' if marker else ', by chance'}",
            )  # fmt: skip
    _mark_layers(ax, layers)
    ax.set_ylim(0, 1)
    ax.set_title("found again by another seed", fontsize=10)
    ax.set_ylabel("share of features that fire")
    ax.legend(fontsize=7)


def _draw_profiles(ax: Axes, table: pd.DataFrame, layers: list[str]) -> None:
    for layer, color in zip(layers, (*PALETTE, *PALETTE), strict=False):
        part = table[table["layer"] == layer].sort_values("degrees")
        ax.plot(part["degrees"], part["value"], marker="o", markersize=3, color=color,
                label=_short(layer))  # fmt: skip
        ax.fill_between(part["degrees"], part["low"], part["high"], color=color, alpha=0.15, lw=0)
    ax.axhline(0, color="0.8", lw=0.8, zorder=0)
    ax.set_xticks(range(0, 181, 45))
    ax.set_xlabel("turn in degrees")
    ax.set_ylabel("self-profile, median feature")
    ax.legend(title="layer", fontsize=8)
