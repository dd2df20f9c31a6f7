"""A straightforward crosscoder in PyTorch, to measure against."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor


class DenseLoop:
    """What one writes in an afternoon: every sample is multiplied by every atom.

    TopK, float32, Adam as torch has it by default; start, schedule, clipping and units are those of
    `GroupCrosscoder`.
    """

    def __init__(
        self,
        orbits: np.ndarray,
        n_atoms: int,
        k: int,
        batch_size: int,
        learning_rate: float,
        device: str | torch.device = "cpu",
        seed: int = 0,
    ) -> None:
        self.k, self.d, self.n_atoms = k, orbits.shape[2], n_atoms
        self.batch_size, self.learning_rate, self.seed = batch_size, learning_rate, seed
        self.flat = torch.from_numpy(orbits.reshape(len(orbits), -1)).to(device)
        self.mean = self.flat.mean(0)
        total = sum(float((rows - self.mean).square().sum()) for rows in self.flat.split(1024))
        self.scale = math.sqrt(self.flat.shape[1] * len(orbits) / total)
        generator = torch.Generator().manual_seed(seed)
        atoms = torch.randn(n_atoms, self.flat.shape[1], generator=generator).to(device)
        atoms = torch.nn.functional.normalize(atoms, dim=1)
        encoder = torch.nn.functional.normalize(atoms[:, : self.d], dim=1)
        self.encoder = torch.nn.Parameter(encoder)
        self.encoder_bias = torch.nn.Parameter(torch.zeros(n_atoms, device=device))
        self.decoder = torch.nn.Parameter(atoms)
        self.decoder_bias = torch.nn.Parameter(torch.zeros(self.flat.shape[1], device=device))

    def optimizer(self) -> torch.optim.Adam:
        rate = self.learning_rate
        return torch.optim.Adam(
            [
                {"params": [self.encoder, self.decoder, self.decoder_bias], "lr": rate},
                {"params": [self.encoder_bias], "lr": rate * math.sqrt(self.d)},
            ]
        )

    def fit(self, n_steps: int) -> None:
        adam = self.optimizer()

        def rise_and_fall(step: int) -> float:
            rise = (step + 1) / max(1.0, 0.05 * n_steps)
            fall = (n_steps - step) / max(1.0, 0.2 * n_steps)
            return min(1.0, rise, fall)

        schedule = torch.optim.lr_scheduler.LambdaLR(adam, rise_and_fall)
        generator = torch.Generator().manual_seed(self.seed)
        batches: list[Tensor] = []
        n_batches = -(-len(self.flat) // self.batch_size)
        for _ in range(n_steps):
            if not batches:
                rows = torch.randperm(len(self.flat), generator=generator)
                batches = list(rows.tensor_split(n_batches))
            self.step(self.read(batches.pop()), adam)
            schedule.step()

    def step(self, batch: Tensor, adam: torch.optim.Adam) -> None:
        error = batch - self.decode(self.encode(batch[:, : self.d]))
        adam.zero_grad()
        error.square().mean().backward()
        weights = [weight for group in adam.param_groups for weight in group["params"]]
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        adam.step()

    def read(self, rows: Tensor) -> Tensor:
        return (self.flat[rows] - self.mean) * self.scale

    def encode(self, inputs: Tensor) -> Tensor:
        values = inputs @ self.encoder.T + self.encoder_bias
        kept, places = values.topk(self.k, dim=1)
        return torch.zeros_like(values).scatter(1, places, kept.relu())

    def decode(self, codes: Tensor) -> Tensor:
        return codes @ self.decoder + self.decoder_bias

    @torch.no_grad()
    def transform(self, orbits: np.ndarray) -> np.ndarray:
        inputs = torch.from_numpy(orbits.reshape(len(orbits), -1)[:, : self.d])
        return self.encode((inputs - self.mean[: self.d]) * self.scale).numpy()

    @torch.no_grad()
    def inverse_transform(self, codes: np.ndarray) -> np.ndarray:
        return (self.decode(torch.from_numpy(codes)) / self.scale + self.mean).numpy()

    def score(self, orbits: np.ndarray) -> float:
        flat = orbits.reshape(len(orbits), -1)
        error = np.square(flat - self.inverse_transform(self.transform(orbits))).sum()
        return 1.0 - float(error / np.square(flat - flat.mean(0)).sum())
