"""
GridSearchCV under Dask
=======================

After this page you can have the fits of a search done by the workers of a cluster, which read one
store. The cluster here is two processes of this machine; with the address of a scheduler, it
is as many machines as there are, and nothing else changes. We learn:

- that a store goes to the workers by its path, so that no orbits are sent,
- that scores are those of one process, to the bit,
- which of the penalties explains how much with how many codes.
"""

# %%
# A store
# -------
# Planted orbits, twenty of an "image", which a fold keeps together. On a cluster the folder is
# one that all machines see.
import tempfile
from pathlib import Path

import joblib
import matplotlib.pyplot as plt
import numpy as np
from distributed import Client, SubprocessCluster
from sklearn.model_selection import GridSearchCV, GroupKFold

from sklearn_groupcross import Dihedral, GroupCrosscoder, OrbitStore, make_orbits
from sklearn_groupcross.model_selection import SparsestWithin, score_crosscoder
from sklearn_groupcross.orbits import StoredImage
from sklearn_groupcross.plotting import FrontierDisplay

group = Dihedral(4)
orbits = make_orbits(
    1200, group=group, n_channels=32, n_families=4, n_active=3, noise=0.3, random_state=0
).orbits
temporary = tempfile.TemporaryDirectory()
store = OrbitStore.create(
    Path(temporary.name) / "planted.orbits",
    group=group,
    n_channels=32,
    images=[StoredImage(f"image {i}", f"{i}", n_rows=20) for i in range(60)],
)
for chunk in store.pending():
    with store.writer(chunk) as writer:
        for i in writer.pending_images:
            writer.write(i, orbits[20 * i : 20 * i + 20], np.zeros((20, 2)))
store = OrbitStore(store.path)

# %%
# The search, by two workers
# --------------------------
# Each worker computes with one thread, so that two of them have two cores. Inside of
# ``parallel_config`` everything that takes ``n_jobs`` goes to the cluster: `crosscoder_ensemble`
# and `OrbitDataset.extract` too.
search = GridSearchCV(
    GroupCrosscoder(
        group, n_features=64, batch_size=128, max_epochs=20, augment=True, random_state=0
    ),
    {"l1": np.geomspace(0.003, 1, 9)},
    scoring=score_crosscoder,
    refit=SparsestWithin(0.02),
    cv=GroupKFold(2),
    n_jobs=2,
)
with (
    SubprocessCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
    Client(cluster),
    joblib.parallel_config(backend="dask"),
):
    search.fit(store, groups=store.image_ids)
print(f"chosen: l1 = {search.best_params_['l1']:.3g}, refitted on {len(store)} orbits")

# %%
# Both ends of the ``with`` are its own: the workers are gone now.
FrontierDisplay.from_cv_results(search).plot()
plt.show()

# %%
# The same as one process
# -----------------------
# With as many threads as a worker has, one process comes to the same scores. We try three of them.
import torch

n_threads = torch.get_num_threads()
torch.set_num_threads(1)
alone = GridSearchCV(
    search.estimator,
    {"l1": search.param_grid["l1"][:3]},
    scoring=score_crosscoder,
    refit=False,
    cv=search.cv,
).fit(store, groups=store.image_ids)
torch.set_num_threads(n_threads)
name = "mean_test_explained_variance"
print("the same scores:", np.array_equal(alone.cv_results_[name], search.cv_results_[name][:3]))

# %%
temporary.cleanup()

# %%
# Read on in :doc:`../guide/clusters`: what becomes of workers that die, schedulers, and what a run
# will take.
