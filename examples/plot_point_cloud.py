"""
Point clouds under the rotations of the cube
============================================

After this page you can look for symmetric parts in inputs that are no images, and check the answer
where it is known beforehand. Any inputs that a finite group moves will do. Here they are clouds of
points in space, such as the atoms of a molecule; the group is the 24 rotations that bring a cube
back to itself. A network reads the clouds and a group crosscoder its activations. We learn:

- how to act on points, and how to stack the orbits of any network,
- whether the shapes that the clouds are made of are found in the activations of that network,
- whether the analyzer finds the symmetry of each shape, which geometry tells us beforehand.
"""

# %%
# Shapes, and what leaves them as they are
# ----------------------------------------
# Five shapes of 48 points. A rod along an axis comes back after a quarter turn about it, and after
# being turned end to end: eight rotations, the dihedral group D4. An arrow does not survive the
# second: C4. An arrow along a diagonal of the cube has C3, an angle of two equal arms C2, and a
# hook nothing.
import matplotlib.pyplot as plt
import numpy as np
import torch

from sklearn_groupcross import GroupCrosscoder, SymmetryAnalyzer, stack_orbits
from sklearn_groupcross.actions import PointCloudAction
from sklearn_groupcross.plotting import TransformBlockDisplay

action = PointCloudAction("octahedral")
group = action.group
x, y, z = np.eye(3)
diagonal = (x + y + z) / np.sqrt(3)


def segment(start, end, n_points):
    """Points on a straight line."""
    return start + np.linspace(0, 1, n_points)[:, None] * (end - start)


shapes = {
    "rod": segment(-z, z, 48),
    "arrow": segment(0.3 * z, 1.1 * z, 48),
    "diagonal arrow": segment(0.3 * diagonal, 1.1 * diagonal, 48),
    "angle": np.concatenate([segment(x, x + z, 24), segment(z, x + z, 24)]),
    "hook": np.concatenate([segment(x + 0.2 * y + z, x + y + z, 24), segment(x, x + y + z, 24)]),
}
in_theory = ["D4", "C4", "C3", "C2", "C1"]

# %%
# Clouds
# ------
# A cloud holds two of the shapes, each turned by a rotation drawn at random; then every point is
# moved a little.
rng = np.random.default_rng(0)
one_each = torch.from_numpy(np.stack(list(shapes.values())))  # (n_shapes, 48, 3)
turned = action.transform(one_each).numpy()  # (n_shapes, order, 48, 3)
n_clouds = 3000
which = rng.permuted(np.tile(np.arange(len(shapes)), (n_clouds, 1)), axis=1)[:, :2]
pose = rng.integers(group.order, size=which.shape)
clouds = turned[which, pose].reshape(n_clouds, -1, 3)
clouds += 0.05 * rng.standard_normal(clouds.shape)

figure, axes = plt.subplots(
    2, 3, figsize=(8, 5.4), layout="constrained", subplot_kw={"projection": "3d"}
)
for ax, cloud, title in zip(
    axes.flat,
    [*shapes.values(), clouds[0]],
    [*(f"{shape}: {name}" for shape, name in zip(shapes, in_theory, strict=True)), "a cloud"],
    strict=True,
):
    ax.scatter(*cloud.T, s=6, c=cloud[:, 2], cmap="viridis", vmin=-1, vmax=1)
    ax.set(xlim=(-1, 1), ylim=(-1, 1), zlim=(-1, 1), xticks=[], yticks=[], zticks=[])
    ax.set_box_aspect((1, 1, 1))
    ax.set_title(title, fontsize=10)

# %%
# A network, and its orbits
# -------------------------
# The network looks at each point by itself and takes the mean over the points, as networks on sets
# do. Its weights are random, so it knows nothing of the cube, and no channel stands for a shape.


class PointNetwork(torch.nn.Module):
    """Cosines of random projections of every point, and their mean over the points."""

    def __init__(self, n_channels):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.weights = torch.nn.Parameter(2.5 * torch.randn(3, n_channels, generator=generator))
        self.phases = torch.nn.Parameter(2 * torch.pi * torch.rand(n_channels, generator=generator))

    def forward(self, points):
        return torch.cos(points @ self.weights + self.phases).mean(1)


network = PointNetwork(96)
orbits = stack_orbits(clouds, action, network)
print(f"clouds {clouds.shape}, orbits {orbits.shape}: (n_samples, order, n_channels)")

# %%
# Features
# --------
# The crosscoder reads the identity block of an orbit and reconstructs all 24. Together the shapes
# have 3 + 6 + 8 + 12 + 24 = 53 different poses; it has twice as many atoms, of which two are
# active for each cloud. Every pose is as likely as any other, so that orbits may be turned in
# training. The fit warns that each atom has many numbers to learn for how seldom it fires, so that
# another seed may not find it again. That is so for most data; here geometry will say which atoms
# to trust.
crosscoder = GroupCrosscoder(
    group=group,
    n_features=106,
    activation="topk",
    k=2,
    augment=True,
    batch_size=256,
    max_epochs=60,
    random_state=0,
).fit(orbits[:2500])
print(f"share of the variance explained, other clouds: {crosscoder.score(orbits[2500:]):.3f}")

# %%
# Are they the shapes?
# --------------------
# The network's orbit of one clean shape, less the mean activation, is what an atom for that shape
# should look like. For every shape in every pose we take the most similar atom: cosines near 1 say
# that the crosscoder has taken the clouds apart. What all clouds have in common is in the mean, and
# in no atom.
clean = stack_orbits(turned.reshape(-1, 48, 3), action, network)
clean = (clean - orbits[:2500].mean((0, 1))).reshape(len(shapes) * group.order, -1)
clean /= np.linalg.norm(clean, axis=1, keepdims=True)
atoms = crosscoder.components_
atoms = atoms / np.maximum(np.linalg.norm(atoms, axis=1, keepdims=True), 1e-9)
cosines = (clean @ atoms.T).reshape(len(shapes), group.order, -1)
found = cosines.argmax(-1)  # (n_shapes, order)

# %%
# Are the symmetries right?
# -------------------------
# The stabilizer of an atom is what leaves it as it is. Nothing in the training told the crosscoder
# of the symmetries of the shapes; geometry foretells them.
analysis = SymmetryAnalyzer().fit(crosscoder)
print(f"{'shape':15s} cosine  atoms  in theory  right  the first one's stabilizer")
for shape, expected, features, cosine in zip(
    shapes, in_theory, found, cosines.max(-1), strict=True
):
    names = [analysis.stabilizers_[f].name for f in features]
    right = np.mean([name.split(":")[0] == expected for name in names])
    n_atoms = len(set(features.tolist()))
    print(f"{shape:15s} {cosine.mean():6.3f} {n_atoms:6d}  {expected:9s} {right:5.0%}   {names[0]}")

# %%
# The exception is the hook. Each of its 24 poses is rare, and some have no atom of their own: the
# most similar one then serves two poses, and has a symmetry that the hook has not. The column
# *atoms* gives it away: a shape without symmetry should have 24.

# %%
# Transform blocks
# ----------------
# The cosine of every pair of blocks of one atom. Rotations that bring the shape to the same pose
# give the same block: the more symmetric the shape, the fewer different rows.
figure, axes = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
for ax, shape in zip(axes, ("rod", "arrow", "hook"), strict=True):
    feature = int(found[list(shapes).index(shape), 0])
    TransformBlockDisplay.from_estimator(analysis, feature).plot(ax=ax)
    ax.set_title(shape, fontsize=10)
plt.show()

# %%
# :doc:`../guide/actions` lists what other groups may act on: signals, sets, colours.
# :ref:`sphx_glr_gallery_plot_own_network.py` writes an action by hand, and :doc:`../guide/names`
# says how sure a stabilizer is.
