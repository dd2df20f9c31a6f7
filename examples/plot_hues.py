"""
A group that is not dihedral: hues
==================================

After this page you can ask of a network which of its features care for colour, and read a family
whose members differ by nothing but a hue. The group turns no picture here: it turns the colours, in
six steps, once round the colour circle. We learn:

- how an action other than `ImageAction` goes into an `OrbitDataset`,
- in which layer of the bundled network colours still count,
- which features there do not care for colour, and which need the full circle of hues,
- how turns and hues are asked about at once, by the product of both groups.
"""

# %%
# Hue turns
# ---------
# `HueAction` turns colours about the greys: grey stays grey, and a third of a turn makes green of
# red. Positions stay where they are.
import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_sample_images

from sklearn_groupcross import (
    Cyclic,
    GroupCrosscoder,
    OrbitDataset,
    SymmetryAnalyzer,
    load_network,
)
from sklearn_groupcross.actions import HueAction, ImageAction
from sklearn_groupcross.plotting import SelfProfileDisplay

photographs = load_sample_images().images
hues = HueAction(6)
group = hues.group
flower = torch.from_numpy(photographs[1].copy()).permute(2, 0, 1)[None] / 255
views = hues.transform(flower)[0].clip(0, 1).permute(0, 2, 3, 1).numpy()
figure, axes = plt.subplots(1, 6, figsize=(10, 1.5), layout="constrained")
for element, (ax, view) in enumerate(zip(axes, views, strict=True)):
    ax.imshow(view)
    ax.set_title(group.describe_element(element), fontsize=9)
    ax.axis("off")

# %%
# Where colours count
# -------------------
# The bundled network was trained on drawings in random colours, whose *shapes* it had to name. So
# it had every reason to forget colours. We ask how far it got: orbits of several layers, read in
# one pass at the same positions, and of each the share of the variance that lies between the hues
# of one and the same input.
network = load_network("bundled")
side = 138
tiles = [
    image[top : top + side, left : left + side]
    for image in photographs
    for top in range(0, image.shape[0] - side + 1, side)
    for left in range(0, image.shape[1] - side + 1, side)
]
layers = ["relu1", "relu2", "relu3"]
several = OrbitDataset(tiles, network=network, layer=layers, action=hues, n_positions=60)
orbits = several.as_array()
for layer, channels in several.layer_channels.items():
    blocks = orbits[..., channels]
    share = blocks.var(axis=1).mean() / blocks.reshape(-1, blocks.shape[-1]).var(axis=0).mean()
    print(f"{layer}: {share:.1%} of the variance is between hues")

# %%
# Already the second layer has little left of colours, and a dictionary of it would name nearly
# everything indifferent to hue, and rightly. We go on with the first, whose channels see 5 px.
#
# Features
# --------
# Photographs are not spread evenly over the colour circle: there is more sky and leaf than magenta.
# ``augment=True`` would say that every hue is as likely as any other; it is left out. Half of the
# tiles are kept from training, for the analyzer to look at. There are few, so that each of their
# quarters counts as an image of its own.
dataset = OrbitDataset(tiles, network=network, layer="relu1", action=hues, n_positions=200)
orbits, image_ids = dataset.as_array(), dataset.image_ids
is_held_out = image_ids % 2 == 1
held_out = orbits[is_held_out]
quarter = (dataset.positions > 0) @ [2, 1]
held_out_ids = (4 * image_ids + quarter)[is_held_out]
settings = {"activation": "topk", "k": 4, "batch_size": 128, "max_epochs": 30, "random_state": 0}
crosscoder = GroupCrosscoder(group, n_features=32, **settings).fit(orbits[~is_held_out])
print(f"share of the variance explained, other tiles: {crosscoder.score(held_out):.2f}")
analysis = SymmetryAnalyzer().fit(crosscoder, orbits=held_out, image_ids=held_out_ids)
codes = crosscoder.transform(held_out)
firing = np.flatnonzero((codes > 0).mean(axis=0) > 0.01)
table = analysis.features_table_.loc[firing]
said = table["responses"].str.split(":").str[0]
print(table.groupby(["atom_symmetry", said]).size().to_string())

# %%
# *C6: everything* is a feature that no hue turn changes: it does not care for colour. *C1: none* is
# one that every hue turn changes. The second column says whether responses on the held-out tiles
# agree. For *everything* that is a strict question: a feature must answer to a place in all hues
# alike, and differently to other places of the tile. *lack* is one that does not, *unknown*
# one that fires in too few places to tell.
#
# From none to all of the circle
# ------------------------------
# The self-profile of a feature says how alike it is to itself after each hue turn. In order of the
# smallest value, there is every shade between two ends: features whose profile stays at 1, and
# features that are the *opposite* of themselves at the complementary colour, below 0.
order = firing[np.argsort(analysis.profiles_[firing].min(axis=1))]
figure, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
picture = ax.imshow(analysis.profiles_[order].T, aspect="auto", cmap="RdBu_r", vmin=-1, vmax=1)
ax.set_yticks(range(group.order), [group.describe_element(g) for g in range(group.order)])
ax.set_xticks(range(len(order)), order, fontsize=7)
ax.set_xlabel("feature")
figure.colorbar(picture, label="self-profile")

# %%
# Patches under hue turns
# -----------------------
# The two ends, and two from between: the strongest patch of each, recoloured. Under it stands the
# mean response to the twenty strongest inputs of the feature, recoloured likewise and relative to
# the first. No new pass through the network is needed: block h of the orbit of x is the identity
# block of the orbit of h·x. A unit of this layer sees the middle 5 px of the 25 that are drawn.
chosen = [order[0], order[2], order[len(order) // 4], order[-1]]
rows = np.flatnonzero(is_held_out)
figure, axes = plt.subplots(len(chosen), 6, figsize=(7.5, 6.4), layout="constrained")
for axes_of_feature, feature in zip(axes, chosen, strict=True):
    strongest = np.argsort(-codes[:, feature])[:20]
    patches = dataset.patches([rows[strongest[0]]], size=25, elements=range(6))[0].clip(0, 1)
    recolored = held_out[strongest].reshape(20 * group.order, -1)
    responses = crosscoder.encode(recolored)[:, feature].reshape(20, -1).mean(axis=0)
    for ax, patch, response in zip(axes_of_feature, patches, responses, strict=True):
        ax.imshow(patch)
        ax.set_xlabel(f"{response / responses[0]:.2f}", fontsize=9)
        ax.set(xticks=[], yticks=[])
    axes_of_feature[0].set_ylabel(f"feature {feature}", fontsize=9)
for element, ax in enumerate(axes[0]):
    ax.set_title(group.describe_element(element), fontsize=9)

# %%
# What the atoms say of the same features. The bars are in the words of the action: nothing is
# called a line or a grid here. Where atom and responses differ, believe the responses: they are a
# test on every hue, while an atom knows the hues that the photographs happen to have where its
# feature fires.
SelfProfileDisplay.from_estimator(analysis, chosen).plot()

# %%
# Turns and hues at once
# ----------------------
# The product of two actions acts on pairs: four quarter turns times six hues, 24 elements. Now a
# feature has a symmetry in space and one in colour, and the stabilizer says both.
both = ImageAction(Cyclic(4)) * hues
dataset = OrbitDataset(tiles, network=network, layer="relu1", action=both, n_positions=60)
orbits, image_ids = dataset.as_array(), dataset.image_ids
print(f"orbits {orbits.shape}, such as element 7: {both.group.describe_element(7)}")
crosscoder = GroupCrosscoder(both.group, n_features=32, **settings).fit(orbits)
analysis = SymmetryAnalyzer().fit(crosscoder)
is_firing = (crosscoder.transform(orbits) > 0).mean(axis=0) > 0.01
print(analysis.features_table_.loc[is_firing, "symmetry"].value_counts().to_string())
plt.show()

# %%
# Most features have their symmetry in the second factor alone, *C6: hue turn 60°*: any hue will do,
# and no turn. Of fields of 5 px one cannot expect much more.
#
# On the command line, ``--hues 6`` multiplies turns by hues (:ref:`options_reading`).
# :doc:`../guide/actions` has other actions, and :ref:`sphx_glr_gallery_plot_own_network.py` one
# that is written by hand.
