"""Two workers of Dask and of Ray beside one process: the same stores, seeds and penalties?

    OMP_NUM_THREADS=1 python benchmarks/clusters.py [dask] [ray]

(``pip install 'sklearn-groupcross[clusters]'``. On a machine with other work also
``RAY_worker_niceness=0``: else Ray's workers give way to it, and take minutes to import torch.)
Each cluster extracts a store of tiles of scikit-learn's photographs through the bundled network,
fits six seeds, and searches nine penalties with folds of whole images, all from the store. Then a
worker is killed while it extracts. Everything is compared bit for bit with one process.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch
from sklearn.datasets import load_sample_images
from sklearn.model_selection import GridSearchCV, GroupKFold

from sklearn_groupcross import (
    Dihedral,
    GroupCrosscoder,
    OrbitDataset,
    OrbitStore,
    crosscoder_ensemble,
)

GROUP = Dihedral(4)
L1S = np.geomspace(0.01, 0.3, 9)


@contextmanager
def dask() -> Iterator[None]:
    import distributed

    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as made,
        distributed.Client(made),
        joblib.parallel_config(backend="dask"),
    ):
        yield


@contextmanager
def ray() -> Iterator[None]:
    import ray
    from ray.util.joblib import register_ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    register_ray()
    try:
        with joblib.parallel_config(backend="ray", n_jobs=2):
            yield
    finally:
        ray.shutdown()


def dataset() -> OrbitDataset:
    tiles = [
        photo[top : top + 138, left : left + 138]
        for photo in load_sample_images().images
        for top in range(0, photo.shape[0] - 137, 138)
        for left in range(0, photo.shape[1] - 137, 138)
    ]
    return OrbitDataset(tiles, network="bundled", group=GROUP, n_positions=40)


def contents(store: OrbitStore) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in store.path.iterdir() if p.suffix != ".lock"}


def seeds(store: OrbitStore, n_jobs: int | None) -> list[np.ndarray]:
    estimator = GroupCrosscoder(
        GROUP, n_features=96, batch_size=128, max_epochs=8, augment=True, random_state=0
    )
    fitted = crosscoder_ensemble(estimator, store, 6, n_jobs=n_jobs)
    return [each.components_ for each in fitted]


def penalties(store: OrbitStore, n_jobs: int | None) -> list[np.ndarray]:
    estimator = GroupCrosscoder(GROUP, n_features=96, batch_size=128, max_epochs=8, random_state=0)
    search = GridSearchCV(estimator, {"l1": L1S}, cv=GroupKFold(3), refit=False, n_jobs=n_jobs).fit(
        store, groups=store.image_ids
    )
    return [search.cv_results_[f"split{fold}_test_score"] for fold in range(3)]


def same(one: list[np.ndarray], other: list[np.ndarray]) -> str:
    return word(all(np.array_equal(a, b) for a, b in zip(one, other, strict=True)))


def word(is_equal: bool) -> str:
    return "the same bits" if is_equal else "OTHER BITS"


def threads(_: int) -> int:
    return torch.get_num_threads()


class Kill:
    """A hook that kills its process in the second pass of a chunk, once."""

    def __init__(self, mark: Path) -> None:
        self.mark, self.n, self.parent = mark, 0, os.getpid()

    def __call__(self, module: Any, inputs: Any) -> None:
        self.n += os.getpid() != self.parent
        if self.n == 2 and not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)


def extract_with_a_death(path: Path, mark: Path) -> OrbitStore:
    source = dataset()
    source.network.module.register_forward_pre_hook(Kill(mark))
    return source.extract(path, n_jobs=2, chunk_bytes=2**19)  # three chunks


def main() -> None:
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    chosen = sys.argv[1:] or ["dask", "ray"]
    print(f"one process: {torch.get_num_threads()} threads")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        one = dataset().extract(folder / "one")
        expected = {"six seeds": seeds(one, None), "nine penalties": penalties(one, None)}
        for backend in chosen:
            with {"dask": dask, "ray": ray}[backend]():
                found = joblib.Parallel(n_jobs=2)(joblib.delayed(threads)(i) for i in range(4))
                print(f"{backend}: threads of a worker: {sorted(set(found))}", flush=True)
                store = dataset().extract(folder / backend, n_jobs=2)
                print(f"{backend}: store: {word(contents(store) == contents(one))}", flush=True)
                for what, function in {"six seeds": seeds, "nine penalties": penalties}.items():
                    print(
                        f"{backend}: {what}: {same(expected[what], function(store, 2))}", flush=True
                    )
                mark = folder / f"{backend}.killed"
                store = extract_with_a_death(folder / f"{backend}-killed", mark)
                if not mark.exists():
                    raise SystemExit("no worker was killed")
                equal = np.array_equal(store[:], one[:]) and store.verify().ok
                print(f"{backend}: a worker killed at a chunk: {word(equal)}", flush=True)


if __name__ == "__main__":
    main()
