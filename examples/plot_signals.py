"""
Signals under cyclic shifts
===========================

After this page you can say of a feature that reads signals which shifts of a signal leave it as it
is. Windows of periodic signals are shifted, not turned: the group is the
sixteen shifts of a window by a sixteenth of its length, the last of which brings it back. A small
network reads such windows, and a group crosscoder learns what becomes of its features under every
shift. We learn:

- how to go from signals and a network to a store of orbits, windows of one recording together,
- that features are told in the words of the action, "shift by 2 of 16", never as lines or turns,
- whether the symmetry that is found of each event is the one that its waveform has.
"""

# %%
# Recordings
# ----------
# Forty recordings of twenty windows each. In a window a pulse, a chirp or one of two tones begins
# at any of 16 moments; every recording has a noise level of its own. The fast tone, of eight
# periods a window, is back after two shifts of sixteen, the slow one, of four periods, after four;
# pulses and chirps need all sixteen.
import tempfile
from collections import Counter

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

from sklearn_groupcross import Cyclic, GroupCrosscoder, SymmetryAnalyzer, extract_orbits
from sklearn_groupcross.actions import TimeShiftAction
from sklearn_groupcross.plotting import SelfProfileDisplay

length, n_shifts = 64, 16
time = np.arange(length)
events = {
    "pulse": 2 * np.exp(-0.5 * ((time - 8) / 2.0) ** 2),
    "chirp": np.sin(0.02 * time**2) * np.exp(-0.5 * ((time - 20) / 9.0) ** 2),
    "fast tone": np.cos(2 * np.pi * 8 * time / length),
    "slow tone": np.cos(2 * np.pi * 4 * time / length),
}
in_theory = ["C1", "C1", "C8", "C4"]
rng = np.random.default_rng(0)
n_recordings, n_windows = 40, 20
recording = np.repeat(np.arange(n_recordings), n_windows)
event = rng.integers(len(events), size=len(recording))
begin = rng.integers(n_shifts, size=len(recording)) * (length // n_shifts)
waveforms = np.stack(list(events.values()))[event]
windows = np.stack([np.roll(w, b) for w, b in zip(waveforms, begin, strict=True)])
noise = rng.uniform(0.05, 0.15, n_recordings)[recording]
windows += noise[:, None] * rng.standard_normal(windows.shape)

figure, axes = plt.subplots(1, 4, figsize=(10, 1.8), layout="constrained", sharey=True)
for ax, (name, waveform) in zip(axes, events.items(), strict=True):
    ax.plot(waveform)
    ax.set_title(name, fontsize=10)

# %%
# Orbits
# ------
# The network convolves around the window, and mixes all moments in a second layer. Its weights are
# random, so that no channel stands for an event. What it makes of every window and each of its
# shifts goes into a store. ``groups`` keeps windows of one recording together, so that those held
# out are of recordings that were not seen.
network = nn.Sequential(
    nn.Unflatten(1, (1, length)),
    nn.Conv1d(1, 8, 9, padding=4, padding_mode="circular"),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(8 * length, 32),
)
generator = torch.Generator().manual_seed(0)
for parameter in network.parameters():
    nn.init.normal_(parameter, std=0.3, generator=generator)

action = TimeShiftAction(Cyclic(n_shifts), length=length)
folder = tempfile.TemporaryDirectory()
store = extract_orbits(windows, action, network, f"{folder.name}/signals.orbits", groups=recording)
is_held_out = store.image_ids >= 30
train, held_out = store[~is_held_out, ...], store[is_held_out, ...]
print(store.shape, "(n_samples, order, n_channels),", len(store.images), "recordings")

# %%
# Features
# --------
# From here on, nothing differs from images. Together the events have 16 + 16 + 2 + 4 = 38 different
# poses. Any window may begin at any moment, so that orbits may be shifted in training.
crosscoder = GroupCrosscoder(
    group=store.group,
    n_features=38,
    activation="topk",
    k=1,
    augment=True,
    compression=0.95,
    batch_size=64,
    max_epochs=60,
    random_state=0,
).fit(train)
print(f"share of the variance explained, other recordings: {crosscoder.score(held_out):.3f}")

# %%
# In words
# --------
# What the analyzer says of features are words of the action. For each event: the symmetry of the
# features that are strongest on it, in the recordings held out.
analysis = SymmetryAnalyzer().fit(crosscoder, orbits=held_out, image_ids=held_out.image_ids)
strongest = crosscoder.transform(held_out).argmax(axis=1)
most_frequent = {}
print(f"{'event':10s} in theory  found")
for number, (name, expected) in enumerate(zip(events, in_theory, strict=True)):
    features = strongest[event[is_held_out] == number]
    symmetries = Counter(analysis.atom_stabilizers_[i].name for i in features)
    found = ", ".join(f"{n / len(features):.0%} {s}" for s, n in symmetries.most_common())
    most_frequent[name] = Counter(features.tolist()).most_common(1)[0][0]
    print(f"{name:10s} {expected:9s}  {found}")

# %%
# A family is one event at its different moments; poses are named by the shift that leads there.
columns = ["size", "kind", "symmetry", "poses", "missing"]
print(analysis.families_table_[columns].to_string(max_colwidth=60))

# %%
# How features change
# -------------------
# The cosine of an atom with itself after a shift: the tones come back, the pulse does not.
SelfProfileDisplay.from_estimator(analysis, list(most_frequent.values())).plot()
plt.show()
folder.cleanup()

# %%
# From the store on, the command line goes on (:doc:`../guide/runs`), with defaults for images: for
# so few samples and channels ask for small batches and more of the variance, as in ``groupcross
# run signals.orbits --features 38 --k 1 --batch-size 64 --compression 0.95``. :ref:`functions` is
# about orbits of any function of any inputs, and :ref:`sphx_glr_gallery_plot_own_network.py` about
# an action that the package does not have.
