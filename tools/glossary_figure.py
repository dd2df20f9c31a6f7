"""Draw the picture of the glossary, docs/_static/glossary.svg, from a small dictionary.

    python tools/glossary_figure.py docs/_static/glossary.svg

Edges, corners and arcs are drawn under the octagon's group and read by the bundled network; a
crosscoder over the square's group learns from them. Everything in the picture is a number of it.
"""

from __future__ import annotations

import sys

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from numpy.typing import NDArray

from sklearn_groupcross import Dihedral, GroupCrosscoder, SymmetryAnalyzer, load_network
from sklearn_groupcross.analysis import Family
from sklearn_groupcross.orbits import Arc, Corner, Edge, draw_probe, probe_orbits

GROUP, FINE = Dihedral(4), Dihedral(8)
SHAPES = (Edge(), Corner(90), Arc(8.0, 3.0))
N_CHANNELS_SHOWN, N_MEMBERS_SHOWN = 24, 3
READ = "#d1495b"  # what the encoder reads
INK = "#30506e"


def orbits_of_shapes() -> NDArray[np.float32]:
    """Orbits under the square's group of every shape at every pose of the octagon's."""
    fine = probe_orbits(SHAPES, load_network("bundled"), FINE, n_positions=24)
    step = FINE.n_turns // GROUP.n_turns
    elements = [*range(0, FINE.n_turns, step), *range(FINE.n_turns, 2 * FINE.n_turns, step)]
    blocks = FINE.cayley_table[elements]  # of h·x: the blocks g h
    return fine[:, :, blocks.T]  # (shape, position, h, g, channel)


def strip(ax: Axes, block: NDArray[np.floating], limit: float, *, read: bool = False) -> None:
    """One block: channels from top to bottom."""
    ax.imshow(block[:, None], cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto")
    ax.set(xticks=[], yticks=[])
    for side in ax.spines.values():
        side.set(color=READ if read else "0.6", linewidth=2.2 if read else 0.7)


def draw_orbit(
    figure: SubFigure, crosscoder: GroupCrosscoder, orbit: NDArray, channels: NDArray
) -> None:
    """An input's orbit, its blocks and its code."""
    names = [GROUP.element_name(g) for g in range(GROUP.order)]
    pictures = draw_probe(SHAPES[1], GROUP, 48, at=(4.0, -3.0))[:, 0].numpy()
    axes = figure.subplots(
        2, GROUP.order + 1, height_ratios=(1, 2.1), width_ratios=(*[1] * GROUP.order, 2.4)
    )
    limit = np.abs(orbit).max()
    for g, name in enumerate(names):
        axes[0, g].imshow(pictures[g], cmap="gray", vmin=0, vmax=1)
        axes[0, g].set_title(name, fontsize=7.5)
        axes[0, g].set(xticks=[], yticks=[])
        strip(axes[1, g], orbit[g][channels], limit, read=g == 0)
    axes[1, 0].set_xlabel("read", color=READ, fontsize=8)
    axes[1, 0].set_ylabel("channels", fontsize=8)
    code = crosscoder.transform(orbit[None])[0]
    axes[0, -1].axis("off")
    axes[1, -1].barh(range(len(code)), code, color=INK)
    axes[1, -1].set(yticks=[], xlabel="code", ylabel="feature")
    axes[1, -1].invert_yaxis()


def draw_atoms(
    figure: SubFigure,
    analysis: SymmetryAnalyzer,
    atoms: NDArray,
    family: Family,
    channels: NDArray,
) -> None:
    """Members of a family at their poses, and the transform block of the medoid."""
    poses = dict(zip(family.members, family.poses, strict=True))
    similarity = dict(zip(family.members, family.similarities, strict=True))
    # one member a pose, the medoid first
    best = {poses[member]: member for member in sorted(poses, key=similarity.__getitem__)}
    members = sorted(best.values(), key=lambda member: -similarity[member])[:N_MEMBERS_SHOWN]
    axes = figure.subplots(
        len(members), GROUP.order + 1, squeeze=False, width_ratios=(*[1] * GROUP.order, 2.4)
    )
    limit = np.abs(atoms[members][:, :, channels]).max()
    for row, member in enumerate(members):
        for g in range(GROUP.order):
            strip(axes[row, g], atoms[member, g][channels], limit)
            source = GROUP.element_name(GROUP.multiply(g, poses[member]))
            axes[row, g].set_xlabel(f"block {source}" if row == 0 else f"≈ {source}", fontsize=7.5)
        pose = GROUP.element_name(poses[member])
        what = "medoid" if member == family.medoid else f"pose: {pose}"
        axes[row, 0].set_ylabel(f"feature {member}\n{what}", fontsize=7.5)
        axes[row, -1].axis("off")
    axes[0, -1].axis("on")
    axes[0, -1].imshow(analysis.transform_blocks(family.medoid), cmap="RdBu_r", vmin=-1, vmax=1)
    stabilizer = analysis.stabilizers_[family.medoid].name
    axes[0, -1].set(xticks=[], yticks=[])
    axes[0, -1].set_title(f"stabilizer\n{stabilizer}", fontsize=8)


def draw() -> Figure:
    """Learn, analyse and draw."""
    by_pose = orbits_of_shapes()
    orbits = by_pose.reshape(-1, *by_pose.shape[-2:])
    crosscoder = GroupCrosscoder(
        GROUP, n_features=24, activation="topk", k=2, max_epochs=80, augment=True, random_state=0
    ).fit(orbits)
    analysis = SymmetryAnalyzer().fit(crosscoder)
    atoms = crosscoder.components_.reshape(-1, GROUP.order, orbits.shape[-1])
    family = max(
        analysis.families_, key=lambda family: sum(sorted(family.similarities)[-N_MEMBERS_SHOWN:])
    )
    channels = np.argsort(-np.abs(atoms[family.medoid]).sum(0))[:N_CHANNELS_SHOWN]
    figure = plt.figure(figsize=(9, 6.6), layout="constrained")
    above, below = np.asarray(figure.subfigures(2, 1, height_ratios=(1, 1.05)))
    above.suptitle("An image under the elements of a group, its orbit: one block an element")
    draw_orbit(above, crosscoder, by_pose[1, 0, 0], channels)
    below.suptitle("A family: atoms that are one another with blocks rearranged")
    draw_atoms(below, analysis, atoms, family, channels)
    return figure


def main(path: str) -> None:
    """Write the picture."""
    plt.rcParams["svg.hashsalt"] = "glossary"
    draw().savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
