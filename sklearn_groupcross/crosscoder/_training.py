"""The training loop: passes over the data, shared by one dictionary or several, and its end."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from .._ambient import tf32_products
from .._progress import tqdm
from .._stacks._rows import Rows, is_finite
from ._adoption import adopt
from ._attributes import CrosscoderAttributes
from ._batches import Passes, plan_epoch
from ._checkpoint import Checkpoint
from ._early_stopping import EarlyStopping
from ._feed import Feed
from ._interrupt import Interruption, deferred_interrupt
from ._trainer import Trainer
from ._trainer_state import state_of


def train(
    source: Rows,
    trainers: list[Trainer],
    passes: Passes,
    *,
    early_stopping: EarlyStopping | None = None,
    checkpoint: Checkpoint | None = None,
    progress: bool = False,
) -> Interruption | None:
    """Let trainers make the passes, from where the first of them stands.

    Each batch is read, scaled and translated once, for all of them; they share units, group and
    device. Early stopping and checkpoints are for a single one.

    Returns
    -------
    interrupted : Interruption or None
        What ended training early, after a whole step: Ctrl-C, say.
    """
    if early_stopping is not None and early_stopping.is_over:
        early_stopping.restore(trainers[0])
        return None
    first = trainers[0]
    feed = first.feed(source)
    start_epoch, start_batch = divmod(first.step - passes.first_step, passes.n_batches)
    bar = tqdm(
        total=passes.n_steps,
        initial=first.step - passes.first_step,
        desc="training",
        unit="step",
        disable=not progress,
    )
    tf32 = tf32_products(first.options.device, wanted=first.options.precision == "tf32")
    last_act = None if checkpoint is None else checkpoint.close
    with deferred_interrupt(last_act) as interrupted, bar, tf32:
        for epoch in range(start_epoch, passes.n_epochs):
            batches = plan_epoch(
                passes.rows,
                passes.batch_size,
                first.options.group.order,
                augment=passes.augment,
                seed=passes.seed,
                epoch=passes.first_epoch + epoch,
            )[start_batch if epoch == start_epoch else 0 :]
            stop = False
            for number, samples in enumerate(feed.samples(batches), start=1):
                for trainer in trainers:
                    trainer.train_on(samples)
                bar.update()
                if number == len(batches):
                    stop = _end_epoch(feed, trainers, passes, early_stopping)
                    bar.set_postfix(fvu=f"{first.record.history['fvu'][-1]:.3f}", refresh=False)
                if checkpoint is not None and (checkpoint.is_due or interrupted.is_set()):
                    checkpoint.write(*state_of(first, early_stopping))
                if interrupted.is_set():
                    return interrupted
            if stop:
                break
    if checkpoint is not None and checkpoint.keep:
        checkpoint.write(*state_of(first, early_stopping))
    if early_stopping is not None:
        early_stopping.restore(first)
    return None


def finish(crosscoder: CrosscoderAttributes, trainer: Trainer, rows: Rows) -> None:
    """Give an estimator the weights of a trainer, with thresholds for the data they came from.

    Raises
    ------
    ValueError
        If weights are not finite.
    """
    if not all(is_finite(tensor) for tensor in trainer.parameters.tensors()):
        raise ValueError(
            "Training diverged: the weights are no longer finite. Lower learning_rate "
            f"({crosscoder.learning_rate:g}), and look for extreme values in X."
        )
    calibrate_threshold(trainer, rows)
    adopt(crosscoder, trainer, trainer.record, trainer.step)


@torch.no_grad()
def calibrate_threshold(trainer: Trainer, source: Rows) -> None:
    """Let the activation set its threshold by all data, as they are."""
    options = trainer.options

    def parts() -> Iterator[Tensor]:
        for part in source.slices(max(options.n_read, options.n_atoms)):
            columns = slice(options.n_read)
            block = source.read(part, columns=columns, dtype=trainer.units.center.dtype)
            inputs = trainer.inputs_of(trainer.units.apply_(block.to(options.device)))
            yield trainer.parameters.preactivations(inputs)

    trainer.threshold = options.rule.calibrated(trainer.threshold, parts())


def _end_epoch(
    feed: Feed, trainers: list[Trainer], passes: Passes, early_stopping: EarlyStopping | None
) -> bool:
    for trainer in trainers:
        trainer.end_epoch()
    if early_stopping is None:
        return False
    return early_stopping.update(trainers[0], feed, passes.batch_size)
