"""
Where orbits are read, and where features fire
==============================================

An orbit belongs to a position in an image. Which positions are drawn, and how activations between
the units of a layer are read, decides whether all blocks of the orbit mean the same.
"""

# %%
# Four ways to draw positions
# ---------------------------
# ``"disk"`` draws them anywhere within a radius; ``"energy"`` prefers places where the network has
# something to say; ``"grid"`` takes the layer's own units; ``"center"`` a single one.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_images

from sklearn_groupcross import Dihedral, GroupCrosscoder, OrbitDataset, load_network
from sklearn_groupcross.plotting import CodeMapDisplay

network, group = load_network("bundled"), Dihedral(8)
# tiles: scaled down as a whole, two photographs would give few samples
side = OrbitDataset(load_sample_images().images, network=network, group=group).source_size
images = [
    image[top : top + side, left : left + side]
    for image in load_sample_images().images
    for top in range(0, image.shape[0] - side + 1, side)
    for left in range(0, image.shape[1] - side + 1, side)
]
images = sorted(images, key=np.std)[-10:]  # those with more in them than sky


def dataset(**options):
    return OrbitDataset(images, network=network, group=group, **options)


figure, axes = plt.subplots(1, 4, figsize=(11, 3), layout="constrained")
for ax, sampling in zip(axes, ("disk", "energy", "grid", "center"), strict=True):
    orbits = dataset(sampling=sampling)
    image = orbits.images.load(7, orbits.source_size).permute(1, 2, 0)
    column, row = orbits.positions[orbits.image_ids == 7].T
    half = image.shape[0] / 2
    ax.imshow(image, extent=(-half, half, half, -half))
    ax.plot(column, row, "o", color="#0072B2", markeredgecolor="white", markersize=4)
    ax.add_patch(plt.Circle((0, 0), orbits.radius, fill=False, color="white"))
    ax.set(title=f"{sampling}: {len(column)}", xticks=[], yticks=[])

# %%
# On the grid, one block is larger than the others
# ------------------------------------------------
# A unit's position, turned, lies between units, and interpolation averages there. Read on the grid,
# the identity block (and those of the square's symmetries that map the grid to itself) are larger
# than the rest, and the orbit is not symmetric. Positions drawn anywhere are interpolated alike in
# every block. ``interpolation="exact"`` turns the image about each position instead, so that every
# element is read at one and the same unit.

ways = {
    "grid, bilinear": dataset(sampling="grid", n_positions=40, radius=20),
    "disk, bilinear": dataset(sampling="disk", n_positions=40, radius=20),
    "grid, exact": dataset(sampling="grid", n_positions=40, radius=20, interpolation="exact"),
}
figure, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
for name, orbits in ways.items():
    norms = np.linalg.norm(orbits.as_array(), axis=2).mean(axis=0)
    deviation = 100 * (norms / norms.mean() - 1)
    ax.plot(deviation, marker="o", label=f"{name}: identity {deviation[0]:+.1f} %")
ax.axhline(0, color="0.8")
ax.set(xlabel="element (turns, then mirrored turns)", ylabel="mean norm of the block, %")
ax.legend()

# %%
# Where features fire
# -------------------
# The encoder reads one untransformed activation, so that one pass through the network gives the
# codes of every position: :func:`~sklearn_groupcross.faithfulness.feature_maps`. At the border of
# the map units see the padding of the network, which no orbit of the disk has shown: what
# fires there along whole edges is the padding.

orbits = dataset(sampling="energy", n_positions=60)
crosscoder = GroupCrosscoder(group, n_features=96, augment=True, max_epochs=15, random_state=0).fit(
    orbits.as_array()
)
codes = crosscoder.transform(orbits.as_array())
strongest = np.argsort(-np.quantile(codes, 0.99, axis=0))[:4]
display = CodeMapDisplay.from_estimator(
    crosscoder, network, [images[9], images[7]], features=strongest
).plot()
plt.show()
