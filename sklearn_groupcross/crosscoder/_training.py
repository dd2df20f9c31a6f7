"""The training loop: passes over the data, shared by one dictionary or several, and its end."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from functools import partial

import torch

from .._ambient import tf32_products
from .._processor import instruction_sets
from .._progress import tqdm
from .._stacks._rows import Rows, is_finite
from ._adoption import adopt
from ._attributes import CrosscoderAttributes
from ._batches import Passes, plan_epoch
from ._checkpoint import Checkpoint
from ._distributed._processes import LostProcessError
from ._early_stopping import EarlyStopping
from ._feed import Feed
from ._interrupt import Interruption, deferred_interrupt
from ._replay_check import replays_on
from ._revival import resamples_at
from ._side_by_side import side_by_side
from ._trainer import Trainer
from ._trainer_state import state_of, whole

_LOGGER = logging.getLogger(__name__)


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
    device. Early stopping, checkpoints and other processes are for a single one. A checkpoint is
    the first process's, which decides for all when to write it.

    Returns
    -------
    interrupted : Interruption or None
        What ended training early, after a whole step: Ctrl-C, say.
    """
    if early_stopping is not None and early_stopping.is_over:
        early_stopping.restore(trainers[0])
        return None
    first = trainers[0]
    parallel = first.parallel
    parallel.check_batches(len(passes.rows) // passes.n_batches)
    feed = first.feed(source)
    if _LOGGER.isEnabledFor(logging.INFO):
        _LOGGER.info("%s", _how_products_are_made(first))
    start_epoch, start_batch = divmod(first.step - passes.first_step, passes.n_batches)
    bar = tqdm(
        total=passes.n_steps,
        initial=first.step - passes.first_step,
        desc="training",
        unit="step",
        disable=not progress,
    )
    tf32 = tf32_products(first.options.device, wanted=first.options.precision == "tf32")
    (writes,) = parallel.any(checkpoint is not None)
    last_act = partial(_before_death, first, checkpoint) if writes else None
    with (
        deferred_interrupt(last_act) as interrupted,
        bar,
        tf32,
        ExitStack() as replays,
        side_by_side(trainers) as steps,
    ):
        for trainer in trainers:
            replays.enter_context(trainer.replaying(replays_on(trainer.options.device)))
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
            parts = [parallel.part(batch) for batch in batches]
            read = feed.samples(parts, n_in_use=steps.n_batches)
            for number, samples in enumerate(read, start=1):
                try:
                    steps.begin(samples)
                except LostProcessError:
                    _save_before_step(first, early_stopping, checkpoint)
                    raise
                bar.update()
                if number == len(batches):
                    steps.end()
                    stop = _end_epoch(feed, trainers, passes, early_stopping)
                    bar.set_postfix(fvu=f"{first.record.history['fvu'][-1]:.3f}", refresh=False)
                is_due = checkpoint is not None and checkpoint.is_due
                ends, saves = parallel.any(interrupted.is_set(), is_due)
                if writes and (saves or ends):
                    _save(first, early_stopping, checkpoint)
                if ends:
                    steps.end()
                    interrupted.set_by_others()
                    return interrupted
            if stop:
                break
    keeps = checkpoint is not None and checkpoint.keep
    if parallel.any(keeps)[0]:
        _save(first, early_stopping, checkpoint)
    if early_stopping is not None:
        early_stopping.restore(first)
    return None


def _how_products_are_made(trainer: Trainer) -> str:
    """What the processor or device has decided, for the log."""
    options = trainer.options
    if options.device.type != "cpu":
        return f"training on {options.device} in {options.precision}"
    rough = options.rule.rough_encoder(trainer.parameters)
    largest = "exact products" if rough is None else f"rough products of {rough.numbers}"
    looked_for = f", largest codes looked for in {largest}" if options.rule.uses_k else ""
    n_threads = torch.get_num_threads()
    return (
        f"training on the CPU ({instruction_sets()}; threads: {n_threads}), dense steps in "
        f"{options.precision}{looked_for}"
    )


def _before_death(trainer: Trainer, checkpoint: Checkpoint | None) -> None:
    """What a process owes to the others, and to the next run, before a signal ends it."""
    with suppress(RuntimeError):  # others have died already
        whole(trainer)
    if checkpoint is not None:
        checkpoint.close()


def _save(
    trainer: Trainer, early_stopping: EarlyStopping | None, checkpoint: Checkpoint | None
) -> None:
    """Write the state of all processes, who all must ask for it, to the checkpoint of the first."""
    state = state_of(trainer, early_stopping)
    if checkpoint is not None:
        checkpoint.write(*state)


def _save_before_step(
    trainer: Trainer, early_stopping: EarlyStopping | None, checkpoint: Checkpoint | None
) -> None:
    """Write the state after the last whole step, where this process has all of it."""
    if checkpoint is None or trainer.parallel.splits_atoms:
        return
    if not resamples_at(trainer.step, trainer.options):  # which has changed it already
        checkpoint.write(*state_of(trainer, early_stopping))


def finish(
    crosscoders: Sequence[CrosscoderAttributes], trainers: Sequence[Trainer], rows: Rows
) -> None:
    """Give estimators the weights of trainers, with thresholds for the data they came from.

    Raises
    ------
    ValueError
        If weights are not finite.
    """
    for crosscoder, trainer in zip(crosscoders, trainers, strict=True):
        if not all(is_finite(tensor) for tensor in trainer.parameters.tensors()):
            raise ValueError(
                "Training diverged: the weights are no longer finite. Lower learning_rate "
                f"({crosscoder.learning_rate:g}), and look for extreme values in X."
            )
    calibrate_thresholds(trainers, rows)
    for crosscoder, trainer in zip(crosscoders, trainers, strict=True):
        adopt(crosscoder, trainer, trainer.record, trainer.step)


@torch.no_grad()
def calibrate_thresholds(trainers: Sequence[Trainer], source: Rows) -> None:
    """Let activations set their thresholds by all data, as they are, in one pass."""
    first, options = trainers[0], trainers[0].options
    calibrations = [
        (trainer, calibration)
        for trainer in trainers
        if (calibration := trainer.options.rule.calibration(trainer.threshold)) is not None
    ]
    if not calibrations:
        return
    for part in source.slices(max(options.n_read, options.n_atoms)):
        columns = slice(options.n_read)
        block = source.read(part, columns=columns, dtype=first.units.center.dtype)
        inputs = first.inputs_of(first.units.apply_(block.to(options.device)))
        for trainer, calibration in calibrations:
            calibration.add(trainer.parameters.preactivations(inputs))
    for trainer, calibration in calibrations:
        trainer.threshold = calibration.threshold()


def _end_epoch(
    feed: Feed, trainers: list[Trainer], passes: Passes, early_stopping: EarlyStopping | None
) -> bool:
    for trainer in trainers:
        trainer.end_epoch()
    if early_stopping is None:
        return False
    return early_stopping.update(trainers[0], feed, passes.batch_size)
