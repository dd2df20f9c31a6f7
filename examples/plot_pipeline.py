"""
A pipeline and a grid search
============================

After this example you can use a crosscoder as you use any transformer of scikit-learn: behind a
scaler, in a grid search over images, with data frames as output, and saved at the end. The orbits
are real, those of the bundled network over two photographs. We learn:

- why an `OrbitScaler` stands in front, and not a `~sklearn.preprocessing.StandardScaler`,
- how to search for the number of active codes with a reason to prefer one,
- what happens to scores if the positions of one image are split up,
- how to clone, save and load what was chosen, and where the analysis goes.
"""

# %%
# Orbits, flat
# ------------
# scikit-learn works on arrays with two axes: the eight blocks of an orbit lie side by side in a
# row. The ``image_ids`` say which image, here which tile of a photograph, a row comes from.
import tempfile
from pathlib import Path

import joblib
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from sklearn.base import clone
from sklearn.datasets import load_sample_images
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_groupcross import (
    Dihedral,
    GroupCrosscoder,
    OrbitDataset,
    OrbitScaler,
    SymmetryAnalyzer,
    load_network,
)
from sklearn_groupcross.model_selection import SparsestWithin, score_crosscoder
from sklearn_groupcross.plotting import FrontierDisplay

group = Dihedral(4)
network = load_network("bundled")
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
dataset = OrbitDataset(tiles, network=network, group=group, n_positions=40)
X = dataset.as_array().reshape(len(dataset.image_ids), -1)
images = dataset.image_ids
n_channels = X.shape[1] // group.order
print(f"X {X.shape}: {len(tiles)} tiles, {group.order} blocks of {n_channels} channels")

# %%
# A scaler that keeps the symmetry
# --------------------------------
# What turning an image does to its orbit is to rearrange the blocks. It should make no difference
# whether a scaler comes before or after that. With one factor for each column it does, since the
# same channel is then treated differently in different blocks.
quarter_turn = group.right_translation(group.rotation_by(90))


def turned(X):
    """The rows of the images turned by 90°."""
    return X.reshape(len(X), group.order, -1)[:, quarter_turn].reshape(len(X), -1)


for scaler in (OrbitScaler(group), StandardScaler()):
    scaler.fit(X)
    difference = np.abs(scaler.transform(turned(X)) - turned(scaler.transform(X))).mean()
    print(f"{type(scaler).__name__}: turned before or after, mean difference {difference:.2g}")

# %%
# The search
# ----------
# `GroupKFold <sklearn.model_selection.GroupKFold>` keeps the positions of a tile together.
# Explained variance alone would vote for the most codes; `SparsestWithin` takes the fewest that
# explain nearly as much as the best. The search over ``l1``, for ``activation="relu"``, is in
# :ref:`sphx_glr_gallery_plot_grid_search_l1.py`, where the truth is known.
pipeline = make_pipeline(
    OrbitScaler(group),
    GroupCrosscoder(
        group,
        n_features=64,
        activation="topk",
        augment=True,
        batch_size=128,
        max_epochs=10,
        random_state=0,
    ),
)
search = GridSearchCV(
    pipeline,
    {"groupcrosscoder__k": [2, 4, 8, 16]},
    scoring=score_crosscoder,
    refit=SparsestWithin(0.05),
    cv=GroupKFold(2),
).fit(X, groups=images)
print(f"chosen: {search.best_params_}")
FrontierDisplay.from_cv_results(search).plot()

# %%
# If positions of one tile lie on both sides of a split, what is held out is nearly known. The same
# pipeline, with and without the groups:
best = search.best_estimator_
with_groups = search.cv_results_["mean_test_explained_variance"][search.best_index_]
without = cross_val_score(best, X, cv=KFold(2, shuffle=True, random_state=0)).mean()
print(f"GroupKFold {with_groups:.3f}, KFold {without:.3f} of the variance explained")

# %%
# Codes as a table
# ----------------
# ``set_output`` gives data frames, whose columns are the features. It is asked of the last step
# alone, since the pipeline was fitted on arrays without names. Here: in what share of the positions
# of each photograph a feature fires, for three of either photograph that tell them apart most.
best[-1].set_output(transform="pandas")
codes = best.transform(X)
of_photograph = np.where(images < len(tiles) // 2, "temple", "flower")
firing = (codes > 0).groupby(of_photograph).mean().T
order = (firing["temple"] - firing["flower"]).sort_values().index
telling = [*order[:3], *order[-3:]]
print(firing.loc[telling].round(2).to_string())

# %%
# What these features are the analyzer says. It reads atoms, not codes, so it is no step of the
# pipeline: it takes the last one.
analysis = SymmetryAnalyzer().fit(best[-1])
numbers = [codes.columns.get_loc(name) for name in telling]
print(analysis.features_table_.loc[numbers, ["kind", "symmetry", "family", "pose"]].to_string())

# %%
# Clone, save, load
# -----------------
# ``clone`` gives the same settings without anything learned, and parameters are set by the names of
# the steps. What is kept for later is either the whole pipeline, by joblib, or the crosscoder
# alone, as a file without pickle that is safe to open from anybody; the scaler then has to come
# along.
again = clone(best).set_params(groupcrosscoder__random_state=1).fit(X)
print(f"fitted on all: {best.score(X):.3f}, from another start {again.score(X):.3f}")
with tempfile.TemporaryDirectory() as folder:
    joblib.dump(best, Path(folder, "pipeline.joblib"))
    loaded = joblib.load(Path(folder, "pipeline.joblib"))
    assert loaded.transform(X).equals(codes)
    best[-1].save(Path(folder, "crosscoder.safetensors"))
    crosscoder = GroupCrosscoder.load(Path(folder, "crosscoder.safetensors"))
    assert np.array_equal(crosscoder.transform(best[0].transform(X)), codes)
plt.show()

# %%
# What next: :doc:`/guide/model_selection` on scores and rules, :doc:`/guide/crosscoder` on the
# settings, and :ref:`sphx_glr_gallery_plot_found_again.py` on what another start finds again.
