"""
Planted symmetries, found again
===============================

Before a method is pointed at a network, it should find what we know to be there. Here we plant a
dictionary whose atoms have known symmetries, draw sparse orbits from it, and learn:

- whether a group crosscoder finds the planted atoms again,
- whether the analyzer names the symmetry that each one was given,
- what a stabilizer looks like in a transform block and in a self-profile.
"""

# %%
# Plant a dictionary
# ------------------
# A family starts from one random atom, averaged over a subgroup drawn at random: the stabilizer,
# which then leaves it as it is. The other members are its distinct right translates, one for each
# coset of the stabilizer. An orbit is a sum of four atoms and a little noise.
import matplotlib.pyplot as plt
import numpy as np

from sklearn_groupcross import Dihedral, GroupCrosscoder, SymmetryAnalyzer, make_orbits
from sklearn_groupcross.plotting import SelfProfileDisplay, TransformBlockDisplay

group = Dihedral(8)
planted = make_orbits(
    4000, group=group, n_channels=48, n_families=6, n_active=4, noise=0.05, random_state=0
)
n_atoms = len(planted.components)
print(f"orbits {planted.orbits.shape}: (n_samples, order, n_channels)")
for family in range(6):
    members = np.flatnonzero(planted.families == family)
    name = planted.stabilizers[members[0]].name
    print(f"family {family}: {len(members):2d} atoms, first: {name}")

# %%
# Learn it from the orbits alone
# ------------------------------
# The crosscoder is told how many atoms make up a sample, and has twice as many atoms as were
# planted: without any to spare, training can end where one planted atom is missing. The encoder
# sees only the identity block of each orbit; the decoder must reconstruct all sixteen.
crosscoder = GroupCrosscoder(
    group=group,
    n_features=2 * n_atoms,
    activation="topk",
    k=4,
    batch_size=256,
    max_epochs=60,
    random_state=0,
).fit(planted.orbits)
print(f"share of the variance explained: {crosscoder.score(planted.orbits):.3f}")

# %%
# For every planted atom, the cosine with the nearest learned one: 1 is a perfect recovery.
learned = crosscoder.components_
learned = learned / np.linalg.norm(learned, axis=1, keepdims=True)
cosines = planted.components.reshape(n_atoms, -1) @ learned.T
recovery, found = cosines.max(axis=1), cosines.argmax(axis=1)
print(f"recovery cosine: mean {recovery.mean():.4f}, smallest {recovery.min():.4f}")

# %%
# Are the symmetries named right?
# -------------------------------
# A translate has a conjugate of the stabilizer: the mirrors of one family have different axes. We
# ask for the very subgroup that was planted, axis and all, of the learned atom nearest to each
# planted one.
analysis = SymmetryAnalyzer(group=group).fit(crosscoder.components_[found])
right = [
    stabilizer.subgroup == subgroup
    for stabilizer, subgroup in zip(analysis.stabilizers_, planted.stabilizers, strict=True)
]
print(f"{sum(right)} of {n_atoms} stabilizers are the planted ones\n")
first_of = [int(np.flatnonzero(planted.families == family)[0]) for family in range(6)]
for atom in first_of:
    stabilizer = analysis.stabilizers_[atom]
    print(f"planted {planted.stabilizers[atom].name}")
    print(f"  found {stabilizer.name}, energy {stabilizer.energy:.3f}")

# %%
# Families are found without being told of them. The one atom that every turn and mirror fixes is
# its only translate, so that it stays alone (label -1).
sizes = [len(family) for family in analysis.families_]
print(f"planted families: {sorted(np.bincount(planted.families).tolist(), reverse=True)}")
print(f"found families:   {sizes}, alone: {(analysis.labels_ == -1).sum()}")

# %%
# Transform blocks
# ----------------
# The cosine of every pair of blocks of one atom. An atom without symmetry has sixteen unrelated
# blocks; one mirror pairs each rotation with a reflection, which draws a line through the
# quadrants off the diagonal; full symmetry makes all blocks one.
by_name = {planted.stabilizers[atom].order: atom for atom in first_of}
shown = [by_name[order] for order in sorted(by_name)]
figure, axes = plt.subplots(2, 2, figsize=(9.6, 8), layout="constrained")
for ax, feature in zip(axes.flat, shown, strict=True):
    TransformBlockDisplay.from_estimator(analysis, feature).plot(ax=ax)
    ax.title.set_fontsize(9)

# %%
# Self-profiles
# -------------
# The cosine of an atom with its own translates: it comes back to 1 on the stabilizer and
# nowhere else. Full lines are rotations, dashed lines reflections; rings mark the
# stabilizer.
display = SelfProfileDisplay.from_estimator(analysis, shown)
display.labels = [f"feature {i}, {analysis.stabilizers_[i].name}" for i in shown]
figure, ax = plt.subplots(figsize=(9.5, 4.4), layout="constrained")
display.plot(ax=ax)  # on axes of our own, which are not polar, turns stand from left to right
plt.show()
