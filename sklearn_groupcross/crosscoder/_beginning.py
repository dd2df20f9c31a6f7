"""What a fit begins with: a start, or the state of a run that was stopped, in every process."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from .._stacks._rows import Rows
from ._attributes import CrosscoderAttributes
from ._checkpoint import Checkpoint
from ._checkpoint_schema import RunState
from ._continuation import last_weights
from ._early_stopping import EarlyStopping
from ._options import TrainingOptions
from ._parallelism import Parallelism
from ._start import start, units_of
from ._summary import DataSummary
from ._trainer import Trainer
from ._trainer_state import hand_out


def begin(
    crosscoder: CrosscoderAttributes,
    options: TrainingOptions,
    rows: Rows,
    summary: DataSummary,
    checkpoint: Checkpoint | None,
    saved: RunState | None,
    early_stopping: EarlyStopping | None,
    parallel: Parallelism,
) -> Trainer:
    """Make a trainer, from what the first process has.

    Parameters
    ----------
    crosscoder : GroupCrosscoder
    options : TrainingOptions
    rows : Rows
    summary : DataSummary
        Of the rows.
    checkpoint : Checkpoint or None
    saved : RunState or None
        What it held; the first process alone has them.
    early_stopping : EarlyStopping or None
        It takes up the saved state too.
    parallel : Parallelism

    Raises
    ------
    ValueError
        If processes were given different things, the saved state is of another run, or
        `dict_init` or the last weights do not fit.
    """
    facts = {
        **options.to_json(),
        "group": repr(options.group),
        "shape of X": list(rows.shape),
        "variance of X": summary.variance,
        "norm of the mean of X": float(np.linalg.norm(summary.mean)),
    }
    parallel.check_same(facts)
    trainer = None
    if saved is not None and checkpoint is not None:
        checkpoint.check_options(saved, options)
        checkpoint.check_units(saved, *units_of(options, rows, summary))
    elif parallel.is_first:
        weights = last_weights(crosscoder, "warm_start") if crosscoder.warm_start else None
        # a device may have room for some of the atoms only
        device = torch.device("cpu") if parallel.splits_atoms else options.device
        options_there = replace(options, device=device)
        dictionary = crosscoder.dict_init
        trainer = start(options_there, rows, summary, dict_init=dictionary, weights=weights)
    return hand_out(trainer, saved, early_stopping, options, parallel)
