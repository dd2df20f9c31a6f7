"""What a fitted crosscoder can do: codes, reconstructions, a score, a file."""

from __future__ import annotations

import os
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags, check_array
from sklearn.utils.validation import check_is_fitted

from .._ambient import own_state
from .._plain import as_numpy
from .._stacks._codes import mark_as_codes
from .._stacks._validation import FLOATS, validate_rows
from ..groups import as_group
from ._adoption import adopt, set_fitted
from ._attributes import CrosscoderAttributes
from ._checkpoint_schema import check_checkpoint
from ._codes import codes_of_activations, codes_of_orbits, dictionary_of
from ._in_training import DictionaryInTraining
from ._inference import decode, explained_variance
from ._model_schema import check_model, check_types, naming, saying
from ._persistence import (
    CHECKPOINT_FORMAT,
    MODEL_FORMAT,
    history_to_arrays,
    parameters_to_json,
    saved_parameters,
    value_to_json,
)
from ._record import Record
from ._resolution import check_saved_parameters
from ._tensor_file import read_tensors, write_tensors

_FittedT = TypeVar("_FittedT", bound="FittedCrosscoder")
_FITTED = (
    "components_",
    "intercept_",
    "encoder_",
    "encoder_intercept_",
    "group_",
    "activation_",
    "threshold_",
    "n_features_in_",
    "n_channels_",
    "k_",
    "l1_",
    "scale_",
    "n_coordinates_",
    "kept_variance_",
    "history_",
    "n_iter_",
    "n_steps_",
    "feature_names_in_",  # there if X was a data frame
)


class FittedCrosscoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, CrosscoderAttributes):
    """Everything of `GroupCrosscoder` that comes after training; see there for the attributes."""

    @own_state()
    def transform(self, X: ArrayLike) -> NDArray[np.floating] | csr_array:
        """Codes of orbit stacks.

        Parameters
        ----------
        X : array-like of shape (n_samples, order, n_channels) or (n_samples, order * n_channels)
            With ``encoder_input="identity"`` only the identity block is looked at.

        Returns
        -------
        codes : ndarray or csr_array of shape (n_samples, n_atoms)
            Non-negative, mostly zeros; float64 if X is, otherwise float32. CSR if `sparse_output`.

        Raises
        ------
        ValueError
            If the columns are not those of `fit`, or X holds NaN or infinity where it is read.
        """
        return mark_as_codes(codes_of_orbits(self, X, sparse=self.sparse_output))

    @own_state()
    def encode(self, activations: ArrayLike) -> NDArray[np.floating] | csr_array:
        """Codes of untransformed activations alone: no orbit is needed.

        Parameters
        ----------
        activations : array-like of shape (n_samples, n_channels)

        Returns
        -------
        codes : ndarray or csr_array of shape (n_samples, n_atoms)

        Raises
        ------
        ValueError
            If the encoder reads whole orbits (``encoder_input="orbit"``), or the number of channels
            is another.
        """
        codes = codes_of_activations(self, activations, sparse=self.sparse_output)
        return mark_as_codes(codes)

    @own_state()
    def inverse_transform(self, X: ArrayLike | csr_array) -> NDArray[np.floating]:
        """Orbit stacks from codes.

        Parameters
        ----------
        X : array-like or sparse array of shape (n_samples, n_atoms)
            Codes.

        Returns
        -------
        orbits : ndarray of shape (n_samples, order * n_channels)
            Reshape to ``(-1, group_.order, n_channels_)`` for the blocks.

        Raises
        ------
        ValueError
            If there is not one column an atom.
        """
        check_is_fitted(self)
        codes = check_array(as_numpy(X), dtype=FLOATS, accept_sparse="csr")
        if codes.shape[1] != len(self.components_):
            raise ValueError(
                f"Codes have one column an atom, {len(self.components_)}; got {codes.shape[1]}."
            )
        return decode(codes, dictionary_of(self, codes.dtype))

    @own_state()
    def score(self, X: ArrayLike, y: Any = None) -> float:
        """Share of the variance of all blocks that the reconstruction explains.

        Parameters
        ----------
        X : array-like of shape (n_samples, order, n_channels) or (n_samples, order * n_channels)
        y : Ignored

        Returns
        -------
        explained_variance : float
            ``1 − Σ‖O − Ô‖² / Σ‖O − mean‖²``: 1 is perfect, 0 no better than the mean of X. NaN,
            with a warning, for a single sample.
        """
        check_is_fitted(self)
        rows = validate_rows(self, X, self.group_, reset=False)
        return explained_variance(rows, dictionary_of(self, rows.dtype))

    @own_state()
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator to one safetensors file; it appears when it is complete.

        The state of an optimiser is not part of it: after `load`, `partial_fit` goes on from the
        weights with a new optimiser, whose learning rate and penalty rise anew. A pickle keeps it.

        Parameters
        ----------
        path : path
            By convention it ends in ``.safetensors``.

        Raises
        ------
        OSError
            If the folder is missing, read-only or full, or `path` is a folder.
        ValueError
            If parameters that were set after `fit` are none that `fit` would take, or the group is
            of a family of one's own.
        """
        check_is_fitted(self)
        check_saved_parameters(self)  # what is wrong could not be read
        fitted = {name: getattr(self, name) for name in _FITTED if hasattr(self, name)}
        arrays = {
            name: value
            for name, value in fitted.items()
            if isinstance(value, np.ndarray) and value.dtype != object
        }
        arrays |= history_to_arrays(fitted.pop("history_"))
        parameters = parameters_to_json(self.get_params(deep=False))
        check_types(parameters, self._parameter_constraints)
        header: dict[str, Any] = {
            "parameters": parameters,
            "fitted": {n: value_to_json(v) for n, v in fitted.items() if n not in arrays},
        }
        header["changed"] = ["group"] * (as_group(self.group) != self.group_)
        if self.activation != self.activation_:
            header["changed"].append("activation")
        write_tensors(path, MODEL_FORMAT, arrays, header)

    @classmethod
    @own_state()
    def load(cls: type[_FittedT], path: str | os.PathLike[str]) -> _FittedT:
        """Read an estimator from a file that `save` wrote, or from a checkpoint of a run.

        Its `device` is ``"auto"``, wherever it was trained. A file of which a single bit is not
        what was written is refused.

        Parameters
        ----------
        path : path

        Returns
        -------
        crosscoder : GroupCrosscoder
            Fitted.

        Raises
        ------
        FileNotFoundError, ValueError
            If there is no such file, or it is damaged or something else; it is named.
        """
        try:
            file_format, arrays, header = read_tensors(path, MODEL_FORMAT, CHECKPOINT_FORMAT)
        except ValueError as error:
            raise ValueError(
                f"{error} Give a file as save or groupcross fit wrote it: copy it again, or fit "
                "again."
            ) from error
        known = saved_parameters(cls._get_param_names())
        with naming(path):
            if file_format == CHECKPOINT_FORMAT:
                state = check_checkpoint(arrays, header, known)
                estimator = cls._with_parameters(state.parameters)
                set_fitted(estimator, state.columns)
                tensors, cpu = state.tensors(), torch.device("cpu")
                dictionary = DictionaryInTraining.from_state(state.options, tensors, state.values)
                pending = tensors.get("records")
                record = Record.from_state(state.values["history"], pending, cpu)
                adopt(estimator, dictionary, record, state.values["step"])
            else:
                parameters, fitted = check_model(arrays, header, known)
                estimator = cls._with_parameters(parameters)
                set_fitted(estimator, fitted)
        return estimator

    @classmethod
    def _with_parameters(cls: type[_FittedT], parameters: dict[str, Any]) -> _FittedT:
        check_types(parameters, cls._parameter_constraints)
        estimator = cls(**parameters)
        with saying("was saved with parameters that cannot be"):
            check_saved_parameters(estimator)
        return estimator

    @property
    def _n_features_out(self) -> int:
        return len(self.components_)

    def __sklearn_is_fitted__(self) -> bool:
        # n_features_in_ is set before training: a fit that failed has not fitted anything
        return hasattr(self, "components_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
