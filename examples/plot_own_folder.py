"""
From a folder of images to a table of families
==============================================

After this page you can give one command a folder of your own images, and read what it leaves: which
features a network has, which of them are one feature in several poses, and how sure that is. We
learn:

- what ``groupcross run`` prints, and what lies in its folder,
- how to read its two tables with pandas: ``found_again``, ``responses`` and ``confidence``,
- how to draw families from the files of a run.
"""

# %%
# A folder of images
# ------------------
# Yours will do, as it is. So that this page needs none, we cut scikit-learn's two photographs into
# tiles and write these to a folder: no more than 24 images, where hundreds would be better.
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from PIL import Image
from sklearn.datasets import load_sample_images

from sklearn_groupcross import Dihedral, GroupCrosscoder, OrbitDataset, OrbitStore
from sklearn_groupcross.plotting import FamilyWheelDisplay

temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name)
images, results = folder / "images", folder / "results"
images.mkdir()
side = 138  # what the bundled network needs, so that no tile is scaled
photographs = load_sample_images()
for path, photograph in zip(photographs.filenames, photographs.images, strict=True):
    for top in range(0, photograph.shape[0] - side + 1, side):
        for left in range(0, photograph.shape[1] - side + 1, side):
            tile = Image.fromarray(photograph[top : top + side, left : left + side])
            tile.save(images / f"{Path(path).stem}-{top}-{left}.png")
print(len(list(images.iterdir())), "images")

# %%
# One command
# -----------
# In a shell this is
#
# .. code-block:: console
#
#    $ groupcross run images --network bundled --group dihedral:8 --seeds 2 --out results \
#          --positions 150 --features 80 --k 8 --epochs 25 --batch-size 256 \
#          --held-out 8 --bags quarters
#
# The first four options say what to do; the others make it small, and suit few images: a third is
# held out to measure on, and each of these counts as four. With images of your own begin without
# them, and with a network of photographs (:doc:`../guide/networks`). ``groupcross`` is also
# ``python -m sklearn_groupcross``, which is how it is called here; of what it says we print the
# first half.
command = (
    f"run {images} --network bundled --group dihedral:8 --seeds 2 --out {results} --quiet "
    "--positions 150 --features 80 --k 8 --epochs 25 --batch-size 256 "
    "--held-out 8 --bags quarters"
)
program = [sys.executable, "-m", "sklearn_groupcross"]
finished = subprocess.run(
    [*program, *command.split()], check=True, stdout=subprocess.PIPE, encoding="utf-8"
)
print(finished.stdout.split("\nThe most frequent")[0])

# %%
# Three lines to look at first. *Variance unexplained, held out* should be near that of training.
# *Of these, found again* says how much of the dictionary does not depend on the seed. *Dead
# features* should be few. Then come the kinds of features; the command goes on with a table of some
# of them and with what looks wrong, if anything does (:doc:`../guide/diagnosis`).
#
# What lies in the folder
# -----------------------
for path in sorted(results.iterdir()):
    size = sum(file.stat().st_size for file in [path, *path.rglob("*")] if file.is_file())
    print(f"{path.name + '/' * path.is_dir():30s} {size / 1024:8.0f} KiB")

# %%
# ``report.html`` is the page to open next (:doc:`../guide/report`). ``orbits`` holds what was read
# of the network, so that other settings of the fit need no images. ``run.toml`` repeats the run.
# :ref:`run_folder` has the rest. Here we go on with the two tables.
#
# A row for every feature
# -----------------------
features = pd.read_csv(results / "features.csv", index_col="feature")
columns = ["family", "kind", "symmetry", "confidence", "responses", "found_again", "frequency"]
print(features.sort_values("frequency", ascending=False)[columns].head(8).to_string())

# %%
# Read a row backwards, for what stands on the right says whether the left is worth reading. What is
# empty in the file is NaN to pandas.
#
# ``frequency``
#    The share of held-out orbits on which the feature fires.
# ``found_again``
#    With one other seed 1 or 0: whether that one has learned the feature as well, in any pose. At 0
#    you look at an accident of training, however often the feature fires: leave the row alone.
# ``responses``
#    Whether the feature, on images that were held out, does what its atom promises: ``carry it``,
#    or ``lack`` with what it lacks, and then no such symmetry is stated. Empty where the atom has
#    no symmetry, and nothing was to be held against anything.
# ``confidence``
#    The share of resamplings of the images that agree on the name. Empty where the feature fires on
#    too few images to say: the name is then that of the atom, and no more than that.
#
# Of the features that are found again, by the class of their symmetry (turns ``C``, mirrors too
# ``D``): how many there are, how sure the middle one is, and what the responses say.
found = features.query("found_again == 1")
of_class = found["symmetry"].str.split(":").str[0]
print(f"{len(found)} of {len(features)} features are found again")
print(found.groupby(of_class)["confidence"].agg(["size", "median"]).round(2).to_string())
said = found["responses"].dropna().str.split("[:;]").str[0]
print(said.value_counts().to_string())

# %%
# That a feature has no symmetry (``C1``) is sure soon. A mirror is not: the group has mirrors of
# two kinds, 22.5° apart, and where resamplings of so few images go now for the one and now for
# the other, the confidence is about a half. More images raise it; more seeds do not.
#
# A row for every family
# ----------------------
# A family is one feature in several poses. ``coverage`` is the share of its poses that have a
# feature, ``missing`` the others in words, and ``found_again`` the mean over the members.
families = pd.read_csv(results / "families.csv", index_col="family")
columns = ["size", "medoid", "kind", "symmetry", "poses", "coverage", "found_again", "missing"]
print(families[columns].head(6).to_string(max_colwidth=32))

# %%
# The largest families, drawn
# ---------------------------
# The report has them all. To draw some by hand, take members and poses from the table, and the
# patch on which each member fires most from the store and the images. Tables speak in words; a
# group knows which element or subgroup each of them means.
group = Dihedral(8)
element = {group.describe_element(g): g for g in range(group.order)}
subgroup = {found.name: found for found in group.subgroups()}
crosscoder = GroupCrosscoder.load(results / "crosscoder.safetensors")
strongest = np.argmax(crosscoder.transform(OrbitStore(results / "orbits")), axis=0)
dataset = OrbitDataset(images, network="bundled", group=group, n_positions=150)

figure, axes = plt.subplots(1, 2, figsize=(10, 5.2), layout="constrained")
for family, ax in enumerate(axes):
    members = features.query("family == @family")
    medoid = families.loc[family, "medoid"]
    stabilizer = subgroup[features.loc[medoid, "atom_symmetry"]]
    poses = members["pose"].map(element)
    # row g: the elements that carry the medoid where g does
    same = group.cayley_table[:, stabilizer.elements]
    FamilyWheelDisplay.from_arrays(
        poses,
        group,
        members=members.index,
        medoid=medoid,
        stabilizer=stabilizer,
        gaps=np.unique(same[np.setdiff1d(range(group.order), same[poses])].min(axis=1)),
        patches=dataset.patches(strongest[members.index])[:, 0],
        title=f"family {family}: {families.loc[family, 'symmetry']}",
    ).plot(ax=ax)
plt.show()
temporary.cleanup()

# %%
# The medoid is in the middle; a patch stands where the group carries it, mirrored ones on the inner
# ring. If a family is what it says, a pattern turns with the place round the circle. Look for it at
# the centre of the patches, which also show what happens to lie around. Dashed places are poses
# that no feature has. A family that does not turn is one to doubt, whatever its size: its
# ``found_again`` and ``within``, the mean distance between members, say how much.
#
# Read on in :doc:`../guide/runs`, or bring a network of your own:
# :ref:`sphx_glr_gallery_plot_own_network.py`.
