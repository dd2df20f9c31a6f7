"""What the file of a model may say: checked as a whole before anything is made of it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, Literal

import numpy as np
from msgspec import UNSET, Meta, Struct, UnsetType, to_builtins
from numpy.typing import NDArray

from .._schema import Count, NonNegative, Positive, Share, Whole, check_json
from ..groups import FiniteGroup, as_group, group_from_json, order_from_json
from ._activations import ACTIVATIONS
from ._persistence import HISTORY, parameters_from_json

Arrays = Mapping[str, NDArray[Any]]
ActivationName = Annotated[str, Meta(pattern=rf"\A({'|'.join(ACTIVATIONS)})\Z")]
OF_EPOCHS = ("loss", "fvu", "l0", "dead")
OF_STEPS = ("step_loss", "step_fvu", "step_l0")
OF_VALIDATION = ("validation_fvu", "validation_loss")
# Of parameters: products of two of them are still numbers that torch can count with.
_LARGEST_NUMBER, _LONGEST_TEXT = 2**31, 4096
#: Parameters are plain values, but for the group.
JsonParameters = dict[str, bool | int | float | str | dict[str, Any] | None]


class Columns(Struct, forbid_unknown_fields=True):
    """What is known of the data."""

    n_features_in_: Count
    n_channels_: Count
    feature_names_in_: list[str] | UnsetType = UNSET


class _Fitted(Columns, forbid_unknown_fields=True, kw_only=True):
    group_: dict[str, Any]
    activation_: ActivationName
    k_: Count | None
    scale_: Positive
    n_coordinates_: Whole
    kept_variance_: Share
    n_iter_: Whole
    n_steps_: Whole
    threshold_: NonNegative | UnsetType | None = UNSET  # or it is an array
    l1_: NonNegative | UnsetType | None = UNSET  # files that do not have it have the parameter


class _Model(Struct, forbid_unknown_fields=True):
    parameters: JsonParameters
    fitted: _Fitted
    # parameters that were set after `fit`, and are not those of the weights
    changed: list[Literal["activation", "group"]] = []


@contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Have errors in the content of a file name it: their messages go on from its name."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{path} {error}") from error


@contextmanager
def saying(what: str) -> Iterator[None]:
    """Put words before the message of an error that knows nothing of files."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from error


def check_model(
    arrays: Arrays, header: dict[str, Any], known: list[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Check the content of a model's file.

    Parameters
    ----------
    arrays : dict of str to ndarray
    header : dict
    known : list of str
        Names of the parameters that are saved.

    Returns
    -------
    parameters : dict
        Constructor parameters; of their values only the types are checked.
    fitted : dict
        Fitted attributes.

    Raises
    ------
    ValueError
        If anything is missing, unknown, of another type, not finite, or does not fit the rest.
    """
    with saying("is damaged or something else"):
        model = check_json(header, _Model)
    check_names(model.parameters, known)
    fitted = model.fitted
    check_columns(fitted, order_of(fitted.group_))
    histories = {name: array for name, array in arrays.items() if name.startswith(HISTORY)}
    weights = {name: array for name, array in arrays.items() if name not in histories}
    _check_weights(fitted, weights)
    _check_histories(histories, fitted)
    with saying("is over no group"):
        group = group_from_json(fitted.group_)
        parameters = parameters_from_json(model.parameters)
    if "group" not in model.changed:
        check_same_group(parameters["group"], group)
    if "activation" not in model.changed and parameters["activation"] != fitted.activation_:
        raise ValueError(
            f"was fitted with activation={fitted.activation_!r}; its parameter is "
            f"{parameters['activation']!r}."
        )
    uses_k = ACTIVATIONS[fitted.activation_].uses_k
    attributes = {
        "l1_": None if uses_k else parameters["l1"],
        **to_builtins(fitted),
        **weights,
        "group_": group,
        "history_": {
            name.removeprefix(HISTORY): array.tolist() for name, array in histories.items()
        },
    }
    return parameters, attributes


def order_of(description: Any) -> int:
    """Order of a group that a parameter describes or names, or of the trivial one."""
    with saying("is over no group"):
        if description is None or isinstance(description, str):
            return as_group(description).order
        return order_from_json(description)


def check_names(parameters: dict[str, Any], known: list[str]) -> None:
    """Check that parameters are those of this version, all of them."""
    unknown, missing = sorted(set(parameters) - set(known)), sorted(set(known) - set(parameters))
    if unknown:
        raise ValueError(
            "was saved with parameters that this version of the package does not know: "
            f"{', '.join(unknown)[:200]}. Read it with the version that wrote it, or a newer one."
        )
    if missing:
        raise ValueError(f"lacks the parameters {', '.join(missing)}.")
    check_plain(parameters)


def check_plain(parameters: Mapping[str, Any]) -> None:
    """Check that only a group is described by an object, and it by nothing else but a name."""
    for name, value in parameters.items():
        if name == "group" and not isinstance(value, str | dict | None):
            raise ValueError(f"has {value!r} as its parameter group; expected a group.")
        if isinstance(value, dict) and name != "group":
            raise ValueError(f"has an object as its parameter {name[:80]}; expected a plain value.")
        if isinstance(value, int) and abs(value) > _LARGEST_NUMBER:
            raise ValueError(f"has a parameter {name[:80]} beyond {_LARGEST_NUMBER}.")
        if isinstance(value, str) and len(value) > _LONGEST_TEXT:
            raise ValueError(f"has {len(value)} letters as its parameter {name[:80]}.")


def check_columns(columns: Columns, order: int) -> None:
    """Check that the columns are the channels of a group's blocks, before the group is built."""
    expected = order * columns.n_channels_
    if columns.n_features_in_ != expected:
        raise ValueError(
            f"has {columns.n_features_in_} columns; {order} elements with "
            f"{columns.n_channels_} channels each make {expected}."
        )
    names = columns.feature_names_in_
    if names is not UNSET and len(names) != expected:
        raise ValueError(f"names {len(names)} of {expected} columns.")


def check_same_group(parameter: FiniteGroup | str | None, group: FiniteGroup) -> None:
    """Check that a model is over the group that its parameters say."""
    with saying("is over no group"):
        expected = as_group(parameter)
    if expected != group:
        raise ValueError(f"was fitted with group={group!r}; its parameter is {parameter!r}.")


def check_array(
    name: str,
    array: NDArray[Any] | None,
    shape: tuple[int, ...],
    dtype: Any = np.float32,
    *,
    finite: bool = True,
) -> None:
    """Check that an array is there, of a shape and type, and finite."""
    if array is None:
        raise ValueError(f"lacks the array {name}.")
    if array.shape != shape or array.dtype != dtype:
        raise ValueError(
            f"has an array {name} of {array.dtype} and shape {array.shape}; expected "
            f"{np.dtype(dtype)} and {shape}."
        )
    # the extremes are bad if any is, and take no memory
    if finite and array.size and not (np.isfinite(array.min()) and np.isfinite(array.max())):
        raise ValueError(f"holds NaN or infinity in its array {name}.")


def is_double(array: NDArray[Any] | None) -> bool:
    """Whether an array is there, of float64."""
    return array is not None and array.dtype == np.float64


def check_nothing_else(arrays: Arrays, expected: set[str]) -> None:
    """Check that there are no arrays beside those expected."""
    unknown = sorted(set(arrays) - expected)
    if unknown:
        raise ValueError(f"has arrays that do not belong there: {', '.join(unknown)[:200]}.")


def check_types(parameters: dict[str, Any], constraints: Mapping[str, list[Any]]) -> None:
    """Check that True and False stand for no numbers, which scikit-learn lets pass.

    Parameters
    ----------
    parameters : dict
    constraints : dict
        The estimator's ``_parameter_constraints``.
    """
    for name, value in parameters.items():
        if isinstance(value, bool) and not {"boolean", "verbose"} & _words(constraints[name]):
            raise ValueError(f"has the parameter {name}={value}; expected a number.")


def _words(constraints: list[Any]) -> set[str]:
    return {constraint for constraint in constraints if isinstance(constraint, str)}


def _check_histories(histories: Arrays, fitted: _Fitted) -> None:
    """Of epochs, of steps and, with early stopping, of validation; NaN is a diverging run's."""
    lengths: dict[str, int] = {}
    for name in (*OF_EPOCHS, *OF_STEPS, *OF_VALIDATION):
        array = histories.get(HISTORY + name)
        kind = "step" if name in OF_STEPS else "epoch"
        if array is None and name in OF_VALIDATION:
            continue
        length = len(array) if array is not None and array.ndim else 0
        shape = (lengths.setdefault(kind, length),)
        check_array(HISTORY + name, array, shape, np.float64, finite=False)
    if len({HISTORY + name in histories for name in OF_VALIDATION}) > 1:
        raise ValueError(f"lacks the history of {' or of '.join(OF_VALIDATION)}.")
    check_nothing_else(histories, {HISTORY + n for n in (*OF_EPOCHS, *OF_STEPS, *OF_VALIDATION)})
    # a pass that was cut short is counted, and not in the history yet
    n_passes, n_steps = fitted.n_iter_, fitted.n_steps_
    is_cut_short = lengths["step"] < n_steps
    if lengths["step"] > n_steps or lengths["epoch"] + is_cut_short != n_passes:
        raise ValueError(
            f"has a history of {lengths['epoch']} epochs and {lengths['step']} steps, with "
            f"n_iter_={n_passes} and n_steps_={n_steps}."
        )


def _check_weights(fitted: _Fitted, weights: Arrays) -> None:
    n_columns, n_channels = fitted.n_features_in_, fitted.n_channels_
    atoms, encoder = weights.get("components_"), weights.get("encoder_")
    n_atoms = 0 if atoms is None or atoms.ndim == 0 else len(atoms)
    # of all columns, or of those of the identity block
    reads_orbit = encoder is not None and encoder.shape[1:] == (n_columns,)
    dtype = np.float64 if is_double(atoms) else np.float32
    shapes: dict[str, tuple[int, ...]] = {
        "components_": (max(1, n_atoms), n_columns),
        "intercept_": (n_columns,),
        "encoder_": (n_atoms, n_columns if reads_orbit else n_channels),
        "encoder_intercept_": (n_atoms,),
    }
    if fitted.threshold_ is UNSET:
        shapes["threshold_"] = (n_atoms,)
    for name, shape in shapes.items():
        array = weights.get(name)
        # those of data far from zero
        is_wide = name in ("intercept_", "encoder_intercept_") and is_double(array)
        check_array(name, array, shape, np.float64 if is_wide else dtype)
    check_nothing_else(weights, set(shapes))
    if fitted.threshold_ is UNSET and weights["threshold_"].min() < 0:
        raise ValueError("has a negative threshold_.")
    threshold = weights["threshold_"] if fitted.threshold_ is UNSET else fitted.threshold_
    if not ACTIVATIONS[fitted.activation_].fits(fitted.k_, threshold):
        raise ValueError(
            f"has a k_ and a threshold_ that are not of activation={fitted.activation_!r}."
        )
    if fitted.l1_ is not UNSET and (fitted.l1_ is None) != (fitted.k_ is not None):
        raise ValueError(f"has l1_={fitted.l1_} with k_={fitted.k_}: one of them decides.")
    if (fitted.k_ or 0) > n_atoms:
        raise ValueError(f"has k_={fitted.k_} active codes of {n_atoms} atoms.")
    if fitted.n_coordinates_ > n_columns:
        raise ValueError(f"has n_coordinates_={fitted.n_coordinates_} of {n_columns} columns.")
