"""
Your own network, your own action
=================================

After this page you can ask what any torch module does under any group: with a class of a few
methods, a transformation of yours joins the turns of the package. (With turns and mirrors alone
one command is enough: ``groupcross run FOLDER --network FILE.py:FUNCTION --weights FILE``, where
the function returns the `Network` below.) Here a small network that finds edges in grey pictures
is asked about turns, mirrors and *negatives*, dark for bright. We learn:

- how to wrap a module of one's own, and name its layer,
- how to write an action, and have its laws checked,
- what the features do, in the words of that action, and which of it responses confirm.
"""

# %%
# A network of one's own
# ----------------------
# Nothing in it knows this package. It is trained for some seconds on noisy patches of
# scikit-learn's two photographs, to say how strong the edge is at every pixel. An edge is as strong
# whichever way it runs, and dark to bright or bright to dark: the *answer* is the same under turns
# and negatives. What of this is in the features of the first layer?
import math

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_sample_images
from torch import nn

from sklearn_groupcross import (
    Cyclic,
    Dihedral,
    GroupCrosscoder,
    Network,
    OrbitDataset,
    SymmetryAnalyzer,
    Trivial,
)
from sklearn_groupcross.actions import ImageAction, center_crop, check_action

torch.manual_seed(0)
rng = np.random.default_rng(0)
photographs = [image.mean(axis=2) / 255 for image in load_sample_images().images]


class EdgeFinder(nn.Module):
    """Says of noisy grey pictures (n, 1, height, width) how strong the edge is at every pixel."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(1, 24, 5, padding=2), nn.ReLU(), nn.Conv2d(24, 24, 5, padding=2), nn.ReLU()
        )
        self.out = nn.Conv2d(24, 1, 1)

    def forward(self, images):
        # relative to the surroundings: how bright it is all around says nothing of edges
        surroundings = nn.functional.avg_pool2d(images, 9, 1, 4, count_include_pad=False)
        return self.out(self.trunk(images - surroundings))


def draw_patches(n, side):
    """Patches from random places of the photographs, (n, 1, side, side)."""
    patches = []
    for _ in range(n):
        image = photographs[rng.integers(len(photographs))]
        top, left = (rng.integers(length - side) for length in image.shape)
        patches.append(image[top : top + side, left : left + side])
    return torch.tensor(np.stack(patches), dtype=torch.float32)[:, None]


def edge_strength(images):
    """Length of the gradient, over two pixels, without the borders."""
    across = images[..., 1:-1, 2:] - images[..., 1:-1, :-2]
    down = images[..., 2:, 1:-1] - images[..., :-2, 1:-1]
    return 5 * torch.hypot(across, down)


edge_finder = EdgeFinder()
optimizer = torch.optim.Adam(edge_finder.parameters(), lr=3e-3)
for step in range(401):
    clean = draw_patches(16, 24)
    answer = edge_finder(clean + 0.1 * torch.randn(clean.shape))[..., 1:-1, 1:-1]
    target = edge_strength(clean)
    loss = ((answer - target) ** 2).mean()
    if step % 100 == 0:
        print(f"step {step}: unexplained {loss.item() / target.var().item():.2f}")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

# %%
# `Network` says what a bare module cannot: how many channels images have, how large they are, and
# where to read. Layers have the names of ``named_modules()``.
network = Network(
    edge_finder, n_channels=1, input_size=48, default_layer="trunk.1", name="edge finder"
)
print(network, network.layer_names)


# %%
# An action of one's own
# ----------------------
# A negative exchanges dark and bright; twice, it is undone: the group of two elements. What moves
# no position needs little: the class below is all of it. `FiniteGroup.named` gives the elements the
# words in which everything will be told.
class NegativeAction:
    """Grey or colour images in [0, 1], and their negatives."""

    group = Cyclic(2).named(["identity", "negative"])
    upright = ImageAction(Trivial())  # cuts patches, and turns nothing

    def both(self, images):
        return torch.stack([images, 1 - images], dim=1)

    def transform(self, images, size=None):
        return self.both(images if size is None else center_crop(images, size))

    def transform_positions(self, positions):  # (..., 2) becomes (..., order, 2): none moves
        return positions[..., None, :].expand(*positions.shape[:-1], 2, 2)

    def transform_about(self, images, positions, size, elements=None, *, at=(0.0, 0.0)):
        patches = self.upright.transform_about(images, positions, size, at=at)[:, 0]
        return self.both(patches)[:, [0, 1] if elements is None else list(elements)]

    def source_size(self, size):  # turns need a margin; negatives do not
        return size

    def visible_radius(self, size):  # nothing is masked
        return math.inf


check_action(NegativeAction(), torch.rand(2, 1, 8, 8))

# %%
# `check_action` is silent: the laws hold. A slip is named. This one makes pictures darker on the
# way, so that a second negative does not undo the first:


class Darker(NegativeAction):
    def both(self, images):
        return torch.stack([images, 0.8 - 0.9 * images], dim=1)


try:
    check_action(Darker(), torch.rand(2, 1, 8, 8))
except ValueError as error:
    print(error)

# %%
# The product with the symmetries of the square is an action again: 16 elements, each a turn or
# mirror, with or without the negative.
action = ImageAction(Dihedral(4)) * NegativeAction()
group = action.group
example = torch.tensor(photographs[0][160:240, 270:350], dtype=torch.float32)[None, None]
views = action.transform(example, size=80)[0, :, 0].numpy()
figure, axes = plt.subplots(2, 8, figsize=(10, 3.1), layout="constrained")
for element, (ax, view) in enumerate(zip(axes.T.flat, views, strict=True)):
    ax.imshow(view, cmap="gray", vmin=0, vmax=1)
    ax.set_title(group.describe_element(element).replace(" and ", "\nand "), fontsize=8)
    ax.axis("off")

# %%
# Orbits and features
# -------------------
# From here on nothing is special. Only one thing is to be thought about: photographs turned are
# photographs still, their negatives are not. ``augment=True`` would say that they are, and is left
# out.
side = OrbitDataset(photographs, network=network, action=action).source_size
tiles = [
    image[top : top + side, left : left + side].astype(np.float32)[..., None]
    for image in photographs
    for top in range(0, image.shape[0] - side + 1, side)
    for left in range(0, image.shape[1] - side + 1, side)
]
dataset = OrbitDataset(tiles, network=network, action=action, n_positions=30)
orbits = dataset.as_array()
image_ids = dataset.image_ids
is_held_out = image_ids % 3 == 2
print(f"{len(tiles)} tiles of {side} px, orbits {orbits.shape}")
crosscoder = GroupCrosscoder(
    group, n_features=32, activation="topk", k=5, batch_size=128, max_epochs=25, random_state=0
).fit(orbits[~is_held_out])
held_out = orbits[is_held_out]
print(f"share of the variance explained, other tiles: {crosscoder.score(held_out):.2f}")

# %%
# In the words of the action
# --------------------------
# What each atom has, and what the responses to other tiles say of it. One expects mirrors of edges,
# which are what they were when their two ends change places, and half a turn of lines.
# *C1: none* is the rest.
analysis = SymmetryAnalyzer().fit(crosscoder, orbits=held_out, image_ids=image_ids[is_held_out])
codes = crosscoder.transform(held_out)
frequency = (codes > 0).mean(axis=0)
table = analysis.features_table_.assign(frequency=frequency)[frequency > 0.01]
said = table["responses"].str.split(":").str[0]
print(table.groupby(["atom_symmetry", said]).size().to_string())

# %%
# A name is given at a threshold of 0.8. Below it there is more to see: the self-profiles of all
# features that fire, a dot each, and their median. The negative leads every feature away from
# itself: where it fires on dark to bright, bright to dark is another's. Half a turn does the same
# to an edge, and not to a line; both together bring some of the edges back. How many is a finding
# about this network: geometry allows it, and training has done it in part.
shown = ["negative", "turn 180°", "turn 180° and negative", "turn 90°", "mirrored"]
element = {group.describe_element(g): g for g in range(group.order)}
profiles = analysis.profiles_[table.index][:, [element[word] for word in shown]]
figure, ax = plt.subplots(figsize=(7.5, 3.4), layout="constrained")
ax.axhline(0, color="0.8")
ax.axhline(analysis.threshold, color="0.6", linestyle=":")
jitter = rng.uniform(-0.12, 0.12, profiles.shape)
ax.plot(np.arange(len(shown)) + jitter, profiles, "o", color="#0072B2", alpha=0.5, ms=5)
ax.plot(np.median(profiles, axis=0), "_", color="#D55E00", ms=40, mew=3)
ax.set_xticks(range(len(shown)), shown)
ax.set_ylabel("self-profile")

# %%
# Patches, transformed
# --------------------
# For each symmetry that is stated, its most frequent feature, with the patch that excites it most.
# Under it stands the mean response to the ten strongest inputs, transformed likewise and relative
# to the first column. No new pass through the network is needed: block h of the orbit of x is the
# identity block of the orbit of h·x. Elements of the stabilizer are marked: there responses should
# stay. They need not vanish elsewhere, for a symmetry is stated only where all of it stands above a
# threshold.
stated = table[table["symmetry"] != "C1: none"]
chosen = stated.sort_values("frequency", ascending=False).groupby("symmetry").head(1).index[:5]
words = ["identity", *shown, "turn 90°, mirrored", "turn 180°, mirrored", "turn 270°, mirrored"]
columns = [element[word] for word in words]
figure, axes = plt.subplots(
    len(chosen), len(columns), figsize=(10, 1.45 * len(chosen) + 0.4), layout="constrained"
)
for axes_of_feature, feature in zip(axes, chosen, strict=True):
    strongest = np.argsort(-codes[:, feature])[:10]
    sample = np.flatnonzero(is_held_out)[strongest[0]]
    patches = dataset.patches([sample], size=15, elements=columns)[0]
    moved = held_out[strongest][:, columns].reshape(-1, held_out.shape[2])
    responses = crosscoder.encode(moved)[:, feature].reshape(10, -1).mean(axis=0)
    for ax, patch, response, g in zip(axes_of_feature, patches, responses, columns, strict=True):
        ax.imshow(patch, cmap="gray", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
        is_inside = g in analysis.stabilizers_[feature].subgroup
        ax.set_xlabel(f"{response / responses[0]:.2f}", color="#D55E00" if is_inside else "black")
        ax.spines[:].set(color="#D55E00" if is_inside else "0.7", linewidth=2 if is_inside else 1)
    axes_of_feature[0].set_ylabel(f"feature {feature}", fontsize=9)
for ax, word in zip(axes[0], words, strict=True):
    ax.set_title(word.replace(" and ", "\nand ").replace(", ", ",\n"), fontsize=9)

# %%
# Families and their gaps are told in these words as well:
columns = ["size", "symmetry", "poses", "coverage", "missing"]
print(analysis.families_table_[columns].head(4).to_string(max_colwidth=60))
plt.show()

# %%
# Inputs that are no images need less: `stack_orbits` takes any function and an action with a group
# and a ``transform`` (:ref:`sphx_glr_gallery_plot_point_cloud.py`). From the command line, a
# network of one's own is ``--network mynet.py:build`` (:ref:`own-code`). :doc:`../guide/actions`
# has more on actions, :doc:`../guide/networks` on modules that are harder to read than this one.
