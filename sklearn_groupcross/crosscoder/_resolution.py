"""What the parameters of an estimator come to once group and columns are known."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from .._ambient import warn_caller
from .._device import resolve_device
from .._plain import as_numpy
from .._processor import instruction_sets, multiplies_bfloat16
from .._stacks._validation import check_constraints
from ._activations import ACTIVATIONS
from ._attributes import CrosscoderAttributes
from ._batches import Passes
from ._options import DEFAULT_K, TrainingOptions

# An atom counts as dead after this share of a run's samples without firing: a feature as rare as
# that has too few samples to be learned, and a longer wait leaves too little of the run to an atom
# that is brought back.
_DEAD_AFTER = 0.05
# Weights of a dictionary whose products take a time to speak of in any precision.
_LARGE = 1 << 16


def check_parameters(crosscoder: CrosscoderAttributes) -> None:
    """Check the parameters that need no data, as `GroupCrosscoder.fit` does before anything else.

    For programs that read or make data for long before they fit.

    Parameters
    ----------
    crosscoder : GroupCrosscoder

    Raises
    ------
    ValueError, TypeError
        Naming the parameter at fault.

    Examples
    --------
    >>> from sklearn_groupcross import GroupCrosscoder
    >>> from sklearn_groupcross.crosscoder import check_parameters
    >>> check_parameters(GroupCrosscoder(activation="topk", n_features=12, k=13))
    Traceback (most recent call last):
        ...
    ValueError: k=13 codes cannot be active in a dictionary of n_features=12.
    """
    check_saved_parameters(crosscoder)
    resolve_device(crosscoder.device)


def check_saved_parameters(crosscoder: CrosscoderAttributes) -> None:
    """Check the parameters that mean the same on every machine.

    Raises
    ------
    ValueError, TypeError
    """
    check_constraints(crosscoder)
    if crosscoder.n_features is not None:
        resolve_k(crosscoder, int(crosscoder.n_features))


def sparsity_parameter(crosscoder: CrosscoderAttributes) -> Literal["k", "l1"]:
    """Name of the parameter that decides how many codes are active.

    For tables and labels of several models. Of a fitted crosscoder it is asked of the activation of
    its weights, whatever `activation` was set to since; of another, of `activation`.

    Parameters
    ----------
    crosscoder : GroupCrosscoder
        Fitted or not.

    Returns
    -------
    parameter : {"k", "l1"}

    Raises
    ------
    ValueError
        If there is no such activation.

    Examples
    --------
    >>> from sklearn_groupcross import GroupCrosscoder
    >>> from sklearn_groupcross.crosscoder import sparsity_parameter
    >>> sparsity_parameter(GroupCrosscoder(activation="batch_topk"))
    'k'
    >>> sparsity_parameter(GroupCrosscoder(activation="jumprelu"))
    'l1'
    """
    name = getattr(crosscoder, "activation_", crosscoder.activation)
    if name not in ACTIVATIONS:
        raise ValueError(f"activation={name!r} is none of {', '.join(map(repr, ACTIVATIONS))}.")
    return "k" if ACTIVATIONS[name].uses_k else "l1"


def draw_seed(random_state: int | np.random.RandomState | None) -> int:
    """Draw the seed of a run."""
    return int(check_random_state(random_state).randint(2**31 - 1))


def resolve_passes(crosscoder: CrosscoderAttributes, rows: NDArray[np.int64], seed: int) -> Passes:
    """Passes over some rows that the parameters ask for."""
    return Passes(
        rows,
        int(crosscoder.batch_size),
        int(crosscoder.max_epochs),
        augment=bool(crosscoder.augment),
        seed=seed,
    )


def resolve_options(crosscoder: CrosscoderAttributes, passes: Passes) -> TrainingOptions:
    """Training options that the parameters ask for.

    Raises
    ------
    ValueError
        If parameters contradict one another, or the device is not there.
    """
    dead_features = crosscoder.dead_features
    if dead_features == "auto":
        dead_features = ACTIVATIONS[crosscoder.activation].revival
    device = resolve_device(crosscoder.device)
    n_atoms = count_atoms(crosscoder)
    precision = _resolve_precision(crosscoder.precision, device)
    if n_atoms * crosscoder.group_.order * crosscoder.n_channels_ >= _LARGE:
        _warn_of_slow_products(precision, device)
    return TrainingOptions(
        group=crosscoder.group_,
        n_channels=crosscoder.n_channels_,
        n_atoms=n_atoms,
        activation=crosscoder.activation,
        k=resolve_k(crosscoder, n_atoms),
        l1=float(crosscoder.l1),
        encoder_input=crosscoder.encoder_input,
        augment=bool(crosscoder.augment),
        n_steps=passes.n_steps,
        learning_rate=float(crosscoder.learning_rate),
        warm_up=float(crosscoder.warm_up),
        decay=float(crosscoder.decay),
        dead_features=dead_features,
        dead_samples=max(1, round(_DEAD_AFTER * len(passes.rows) * passes.n_epochs)),
        precision=precision,
        compression=_resolve_compression(crosscoder.compression),
        device=device,
        seed=passes.seed,
    )


def count_atoms(crosscoder: CrosscoderAttributes) -> int:
    """Number of atoms.

    Raises
    ------
    ValueError
        If `dict_init` has another number of them than `n_features`.
    """
    dictionary = as_numpy(crosscoder.dict_init, "dict_init")
    n_started = None if dictionary is None else len(np.asarray(dictionary))
    if crosscoder.n_features is None:
        return 4 * crosscoder.n_channels_ if n_started is None else n_started
    if n_started is not None and n_started != crosscoder.n_features:
        raise ValueError(f"dict_init has {n_started} atoms; n_features={crosscoder.n_features}.")
    return int(crosscoder.n_features)


def resolve_k(crosscoder: CrosscoderAttributes, n_atoms: int) -> int | None:
    """Active codes of a sample; None where `l1` decides.

    Raises
    ------
    ValueError
        If they are more than there are atoms.
    """
    if not ACTIVATIONS[crosscoder.activation].uses_k:
        return None
    k = min(DEFAULT_K, n_atoms) if crosscoder.k is None else int(crosscoder.k)
    if k > n_atoms:
        raise ValueError(f"k={k} codes cannot be active in a dictionary of n_features={n_atoms}.")
    return k


def _resolve_compression(compression: float | str | None) -> float | Literal["auto"] | None:
    if isinstance(compression, str):
        return "auto"
    return None if compression is None else float(compression)


def _resolve_precision(precision: str, device: torch.device) -> str:
    if precision != "auto":
        return precision
    has_bfloat16 = device.type == "cuda" and torch.cuda.is_bf16_supported()
    return "bfloat16" if has_bfloat16 else "float32"


def _warn_of_slow_products(precision: str, device: torch.device) -> None:
    """Warn if bfloat16 is asked for on a CPU that has to do without instructions for it."""
    if precision == "bfloat16" and device.type == "cpu" and not multiplies_bfloat16():
        warn_caller(
            "precision='bfloat16' on a CPU without instructions for bfloat16 products "
            f"({instruction_sets()}): steps that multiply by all atoms may take 8 times as long "
            "as in float32. Take 'auto', which is bfloat16 on GPUs that have it, or 'float32'.",
            RuntimeWarning,
        )
