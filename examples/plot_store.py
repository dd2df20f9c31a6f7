"""
Orbits on disk, and several processes
=====================================

After this page you can extract more orbits than fit in memory, go on after an interruption, tell
whether a file was damaged, fit from the disk, and spread all of it over processes or over the nodes
of a cluster. We learn:

- what a store is, and that the same call goes on where it was stopped,
- how processes share the work, those of this machine and others,
- how `OrbitStore.verify` finds a damaged file, and what mends it,
- how penalties are fitted side by side from one store.
"""

# %%
# A dataset
# ---------
# A folder of tiles of two photographs stands for one of a million images. Nothing is read when the
# dataset is made.
import tempfile
from pathlib import Path

import joblib
import matplotlib.pyplot as plt
import numpy as np
from joblib.externals.loky import get_reusable_executor
from PIL import Image
from sklearn.base import clone
from sklearn.datasets import load_sample_images

from sklearn_groupcross import Dihedral, GroupCrosscoder, OrbitDataset, OrbitStore, load_network
from sklearn_groupcross.plotting import FrontierDisplay

temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name)
images = folder / "images"
images.mkdir()
side = 138
for number, photograph in enumerate(load_sample_images().images):
    for top in range(0, photograph.shape[0] - side + 1, side):
        for left in range(0, photograph.shape[1] - side + 1, side):
            tile = Image.fromarray(photograph[top : top + side, left : left + side])
            tile.save(images / f"{number}-{top:03d}-{left:03d}.png")

network = load_network("bundled")
dataset = OrbitDataset(images, network=network, group=Dihedral(8), n_positions=100)
shape = dataset.n_samples, dataset.group.order, dataset.n_channels
print(
    f"{len(dataset)} images, orbits of shape {shape}: {np.prod(shape) * 2 / 2**20:.0f} MiB on disk"
)

# %%
# Stopped, and gone on
# --------------------
# `OrbitDataset.extract` writes one image after the other, in float16. To see what an interruption
# leaves, we make one: after twenty passes through the network somebody presses Ctrl-C. The store
# can be opened, for the rows that are there.
n_passes = 0


def count_passes(module, inputs):
    global n_passes
    n_passes += 1
    if n_passes == 20:
        raise KeyboardInterrupt


hook = network.module.register_forward_pre_hook(count_passes)
try:
    dataset.extract(folder / "tiles.orbits")
except KeyboardInterrupt:
    print(
        "stopped:", str(OrbitStore(folder / "tiles.orbits", allow_incomplete=True)).split(": ")[1]
    )

# %%
# The same call goes on where it was: the images that are there are not read again. A kill or a
# power cut differs in nothing, since an image counts when its rows are on the disk with their
# checksum.
store = dataset.extract(folder / "tiles.orbits")
print("gone on:", str(store).split(": ")[1])
print(f"{n_passes} passes in all, the one that was stopped among them")
hook.remove()

# %%
# Several processes
# -----------------
# With ``n_jobs`` the chunks of a store, files of a few images, are shared out by :mod:`joblib`.
# Each process imports torch first, which takes seconds: for 24 tiles that is a loss, for thousands
# of images a gain. What is written is the same, however many write.
with joblib.parallel_config(backend="loky"):
    by_two = dataset.extract(folder / "by_two.orbits", n_jobs=2)
print("two processes write the same:", np.array_equal(store[:], by_two[:]))

# %%
# Another backend brings other machines, and nothing else changes. With Dask, where a scheduler
# runs:
#
# .. code-block:: python
#
#    from distributed import Client
#
#    with Client("tcp://scheduler:8786"), joblib.parallel_config(backend="dask"):
#        dataset.extract("/shared/tiles.orbits", n_jobs=64)
#
# The folder has to be one that all of them see. :ref:`store` has the rest, file systems without
# locks among it.
#
# Damage
# ------
# Reading alone does not see that bytes have changed on the disk. We change one, and
# `OrbitStore.verify` finds the image: it compares all that is there with checksums. Discarded, it
# is pending, and ``append=True`` writes what is pending. In a shell ``groupcross store verify
# tiles.orbits`` does the first.
chunk = sorted((folder / "tiles.orbits").glob("chunk-*[0-9].npy"))[3]
content = bytearray(chunk.read_bytes())
content[-1000] ^= 0xFF
chunk.write_bytes(content)

report = OrbitStore(folder / "tiles.orbits").verify()
print(str(report).replace(f"{folder}/", ""))
OrbitStore(folder / "tiles.orbits").discard(report.damaged_images)
store = dataset.extract(folder / "tiles.orbits", append=True)
print(store.verify())

# %%
# From the disk
# -------------
# Estimators read a store batch by batch. ``store[rows, ...]`` is a view, which reads nothing until
# rows of it are asked for: so images are held out without a copy. (``store[rows]`` reads.)
is_held_out = store.image_ids % 6 == 5
train, held_out = store[~is_held_out, ...], store[is_held_out, ...]
print(train)
estimator = GroupCrosscoder(
    store.group, n_features=96, augment=True, batch_size=256, max_epochs=15, random_state=0
)

# %%
# Penalties, side by side
# -----------------------
# Fits of several penalties or seeds have nothing to say to one another. A store that is handed to a
# process is opened there by its path, so that no orbits are copied.
l1s = np.geomspace(0.03, 0.3, 4)
fitted = joblib.Parallel(n_jobs=2)(
    joblib.delayed(clone(estimator).set_params(l1=round(l1, 3)).fit)(train) for l1 in l1s
)
FrontierDisplay.from_estimators(fitted, held_out).plot()
plt.show()

# %%
# joblib keeps its processes for five minutes, in case there is more for them to do.
get_reusable_executor().shutdown()
temporary.cleanup()

# %%
# Where one process has to do, `crosscoder_path` fits several penalties and `crosscoder_ensemble`
# several seeds in shared passes over a store: each batch is read once for all of them.
#
# On a cluster
# ------------
# Extraction is one command, fits are an array job: each task takes a seed, reads the one store and
# writes a folder of its own. A task that is stopped by the scheduler goes on when it is given again
# (:doc:`../guide/runs`).
#
# .. code-block:: bash
#
#    groupcross extract /shared/images --network inceptionv1 --jobs 16 --out /shared/images.orbits
#    groupcross store verify /shared/images.orbits
#    sbatch --array=0-4 --wrap 'groupcross fit /shared/images.orbits --seeds 1 \
#        --seed $SLURM_ARRAY_TASK_ID --out /shared/seed-$SLURM_ARRAY_TASK_ID'
#    groupcross analyze /shared/seed-0/crosscoder.safetensors \
#        --others /shared/seed-[1-4]/crosscoder.safetensors
#
# Read on in :doc:`../guide/orbits`, and in :doc:`../guide/model_selection` for which penalty to
# take.
