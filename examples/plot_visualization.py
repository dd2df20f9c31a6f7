"""
What features want
==================

A line feature of the bundled network answers to lines. Which image would excite it most, and does
the decoder's block of a quarter turn want the same image, turned? Here we fit a group crosscoder,
make such images by optimization, and learn:

- how `visualize_features` is called, and what its columns are,
- what a random direction shows, which no feature should be praised for,
- how to hold a picture against its name: turn it, and see what the encoder says.

It needs the extra ``lucent``: ``python -m pip install ".[lucent]"`` in a checkout.
"""

# %%
# A crosscoder over tiles of two photographs
# ------------------------------------------
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_images

from sklearn_groupcross import (
    Dihedral,
    GroupCrosscoder,
    OrbitDataset,
    SymmetryAnalyzer,
    load_network,
)
from sklearn_groupcross.plotting import VisualizationDisplay
from sklearn_groupcross.visualization import visualize_features

images, network, group = load_sample_images().images, load_network("bundled"), Dihedral(8)
side = OrbitDataset(images, network=network, group=group).source_size
tiles = [
    image[top : top + side, left : left + side]
    for image in images
    for top in range(0, image.shape[0] - side + 1, side)
    for left in range(0, image.shape[1] - side + 1, side)
]
dataset = OrbitDataset(tiles, network=network, group=group, n_positions=150)
orbits = dataset.as_array()
crosscoder = GroupCrosscoder(
    group, 128, activation="topk", k=8, augment=True, batch_size=256, max_epochs=20, random_state=0
).fit(orbits)
analysis = SymmetryAnalyzer().fit(crosscoder)
frequency = (crosscoder.transform(orbits) > 0).mean(axis=0)

# %%
# The most frequent features of two kinds
# ---------------------------------------
# Two of each, or as many as there are.
chosen = []
for kind in ("line", "directed"):
    of_kind = np.flatnonzero((analysis.kinds_ == kind) & (frequency > 1e-3))
    chosen += of_kind[np.argsort(-frequency[of_kind])][:2].tolist()
kinds = [str(analysis.kinds_[feature]) for feature in chosen]
print(dict(zip(chosen, kinds, strict=True)))

# %%
# Their pictures
# --------------
# The first column excites the encoder, which reads upright images alone. The others point along the
# decoder's blocks of the identity and of a quarter turn: what the network makes of the feature's
# image when that is turned. Above each stands what it reaches: a pre-activation, or a cosine. In
# the last row is a random mixture of all features, in which there is something to be seen as well.
found = visualize_features(crosscoder, network, features=chosen, n_steps=96, random_state=0)
VisualizationDisplay(found).plot()

# %%
# What excites them in photographs
# --------------------------------
# The strongest patch of each, which should look like what it wants, as far as two photographs hold
# anything like it.
strongest = crosscoder.transform(orbits)[:, chosen].argmax(axis=0)
figure, axes = plt.subplots(1, len(chosen), figsize=(1.6 * len(chosen), 1.9), squeeze=False)
for ax, kind, feature, patch in zip(
    axes[0], kinds, chosen, dataset.patches(strongest)[:, 0], strict=True
):
    ax.imshow(patch)
    ax.set(xticks=[], yticks=[], title=f"{kind} {feature}")

# %%
# Turned back
# -----------
# If the block of the quarter turn wants the encoder's image turned, then its picture, turned back,
# excites the encoder, and as it is does not. We give both as ``patches``, which are measured as
# pictures are, and tell what they reach as a share of what the encoder's own picture does. Where
# both are alike, the block does not say what becomes of the feature: that is found out here too.
turned = found.images[:, 2]
for words, patches in (
    ("as it is", turned),
    ("turned back", np.rot90(turned, -1, axes=(1, 2))),
):
    measured = visualize_features(
        crosscoder, network, features=chosen, elements=[], patches=patches.copy(), n_steps=1
    )
    share = (measured.patch_values[:, 0] / found.values[:, 0]).astype(float)
    print(f"block of turn 90°, {words:11}:", share.round(2).tolist())
plt.show()
