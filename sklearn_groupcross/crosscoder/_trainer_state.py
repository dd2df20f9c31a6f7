"""All that a step depends on, as tensors and plain values, and a trainer made of them again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ._early_stopping import EarlyStopping
from ._options import TrainingOptions
from ._record import Record
from ._trainer import Trainer


def state_of(
    trainer: Trainer, early_stopping: EarlyStopping | None = None
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """State of a run: tensors, and values that JSON can hold exactly."""
    tensors, values = trainer.state()
    tensors |= trainer.counters.state()
    if len(trainer.record.pending):
        tensors["records"] = trainer.record.pending.clone()
    for name, parameter in trainer.parameters.named().items():
        for moment, value in trainer.optimizer.state.get(parameter, {}).items():
            tensors[f"{name}.{moment}"] = value
    values |= {"step": trainer.step, "history": trainer.record.history}
    if early_stopping is not None:
        best_tensors, values["early_stopping"] = early_stopping.state()
        tensors |= best_tensors
    return tensors, values


def take_up(
    options: TrainingOptions, tensors: dict[str, Tensor], values: dict[str, Any]
) -> Trainer:
    """Make a trainer that goes on where `state_of` was asked."""
    device = options.device
    trainer = Trainer.from_state(options, tensors, values)
    trainer.step = values["step"]
    trainer.record = Record.from_state(values["history"], tensors.get("records"), device)
    trainer.counters.set_state(tensors)
    for name, parameter in trainer.parameters.named().items():
        moments = {
            key.removeprefix(f"{name}."): value.to(device, copy=True)
            for key, value in tensors.items()
            if key.startswith(f"{name}.")
        }
        if moments:
            trainer.optimizer.state[parameter] = moments
    return trainer


def on_device(trainer: Trainer, device: torch.device) -> Trainer:
    """Return the trainer itself, or its copy on another device."""
    if device == trainer.options.device:
        return trainer
    return take_up(replace(trainer.options, device=device), *state_of(trainer))
