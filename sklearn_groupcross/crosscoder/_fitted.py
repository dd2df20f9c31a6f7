"""What a fitted crosscoder can do: codes, reconstructions, a score, a file."""

from __future__ import annotations

import os
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags, check_array
from sklearn.utils.validation import check_is_fitted

from .._ambient import own_state
from .._device import resolve_device
from .._plain import as_numpy, as_plain, as_tensor
from ..groups import FiniteGroup, Trivial
from ._checkpoint_schema import check_checkpoint
from ._inference import FittedDictionary, decode, encode, explained_variance
from ._model_schema import check_model, check_types, is_of, naming, saying
from ._parameters import Parameters
from ._persistence import (
    CHECKPOINT_FORMAT,
    MODEL_FORMAT,
    history_to_arrays,
    parameters_to_json,
    saved_parameters,
    value_to_json,
)
from ._rows import Rows, is_row_readable
from ._tensor_file import read_tensors, write_tensors
from ._trainer import Trainer
from ._validation import FLOATS, validate_rows

_FittedT = TypeVar("_FittedT", bound="FittedCrosscoder")
_FITTED = (
    "components_",
    "intercept_",
    "encoder_",
    "encoder_intercept_",
    "group_",
    "threshold_",
    "n_features_in_",
    "n_channels_",
    "k_",
    "scale_",
    "n_coordinates_",
    "kept_variance_",
    "history_",
    "n_iter_",
    "feature_names_in_",  # there if X was a data frame
)


class FittedCrosscoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Everything of `GroupCrosscoder` that comes after training; see there for the attributes."""

    group: FiniteGroup | None
    activation: str
    device: str | torch.device
    sparse_output: bool

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
        return self._codes(X, sparse=self.sparse_output)

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
        return self._codes_of_activations(activations, sparse=self.sparse_output)

    def _codes(self, X: ArrayLike, *, sparse: bool = False) -> Any:
        """Codes as an array, CSR if `sparse`, in whatever container users want theirs.

        The package's own code asks here, and below: `transform` is wrapped by scikit-learn, and
        its result is a data frame where `set_output` or the configuration say so.
        """
        check_is_fitted(self)
        rows = validate_rows(self, X, self.group_, reset=False)
        return encode(rows, self._dictionary(rows.dtype), sparse=sparse)

    def _codes_of_activations(self, activations: ArrayLike, *, sparse: bool = False) -> Any:
        """Codes of untransformed activations, as `_codes`."""
        check_is_fitted(self)
        if self.encoder_.shape[1] != self.n_channels_:
            raise ValueError(
                'encode reads untransformed activations alone; with encoder_input="orbit" codes '
                'need the whole orbit: use transform, or fit with encoder_input="identity".'
            )
        activations = as_plain(activations, "activations")
        if not (is_row_readable(activations) and len(activations.shape) == 2):  # type: ignore[union-attr]
            activations = check_array(activations, dtype=FLOATS, input_name="activations")
        rows = Rows(activations)
        if rows.shape[1] != self.n_channels_:
            raise ValueError(
                f"encode takes untransformed activations of {self.n_channels_} channels; "
                f"got {rows.shape[1]} columns. Orbit stacks go to transform."
            )
        return encode(rows, self._dictionary(rows.dtype), sparse=sparse)

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
        return decode(codes, self._dictionary(codes.dtype))

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
        return explained_variance(rows, self._dictionary(rows.dtype))

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
        self._check_saved_parameters()  # what is wrong could not be read
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
        header["changed"] = ["group"] * ((self.group or Trivial()) != self.group_)
        if not is_of(self.activation, self.k_, self.threshold_):
            header["changed"].append("activation")
        write_tensors(path, MODEL_FORMAT, arrays, header)

    @classmethod
    @own_state()
    def load(cls: type[_FittedT], path: str | os.PathLike[str]) -> _FittedT:
        """Read an estimator from a file that `save` wrote, or from a checkpoint of a run.

        Its `device` is ``"auto"``, wherever it was trained. A file of which a single bit is not
        what was written is refused.

        Raises
        ------
        FileNotFoundError, ValueError
            If there is no such file, or it is damaged or something else; it is named.
        """
        file_format, arrays, header = read_tensors(path, MODEL_FORMAT, CHECKPOINT_FORMAT)
        known = saved_parameters(cls._get_param_names())
        with naming(path):
            if file_format == CHECKPOINT_FORMAT:
                state = check_checkpoint(arrays, header, known)
                estimator = cls._with_parameters(state.parameters)
                estimator._set_fitted(state.columns)
                estimator._adopt(Trainer.from_checkpoint(state))
            else:
                parameters, fitted = check_model(arrays, header, known)
                estimator = cls._with_parameters(parameters)
                estimator._set_fitted(fitted)
        return estimator

    @classmethod
    def _with_parameters(cls: type[_FittedT], parameters: dict[str, Any]) -> _FittedT:
        check_types(parameters, cls._parameter_constraints)
        estimator = cls(**parameters)
        with saying("was saved with parameters that cannot be"):
            estimator._check_saved_parameters()
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

    def _check_saved_parameters(self) -> None:
        """Check the parameters that mean the same on every machine."""
        raise NotImplementedError

    def _set_fitted(self, fitted: dict[str, Any]) -> None:
        self.group_ = Trivial() if self.group is None else self.group
        for name, value in fitted.items():
            setattr(self, name, value)
        if "feature_names_in_" in fitted:
            self.feature_names_in_ = np.asarray(fitted["feature_names_in_"], dtype=object)

    def _adopt(self, trainer: Trainer) -> None:
        """Take over what was learned, in the units of the data."""
        learned = trainer.parameters.detached()
        if trainer.basis is not None:
            learned = learned.expanded(trainer.basis, reads_orbit=trainer.options.reads_orbit)
        # new arrays, not those of the trainer: training may go on
        parameters = trainer.units.fold(learned, self.group_.order)
        self.components_ = parameters.decoder.cpu().numpy()
        self.intercept_ = parameters.flat_bias().cpu().numpy()
        self.encoder_ = parameters.encoder.cpu().numpy()
        self.encoder_intercept_ = parameters.encoder_bias.cpu().numpy()
        threshold = trainer.inference_threshold()
        self.threshold_: NDArray[np.floating] | float | None = None
        if threshold is not None:
            self.threshold_ = threshold.cpu().numpy().copy() if threshold.ndim else float(threshold)
        self.k_ = trainer.options.k
        self.scale_ = trainer.units.scale
        self.n_coordinates_ = trainer.parameters.decoder.shape[1]
        self.kept_variance_ = trainer.fitted_basis.kept if trainer.fitted_basis else 1.0
        self.history_ = {name: list(values) for name, values in trainer.history.items()}
        self.n_iter_ = trainer.step

    def _dictionary(self, dtype: np.dtype, device: torch.device | None = None) -> FittedDictionary:
        """Weights on the device, in the precision of the data or above."""
        device = resolve_device(self.device) if device is None else device
        intercept = self.intercept_.reshape(self.group_.order, self.n_channels_)
        # it is float64 where float32 would lose data that lie far from zero
        is_wide = np.float64 in (dtype, intercept.dtype)
        precision = torch.float64 if is_wide else torch.float32
        arrays = (self.encoder_, self.encoder_intercept_, self.components_, intercept)
        weights = Parameters(*(as_tensor(array, precision).to(device) for array in arrays))
        threshold = None
        if self.threshold_ is not None:
            threshold = as_tensor(np.array(self.threshold_), precision).to(device)
        return FittedDictionary(weights, threshold, self.k_)
