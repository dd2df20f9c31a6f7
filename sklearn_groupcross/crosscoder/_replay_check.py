"""Whether a GPU replays steps as it makes them when they are launched."""

from __future__ import annotations

from functools import cache
from textwrap import shorten

import torch

from .._ambient import warn_caller
from ..groups import Cyclic
from ._batches import Samples
from ._initial import initialize
from ._options import TrainingOptions
from ._parameters import Units
from ._trainer import Trainer


@cache
def replays_on(device: torch.device) -> bool:
    """Train a tiny dictionary both ways on a GPU; if what is learned differs, warn."""
    if device.type != "cuda":
        return False
    try:
        launched, replayed = _trained(device, replays=False), _trained(device, replays=True)
        pairs = zip(launched, replayed, strict=True)
        same = all(torch.allclose(a, b, rtol=1e-4, atol=1e-5) for a, b in pairs)
        why = "" if same else "what is learned differs"
    except Exception as error:  # whatever a driver or a library says
        why = shorten(f"{type(error).__name__}: {error}", 300)
    if why:
        warn_caller(
            f"CUDA graphs do not work on {device} ({why}). Training goes on and launches each "
            "kernel by itself, which takes longer where they are short.",
            RuntimeWarning,
        )
    return not why


def _trained(device: torch.device, *, replays: bool) -> list[torch.Tensor]:
    """Weights, counters and records after some steps."""
    options = TrainingOptions(
        group=Cyclic(2), n_channels=4, n_atoms=8, activation="batch_topk", k=2, l1=0.0,
        encoder_input="identity", augment=False, n_steps=12, learning_rate=1e-2, warm_up=0.0,
        decay=0.2, dead_features="auxk", dead_samples=40, precision="float32", device=device,
        seed=0,
    )  # fmt: skip
    units = Units(torch.zeros(1, options.n_channels, dtype=torch.float32, device="cpu"), 1.0)
    trainer = Trainer(options, initialize(options), units, variance=1.0)
    shape, generator = (16, options.width), torch.Generator(device="cpu").manual_seed(0)
    with torch.enable_grad(), trainer.replaying(replays):
        for _ in range(10):
            numbers = torch.randn(shape, generator=generator, dtype=torch.float32, device="cpu")
            targets = numbers.to(device)
            trainer.train_on(Samples(targets[:, : options.n_channels].contiguous(), targets))
    counted = [trainer.counters.idle.float(), trainer.record.pending, trainer.threshold]
    return [*trainer.parameters.detached().tensors(), *counted]
