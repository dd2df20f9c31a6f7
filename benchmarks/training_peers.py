"""A plain sparse autoencoder: ours against those of three libraries, each in its own environment.

    THP_MEM_ALLOC_ENABLE=1 OMP_WAIT_POLICY=PASSIVE \\
        python benchmarks/training_peers.py PHOTOGRAPHS bvlc_googlenet.safetensors FOLDER \\
        --python dictionary-learning=PYTHON overcomplete=PYTHON sae-lens=PYTHON

PYTHON is the interpreter of a virtual environment in which that package is installed (overcomplete
0.3 asks for ``matplotlib<3.9``). All train the same autoencoder: TopK with k = 32, 4096 atoms, 480
channels of ``inception_3b_output`` at 80 positions of 800 photographs, 100 of them held out;
centred and scaled data, batches of 1024, `--steps` steps, float32, Adam at the same learning rate
with a linear rise over 5 % of the steps and a fall over the last 20 %; dead atoms are left alone.
sae-lens runs as it comes and with its sparse activations. Each library's own training loop runs, in
a process of its own, in turn; loading and a few steps to warm up are not counted. Printed: seconds
of training and of encoding the photographs held out, the ratios to ours, and explained variance and
L0 on the photographs held out.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

N_ATOMS, K, BATCH, LEARNING_RATE = 4096, 32, 1024, 1e-3
N_IMAGES, N_HELD_OUT, N_POSITIONS = 800, 100, 80


def batches(train: np.ndarray, n_steps: int) -> Any:
    """Shuffled batches as tensors; each epoch in another order."""
    import torch

    data = torch.from_numpy(train)
    generator = torch.Generator().manual_seed(0)
    left: list[Any] = []
    for _ in range(n_steps):
        if not left:
            order = torch.randperm(len(data), generator=generator)
            left = [part for part in order.split(BATCH) if len(part) == BATCH]
        yield data[left.pop()]


def train_ours(train: np.ndarray, n_steps: int) -> tuple[Callable, Callable]:
    from sklearn_groupcross import GroupCrosscoder

    n_batches = -(-len(train) // BATCH)
    crosscoder = GroupCrosscoder(
        n_features=N_ATOMS,
        activation="topk",
        k=K,
        batch_size=BATCH,
        learning_rate=LEARNING_RATE,
        max_epochs=max(1, round(n_steps / n_batches)),
        dead_features=None,
        random_state=0,
    ).fit(train)
    return crosscoder.transform, crosscoder.inverse_transform


def rise_and_fall(n_steps: int) -> Callable[[int], float]:
    def factor(step: int) -> float:
        return min(1.0, (step + 1) / max(1.0, 0.05 * n_steps), (n_steps - step) / (0.2 * n_steps))

    return factor


def train_dictionary_learning(train: np.ndarray, n_steps: int) -> tuple[Callable, Callable]:
    from dictionary_learning.trainers.top_k import TopKTrainer

    trainer = TopKTrainer(
        n_steps, train.shape[1], N_ATOMS, K, layer=0, lm_name="", lr=LEARNING_RATE,
        warmup_steps=round(0.05 * n_steps), decay_start=round(0.8 * n_steps), seed=0, device="cpu",
    )  # fmt: skip
    for step, batch in enumerate(batches(train, n_steps)):
        trainer.update(step, batch)
    return trainer.ae.encode, trainer.ae.decode


def train_overcomplete(train: np.ndarray, n_steps: int) -> tuple[Callable, Callable]:
    import torch
    from overcomplete.sae import TopKSAE, train_sae

    torch.manual_seed(0)
    model = TopKSAE(train.shape[1], N_ATOMS, top_k=K, device="cpu")
    adam = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.LambdaLR(adam, rise_and_fall(n_steps))

    def squared_error(x: Any, rebuilt: Any, *_: Any) -> Any:
        return (x - rebuilt).square().mean()

    class Loader:
        def __iter__(self) -> Any:
            return batches(train, n_steps)

    train_sae(model, Loader(), squared_error, adam, schedule, nb_epochs=1, monitoring=0)
    model.eval()
    return lambda x: model.encode(x)[1], model.decode


def train_sae_lens(
    train: np.ndarray, n_steps: int, sparse: bool = False
) -> tuple[Callable, Callable]:
    import torch
    from sae_lens import TopKTrainingSAE, TopKTrainingSAEConfig
    from sae_lens.config import SAETrainerConfig
    from sae_lens.training.sae_trainer import SAETrainer

    torch.manual_seed(0)
    model = TopKTrainingSAE(
        TopKTrainingSAEConfig(
            d_in=train.shape[1], d_sae=N_ATOMS, k=K, use_sparse_activations=sparse,
            aux_loss_coefficient=0.0, rescale_acts_by_decoder_norm=not sparse, device="cpu",
        )
    )  # fmt: skip
    settings = SAETrainerConfig(
        total_training_samples=n_steps * BATCH, train_batch_size_samples=BATCH, lr=LEARNING_RATE,
        lr_end=0.0, lr_warm_up_steps=round(0.05 * n_steps), lr_decay_steps=round(0.2 * n_steps),
        device="cpu",
    )  # fmt: skip
    SAETrainer(settings, model, batches(train, n_steps)).fit()

    def encode(x: Any) -> Any:
        codes = model.encode(x)
        return codes.to_dense() if codes.is_sparse else codes

    return encode, model.decode


def train_sae_lens_sparse(train: np.ndarray, n_steps: int) -> tuple[Callable, Callable]:
    return train_sae_lens(train, n_steps, sparse=True)


LIBRARIES = {
    "ours": train_ours,
    "dictionary-learning": train_dictionary_learning,
    "overcomplete": train_overcomplete,
    "sae-lens": train_sae_lens,
    "sae-lens sparse": train_sae_lens_sparse,
}


def run_one(name: str, folder: Path, n_steps: int) -> dict[str, float]:
    """Train with one library, in this process, and measure."""
    import torch

    train, test = np.load(folder / "train.npy"), np.load(folder / "test.npy")
    LIBRARIES[name](train[: 4 * BATCH], 20)  # loads, compiles, fills caches
    start = time.perf_counter()
    encode, decode = LIBRARIES[name](train, n_steps)
    seconds = time.perf_counter() - start
    given = test if name == "ours" else torch.from_numpy(test)
    with torch.no_grad():
        codes, encoding = encode(given), []
        for _ in range(5):
            start = time.perf_counter()
            codes = encode(given)
            encoding.append(time.perf_counter() - start)
        rebuilt = np.asarray(decode(codes))
    explained = 1 - np.square(test - rebuilt).sum() / np.square(test - test.mean(0)).sum()
    return {
        "training": seconds,
        "encoding": min(encoding),
        "explained": float(explained),
        "l0": float((np.asarray(codes) > 0).sum(1).mean()),
    }


def write_data(options: argparse.Namespace) -> None:
    """Centred activations at scale √d, of photographs to train on and of others."""
    from sklearn_groupcross import OrbitDataset, load_network
    from sklearn_groupcross.groups import Trivial
    from sklearn_groupcross.orbits import ImageSource

    files = ImageSource(options.images)[np.arange(N_IMAGES)]
    network = load_network("bvlc_googlenet", options.weights)
    dataset = OrbitDataset(files, network=network, group=Trivial(), n_positions=N_POSITIONS)
    store = dataset.extract(options.folder / "activations.orbits", progress=True)
    activations = np.asarray(store, np.float32)[:, 0]
    held_out = store.image_ids % (N_IMAGES // N_HELD_OUT) == 0
    mean = activations[~held_out].mean(0)
    activations -= mean
    activations *= np.sqrt(1 / activations[~held_out].var())
    np.save(options.folder / "train.npy", activations[~held_out])
    np.save(options.folder / "test.npy", activations[held_out])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images")
    parser.add_argument("weights")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", nargs="*", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--steps", type=int, default=275)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=list(LIBRARIES), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        with contextlib.redirect_stdout(sys.stderr):
            found = run_one(options.only, options.folder, options.steps)
        print(json.dumps(found))
        return
    write_data(options)
    pythons = {"ours": sys.executable} | dict(pair.split("=", 1) for pair in options.python)
    results: dict[str, list[dict[str, float]]] = {}
    for _ in range(options.rounds):
        for name in LIBRARIES:
            python = pythons.get(name.removesuffix(" sparse"))
            if python is None:
                continue
            arguments = [options.images, options.weights, str(options.folder)]
            command = [python, __file__, *arguments, "--only", name, "--steps", str(options.steps)]
            process = subprocess.run(
                command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                env={**os.environ, "WANDB_MODE": "disabled", "CUDA_VISIBLE_DEVICES": ""},
            )  # fmt: skip
            results.setdefault(name, []).append(json.loads(process.stdout))
            print(name, results[name][-1], flush=True)
    from measuring import processor, ratio, spread

    print(processor())
    for name, found in results.items():
        line = f"{name}:"
        for what in ("training", "encoding"):
            its, reference = ([r[what] for r in some] for some in (found, results["ours"]))
            line += f" {what} {spread(its, 2)} s, {ratio(its, reference)} as long as ours;"
        explained, l0 = (np.mean([r[what] for r in found]) for what in ("explained", "l0"))
        print(f"{line} explained {explained:.4f}, L0 {l0:.1f}")


if __name__ == "__main__":
    main()
