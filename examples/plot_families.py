"""
From a dictionary to stated symmetries
======================================

A dictionary learned from a network has hundreds of features. Many of them are the same pattern at
another angle. Here we fit a group crosscoder to the network that comes with the package, and let
`SymmetryAnalyzer` say, feature by feature and then family by family:

- what leaves a feature as it is, and how surely,
- which features are one another's transforms, at which pose each stands, which poses are missing,
- in which irreps the energy of the features lies.

``groupcross analyze`` writes the same tables and figures for a crosscoder in a file.
"""

# %%
# A dictionary
# ------------
# Orbits over tiles of two photographs, as in
# :ref:`sphx_glr_gallery_plot_bundled_network.py`: sixteen turns, each with its mirrored copy.
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
from sklearn_groupcross.plotting import (
    DistanceMatrixDisplay,
    FamilyWheelDisplay,
    SelfProfileDisplay,
    SpectrumDisplay,
)

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
dataset = OrbitDataset(tiles, network=network, group=group, n_positions=150)
orbits = dataset.as_array()
crosscoder = GroupCrosscoder(
    group=group,
    n_features=160,
    activation="topk",
    k=8,
    augment=True,
    batch_size=256,
    max_epochs=16,
    random_state=0,
).fit(orbits)
analysis = SymmetryAnalyzer().fit(crosscoder)
print(f"{len(orbits)} orbits, {len(analysis.labels_)} features")

# %%
# What leaves each feature as it is
# ---------------------------------
# One row a feature. ``margin`` is by how much the named symmetry exceeds the threshold: a small one
# asks for a look at the profile. The class before the colon is what all members of a family share;
# the axis of a mirror belongs to the feature.
columns = ["kind", "symmetry", "energy", "margin", "family", "pose"]
print(analysis.features_table_[columns].head(8).to_string())
classes = analysis.features_table_["symmetry"].str.split(":").str[0]
print(f"\n{classes.value_counts().to_string()}")

# %%
# Which features are one another's transforms
# -------------------------------------------
# Distances are small between features that some turn or mirror carries to each other. Ordered by
# family, the families are dark squares on the diagonal; features alone come last.
DistanceMatrixDisplay.from_estimator(analysis).plot()
print(analysis.families_table_.head(6).to_string())

# %%
# A family, by pose
# -----------------
# The wheel puts each member where its pose turns the medoid to, which is in the middle: what stands
# on the left is the medoid's pattern turned by 90°. Mirrored copies stand on the inner ring. Dashed
# places are gaps: this dictionary has no feature for the pattern in that pose. We give each member
# the patch at which it fires most, in whatever orientation of the image that is.
family = analysis.families_[0]
codes = np.stack(
    [crosscoder.encode(orbits[:, g])[:, family.members] for g in range(group.order)], axis=1
)
strongest = [np.unravel_index(code.argmax(), code.shape) for code in np.moveaxis(codes, 2, 0)]
patches = np.stack([dataset.patches([i], elements=[g])[0, 0] for i, g in strongest])
FamilyWheelDisplay.from_estimator(analysis, 0, patches).plot()
covered = len(set(family.poses))
print(f"family 0: {len(family)} features in {covered} poses, {len(family.gaps)} gaps")

# %%
# Single patches can mislead: each is one place in one photograph, and a feature answers to more
# than an edge of one sign. What the dictionary says of the medoid is in its self-profile, the
# cosine of its atom with its own turned and mirrored copies.
SelfProfileDisplay.from_estimator(analysis, family.medoid).plot()

# %%
# Where the energy lies
# ---------------------
# The group splits every atom into irreps. The trivial one holds what no element changes, frequency
# k what comes back k times in a turn. An atom without any symmetry or smoothness would have the
# energy that the short lines show; these features, read from photographs that turn smoothly, live
# in the low frequencies.
figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained", sharey=True)
SpectrumDisplay.from_estimator(analysis).plot(axes[0])
orders = np.array([stabilizer.subgroup.order for stabilizer in analysis.stabilizers_])
half_turns = np.array([group.rotation_by(180) in s.subgroup for s in analysis.stabilizers_])
# one feature that a half turn fixes, if there is one, beside one that nothing fixes
shown = [int(np.flatnonzero(where)[0]) for where in (half_turns, orders == 1) if where.any()]
SpectrumDisplay.from_estimator(analysis, shown).plot(axes[1])
plt.show()
