"""All that a step depends on, as tensors and plain values, and a trainer made of them again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ._checkpoint_schema import RunState
from ._early_stopping import EarlyStopping
from ._options import TrainingOptions
from ._parallelism import ALONE, Parallelism
from ._record import Record
from ._trainer import Trainer


def state_of(
    trainer: Trainer, early_stopping: EarlyStopping | None = None
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """State of a run: tensors, and values that JSON can hold exactly.

    It is that of all processes together, which all must ask for it.
    """
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
    values["options"] = trainer.whole_options.to_json()
    return trainer.parallel.whole_state(tensors), values


def take_up(
    options: TrainingOptions,
    tensors: dict[str, Tensor],
    values: dict[str, Any],
    parallel: Parallelism = ALONE,
) -> Trainer:
    """Make a trainer that goes on where `state_of` was asked.

    Options and state are of the whole dictionary.
    """
    device = options.device
    own_options, tensors = parallel.own_options(options), parallel.own_state(tensors)
    trainer = Trainer.from_state(own_options, tensors, values, parallel)
    trainer.whole_options = options
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


def hand_out(
    trainer: Trainer | None,
    saved: RunState | None,
    early_stopping: EarlyStopping | None,
    options: TrainingOptions,
    parallel: Parallelism,
) -> Trainer:
    """Give every process its part of what the first begins with: a trainer, or a saved state."""
    if trainer is not None and parallel is ALONE:
        return trainer
    tensors, values = None, None
    if saved is not None:
        tensors, values = saved.tensors(), saved.values
    elif trainer is not None:
        tensors, values = state_of(trainer)
    shared, values = parallel.share(tensors), parallel.tell(values)
    trainer = take_up(options, shared, values, parallel)
    if early_stopping is not None and "early_stopping" in values:
        early_stopping.set_state(parallel.own_state(shared), values["early_stopping"])
    return trainer


def whole(trainer: Trainer) -> Trainer:
    """Return the trainer itself, or one of all atoms, on the CPU, where processes have some each.

    All of these must ask for it.
    """
    if not trainer.parallel.splits_atoms:
        return trainer
    options = replace(trainer.whole_options, device=torch.device("cpu"))
    return take_up(options, *state_of(trainer))


def on_device(trainer: Trainer, device: torch.device) -> Trainer:
    """Return the trainer itself, or its copy on another device."""
    if device == trainer.options.device:
        return trainer
    return take_up(replace(trainer.options, device=device), *state_of(trainer))
