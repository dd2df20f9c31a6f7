"""Going on from what an estimator has learned before: the weights, and what must not change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from ..groups import FiniteGroup, as_group
from ._activations import ACTIVATIONS
from ._attributes import CrosscoderAttributes
from ._codes import dictionary_of
from ._parameters import Parameters
from ._resolution import count_atoms, resolve_options, resolve_passes
from ._trainer import Trainer

# Training options that `partial_fit` takes from its first call, and the parameters they come from.
_KEPT_BY_PARTIAL_FIT = {
    "n_atoms": "n_features",
    "activation": "activation",
    "k": "k",
    "l1": "l1",
    "encoder_input": "encoder_input",
    "augment": "augment",
    "learning_rate": "learning_rate",
    "dead_features": "dead_features",
    "compression": "compression",
}


def check_same_group(crosscoder: CrosscoderAttributes, group: FiniteGroup) -> None:
    """Refuse, with `warm_start`, another group than that of the weights.

    Raises
    ------
    ValueError
    """
    if hasattr(crosscoder, "components_") and group != crosscoder.group_:
        raise ValueError(
            f"warm_start goes on from the last fit, under {crosscoder.group_!r}; now group is "
            f"{group!r}, whose blocks mean something else. Fit a clone, or set warm_start=False."
        )


def check_unchanged(crosscoder: CrosscoderAttributes, trainer: Trainer | None) -> None:
    """Refuse, in `partial_fit`, parameters that are not those of the training so far.

    Raises
    ------
    ValueError
    """
    if not hasattr(crosscoder, "components_"):
        return
    group = as_group(crosscoder.group)
    changed = []
    if group != crosscoder.group_:
        changed.append(f"group={group!r} (was {crosscoder.group_!r})")
    if trainer is not None:
        before = trainer.options
        now = resolve_options(crosscoder, resolve_passes(crosscoder, np.arange(2), 0))
        changed += [
            f"{parameter}={getattr(now, option)!r} (was {getattr(before, option)!r})"
            for option, parameter in _KEPT_BY_PARTIAL_FIT.items()
            if getattr(now, option) != getattr(before, option)
        ]
    if changed:
        raise ValueError(
            f"partial_fit goes on with what was trained before, but since then parameters have "
            f"changed: {', '.join(changed)}. Set them back, or call fit, or partial_fit of a "
            "clone, to start anew."
        )


def last_weights(crosscoder: CrosscoderAttributes, caller: str) -> Parameters | None:
    """Weights of the last fit, in the units of the data; None if there was none.

    `caller` is what goes on from them, for the message if it cannot.

    Raises
    ------
    ValueError
        If their shapes are not those that the parameters ask for.
    """
    if not hasattr(crosscoder, "components_"):
        return None
    shape = (count_atoms(crosscoder), crosscoder.n_features_in_)
    reads_block = crosscoder.encoder_input == "identity"
    n_read = crosscoder.n_channels_ if reads_block else crosscoder.n_features_in_
    if crosscoder.components_.shape != shape or crosscoder.encoder_.shape[1] != n_read:
        way_out = (
            "Fit a clone, or set warm_start=False."
            if caller == "warm_start"
            else "Set the parameters back, or call fit to start anew."
        )
        raise ValueError(
            f"{caller} goes on from the last fit, whose components_ have shape "
            f"{crosscoder.components_.shape} and encoder_ {crosscoder.encoder_.shape}; these "
            f"parameters and data ask for {shape} and {(shape[0], n_read)}. {way_out}"
        )
    weights = dictionary_of(crosscoder, np.dtype(np.float32), torch.device("cpu")).parameters
    rule = ACTIVATIONS[crosscoder.activation]
    return replace(weights, log_threshold=rule.learned_log_threshold(crosscoder.threshold_))
