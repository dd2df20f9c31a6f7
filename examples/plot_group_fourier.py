"""
Spectra over a group
====================

What the frequencies of a sound are to a recording, the irreps of a group are to an atom: parts
that translation moves, but never mixes. Here we look at atoms over ``Dihedral(8)``, and learn:

- what the power spectrum says about the symmetry of an atom,
- what it cannot say: mirrors,
- how the Fourier transform gives all correlations of two dictionaries at once.
"""

# %%
# Irreps
# ------
# D is the dimension over the reals and t the type. For every channel, the sixteen blocks of an atom
# split into parts of D²/t dimensions, one for each irrep.
import matplotlib.pyplot as plt
import numpy as np

from sklearn_groupcross import Dihedral
from sklearn_groupcross.groups import GroupFourier

group = Dihedral(8)
for rho in group.irreps:
    print(f"{rho.name:25} D = {rho.dimension}, t = {rho.type}")
total = sum(rho.dimension**2 / rho.type for rho in group.irreps)
print(f"sum of D²/t: {total:g}, order of the group: {group.order}")

# %%
# Three atoms
# -----------
# Averaging a random atom over a subgroup leaves what the subgroup fixes: here the half turn, one
# mirror, and nothing but the identity.
rng = np.random.default_rng(0)
n_channels = 48
half_turn = group.rotation_by(180)
mirror = group.n_turns  # element 8, which swaps left and right
generators = {"fixed by the half turn": [half_turn], "fixed by a mirror": [mirror]}
generators["fixed by nothing"] = []
atoms = {}
for label, chosen in generators.items():
    subgroup = group.generated_subgroup(chosen)
    translates = group.translates(rng.standard_normal((group.order, n_channels)))
    atoms[label] = translates[list(subgroup.elements)].mean(axis=0)
    print(f"{label}: {subgroup.name}")

# %%
# The power is the share of an atom's energy in each irrep. At odd frequencies the half turn acts
# as -1, so that an atom which it fixes has no power there. The mirror acts as -1 on two irreps of
# dimension 1, and on one axis of each plane: it leaves every frequency some power.
fourier = GroupFourier(group)
power = fourier.power(np.stack(list(atoms.values())), axis=1)  # (n_atoms, n_irreps)
odd = [i for i, rho in enumerate(group.irreps) if np.allclose(rho.matrices[half_turn].trace(), -2)]
for label, row in zip(atoms, power, strict=True):
    print(f"{label:23} power at odd frequencies: {row[odd].sum():.3f}")


def bars(ax, spectra, labels):
    """Draw spectra side by side, one group of bars an irrep."""
    names = [rho.name.replace(", ", ",\n") for rho in group.irreps]
    width = 0.8 / len(spectra)
    for i, (spectrum, label) in enumerate(zip(spectra, labels, strict=True)):
        places = np.arange(len(names)) + (i - (len(spectra) - 1) / 2) * width
        ax.bar(places, spectrum, width, label=label)
    ax.set_xticks(np.arange(len(names)), names, fontsize=8)
    ax.set_ylabel("share of the energy")
    ax.legend(fontsize=8, loc="upper left")


figure, ax = plt.subplots(figsize=(9.5, 3.8), layout="constrained")
bars(ax, power, list(atoms))
ax.set_title("Power of three atoms over the irreps of Dihedral(8)", fontsize=10)

# %%
# What a spectrum cannot tell
# ---------------------------
# Take the atom that a mirror fixes, and turn its part at frequency 3 by 90°. Every part keeps its
# energy, but the parts no longer share a mirror.
mirrored = atoms["fixed by a mirror"]
rho = next(rho for rho in group.irreps if rho.name == "frequency 3")
part = group.isotypic_projection(rho) @ mirrored
twisted = mirrored - part + part[group.right_translation(group.rotation_by(90))]
pair = np.stack([mirrored, twisted])
labels = ["fixed by a mirror", "frequency 3 turned"]
spectra = fourier.power(pair, axis=1)
print(f"largest difference of the spectra: {np.abs(spectra[0] - spectra[1]).max():.1e}")

# %%
# The self-profile is the cosine of an atom with each of its translates: its correlation with
# itself, divided by its energy. Turned, both atoms look the same; mirrored, only the first comes
# back to itself. This is why stabilizers are read from profiles.
profiles = np.stack(
    [fourier.correlate(atom[None], atom[None])[0, 0] / (atom**2).sum() for atom in pair]
)
turns = ~group.mirrored
print(f"largest difference over turns: {np.abs(profiles[0] - profiles[1])[turns].max():.1e}")
for label, profile in zip(labels, profiles, strict=True):
    print(f"{label}: best mirror {profile[group.mirrored].max():.2f}")

figure, axes = plt.subplots(2, 1, figsize=(9.5, 6.6), layout="constrained")
bars(axes[0], spectra, labels)
axes[0].set_title("The same spectrum", fontsize=10)
mirrors = sorted(np.flatnonzero(group.mirrored), key=group.mirror_axis)
for profile, label in zip(profiles, labels, strict=True):
    axes[1].plot([group.mirror_axis(g) for g in mirrors], profile[mirrors], "o-", label=label)
axes[1].set(xlabel="axis of the mirror (degrees)", ylabel="cosine with itself, mirrored")
axes[1].set_title("Different mirrors", fontsize=10)
axes[1].legend(fontsize=8, loc="upper left")

# %%
# All correlations at once
# ------------------------
# Two stacks of atoms, every pair, every element of the group. The Fourier transform replaces the
# sum over all pairs of blocks by products of small matrices, and agrees to rounding error.
left = rng.standard_normal((40, group.order, n_channels))
right = rng.standard_normal((30, group.order, n_channels))
correlations = fourier.correlate(left, right)  # (40, 30, 16)
direct = np.stack(
    [
        np.einsum("igd,jgd->ij", left, right[:, group.right_translation(h)])
        for h in range(group.order)
    ],
    axis=-1,
)
print(f"correlations {correlations.shape}, largest value {np.abs(direct).max():.1f}")
print(f"largest difference from the direct sum: {np.abs(correlations - direct).max():.1e}")
multiplications = sum(rho.dimension**3 for rho in group.irreps)
print(f"multiplications a pair and channel: {multiplications} instead of {group.order**2}")
plt.show()
