"""
Training in fewer coordinates
=============================

Orbits do not fill their columns: neighbouring turns look alike, and channels go together. With
``compression`` a crosscoder is trained in the coordinates that hold a given share of the variance.
How many are there, and what does it cost in what is explained?
"""

# %%
# Orbits of photographs
# ---------------------
# Tiles of the two photographs that come with scikit-learn, seen by the bundled network under 16
# elements; every fifth tile is held out.

import time

import matplotlib.pyplot as plt
from sklearn.datasets import load_sample_images

from sklearn_groupcross import Dihedral, GroupCrosscoder, OrbitDataset, load_network

network, group = load_network("bundled"), Dihedral(8)
side = OrbitDataset(load_sample_images().images, network=network, group=group).source_size
tiles = [
    image[top : top + side, left : left + side]
    for image in load_sample_images().images
    for top in range(0, image.shape[0] - side + 1, side)
    for left in range(0, image.shape[1] - side + 1, side)
]
orbits = OrbitDataset(tiles, network=network, group=group, n_positions=60, random_state=0)
stacks, held_out = orbits.as_array(), orbits.image_ids % 5 == 0
print(f"{len(tiles)} tiles, {stacks.shape[0]} orbits of {stacks[0].size} columns")

# %%
# One dictionary for each share
# -----------------------------
# The same atoms, steps and seed. ``n_coordinates_`` says how many numbers of an atom were learned,
# ``kept_variance_`` the share of the variance that they hold, of the orbits trained on.

shares = [None, 0.99, 0.95, 0.9, 0.8, 0.6]
coordinates, explained = [], []
for share in shares:
    crosscoder = GroupCrosscoder(
        group=group,
        n_features=256,
        activation="topk",
        k=12,
        augment=True,
        batch_size=256,
        max_epochs=12,
        compression=share,
        random_state=0,
    )
    start = time.perf_counter()
    crosscoder.fit(stacks[~held_out])
    coordinates.append(crosscoder.n_coordinates_)
    explained.append(crosscoder.score(stacks[held_out]))
    print(
        f"compression={share}: {crosscoder.n_coordinates_} coordinates with "
        f"{crosscoder.kept_variance_:.1%}, explains {explained[-1]:.3f} held out, "
        f"{time.perf_counter() - start:.1f} s"
    )

# %%
# What is kept bounds what can be explained: as it comes down to what the dictionary explains,
# compression begins to cost. Above that, there is mostly noise to lose.

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
labels = ["all", *(f"{share:.0%}" for share in shares[1:])]
left.bar(labels, coordinates, color="#56B4E9")
left.set(ylabel="coordinates", xlabel="variance kept")
right.plot(labels, explained, "o-", color="#0072B2", label="explained, held out")
right.plot(labels, [1, *shares[1:]], ":", color="0.5", label="kept")
right.set(ylim=(0, 1.05), xlabel="variance kept", ylabel="share of variance")
right.legend(frameon=False, loc="lower left")
