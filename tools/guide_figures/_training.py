"""Pictures of what a dictionary learns from, and how."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Polygon, Rectangle
from sklearn.preprocessing import StandardScaler

from sklearn_groupcross import (
    make_orbits,
)
from sklearn_groupcross.crosscoder import OrbitScaler

from ._dictionaries import photograph, small_dictionary
from ._drawing import INK, NAMES, READ, SQUARE, WRITE, arrow, bare


def letter(ax: Axes, element: int) -> None:
    """The letter F under an element of the square's group."""
    points = np.array(
        [(0, 0), (0, 5), (3.4, 5), (3.4, 4), (1, 4), (1, 3), (2.6, 3), (2.6, 2), (1, 2), (1, 0)]
    ) - (1.7, 2.5)
    if element >= SQUARE.n_turns:
        points = points * (-1, 1)
    turn = np.deg2rad(360 / SQUARE.n_turns * (element % SQUARE.n_turns))
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    ax.add_patch(Polygon(points @ matrix.T, facecolor=INK if element < 4 else READ))
    ax.plot(0, 0, ".", color="white", markersize=3)
    ax.set(xlim=(-3.4, 3.4), ylim=(-3.4, 3.4), aspect="equal", xticks=[], yticks=[])
    for side in ax.spines.values():
        side.set(color="0.8")


def groups() -> Figure:
    """The eight elements of the square's group, and two of them in both orders."""
    figure = plt.figure(figsize=(5.2, 5.4), layout="constrained")
    above, below = np.asarray(figure.subfigures(2, 1, height_ratios=(2, 1.05)))
    above.suptitle("The eight elements of Dihedral(4)", fontsize=12)
    for g, ax in enumerate(above.subplots(2, 4).flat):
        letter(ax, g)
        words = SQUARE.describe_element(g).replace(", mirrored", ",\nmirrored")
        ax.set_title(f"{g}: {NAMES[g]}\n{words}", fontsize=10)
    below.suptitle("The order counts", fontsize=12)
    turn, mirror = 1, SQUARE.n_turns
    axes = below.subplots(1, 7, width_ratios=(1, 1, 1, 0.25, 1, 1, 1))
    bare(axes[3])
    for first, then, at in ((mirror, turn, 0), (turn, mirror, 4)):
        steps = (0, first, SQUARE.multiply(then, first))
        for ax, element in zip(axes[at : at + 3], steps, strict=True):
            letter(ax, element)
        for ax, what in zip(axes[at + 1 : at + 3], (first, then), strict=True):
            word = "mirror" if what == mirror else "turn"
            ax.set_title(f"{'then ' if what == then else ''}{word}", fontsize=10)
        axes[at + 2].set_xlabel(f"element {steps[-1]}", fontsize=10)
    return figure


def networks() -> Figure:
    """What units of a layer see of a photograph."""
    dataset, _, _ = small_dictionary()
    network, field = dataset.network, dataset.field
    margin = (photograph().shape[0] - field.input_size) // 2
    image = photograph()[margin : margin + field.input_size, margin : margin + field.input_size]
    batch = torch.from_numpy(image.copy()).permute(2, 0, 1)[None] / 255
    maps = network.activations(batch, dataset.layer)[0].numpy()
    channel = int(maps[:, 5:20, 5:20].std(axis=(1, 2)).argmax())
    figure, (left, right) = plt.subplots(1, 2, figsize=(5.2, 3.1), layout="constrained")
    left.imshow(image)
    right.imshow(maps[channel], cmap="gray")
    columns, rows = field.interior_units()
    inner = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    strengths = maps[channel][inner]
    order = np.argsort(-strengths, axis=None)
    places = np.stack(np.unravel_index(order, strengths.shape), axis=1)[:, ::-1]
    places += (columns[0], rows[0])
    # the strongest unit, the next one that is well away from it, and the weakest away from both
    far = np.abs(places - places[0]).max(axis=1) > 7
    second = places[far][0]
    away = far & (np.abs(places - second).max(axis=1) > 7)
    units = [tuple(map(int, unit)) for unit in (places[0], second, places[away][-1])]
    for (column, row), color in zip(units, ("#f3a712", "#5bc0eb", READ), strict=True):
        centre = np.array(field.offset) + np.array(field.stride) * (column, row)
        x, y = centre - np.array(field.size) / 2
        left.add_patch(Rectangle((x, y), *field.size, fill=False, edgecolor=color, linewidth=2.4))
        left.plot(*centre, "o", color=color, markeredgecolor="white")
        right.add_patch(
            Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=color, linewidth=2.4)
        )
    right.add_patch(
        Rectangle(
            (columns[0] - 0.5, rows[0] - 0.5), len(columns), len(rows), fill=False,
            edgecolor="white", linestyle="--",
        )
    )  # fmt: skip
    left.set_title(
        f"the image, {field.input_size} px,\nand what three units see of it", fontsize=11
    )
    right.set_title(
        f"one channel of {dataset.layer}:\n{maps.shape[2]} × {maps.shape[1]} units", fontsize=11
    )
    for ax in (left, right):
        ax.set(xticks=[], yticks=[])
    return figure


def orbits() -> Figure:
    """An image and a position under the square's group, what is seen there, and the blocks."""
    dataset, stack, _ = small_dictionary()
    field = dataset.field
    # a place where the network has much to say
    sample = int(np.ptp(stack[:120], axis=1).sum(axis=1).argmax())
    batch = torch.from_numpy(photograph().copy()).permute(2, 0, 1)[None] / 255
    views = dataset.action.transform(batch, size=field.input_size)[0]
    moved = dataset.action.transform_positions(torch.from_numpy(dataset.positions[sample]))
    patches = dataset.patches([sample], elements=range(SQUARE.order))[0]
    blocks = stack[sample]
    channels = np.argsort(-blocks.std(axis=0))[:20]
    limit = blocks[:, channels].max()
    figure, axes = plt.subplots(
        3, SQUARE.order, figsize=(5.8, 3.9), height_ratios=(1, 1, 2.2), layout="constrained"
    )
    half = field.input_size / 2
    for g in range(SQUARE.order):
        axes[0, g].imshow(
            views[g].permute(1, 2, 0).clamp(0, 1).numpy(), extent=(-half, half, half, -half)
        )
        x, y = moved[g].tolist()
        axes[0, g].add_patch(
            Circle((x, y), field.size[0] / 2, fill=False, edgecolor=READ, linewidth=1.8)
        )
        axes[0, g].set_title(NAMES[g], fontsize=11)
        axes[1, g].imshow(patches[g])
        axes[2, g].imshow(
            blocks[g][channels][:, None], cmap="magma", vmin=0, vmax=limit, aspect="auto"
        )
        for ax in axes[:, g]:
            ax.set(xticks=[], yticks=[])
    for ax, what in zip(
        axes[:, 0],
        ("image and\nposition", "seen there", "block: the\nlayer's channels"),
        strict=True,
    ):
        ax.set_ylabel(what, fontsize=10)
    return figure


def crosscoder() -> Figure:
    """An orbit, its code and its reconstruction."""
    _, stack, fitted = small_dictionary()
    codes = fitted.transform(stack)
    rebuilt = fitted.inverse_transform(codes).reshape(stack.shape)
    # of the orbits of the photograph, one that is reconstructed as well as the middle one
    error = ((stack - rebuilt)[:120] ** 2).sum(axis=(1, 2)) / (
        (stack[:120] - stack.mean(axis=(0, 1))) ** 2
    ).sum(axis=(1, 2))
    sample = int(np.argsort(error)[60])
    channels = np.argsort(-stack[sample].std(axis=0))[:24]
    figure, (left, middle, right) = plt.subplots(
        1, 3, figsize=(5.8, 3.4), width_ratios=(1, 0.5, 1), layout="constrained"
    )
    limit = np.abs(stack[sample][:, channels]).max()
    pictures = ((left, stack, "the orbit: eight blocks"), (right, rebuilt, "reconstruction"))
    for ax, values, title in pictures:
        ax.imshow(values[sample][:, channels].T, cmap="magma", vmin=0, vmax=limit, aspect="auto")
        ax.set(xticks=range(SQUARE.order), xticklabels=NAMES, yticks=[])
        ax.tick_params(labelsize=8, length=0)
        ax.set_title(title, fontsize=11)
        for g in range(1, SQUARE.order):
            ax.axvline(g - 0.5, color="white", linewidth=3)
    left.set_ylabel("channels", fontsize=10)
    left.add_patch(
        Rectangle(
            (-0.5, -0.5), 0.96, len(channels), fill=False, edgecolor=READ, linewidth=3.5,
            clip_on=False,
        )
    )  # fmt: skip
    left.set_xlabel("encoder reads this one alone", fontsize=10, color=READ, loc="left")
    right.set_xlabel("decoder writes all of them", fontsize=10, color=WRITE)
    for side in right.spines.values():
        side.set(color=WRITE, linewidth=2.5)
    middle.barh(range(codes.shape[1]), codes[sample], height=1.4, color=INK)
    middle.set(yticks=[], xticks=[])
    middle.invert_yaxis()
    active = int((codes[sample] > 0).sum())
    middle.set_title("code", fontsize=11)
    middle.set_xlabel(f"{active} of {codes.shape[1]} features", fontsize=10)
    return figure


def scaling() -> Figure:
    """By what each number of an orbit is divided."""
    flat = make_orbits(
        500, group=SQUARE, n_channels=16, n_families=12, closed=False, observation="network",
        random_state=0,
    ).orbits.reshape(500, -1)  # fmt: skip
    standard = StandardScaler().fit(flat)
    by_column = np.ma.masked_where(standard.var_ == 0, standard.scale_).reshape(SQUARE.order, -1)
    by_channel = OrbitScaler(group=SQUARE, scaling="channel").fit(flat).scale_
    pictures = {
        "StandardScaler:\none factor a column": by_column,
        "OrbitScaler:\none factor a channel": np.tile(by_channel, (SQUARE.order, 1)),
    }
    figure, axes = plt.subplots(1, 2, figsize=(5.2, 3.2), layout="constrained", sharey=True)
    limits = {"vmin": by_column.min(), "vmax": by_column.max()}
    for ax, (title, factors) in zip(axes, pictures.items(), strict=True):
        ax.set_facecolor("0.8")
        image = ax.imshow(factors, aspect="auto", **limits)
        ax.set(yticks=range(SQUARE.order), yticklabels=NAMES, xticks=[], xlabel="channels")
        ax.set_title(title, fontsize=11)
        ax.tick_params(length=0)
    axes[0].set_ylabel("blocks", fontsize=10)
    figure.colorbar(image, ax=axes, label="divided by", shrink=0.9)
    return figure


def devices() -> Figure:
    """Who has which samples and which atoms."""
    figure, axes = plt.subplots(1, 2, figsize=(6.4, 2.9), layout="constrained")
    for ax, title in zip(axes, ('parallel="data"', 'parallel="atoms"'), strict=True):
        bare(ax)
        ax.set(xlim=(-0.6, 10.2), ylim=(-0.4, 7.2))
        ax.set_title(title, family="monospace", fontsize=11)
        divides_samples = title == 'parallel="data"'
        for process, color in enumerate((INK, READ)):
            y = 4.1 - 3.9 * process
            ax.text(-0.5, y + 2.75, f"process {process}", color=color, fontsize=10)
            for row in range(4):
                own = not divides_samples or row // 2 == process
                cell(ax, 0.0, y + 0.6 * (3 - row), 2.4, 0.48, color if own else None)
            for column in range(4):
                own = divides_samples or column // 2 == process
                cell(ax, 4.6 + 1.3 * column, y, 1.1, 2.3, color if own else None)
            arrow(ax, (2.6, y + 1.15), (4.4, y + 1.15), color)
        ax.text(1.2, -0.35, "samples", ha="center", va="top", fontsize=10)
        ax.text(7.1, -0.35, "atoms", ha="center", va="top", fontsize=10)
        sent = "gradients\nadded up" if divides_samples else "recon-\nstructions\nadded up"
        ax.text(3.5, 3.55, sent, ha="center", va="center", fontsize=9, color=WRITE)
    return figure


def cell(ax: Axes, x: float, y: float, width: float, height: float, color: str | None) -> None:
    """A sample or an atom: filled where a process has it."""
    ax.add_patch(
        Rectangle(
            (x, y), width, height, facecolor=color or "white", edgecolor=color or "#b8c4d0",
            linestyle="-" if color else ":", alpha=0.75,
        )
    )  # fmt: skip
