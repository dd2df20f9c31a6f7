"""Figures of penalties and of variants, from the tables alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLORS = ("#3597F0", "#F58A2E", "#868686")
_LINES = {"knee point": "-", "sparsest within 0.02": "--"}
#: Of each panel: what is drawn, its name, and whether it stands beside another for comparison.
_OVER_PENALTIES = {
    "Share of the variance explained": (
        ("explained", "held out", False),
        ("explained_in_training", "in training", True),
    ),
    "Active codes and live features": (
        ("l0", "active on an orbit (L0)", False),
        ("n_live", "live features", False),
    ),
    "Families": (
        ("quality", "silhouette of live features", False),
        ("atoms_in_families", "share of atoms in families", False),
        ("null_atoms_in_families", "channel signs at random", True),
    ),
    "Found again by other seeds": (
        ("atoms_found_again", "share of atoms", False),
        ("null_atoms_found_again", "channel signs at random", True),
    ),
}
_LABELS = {"plain": "identity read, 0.8 kept", "orbit read": "whole orbit read"}
_OF_VARIANTS = {
    "Variance explained": (
        ("explained", "held out", "#3597F0", "o"),
        ("explained_in_training", "in training", "#868686", "s"),
    ),
    "Found again by other seeds": (
        ("found_again", "share of features", "#3597F0", "o"),
        ("null_found_again", "channel signs at random", "#868686", "s"),
    ),
    "Share in families": (
        ("share_in_families", "share of features", "#3597F0", "o"),
        ("null_share_in_families", "channel signs at random", "#868686", "s"),
    ),
}


def draw_sweep(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Four panels over the penalty, with the range of claim 4b and what the rules choose."""
    import matplotlib.pyplot as plt
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    sweep, rules = tables["sweep"], tables["rules"].set_index("rule")
    window = tables["range"].iloc[0]
    figure, axes = plt.subplots(2, 2, figsize=(7.4, 6.0), layout="constrained", sharex=True)
    for ax, (title, lines) in zip(axes.flat, _OVER_PENALTIES.items(), strict=True):
        for color, (what, label, is_control) in zip(_COLORS, lines, strict=False):
            rows = sweep[sweep["what"] == what]
            line, main = rows[rows["dictionary"] != "topk"], rows[rows["dictionary"] == "topk"]
            style = {"color": _COLORS[-1] if is_control else color}
            ax.fill_between(line["l1"], line["low"], line["high"], alpha=0.2, linewidth=0, **style)
            if not is_control:
                ax.axhline(main["value"].iloc[0], linestyle=":", linewidth=1.3, **style)
            style["linestyle"] = "--" if is_control else "-"
            ax.plot(line["l1"], line["value"], "o", markersize=3.5, label=label, **style)
        # a little wider, so that a single penalty is seen
        ax.axvspan(
            window["smallest_l1"] / 1.2, window["largest_l1"] * 1.2, color="0.5", alpha=0.15, lw=0
        )
        for name, dashes in _LINES.items():
            ax.axvline(rules.loc[name, "l1"], color="black", linewidth=1, linestyle=dashes)
        ax.set_title(title, fontsize=10)
        ax.set_xscale("log")
        ax.legend(fontsize=8, edgecolor="none", framealpha=0.7)
    axes[0, 1].set_yscale("log")
    axes[0, 1].yaxis.set_major_formatter("{x:g}")
    for ax in axes[1]:
        ax.set(xlabel="penalty λ", ylim=(-0.12, 1.05))
    shared = [
        Line2D([], [], color="0.3", linestyle=":", label="TopK, the study's own setting"),
        Patch(color="0.5", alpha=0.15, label="near the best in families and found again"),
        *(Line2D([], [], color="black", linestyle=dashes, label=f"chosen by the {name}"
                 if name == "knee point" else f"chosen as {name}")
          for name, dashes in _LINES.items()),
    ]  # fmt: skip
    figure.legend(handles=shared, loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    return figure


def draw_variants(summary: pd.DataFrame) -> Figure:
    """Every variant: what it explains, what is found again, and its families."""
    import matplotlib.pyplot as plt

    names = list(dict.fromkeys(summary["dictionary"]))
    places = -np.arange(len(names), dtype=float)
    figure, axes = plt.subplots(1, 3, figsize=(7.4, 3.0), layout="constrained", sharey=True)
    for ax, (title, lines) in zip(axes, _OF_VARIANTS.items(), strict=True):
        for (what, label, color, marker), shift in zip(lines, (0.14, -0.14), strict=False):
            rows = summary[summary["what"] == what].set_index("dictionary").loc[names]
            # one of a resample or of few seeds may be undefined
            spread = np.abs(rows[["low", "high"]].sub(rows["value"], axis=0)).to_numpy().T
            ax.errorbar(rows["value"], places + shift, xerr=spread, fmt=marker, color=color,
                        markersize=4, linewidth=1, label=label)  # fmt: skip
        for line in (-0.5, -5.5):
            ax.axhline(line, color="0.8", linewidth=0.7)
        ax.set_title(title, fontsize=10)
        ax.set_xlim((None, 1.02) if title.startswith("Variance") else (-0.05, 1.05))
        ax.legend(fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.1))
    axes[0].set_yticks(places, [_LABELS.get(name, name) for name in names])
    return figure
