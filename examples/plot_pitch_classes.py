"""
Chords under transposition
==========================

A chord that is played three semitones higher is another sound, and for some chords the same notes.
Here a network is trained on synthesised sounds to tell six chords apart, and a group crosscoder
says how its features move when the music is transposed. After it you can take a network for sounds
of your own to a statement about one of its features, with the confidence in it. We learn:

- how to write the action of a group whose inputs are played anew,
- that features of the trained network come back after the semitones that music theory names,
- that neither the sounds themselves nor a network that learned nothing have such features,
- how to read what is stated of a feature, and how sure it is.
"""

# %%
# Chords, and what music theory says of them
# ------------------------------------------
# The twelve pitch classes C, C sharp, ..., B stand around a circle; transposing turns it. A
# diminished seventh chord divides the circle into four equal steps, so that three semitones higher
# it has the notes it had before: its stabilizer is the subgroup C4. Minor and major chords need the
# whole circle. The transposed copies of the six chords are 12 + 12 + 6 + 4 + 3 + 2 = 39 chords.
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

from sklearn_groupcross import Cyclic, GroupCrosscoder, SymmetryAnalyzer, stack_orbits
from sklearn_groupcross.actions import check_action
from sklearn_groupcross.plotting import SelfProfileDisplay

seed = 0
notes = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"]
qualities = {  # semitones above the root, and the stabilizer
    "major": ([0, 4, 7], "C1"),
    "minor": ([0, 3, 7], "C1"),
    "French sixth": ([0, 4, 6, 10], "C2"),
    "augmented": ([0, 4, 8], "C3"),
    "diminished seventh": ([0, 3, 6, 9], "C4"),
    "whole-tone": ([0, 2, 4, 6, 8, 10], "C6"),
}
angles = np.arange(12) * np.pi / 6
clock = {"theta_offset": np.pi / 2, "theta_direction": -1}
figure, axes = plt.subplots(
    1, 6, figsize=(11, 2.4), layout="constrained", subplot_kw={"projection": "polar"} | clock
)
for ax, (quality, (steps, theory)) in zip(axes, qualities.items(), strict=True):
    ax.fill(angles[steps], np.ones(len(steps)), color="#0072B2", alpha=0.2)
    ax.plot(angles[steps], np.ones(len(steps)), "o", color="#0072B2")
    ax.set(ylim=(0, 1.1), yticks=[])
    ax.set_xticks(angles, notes, fontsize=7)
    ax.set_title(f"{quality}: {theory}", fontsize=9)

# %%
# Scores
# ------
# A score says how loud each of 36 notes is, three octaves of twelve pitch classes, and which of
# three instruments plays. Every pitch class of a chord is put into one of the octaves at random.
rng = np.random.default_rng(seed)
n_train, n_held_out = 6000, 1200
quality = rng.integers(6, size=n_train + n_held_out)
root = rng.integers(12, size=len(quality))
scores = np.zeros((len(quality), 3, 13), dtype=np.float32)
for score, q, r in zip(scores, quality, root, strict=True):
    pitch_classes = (r + np.array(list(qualities.values())[q][0])) % 12
    octaves = rng.integers(3, size=len(pitch_classes))
    score[octaves, pitch_classes] = rng.uniform(0.5, 1, len(pitch_classes))
    score[:, 12] = rng.integers(3)
train, held_out = slice(0, n_train), slice(n_train, None)


# %%
# The action
# ----------
# No sound can be computed exactly from one that is a semitone lower, so the group acts on scores,
# and each transposed score is played anew, with other noise. Twelve semitones up would be an
# octave, which one can hear. For the cyclic group of 12 to act, a note that leaves its octave comes
# in again below: the pitch classes are transposed, and the octave that each is played in stays.
class Transposition:
    """Every pitch class k semitones up, within its octave; the instrument stays."""

    group = Cyclic(12).named(
        ["identity", "up 1 semitone", *(f"up {k} semitones" for k in range(2, 12))]
    )

    def transform(self, scores):
        keys, instrument = scores[..., :12], scores[..., 12:]
        moved = [torch.cat([keys.roll(k, -1), instrument], -1) for k in range(12)]
        return torch.stack(moved, dim=1)


action = Transposition()
check_action(action, torch.from_numpy(scores[:20]))

# %%
# Sounds
# ------
# Half a second at 8192 Hz: every note with up to six overtones, as strong as the instrument has
# them, and noise. What the network is given is the loudness in bands a semitone wide, five octaves
# of them. It has to find out by itself that octaves are alike, and which peaks are overtones.
rate, length = 8192, 4096
generator = torch.Generator().manual_seed(seed)
frequencies = 130.81 * 2 ** (torch.arange(36) / 12)[:, None] * torch.arange(1, 7)  # from C3
phases = 2 * torch.pi * torch.rand(frequencies.shape, generator=generator)
time = torch.arange(length) / rate
tones = torch.sin(2 * torch.pi * frequencies[..., None] * time + phases[..., None])
tones *= (frequencies < 4000)[..., None]
instruments = torch.tensor(
    [[1, 0.2, 0.1, 0, 0, 0], [1, 0.6, 0.5, 0.4, 0.3, 0.2], [1, 0.05, 0.6, 0.05, 0.4, 0.05]]
)
bands = 130.81 * 2 ** (torch.arange(60) / 12)
distances = torch.log2(torch.fft.rfftfreq(length, 1 / rate)[:, None].clamp(min=1) / bands)
filters = (1 - 12 * distances.abs()).clamp(min=0)
filters /= filters.sum(0)


def play(scores):
    """Waveforms (n, 4096) of scores (n, 3, 13)."""
    overtones = instruments[scores[:, 0, 12].long()]
    amplitudes = scores[:, :, :12].flatten(1)[:, :, None] * overtones[:, None]
    sounds = amplitudes.flatten(1) @ tones.flatten(0, 1)
    return sounds + 0.3 * torch.randn(sounds.shape, generator=generator)


def spectrum(scores):
    """Loudness in 60 bands, about 0 on average and of unit size."""
    magnitudes = torch.fft.rfft(play(scores) * torch.hann_window(length)).abs()
    return (torch.log1p(magnitudes @ filters / 10) - 1) / 0.6


heard = torch.cat([spectrum(part) for part in torch.from_numpy(scores).split(500)])
train_orbits = stack_orbits(scores[:2500], action, spectrum)
held_out_orbits = stack_orbits(scores[held_out], action, spectrum)
print("orbits of spectra:", train_orbits.shape, "and", held_out_orbits.shape)


# %%
# Three networks
# --------------
# The network names the chord, and never its root. Beside it stand two controls: one with the random
# weights it began with, and one that was trained on labels dealt out at random.
def make_network(labels=None):
    torch.manual_seed(seed)
    network = nn.Sequential(
        nn.Linear(60, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 6)
    )
    if labels is not None:
        optimizer = torch.optim.Adam(network.parameters(), 3e-3, weight_decay=1e-4)
        for _ in range(40):
            for rows in torch.randperm(n_train).split(128):
                optimizer.zero_grad()
                nn.functional.cross_entropy(network(heard[rows]), labels[rows]).backward()
                optimizer.step()
    return network.requires_grad_(False)


labels = torch.from_numpy(quality)
shuffled = torch.from_numpy(rng.permutation(quality[train]))
networks = {
    "trained": make_network(labels),
    "untrained": make_network(),
    "shuffled labels": make_network(shuffled),
}
accuracy = {}
for name, network in networks.items():
    right = network(heard[held_out]).argmax(1) == labels[held_out]
    accuracy[name] = right.float().mean()
    print(f"{name:15s} names {accuracy[name]:.0%} of the sounds it has not heard")

# %%
# Features, and the chords they are about
# ---------------------------------------
# One crosscoder for each hidden layer of the trained network, one for the first layer of each
# control, and one for the spectra as they are. We say that a feature is about a chord, one of the
# 39, if its code on sounds held out has a correlation above 0.7 with the presence of that chord.
# Its symmetry is right if the analyzer states the stabilizer that theory gives the chord. Printed
# are the number of features about a chord, of different chords, and the share right. For the last
# column the stated symmetries are dealt out to the same features at random; ``nan`` stands
# where no feature is about a chord.
period = np.array([12 // int(theory[1:]) for _, theory in qualities.values()])
pose = root % period[quality]
chord = (np.cumsum(period) - period)[quality] + pose
quality_of = np.repeat(np.arange(6), period)  # of each of the 39 chords
theory_of = np.repeat([theory for _, theory in qualities.values()], period)
trained = networks["trained"]
layers = {
    "trained, first layer": trained[:2],
    "trained, second layer": trained[:4],
    "untrained, first layer": networks["untrained"][:2],
    "shuffled labels, first layer": networks["shuffled labels"][:2],
    "spectra, no network": nn.Identity(),
}


def correlate(codes, present):
    """Correlation of every column of codes with every column of 0 and 1."""
    codes, present = codes - codes.mean(0), present - present.mean(0)
    sizes = np.outer(np.linalg.norm(codes, axis=0), np.linalg.norm(present, axis=0))
    return codes.T @ present / np.maximum(sizes, 1e-9)


columns = ["explained", "about", "chords", "right", "by chance"]
print(" " * 28 + "".join(f"{column:>10s}" for column in columns))
results, kept = {}, {}
for name, layer in layers.items():
    seen, unseen = (layer(torch.from_numpy(o)).numpy() for o in (train_orbits, held_out_orbits))
    crosscoder = GroupCrosscoder(
        group=action.group,
        n_features=48,
        activation="topk",
        k=2,
        augment=True,
        batch_size=128,
        max_epochs=40,
        random_state=seed,
    ).fit(seen)
    analysis = SymmetryAnalyzer().fit(crosscoder, orbits=unseen, image_ids=np.arange(len(unseen)))
    codes = crosscoder.transform(unseen)
    correlations = correlate(codes, np.eye(39)[chord[held_out]])
    about = np.flatnonzero(correlations.max(1) > 0.7)
    chords = correlations[about].argmax(1)
    stated = np.array([analysis.stabilizers_[i].name.split(":")[0] for i in about])
    right = stated == theory_of[chords]
    n_right = [(rng.permutation(stated) == theory_of[chords]).sum() for _ in range(500)]
    n_about = len(about) or np.nan  # a share of nothing is not a number
    values = crosscoder.score(unseen), len(about), len(set(chords))
    values += right.sum() / n_about, np.mean(n_right) / n_about
    results[name] = dict(zip(columns, values, strict=True))
    kept[name] = analysis, codes, correlations, about, right
    print(f"{name:28s}" + "".join(f"{value:10.2f}" for value in results[name].values()))

# %%
# Only the trained network has features about single chords; the sounds alone, and the controls, do
# not lend themselves to any. That is the finding. Once a feature is about nothing but a diminished
# seventh chord, its symmetry is that of the chord, since the inputs are the same after three
# semitones: that the analyzer states it, told neither of chords nor of theory, is a test of both.
# And where it states something else, the feature often is about more than one chord, which shows in
# the second highest of its correlations, here the median:
analysis, codes, correlations, about, right = kept["trained, first layer"]
second = np.sort(correlations[about], axis=1)[:, -2]
for words, which in (("that of the chord", right), ("another", ~right)):
    if which.any():
        print(
            f"symmetry {words}: {which.sum()} features; second highest correlation "
            f"{np.median(second[which]):.2f}"
        )

# %%
# One feature for each chord
# --------------------------
# Of the trained network's first layer, the feature with the highest correlation with a chord of
# each quality. Around the circle: its mean code on held-out chords of that quality, by their root.
chosen = {}
for number, name in enumerate(qualities):
    chosen[name] = int(correlations[:, quality_of == number].max(1).argmax())
figure, axes = plt.subplots(
    1, 6, figsize=(11, 2.4), layout="constrained", subplot_kw={"projection": "polar"} | clock
)
for number, (ax, (name, feature)) in enumerate(zip(axes, chosen.items(), strict=True)):
    rows = quality[held_out] == number
    means = [codes[rows & (root[held_out] == r), feature].mean() for r in range(12)]
    ax.bar(angles, means, width=0.4, color="#0072B2")
    ax.set(yticks=[])
    ax.set_xticks(angles, notes, fontsize=7)
    ax.set_title(f"feature {feature}: {name}", fontsize=9)

# %%
# The dictionary says the same without having seen a root: the cosine of an atom with itself after
# so many semitones. Ringed is what the analyzer states.
profiles = SelfProfileDisplay.from_estimator(analysis, list(chosen.values())[-4:])
profiles.plot()

# %%
# A statement about one feature
# -----------------------------
# What can be said of the feature about a diminished seventh chord, all of it from one row of the
# table. *Confidence* is the share of resamplings of the sounds in which the atom, fitted again, has
# a symmetry of the same class; *responses* says whether the codes themselves are alike on a chord
# and on the transposed chord, as the atom says they should be.
feature = chosen["diminished seventh"]
row = analysis.features_table_.loc[feature]
print(f"feature {feature} fires on {(codes[:, feature] > 0).mean():.1%} of the sounds held out")
print(f"stated: {row.symmetry}, confidence {row.confidence:.2f}, responses {row.responses}")
print(f"energy of the atom that this subgroup leaves as it is: {row.energy:.3f}")
print(f"correlation of responses inside of it {row.response_inside:.2f}, ", end="")
print(f"outside {row.response_outside:.2f}")
print(f"family: {(analysis.labels_ == row.family).sum()} features, this one at pose {row.pose!r}")
plt.show()

# %%
# That is a statement for a report: which layer, which feature, under which transpositions it is the
# same, on how many sounds, how sure, and that the responses bear it out. A family may have more
# features than the chord has poses: some are copies of one another, or share the work.
#
# What this does not show: that the network would do the same on recordings. The notes have three
# timbres that do not change in time, and chords have no melody around them. Twelve semitones are
# the identity here because notes wrap around; on recordings, transposing by an octave is audible.
#
# To read next: :doc:`/guide/beyond_vision`, where the same is measured over five seeds;
# :ref:`evidence`, on what confidence promises; :ref:`sphx_glr_gallery_plot_signals.py`, for shifts
# in time.
