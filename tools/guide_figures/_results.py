"""Pictures of what a dictionary says, and of tables of the documentation."""

from __future__ import annotations

import io
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image

from sklearn_groupcross import (
    Cyclic,
    GroupCrosscoder,
    OrbitDataset,
    load_network,
)
from sklearn_groupcross.faithfulness import downstream_effect, feature_maps
from sklearn_groupcross.orbits import Arc, Corner, Edge, Shape, draw_probe
from sklearn_groupcross.plotting import (
    DistanceMatrixDisplay,
    FamilyWheelDisplay,
    SelfProfileDisplay,
    TransformBlockDisplay,
)

from ._dictionaries import octagon_dictionary
from ._drawing import INK, READ, ROOT, WRITE, bare


def faithfulness() -> Figure:
    """What replacing a layer does to the network's answer, and where a feature fires."""
    network, group = load_network("bundled"), Cyclic(4)
    shapes: list[Shape] = [Edge(), Corner(60), Corner(120), Arc(12, 4), Arc(30, 6)]
    drawn = torch.cat([draw_probe(shape, Cyclic(10), 138) for shape in shapes])
    drawn = drawn[torch.randperm(len(drawn), generator=torch.Generator().manual_seed(0))]
    images = drawn.permute(0, 2, 3, 1).numpy()
    stack = OrbitDataset(images[:30], network=network, group=group, n_positions=30).as_array()
    crosscoders = {
        f"k = {k}": GroupCrosscoder(
            group,
            n_features=128,
            activation="topk",
            k=k,
            max_epochs=60,
            batch_size=128,
            compression="auto",
            random_state=0,
        ).fit(stack)
        for k in (2, 16)
    }
    effects = downstream_effect(crosscoders, network, images[30:], source_size=138)
    effects = effects.set_index("condition").loc[[*crosscoders, "mean ablation", "zero ablation"]]
    figure = plt.figure(figsize=(5.2, 4.2), layout="constrained")
    above, below = np.asarray(figure.subfigures(2, 1, height_ratios=(1.15, 1)))
    ax = above.subplots()
    low, high = effects["kl"] - effects["kl_low"], effects["kl_high"] - effects["kl"]
    ax.barh(
        effects.index, effects["kl"], xerr=(low, high), capsize=3,
        color=["#9db8d2", "#9db8d2", "0.8", "0.8"], ecolor="0.2",
    )  # fmt: skip
    ax.invert_yaxis()
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_title("How far the network's answer moves (KL, nats)", fontsize=11)
    best = crosscoders["k = 16"]
    codes = best.transform(stack)
    frequent = [int(i) for i in np.argsort(-(codes > 0).mean(axis=0))[:60]]
    found = feature_maps(best, network, images[30:34], features=frequent, source_size=138)
    centre = found.maps[:, :, 5:20, 5:20]
    feature = int((centre.max(axis=(2, 3)).min(axis=0)).argmax())
    below.suptitle(f"Where feature {frequent[feature]} fires on four drawings", fontsize=11)
    for ax, image, codes_here in zip(
        below.subplots(1, 4), found.images, found.maps[:, feature], strict=True
    ):
        ax.imshow(image)
        inside = np.ma.masked_less_equal(codes_here, 0)
        ax.imshow(inside, extent=found.extent, cmap="autumn_r", alpha=0.75)
        ax.set(xlim=(0, image.shape[1]), ylim=(image.shape[0], 0), xticks=[], yticks=[])
    return figure


def plotting() -> Figure:
    """Four displays of one analysis."""
    dataset, codes, analysis = octagon_dictionary()
    family = max(
        range(len(analysis.families_)), key=lambda i: len(set(analysis.families_[i].poses))
    )
    members = np.asarray(analysis.families_[family].members)
    patches = dataset.patches(codes[:, members].argmax(axis=0))[:, 0]
    medoid = analysis.families_[family].medoid
    displays: dict[Any, str | None] = {
        FamilyWheelDisplay.from_estimator(analysis, family, patches): None,
        SelfProfileDisplay.from_estimator(analysis, medoid): "polar",
        TransformBlockDisplay.from_estimator(analysis, medoid): None,
        DistanceMatrixDisplay.from_estimator(analysis): None,
    }
    # each in a figure of its own, which it lays out
    sheet, axes = plt.subplots(2, 2, figsize=(8, 7.6))
    sheet.subplots_adjust(0, 0, 1, 1, 0.01, 0.01)
    for (display, projection), ax in zip(displays.items(), axes.flat, strict=True):
        alone = plt.figure(figsize=(4, 3.8), layout="compressed")
        display.plot(alone.add_subplot(projection=projection))
        picture = io.BytesIO()
        alone.savefig(picture, dpi=170)
        plt.close(alone)
        ax.imshow(Image.open(picture), interpolation="lanczos")
        bare(ax)
    return sheet


def table_of(text: str, heading: str) -> list[list[str]]:
    """Cells of the table of a page whose header begins with a word; a row may have two lines."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"{heading} "))
    rule = lines[start - 1]
    edges = [i for i in range(len(rule)) if rule[i] == "=" and (i == 0 or rule[i - 1] == " ")]
    first = lines.index(rule, start) + 1
    rows: list[list[str]] = []
    for line in lines[first : lines.index(rule, first)]:
        spans = zip(edges, [*edges[1:], None], strict=True)
        cells = [line[a:b].replace("**", "").strip() for a, b in spans]
        if any(cells[1:]):
            rows.append(cells)
        else:
            rows[-1][0] += f"\n{cells[0]}"
    return rows


def frontier() -> Figure:
    """Explained variance against L0 by activation, from the table of the benchmarks page."""
    rows = table_of((ROOT / "docs/benchmarks.rst").read_text(encoding="utf-8"), "model")
    points: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for model, activation, price, _, l0, explained, *_ in rows:
        if model == "crosscoder":
            at = points.setdefault(activation, {}).setdefault(price, [])
            at.append((float(l0), float(explained)))
    figure, ax = plt.subplots(figsize=(5, 3.6), layout="constrained")
    colors = (INK, READ, WRITE, "#8a6d1d")
    for (activation, by_price), color in zip(points.items(), colors, strict=True):
        means = sorted(tuple(np.mean(at, axis=0)) for at in by_price.values())
        ax.plot(*np.transpose(means), "o-", color=color, label=activation, markersize=7)
    ax.set_xscale("log", base=2)
    ax.set(xticks=(16, 32, 64, 128), xticklabels=("16", "32", "64", "128"))
    ax.set_xlabel("active features in a sample (L0)", fontsize=11)
    ax.set_ylabel("explained variance", fontsize=11)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(fontsize=11, frameon=False)
    return figure


def clusters() -> Figure:
    """Where the hours of planned runs go, from the table of the page."""
    rows = table_of((ROOT / "docs/guide/clusters.rst").read_text(encoding="utf-8"), "images")
    names = [f"{images} images,\n{order} elements" for images, order, *_ in rows]
    hours = np.array([[float(cell.replace(",", "") or 0) for cell in row[2:5]] for row in rows])
    shares = 100 * hours / hours.sum(axis=1, keepdims=True)
    figure, ax = plt.subplots(figsize=(5.2, 0.55 * len(rows) + 1.2), layout="constrained")
    left = np.zeros(len(rows))
    parts = zip(("extract", "fit", "analyze, report"), (INK, WRITE, READ), strict=True)
    for part, (label, color) in enumerate(parts):
        ax.barh(names, shares[:, part], left=left, color=color, label=label, height=0.65)
        left += shares[:, part]
    ax.invert_yaxis()
    ax.set(xlim=(0, 100))
    ax.set_xlabel("share of machine hours, %", fontsize=11)
    ax.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=3, fontsize=10, frameon=False)
    return figure


def holds() -> Figure:
    """What makes features hold, from the table of the benchmarks page."""
    rows = table_of((ROOT / "docs/benchmarks.rst").read_text(encoding="utf-8"), "setting")
    names, again = [row[0] for row in rows], [float(row[3]) for row in rows]
    null = [(i, float(row[5])) for i, row in enumerate(rows) if row[5]]
    best = int(np.argmax(again))
    figure, ax = plt.subplots(figsize=(5.4, 0.25 * len(rows) + 0.9), layout="constrained")
    ax.hlines(range(len(rows)), 0, again, color="0.85")
    ax.plot(again, range(len(rows)), "o", color=INK, label="another seed", markersize=7)
    ax.plot(again[best], best, "o", color=READ, markersize=9)
    ax.plot(*np.transpose(null)[::-1], "|", color="0.4", markersize=11, label="by chance")
    ax.set(yticks=range(len(rows)), yticklabels=names, xlim=(0, 1), xlabel="share found again")
    ax.get_yticklabels()[best].set_color(READ)
    ax.invert_yaxis()
    ax.tick_params(axis="y", length=0, labelsize=9)
    ax.spines[["top", "right", "left"]].set_visible(False)
    figure.legend(loc="outside upper right", ncols=2, frameon=False)
    return figure
