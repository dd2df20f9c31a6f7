"""
The same data with a plain sparse autoencoder
=============================================

After this example you can set a group crosscoder beside the sparse autoencoder that you would have
trained otherwise, and say what each can tell about symmetry. Both read the same activations of the
bundled network over the two photographs that come with scikit-learn. We learn:

- that without a group `GroupCrosscoder` *is* a sparse autoencoder, whose atoms have one block,
- how `lift_dictionary` gives such atoms the blocks that they lack,
- which features both dictionaries have, and whether they then have the same symmetry,
- how to compare their families fairly, and when there is nothing to conclude.
"""

# %%
# The same activations for both
# -----------------------------
# The photographs are enlarged and cut into tiles, which stand in for images: every second tile is
# held out.
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

from sklearn_groupcross import (
    Dihedral,
    GroupCrosscoder,
    OrbitDataset,
    SymmetryAnalyzer,
    load_network,
)
from sklearn_groupcross.analysis import compare_separation, lift_dictionary, match_dictionaries
from sklearn_groupcross.plotting import SelfProfileDisplay

group = Dihedral(8)
network = load_network("bundled")
photographs = [
    np.asarray(Image.fromarray(photograph).resize((1280, 854), Image.Resampling.BICUBIC))
    for photograph in load_sample_images().images
]
side = OrbitDataset(photographs, network=network, group=group).source_size
tiles = [
    photograph[top : top + side, left : left + side]
    for photograph in photographs
    for top in range(0, photograph.shape[0] - side + 1, side)
    for left in range(0, photograph.shape[1] - side + 1, side)
]
dataset = OrbitDataset(tiles, network=network, group=group, n_positions=120)
orbits = dataset.as_array()
is_held_out = dataset.image_ids % 2 == 1
train, held_out = orbits[~is_held_out], orbits[is_held_out]
print(f"{len(tiles)} tiles, orbits {orbits.shape}: (n_samples, order, n_channels)")

# %%
# Two dictionaries
# ----------------
# The only difference is ``group``. The autoencoder gets the first block of each orbit, the
# activation of the untransformed tile, and reconstructs that; the crosscoder reads the same block
# and reconstructs all sixteen. Neither is trained with ``augment``, which would make the families
# of the crosscoder more complete by construction.
settings = {"n_features": 96, "activation": "topk", "k": 4, "random_state": 0}
settings |= {"batch_size": 256, "max_epochs": 20}
crosscoder = GroupCrosscoder(group, **settings).fit(train)
autoencoder = GroupCrosscoder(**settings).fit(train[:, :1])
print(f"crosscoder:  {crosscoder.components_.reshape(96, -1, 96).shape} (atoms, blocks, channels)")
print(f"autoencoder: {autoencoder.components_.reshape(96, -1, 96).shape}")
print("share of the variance explained, tiles held out")
print(f"  crosscoder, all blocks:     {crosscoder.score(held_out):.3f}")
print(f"  autoencoder, its one block: {autoencoder.score(held_out[:, :1]):.3f}")

# %%
# What the analyzer says of an autoencoder is true and empty: under the group that does nothing,
# every atom is what it is, and its profile has one entry.
alone = SymmetryAnalyzer().fit(autoencoder)
print(f"profiles {alone.profiles_.shape}, symmetries {set(alone.features_table_['symmetry'])}")

# %%
# Lifting
# -------
# The autoencoder's codes exist for every tile, and so do the orbits. `lift_dictionary` keeps the
# codes and fits by least squares the decoder to all blocks that they reconstruct best. The
# crosscoder is lifted too, so that both are measured alike. How much of all blocks the codes of
# each tell, on the tiles held out, says what the autoencoder has lost by reading one block and
# knowing of no other. It is not much: what a turn will show is mostly there in what is seen before
# it.


def share_explained(dictionary, atoms):
    """Share of the variance of all held-out blocks that codes and lifted atoms explain."""
    codes = dictionary.encode(train[:, 0])
    flat = atoms.reshape(len(atoms), -1)
    intercept = train.reshape(len(train), -1).mean(axis=0) - codes.mean(axis=0) @ flat
    target = held_out.reshape(len(held_out), -1)
    rest = target - dictionary.encode(held_out[:, 0]) @ flat - intercept
    return 1 - (rest**2).sum() / ((target - target.mean(axis=0)) ** 2).sum()


dictionaries = {"crosscoder": crosscoder, "autoencoder": autoencoder}
lifted, analyses = {}, {}
for name, dictionary in dictionaries.items():
    lifted[name] = lift_dictionary(dictionary, train, group=group, ridge=0.1)
    analyses[name] = SymmetryAnalyzer(group).fit(lifted[name].reshape(96, -1))
    kinds = analyses[name].features_table_["kind"].value_counts()
    print(f"{name}: {share_explained(dictionary, lifted[name]):.3f} of all blocks,", end=" ")
    print(", ".join(f"{count} {kind}" for kind, count in kinds.items()))

# %%
# Shared features
# ---------------
# Features of both are matched one to one, whatever their poses. Of every kind that both have we
# take the pair that is most alike: the patches that excite each most, at most one from each tile,
# and their self-profiles.
matching = match_dictionaries(lifted["autoencoder"], lifted["crosscoder"], group=group)
print(f"{(matching.similarity >= matching.threshold).sum()} pairs of {len(matching.pairs)} match")
pairs = {}
for i in np.argsort(-matching.similarity):
    first, second = matching.pairs[i]
    kind = analyses["autoencoder"].kinds_[first]
    if kind != "other" and kind == analyses["crosscoder"].kinds_[second]:
        pairs.setdefault(kind, {"autoencoder": first, "crosscoder": second})
all_codes = {name: d.encode(orbits[:, 0]) for name, d in dictionaries.items()}

figure, axes = plt.subplots(
    2 * len(pairs), 8, figsize=(9.6, 2.5 * len(pairs)), layout="constrained", squeeze=False
)
rows = [(kind, name, feature) for kind in pairs for name, feature in pairs[kind].items()]
for row, (kind, name, feature) in zip(axes, rows, strict=True):
    by_code = np.argsort(-all_codes[name][:, feature], kind="stable")
    _, first = np.unique(dataset.image_ids[by_code], return_index=True)
    for ax, patch in zip(row, dataset.patches(by_code[np.sort(first)][:8])[:, 0], strict=True):
        ax.imshow(patch)
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(f"{name}\n{feature} ({kind})", fontsize=8)

# %%
# The profiles are alike: what moves as a line for the crosscoder does so for the autoencoder, whose
# own atoms could not say it.
figure, axes = plt.subplots(
    1, len(pairs), figsize=(3.2 * len(pairs), 3.4), layout="constrained", squeeze=False
)
for ax, (kind, pair) in zip(axes[0], pairs.items(), strict=True):
    profiles = [analyses[name].profiles_[feature] for name, feature in pair.items()]
    SelfProfileDisplay.from_arrays(profiles, group, list(pair)).plot(ax)
    ax.set_xlabel(f"turn ({kind})")
for ax in axes[0, 1:]:
    ax.get_legend().remove()  # the same as on the left

# %%
# Do the crosscoder's families stand further apart?
# -------------------------------------------------
# `compare_separation` lifts both on one half of the held-out tiles, forms families there, and
# measures on the other half how well they stand apart; then the halves change places. A silhouette
# near 1 means families far apart; families by accident get 0 or less.
comparison = compare_separation(
    dictionaries,
    held_out,
    image_ids=dataset.image_ids[is_held_out],
    group=group,
    family_distance=[0.3, 0.4, 0.5],
    embedding=False,
)
columns = {
    "n_families": "families",
    "share_in_families": "share in them",
    "silhouette": "silhouette",
    "silhouette_low": "from",
    "silhouette_high": "to",
}
by_distance = comparison.set_index(["family_distance", "dictionary"]).sort_index()
print(by_distance[list(columns)].rename(columns=columns).round(2).to_string())
reasons = {reason for row in comparison["undefined"] for reason in row.split("; ")}
print(*(reason for reason in reasons if reason.startswith("silhouette:")))
plt.show()

# %%
# Read each line with its interval: the two dictionaries cannot be told apart here, and where there
# are too few families there is no interval at all. Two photographs are not enough to say that one
# separates better, nor that both are alike. On 240 photographs and GoogLeNet the answer was the
# same (:doc:`/benchmarks`).
#
# What the crosscoder gives is not better families, but an atom with all of its blocks in one fit,
# so that symmetries, families and poses come with the dictionary. Who has an autoencoder already
# need not train again: lift it.
#
# What next: :doc:`/guide/comparing` has matching, stability and separation in full.
# :ref:`sphx_glr_gallery_plot_found_again.py` asks which features another start finds again.
