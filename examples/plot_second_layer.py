"""
A second layer
==============

After this page you can read two layers of a network at the same places, and say what becomes of the
features of the first in the second: which symmetries are there already, which come later, and which
feature of one answers where a feature of the other does. We learn:

- how an `OrbitDataset` reads several layers in one pass, and how to take them apart,
- how kinds and families of two layers compare, and why their counts alone say little,
- how features of different layers are matched: by their responses to the same inputs.
"""

# %%
# Two layers, the same places
# ---------------------------
# Several layers stand side by side as channels of one orbit. Positions are drawn where no reading
# of either layer sees the padding. A crosscoder of all channels at once would find features that
# live in both layers; here each layer gets its own.
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from sklearn.datasets import load_sample_images

from sklearn_groupcross import (
    Dihedral,
    GroupCrosscoder,
    OrbitDataset,
    SymmetryAnalyzer,
    load_network,
)
from sklearn_groupcross.analysis import KINDS

photographs = load_sample_images().images
network, group = load_network("bundled"), Dihedral(8)
side = 138
tiles = [
    image[top : top + side, left : left + side]
    for image in photographs
    for top in range(0, image.shape[0] - side + 1, side)
    for left in range(0, image.shape[1] - side + 1, side)
]
layers = ["relu2", "relu3"]
dataset = OrbitDataset(tiles, network=network, layer=layers, group=group, n_positions=120)
both = dataset.as_array()
image_ids = dataset.image_ids
orbits = {layer: np.ascontiguousarray(both[..., c]) for layer, c in dataset.layer_channels.items()}
for layer, field in zip(layers, dataset.fields, strict=True):
    print(f"{layer}: orbits {orbits[layer].shape}, a unit sees {field.size[0]} px")

# %%
# A dictionary of each
# --------------------
# The same settings for both, so that differences are those of the layers: as many features, as many
# of them active. A third of the tiles is held out; what follows is measured on these, and a quarter
# of a tile counts as an image.
is_held_out = image_ids % 3 == 2
quarter = (dataset.positions > 0) @ [2, 1]
held_out_ids = (4 * image_ids + quarter)[is_held_out]
crosscoders, analyses, codes = {}, {}, {}
for layer in layers:
    crosscoders[layer] = GroupCrosscoder(
        group,
        n_features=64,
        activation="topk",
        k=6,
        augment=True,
        compression=0.9,
        batch_size=128,
        max_epochs=25,
        random_state=0,
    ).fit(orbits[layer][~is_held_out])
    held_out = orbits[layer][is_held_out]
    analyses[layer] = SymmetryAnalyzer().fit(
        crosscoders[layer], orbits=held_out, image_ids=held_out_ids
    )
    codes[layer] = crosscoders[layer].transform(held_out)
    print(f"{layer}: explained on held-out tiles {crosscoders[layer].score(held_out):.2f}")

# %%
# Kinds and families
# ------------------
firing = {layer: np.flatnonzero((codes[layer] > 0).mean(axis=0) > 1e-3) for layer in layers}
print(
    pd.DataFrame(
        {layer: pd.Series(analyses[layer].kinds_[firing[layer]]).value_counts() for layer in layers}
    )
    .reindex([kind for kind in KINDS if kind != "dead"])
    .dropna(how="all")
    .fillna(0)
    .astype(int)
    .to_string()
)
for layer in layers:
    families = analyses[layer].families_table_
    print(f"\n{layer}: {len(families)} families, the largest:")
    print(families[["size", "kind", "symmetry", "coverage", "missing"]].head(4).to_string())


# %%
# Counts differ, and that proves little: with as many features, a layer with more to tell apart has
# fewer of them for each thing. What becomes of a *particular* feature is another question.
#
# Which feature is which
# ----------------------
# Atoms of different layers have different channels and cannot be compared. Codes can: both layers
# were read at the same places of the same images. Block g of an orbit, encoded by itself, is the
# code of g·x, so that every orbit gives codes of sixteen images; and a feature that turned into
# another pose on the way to the next layer is found by trying each h. Matching is one to one.
def codes_of_all(layer):
    """Codes of every transformed image, standardized, (n_samples, order, n_firing)."""
    blocks = orbits[layer][is_held_out]
    n, order, d = blocks.shape
    found = crosscoders[layer].encode(blocks.reshape(-1, d))[:, firing[layer]]
    return ((found - found.mean(axis=0)) / found.std(axis=0)).reshape(n, order, -1)


def match(first, second):
    """The largest correlation over all h for every pair, matched one to one."""
    best = np.full((first.shape[2], second.shape[2]), -1.0)
    for h in range(group.order):
        moved = first[:, group.cayley_table[h]]  # h·(g·x) in the place of g·x
        best = np.maximum(best, np.einsum("ngi,ngj->ij", moved, second) / moved[..., 0].size)
    rows, columns = linear_sum_assignment(-best)
    return rows, columns, best[rows, columns]


first, second = (codes_of_all(layer) for layer in layers)
rows, columns, correlation = match(first, second)
# the control: the same codes, those of the second layer read on other tiles
by_chance = match(first, np.roll(second, len(second) // 2, axis=0))[2]
limit = np.quantile(by_chance, 0.95)
is_match = correlation > limit
print(f"{len(correlation)} pairs; 95 % of those by chance stay below {limit:.2f}")
print(f"above it: {is_match.sum()}, of 0.7 and more: {(correlation >= 0.7).sum()}")

# %%
# Few features are carried on as they are, where the report would say *the same*, 0.7. Many more
# have a successor that fires where they fire more often than chance has it, and in other places
# too: the second of the two layers sees more than twice as far.
#
# Which symmetries survive
# ------------------------
# For the matched pairs, the kind of the one against the kind of the other.
matched = {
    layer: firing[layer][index[is_match]]
    for layer, index in zip(layers, (rows, columns), strict=True)
}
kinds = {layer: pd.Series(analyses[layer].kinds_[matched[layer]], name=layer) for layer in layers}
print(pd.crosstab(*kinds.values()).to_string())

# %%
# Words have thresholds; the self-profile at half a turn has none. Left, all pairs and those by
# chance. Right, a dot for each pair that is above chance: on the diagonal, half a turn means to the
# later feature what it means to the earlier one.
half_turn = [analyses[layer].profiles_[matched[layer], group.rotation_by(180)] for layer in layers]
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
left.plot(np.sort(correlation)[::-1], color="#0072B2", label="the same places")
left.plot(np.sort(by_chance)[::-1], color="0.6", label="other tiles")
left.set(xlabel="pair", ylabel="correlation of codes")
left.legend()
right.plot([-0.5, 1], [-0.5, 1], color="0.8")
dots = right.scatter(*half_turn, c=correlation[is_match], cmap="viridis", s=25)
right.set(xlabel=f"self-profile at 180°, {layers[0]}", ylabel=f"at 180°, {layers[1]}")
figure.colorbar(dots, label="correlation of codes")
print(f"correlation of the two over pairs: {np.corrcoef(half_turn)[0, 1]:.2f}")

# %%
# Pairs, seen
# -----------
# The pairs that correlate most are of features that fire on much of everything. Of pairs whose
# features both fire on less than a tenth of the places, we draw the four best: the transformed
# images that excite the earlier feature most, and those that excite the later one, at most one from
# each tile. The later feature may stand in another pose, since features are matched up to the
# group. All patches have the size of the later layer's field; the earlier feature sees the middle
# of them, within the frame.
frequency = np.stack(
    [
        (codes[layer] > 0).mean(axis=0)[firing[layer][index]]
        for layer, index in zip(layers, (rows, columns), strict=True)
    ]
)
best = np.argsort(-correlation)
print("frequencies of the four best pairs:", *frequency[:, best[:4]].T.round(2).tolist())
rare = best[(frequency[:, best] < 0.1).all(axis=0)][:4]
held_out_rows = np.flatnonzero(is_held_out)
sizes = {layer: field.size[0] for layer, field in zip(layers, dataset.fields, strict=True)}
figure, axes = plt.subplots(4, 8, figsize=(10, 5.4), layout="constrained")
for axes_of_pair, pair in zip(axes, rare, strict=True):
    for part, layer, index in ((0, layers[0], rows[pair]), (4, layers[1], columns[pair])):
        strength = (first, second)[layers.index(layer)][..., index]  # (n_samples, order)
        by_strength = np.argsort(-strength.max(axis=1))
        _, places = np.unique(image_ids[held_out_rows[by_strength]], return_index=True)
        for ax, i in zip(axes_of_pair[part:], by_strength[np.sort(places)][:4], strict=False):
            elements = [strength[i].argmax()]
            ax.imshow(dataset.patches([held_out_rows[i]], sizes[layers[1]], elements)[0, 0])
            ax.set(xticks=[], yticks=[])
            if part == 0:
                corner = (sizes[layers[1]] - sizes[layer]) / 2 - 0.5
                ax.add_patch(
                    plt.Rectangle(
                        (corner, corner), sizes[layer], sizes[layer], fill=False, edgecolor="white"
                    )
                )
        axes_of_pair[part].set_ylabel(f"{layer}: {firing[layer][index]}", fontsize=9)
    axes_of_pair[4].set_xlabel(f"correlation {correlation[pair]:.2f}", fontsize=9)
plt.show()

# %%
# To look at both dictionaries side by side, feature by feature, give the second to the report as
# ``other=`` with ``matched_by="responses"``, which matches in the way of this page
# (:doc:`../guide/report`). Dictionaries of *one* layer are compared by their atoms:
# :doc:`../guide/comparing`.
