"""
Transform blocks of known curve detectors
=========================================

After this example you can test what a crosscoder says of symmetry against something that it had no
part in: drawn shapes. Whether a feature prefers curves or lines is asked of the network and the
encoder, with drawings; how the feature moves is read from its atom, which was learned from
photographs. The two must agree, and need not. We learn:

- how to draw *probes*, show them to a layer, and find curve and line detectors among its channels,
- which of the shapes each feature prefers, by its encoder alone,
- how the transform blocks and self-profiles of such features look, and whether they fit.
"""

# %%
# Probes
# ------
# A curve looks different after every turn but the full one; a straight line is back after half a
# turn. `shape_probes <sklearn_groupcross.faithfulness.shape_probes>` makes curves, lines, edges and
# corners of some sizes, bright and dark on grey. `read_probes
# <sklearn_groupcross.faithfulness.read_probes>` shows each in sixteen orientations to the network.
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from PIL import Image
from sklearn.datasets import load_sample_images

from sklearn_groupcross import (
    Cyclic,
    Dihedral,
    GroupCrosscoder,
    OrbitDataset,
    SymmetryAnalyzer,
    load_network,
)
from sklearn_groupcross.faithfulness import probe_kinds, read_probes, shape_probes
from sklearn_groupcross.orbits import draw_probe
from sklearn_groupcross.plotting import TransformBlockDisplay

network = load_network("bundled")
probes = shape_probes(
    radii=[8, 12, 18], widths=[3, 5], degrees=[60, 90], grays=[(1.0, 0.5), (0.0, 0.5)]
)
shape = np.array([probe.kind for probe in probes])
readings = read_probes(network, probes=probes, n_turns=16, n_positions=4)
print(f"{len(probes)} probes, readings {readings.activations.shape}:")
print("(n_probes, n_positions, n_turns, n_channels)")

figure, axes = plt.subplots(4, 8, figsize=(7.6, 4), layout="constrained")
for row, kind in zip(axes, ("curve", "line", "edge", "corner"), strict=True):
    drawn = draw_probe(probes[np.flatnonzero(shape == kind)[-1]].shape, Cyclic(8), 35)
    for ax, image in zip(row, drawn.permute(0, 2, 3, 1).numpy(), strict=True):
        ax.imshow(image)
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(kind)
for ax, turn in zip(axes[0], range(8), strict=True):
    ax.set_title(f"{turn * 45}°", fontsize=9)

# %%
# Detectors among the channels
# ----------------------------
# `probe_kinds <sklearn_groupcross.faithfulness.probe_kinds>` tells of any direction of the layer
# which shapes excite it most; the unit vectors are its channels. For the channel of each class that
# responds most strongly: the response to the best probe of its class, turned round. A drawn line
# comes back after half a turn whoever looks at it, so that a line detector has to show it on an
# *arc*: it cares little to which side the arc bends.
channels = probe_kinds(np.eye(96), network, readings=readings)
print(pd.Series(channels.nearest).value_counts().to_string())
tuning = readings.activations.mean(axis=1)  # over positions: (n_probes, n_turns, n_channels)
arcs = shape == "curve"


def best_arc(responses):
    """Responses (n_probes, n_turns) to the arc that excites most, from that orientation on."""
    best = responses[arcs][responses[arcs].max(axis=1).argmax()]
    return np.roll(best, -best.argmax()) / best.max()


turns = np.linspace(0, 2 * np.pi, 17)
figure, axes = plt.subplots(
    1, 4, figsize=(9.6, 2.9), layout="constrained", subplot_kw={"projection": "polar"}
)
strength = tuning.max(axis=(0, 1))
for pair, kind in zip((axes[:2], axes[2:]), ("curve", "line"), strict=True):
    of_kind = np.flatnonzero(channels.nearest == kind)
    for ax, channel in zip(pair, of_kind[np.argsort(-strength[of_kind])], strict=False):
        response = best_arc(tuning[:, :, channel])
        ax.plot(turns, np.append(response, response[0]), "o-", markersize=3, color="#0072B2")
        ax.set_theta_zero_location("N")
        ax.set_rlabel_position(135)
        ax.set(rticks=[0.5, 1], xticks=np.deg2rad(range(0, 360, 90)))
        ax.set_title(f"channel {channel}: {kind} detector", fontsize=9)
figure.suptitle("response to the best arc, turned", fontsize=10)

# %%
# A crosscoder of photographs
# ---------------------------
# It never sees a probe. Tiles of two enlarged photographs are its images, turned and mirrored by
# ``Dihedral(16)``.
group = Dihedral(16)
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
dataset = OrbitDataset(tiles[::2], network=network, group=group, n_positions=120)
orbits = dataset.as_array()
crosscoder = GroupCrosscoder(
    group,
    n_features=96,
    activation="topk",
    k=4,
    augment=True,
    batch_size=256,
    max_epochs=20,
    random_state=0,
).fit(orbits)
analysis = SymmetryAnalyzer().fit(crosscoder)
print(f"orbits {orbits.shape}, share of the variance explained {crosscoder.score(orbits):.2f}")

# %%
# What each feature prefers
# -------------------------
# The encoder is a direction for each feature, so that `probe_kinds` tells of features what it told
# of channels. We keep those that fire both on photographs and on a probe of the class that they
# prefer.
named = probe_kinds(crosscoder, network, readings=readings)
on_photographs = (crosscoder.encode(orbits[::3].reshape(-1, 96)) > 0).mean(axis=0)
features = np.flatnonzero(named.fires & (on_photographs > 1e-3))
preferred, kinds = named.nearest[features], analysis.kinds_[features]
print(f"{len(features)} of {len(named.fires)} features")

# %%
# Do atoms agree with probes?
# ---------------------------
# Rows come from drawings and the encoder, columns from photographs and the decoder. Features that
# prefer curves, edges or corners should be *directed*, which is the kind that needs the full turn,
# and features that prefer lines should not. Not every one has to: where the two differ, a feature
# fires on photographs for something else than what the drawings share with it.
print(pd.crosstab(preferred, kinds, rownames=["prefers"], colnames=["kind of the atom"]))
half_turn = analysis.profiles_[features, group.rotation_by(180)]
classes = ("line", "curve", "edge", "corner")
figure, ax = plt.subplots(figsize=(5.6, 3.4), layout="constrained")
rng = np.random.default_rng(0)
for x, kind in enumerate(classes):
    values = half_turn[preferred == kind]
    ax.plot(x + rng.uniform(-0.15, 0.15, len(values)), values, "o", color="#0072B2", alpha=0.6)
    if len(values):
        ax.hlines(np.median(values), x - 0.3, x + 0.3, color="#D55E00")
ax.axhline(0, color="0.6", linewidth=0.8)
ax.set(
    xticks=range(len(classes)),
    xticklabels=classes,
    xlabel="shape that the feature prefers (bars: medians)",
    ylabel="cosine of its atom with itself\nafter half a turn",
)

# %%
# The control deals the preferences out at random among the same features, a thousand times.
is_line = preferred == "line"


def separation(is_line):
    """By how much the mean cosine of those that prefer lines exceeds that of the others."""
    return half_turn[is_line].mean() - half_turn[~is_line].mean()


dealt_out = [separation(rng.permutation(is_line)) for _ in range(1000)]
print(f"means differ by {separation(is_line):.2f}")
print(f"dealt out at random: at most {np.max(dealt_out):.2f} in 1000 times")

# %%
# Transform blocks
# ----------------
# Of each of the two classes the feature that answers its probes most strongly. A transform block
# has the cosines of all pairs of the atom's blocks. The curve has one band along the diagonal, top
# left: its blocks are alike only at nearby turns. The line has bands half a turn away as well. The
# other two quadrants set turned blocks against mirrored ones: a band there is a mirror axis.
codes = crosscoder.encode(readings.activations.reshape(-1, 96))
codes = codes.reshape(*readings.activations.shape[:3], -1).mean(axis=1)
chosen = {}
for kind in ("curve", "line"):
    of_kind = features[preferred == kind]
    chosen[kind] = of_kind[codes[:, :, of_kind].max(axis=(0, 1)).argmax()]
figure, axes = plt.subplots(1, 2, figsize=(9.6, 4.4), layout="compressed")
for ax, feature in zip(axes, chosen.values(), strict=True):
    TransformBlockDisplay.from_estimator(analysis, feature).plot(ax)

# %%
# The same in one line each: the self-profile, and how the encoder's product with the activation,
# less its mean, changes when the best arc is turned. The two need not have the same width: an arc
# is one pattern, the atom stands for all on which the feature fires.
figure, axes = plt.subplots(1, 2, figsize=(9.2, 3), layout="constrained", sharey=True)
for ax, (kind, feature) in zip(axes, chosen.items(), strict=True):
    profile = analysis.profiles_[feature, :16]
    ax.plot(np.rad2deg(turns), np.append(profile, profile[0]), "o-", label="self-profile")
    response = best_arc(named.responses[feature])
    ax.plot(np.rad2deg(turns), np.append(response, response[0]), "s--", label="best arc, turned")
    ax.axhline(0, color="0.6", linewidth=0.8)
    ax.set(xlabel="turn", xticks=range(0, 361, 90), title=f"feature {feature}: prefers {kind}s")
axes[0].legend()

# %%
# Features are not channels
# -------------------------
# Which channels drive a feature on its best probe? The share that comes from channels of each
# class:
shares = {}
rest = tuning.mean(axis=(0, 1))
for kind in ("curve", "line"):
    drive = np.zeros(96)
    for feature in features[preferred == kind]:
        probe, turn = np.unravel_index(codes[:, :, feature].argmax(), codes.shape[:2])
        part = (crosscoder.encoder_[feature] * (tuning[probe, turn] - rest)).clip(0)
        drive += part / part.sum() / np.count_nonzero(preferred == kind)
    shares[f"{kind} features"] = [drive[channels.nearest == name].sum() for name in classes]
shares["all channels"] = [np.mean(channels.nearest == name) for name in classes]
print(pd.DataFrame(shares, index=[f"{name} channels" for name in classes]).round(2).to_string())
plt.show()

# %%
# Features that prefer curves read curve detectors by more than the share of these among the
# channels. Those that prefer lines read somewhat more of the line detectors, and still most of what
# drives them comes from curve detectors, of which this layer has most. The features of a layer are
# not its channels, which is why one looks for them with a dictionary.
#
# A preference is not yet a name: every direction prefers *some* shape. When a class may be stated,
# and with which controls, is in :ref:`probes`. What next: :doc:`/guide/names` on kinds and
# stabilizers, and :ref:`sphx_glr_gallery_plot_bundled_network.py` on the patches that excite such
# features.
