"""What the file of a checkpoint may say: checked as a whole before a run goes on from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import torch
from msgspec import UNSET, Meta, Struct, UnsetType, to_builtins
from numpy.typing import NDArray
from torch import Tensor

from .._schema import Count, NonNegative, Positive, Share, Whole, check_json
from ..groups import FiniteGroup, as_group
from ._activations import ACTIVATIONS
from ._model_schema import (
    OF_EPOCHS,
    OF_STEPS,
    OF_VALIDATION,
    ActivationName,
    Arrays,
    Columns,
    JsonParameters,
    check_array,
    check_columns,
    check_names,
    check_nothing_else,
    check_plain,
    is_double,
    order_of,
    saying,
)
from ._options import TrainingOptions
from ._persistence import HISTORY, identity_of_parameters, parameters_from_json

# Training options that are parameters under the same name, or none of them if those are None.
_SAME = (
    "activation", "l1", "encoder_input", "augment", "learning_rate", "warm_up",
    "decay", "compression",
)  # fmt: skip
_MAY_BE_NONE = {"n_features": "n_atoms", "k": "k"}


class _Options(Struct, forbid_unknown_fields=True):
    """`TrainingOptions`, but for group and device."""

    n_channels: Count
    n_atoms: Count
    activation: ActivationName
    k: Count | None
    l1: NonNegative
    encoder_input: Literal["identity", "orbit"]
    augment: bool
    n_steps: Count
    learning_rate: Positive
    warm_up: Share
    decay: Share
    dead_features: Literal["auxk", "resample"] | None
    dead_samples: Annotated[int, Meta(ge=1, le=2**62)]
    precision: Literal["float32", "tf32", "bfloat16"]
    seed: Annotated[int, Meta(ge=0, lt=2**31)]
    l1_start: NonNegative
    compression: Annotated[float, Meta(gt=0, le=1)] | Literal["auto"] | None


class _EarlyStopping(Struct, forbid_unknown_fields=True):
    best: float | None
    waited: Whole


class _Values(Struct, forbid_unknown_fields=True):
    options: _Options
    step: Count
    scale: Positive
    variance: NonNegative
    kept: Share | UnsetType = UNSET
    lost: float | UnsetType = UNSET
    early_stopping: _EarlyStopping | UnsetType = UNSET


class _Model(Struct, forbid_unknown_fields=True):
    parameters: JsonParameters
    fitted: Columns


class _Checkpoint(Struct, forbid_unknown_fields=True):
    configuration: dict[str, bool | int | float | str | list[str] | dict[str, Any] | None]
    model: _Model
    values: _Values


@dataclass(frozen=True)
class RunState:
    """A checkpoint's content.

    Attributes
    ----------
    configuration : dict
    parameters : dict
        Constructor parameters; of their values only the types are checked.
    columns : dict
        Fitted attributes that the data decide.
    group : FiniteGroup
    arrays : dict of str to ndarray
        Those of `state_of` a trainer.
    values : dict
        Likewise.
    """

    configuration: dict[str, Any]
    parameters: dict[str, Any]
    columns: dict[str, Any]
    group: FiniteGroup
    arrays: dict[str, NDArray[Any]]
    values: dict[str, Any]

    @property
    def options(self) -> TrainingOptions:
        """Options of the run, on the CPU: to look at what it has learned."""
        device = torch.device("cpu")
        return TrainingOptions(group=self.group, device=device, **self.values["options"])

    def tensors(self) -> dict[str, Tensor]:
        """The arrays as tensors, copied: torch is not to write into what numpy holds."""
        return {name: torch.from_numpy(array.copy()) for name, array in self.arrays.items()}


def check_checkpoint(arrays: Arrays, header: dict[str, Any], known: list[str]) -> RunState:
    """Check the content of a checkpoint's file.

    Parameters
    ----------
    arrays : dict of str to ndarray
    header : dict
    known : list of str
        Names of the parameters that are saved.

    Raises
    ------
    ValueError
        If anything is missing, unknown, of another type, not finite, or does not fit the rest.
    """
    with saying("is damaged or something else"):
        content = check_json(header, _Checkpoint)
    model, values, options = content.model, content.values, content.values.options
    check_names(model.parameters, known)
    check_columns(model.fitted, order_of(model.parameters["group"]))
    if options.n_channels != model.fitted.n_channels_:
        raise ValueError(
            f"is of {options.n_channels} channels, and its data of {model.fitted.n_channels_}."
        )
    _check_same(content)
    _check_sizes(values, model.parameters)
    tensors = {name: each for name, each in arrays.items() if not name.startswith(HISTORY)}
    histories = {name: each for name, each in arrays.items() if name.startswith(HISTORY)}
    _check_histories(histories, tensors, values, model.parameters)
    _check_ranges(tensors, options)
    with saying("is over no group"):
        parameters = parameters_from_json(model.parameters)
        group = as_group(parameters["group"])
    _check_tensors(tensors, values, group)
    history = {name.removeprefix(HISTORY): each.tolist() for name, each in histories.items()}
    return RunState(
        content.configuration,
        parameters,
        to_builtins(model.fitted),
        group,
        tensors,
        {**to_builtins(values), "history": history},
    )


def _check_same(content: _Checkpoint) -> None:
    """Check that what is said twice is the same."""
    parameters, options = content.model.parameters, content.values.options
    check_plain(content.configuration)
    differing = [
        name
        for name, value in identity_of_parameters(parameters).items()
        if name != "random_state"
        and (type(value), value)
        != (type(content.configuration.get(name)), content.configuration.get(name))
    ]
    differing += [name for name in _SAME if parameters[name] != getattr(options, name)]
    has_k = ACTIVATIONS[options.activation].uses_k
    for name, option in _MAY_BE_NONE.items():
        if parameters[name] not in (None, getattr(options, option)) and (name != "k" or has_k):
            differing.append(name)
    if differing:
        raise ValueError(f"disagrees with itself in {', '.join(differing)}.")


def _check_sizes(values: _Values, parameters: dict[str, Any]) -> None:
    options = values.options
    if (options.k is not None) != ACTIVATIONS[options.activation].uses_k:
        raise ValueError(f"has k={options.k} with activation={options.activation!r}.")
    if (options.k or 0) > options.n_atoms:
        raise ValueError(f"has k={options.k} active codes of {options.n_atoms} atoms.")
    if values.step > options.n_steps:
        raise ValueError(f"stands at step {values.step} of {options.n_steps}.")
    if options.compression is None and not (values.kept is UNSET and values.lost is UNSET):
        raise ValueError("says what compression keeps, and has none.")
    if options.compression is not None and (values.kept is UNSET or values.lost is UNSET):
        raise ValueError("does not say what compression keeps.")
    n_epochs = parameters["max_epochs"]
    if type(n_epochs) is not int or n_epochs < 1 or options.n_steps % n_epochs:
        raise ValueError(f"has {options.n_steps} steps in {n_epochs!r} epochs.")
    if (values.early_stopping is not UNSET) != (parameters["early_stopping"] is True):
        raise ValueError("has another early_stopping than its parameters say.")


def _check_histories(
    histories: Arrays, tensors: Arrays, values: _Values, parameters: dict[str, Any]
) -> None:
    """Whole epochs have ended; the steps after them are in the records."""
    n_batches = values.options.n_steps // parameters["max_epochs"]
    n_epochs, n_recorded = divmod(values.step, n_batches)
    names = dict.fromkeys(OF_EPOCHS, n_epochs) | dict.fromkeys(OF_STEPS, n_epochs * n_batches)
    if values.early_stopping is not UNSET and n_epochs:
        names |= dict.fromkeys(OF_VALIDATION, n_epochs)
    for name, length in names.items():  # NaN is what a diverging run has
        array = histories.get(HISTORY + name)
        check_array(HISTORY + name, array, (length,), np.float64, finite=False)
    check_nothing_else(histories, {HISTORY + name for name in names})
    if n_recorded:
        check_array("records", tensors.get("records"), (n_recorded, 4), finite=False)
    elif "records" in tensors:
        raise ValueError(f"has records of an epoch that has ended at step {values.step}.")


def _check_ranges(tensors: Arrays, options: _Options) -> None:
    n_atoms = options.n_atoms
    check_array("idle", tensors.get("idle"), (n_atoms,), np.int64)
    check_array("fired", tensors.get("fired"), (n_atoms,), np.bool_)
    check_array("threshold", tensors.get("threshold"), ())
    check_array("active_share", tensors.get("active_share"), ())
    if tensors["idle"].min() < 0:
        raise ValueError("holds negative numbers in its array idle.")
    if not 0 <= tensors["active_share"] <= 1:
        raise ValueError(f"holds {tensors['active_share']} in its array active_share.")
    dead = tensors.get("dead")
    if dead is not None:
        check_array("dead", dead, (len(dead) if dead.ndim else 1,), np.int64)
        if (np.diff(dead) <= 0).any() or (len(dead) and not 0 <= dead[0] <= dead[-1] < n_atoms):
            raise ValueError("holds no numbers of atoms in its array dead.")


def _check_tensors(tensors: Arrays, values: _Values, group: FiniteGroup) -> None:
    options = values.options
    n_atoms, n_channels = options.n_atoms, options.n_channels
    n_columns = group.order * n_channels
    one_block = (1 if options.augment else group.order, n_channels)
    shapes: dict[str, tuple[int, ...]] = {"center": one_block}
    bias = one_block
    if options.compression is not None:
        axes = {f"basis.{number}": irrep for number, irrep in enumerate(group.irreps)}
        n_coordinates = 0
        for name, irrep in axes.items():
            array = tensors.get(name)
            n_axes = len(array) if array is not None and array.ndim else 0
            shapes[name] = (n_axes, irrep.multiplicity * n_channels)
            n_coordinates += irrep.dimension * n_axes
        n_columns, bias = n_coordinates, (1, n_coordinates)
    reads_orbit = options.encoder_input == "orbit"
    weights = {
        "encoder": (n_atoms, n_columns if reads_orbit else n_channels),
        "encoder_bias": (n_atoms,),
        "decoder": (n_atoms, n_columns),
        "decoder_bias": bias,
    }
    weights |= dict.fromkeys(ACTIVATIONS[options.activation].own_parameters, (n_atoms,))
    for name, shape in weights.items():
        shapes |= {
            name: shape,
            f"{name}.step": (),
            f"{name}.exp_avg": shape,
            f"{name}.exp_avg_sq": shape,
        }
    if values.early_stopping is not UNSET and values.early_stopping.best is not None:
        shapes |= {f"best.{name}": shape for name, shape in weights.items()}
        shapes["best.threshold"] = ()
    for name, shape in shapes.items():
        array = tensors.get(name)
        is_wide = name == "center" and is_double(array)  # of data far from zero
        check_array(name, array, shape, np.float64 if is_wide else np.float32)
    others = {"idle", "fired", "threshold", "active_share", "dead", "records"}
    check_nothing_else(tensors, shapes.keys() | others)
    for name in weights:
        if tensors[f"{name}.exp_avg_sq"].min(initial=0) < 0:
            raise ValueError(f"holds negative squares in its array {name}.exp_avg_sq.")
