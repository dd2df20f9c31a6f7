"""
Lines and curves of a small network
===================================

The network that comes with the package was trained on drawn shapes: lines, curves, rings and
others. Here we read orbits of its activations over two photographs, fit a group crosscoder, and
learn:

- how an `OrbitDataset` turns images into training samples,
- what the kinds of features mean, seen on the patches that excite them,
- how a feature's response to a turned patch compares with its self-profile.

``groupcross demo`` does the same at a larger size, and writes a report.
"""

# %%
# Orbits over tiles of two photographs
# ------------------------------------
# The network reads 96 px. A dataset scales every image to somewhat more than a turn needs, so whole
# photographs would give few samples; tiles of that very size keep their pixels as they are.
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_sample_images

from sklearn_groupcross import (
    Dihedral,
    GroupCrosscoder,
    OrbitDataset,
    SymmetryAnalyzer,
    load_network,
)
from sklearn_groupcross.plotting import FeatureMapDisplay, SelfProfileDisplay

images = load_sample_images().images
network = load_network("bundled")
group = Dihedral(16)
side = OrbitDataset(images, network=network, group=group).source_size
tiles = [
    image[top : top + side, left : left + side]
    for image in images
    for top in range(0, image.shape[0] - side + 1, side)
    for left in range(0, image.shape[1] - side + 1, side)
]
dataset = OrbitDataset(tiles, network=network, group=group, n_positions=200)
orbits = dataset.as_array()
print(f"{len(tiles)} tiles of {side} px, layer {dataset.layer}")
print(f"orbits {orbits.shape}: (n_samples, order, n_channels)")
field = dataset.field
print(f"a unit sees {field.size[0]} px, its neighbour is {field.stride[0]:g} px away")

# %%
# Fit and analyse
# ---------------
# Photographs turned are photographs still, so ``augment=True`` is right here: each batch is
# replaced by the orbits of its transformed samples, which costs a permutation of the blocks.
crosscoder = GroupCrosscoder(
    group=group,
    n_features=192,
    activation="topk",
    k=8,
    augment=True,
    batch_size=256,
    max_epochs=20,
    random_state=0,
).fit(orbits)
codes = crosscoder.transform(orbits)
frequency = pd.Series((codes > 0).mean(axis=0))
firing = np.flatnonzero(frequency > 1e-3)
# with the orbits a name is stated only where the feature's responses carry it
analysis = SymmetryAnalyzer(refit=False).fit(crosscoder, orbits=orbits, image_ids=dataset.image_ids)
print(f"share of the training variance explained: {crosscoder.score(orbits):.2f}")
print(f"{len(firing)} of {len(frequency)} features fire on over 0.1 % of the orbits")
print(analysis.features_table_.loc[firing, "kind"].value_counts().to_string())

# %%
# The clearest feature of each kind that has one
# ----------------------------------------------
# Of the features that fire on one orbit in a hundred, and by their profiles: a line or a round
# feature is clear if its responses carry its symmetry and differ most outside of it, a directed
# one if it has least in common with itself turned by 180°. Which kinds there are is a finding, not
# a given.
table = analysis.features_table_.loc[frequency > 0.01]
clarity = (table["response_inside"] - table["response_outside"]).where(
    table["responses"] == "carry it"
)
half_turn = pd.Series(analysis.profiles_[table.index, group.rotation_by(180)], table.index)
clarity = clarity.where(table["kind"] != "directed", -half_turn).dropna()
chosen = {
    kind: int(clarity[table["kind"] == kind].idxmax())
    for kind in ("line", "directed", "round")
    if (table.loc[clarity.index, "kind"] == kind).any()
}
columns = ["kind", "symmetry", "response_inside", "response_outside", "family"]
print(analysis.features_table_.loc[list(chosen.values()), columns].to_string())

# %%
# The patches that excite each one most, at most one from each tile.
figure, axes = plt.subplots(
    len(chosen), 8, figsize=(9.6, 1.45 * len(chosen)), layout="constrained", squeeze=False
)
strongest = {}
for row, feature in zip(axes, chosen.values(), strict=True):
    by_code = np.argsort(-codes[:, feature], kind="stable")
    _, first = np.unique(dataset.image_ids[by_code], return_index=True)
    strongest[feature] = by_code[np.sort(first)][:8]
    for ax, patch in zip(row, dataset.patches(strongest[feature])[:, 0], strict=True):
        ax.imshow(patch)
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(f"{feature}\n{analysis.kinds_[feature]}", fontsize=9)

# %%
# Under a turn
# ------------
# Now the strongest patch of each feature, turned. Below it stands the feature's mean response to
# those eight patches when all of them are turned so, relative to the upright ones. No new pass
# through the network is needed: block h of the orbit of x is the identity block of the orbit of
# h·x. We expect a line to answer again after half a turn, a curve or an edge after the whole turn
# only, a round feature at any turn. Only the eight strongest codes of a sample are kept: responses
# fall to zero sooner than the cosine of the atoms below does.
elements = [group.rotation_by(angle) for angle in (0, 22.5, 45, 90, 135, 180, 225, 270)]
figure, axes = plt.subplots(
    len(chosen), 8, figsize=(9.6, 1.75 * len(chosen)), layout="constrained", squeeze=False
)
for row, feature in zip(axes, chosen.values(), strict=True):
    samples = strongest[feature]
    turned = dataset.patches(samples[:1], elements=elements)[0]
    for ax, element, patch in zip(row, elements, turned, strict=True):
        answers = crosscoder.encode(orbits[samples, element])[:, feature]
        ax.imshow(patch)
        ax.set(xticks=[], yticks=[])
        ax.set_title(f"{group.degrees(element):g}°", fontsize=9)
        ax.set_xlabel(f"{answers.mean() / codes[samples, feature].mean():.2f}", fontsize=9)
    row[0].set_ylabel(f"{feature}\n{analysis.kinds_[feature]}", fontsize=9)

# %%
# Self-profiles
# -------------
# What the dictionary alone says, over all that the feature fires on: the cosine of the atom with
# its own translates.
SelfProfileDisplay.from_estimator(analysis, list(chosen.values())).plot()

# %%
# A map of all features that fire
# -------------------------------
# UMAP of the symmetric distances: neighbours are one another's transforms. The axes mean nothing.
FeatureMapDisplay.from_estimator(analysis, firing).plot()
plt.show()
