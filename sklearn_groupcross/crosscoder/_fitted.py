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
from torch import Tensor

from .._device import resolve_device
from ..groups import FiniteGroup, Trivial, group_from_json
from ._inference import FittedDictionary, decode, encode, explained_variance
from ._options import TrainingOptions
from ._parameters import Parameters
from ._persistence import (
    CHECKPOINT_FORMAT,
    MODEL_FORMAT,
    parameters_from_json,
    parameters_to_json,
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
    device: str | torch.device
    sparse_output: bool

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
        check_is_fitted(self)
        rows = validate_rows(self, X, self.group_, reset=False)
        return encode(rows, self._dictionary(rows.dtype), sparse=self.sparse_output)

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
        check_is_fitted(self)
        if self.encoder_.shape[1] != self.n_channels_:
            raise ValueError(
                'encode reads untransformed activations alone; with encoder_input="orbit" codes '
                'need the whole orbit: use transform, or fit with encoder_input="identity".'
            )
        if not (is_row_readable(activations) and len(activations.shape) == 2):  # type: ignore[union-attr]
            activations = check_array(activations, dtype=FLOATS, input_name="activations")
        rows = Rows(activations)
        if rows.shape[1] != self.n_channels_:
            raise ValueError(
                f"encode takes untransformed activations of {self.n_channels_} channels; "
                f"got {rows.shape[1]} columns. Orbit stacks go to transform."
            )
        return encode(rows, self._dictionary(rows.dtype), sparse=self.sparse_output)

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
        codes = check_array(X, dtype=FLOATS, accept_sparse="csr")
        if codes.shape[1] != len(self.components_):
            raise ValueError(
                f"Codes have one column an atom, {len(self.components_)}; got {codes.shape[1]}."
            )
        return decode(codes, self._dictionary(codes.dtype))

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
        """
        check_is_fitted(self)
        fitted = {name: getattr(self, name) for name in _FITTED if hasattr(self, name)}
        arrays = {
            name: value
            for name, value in fitted.items()
            if isinstance(value, np.ndarray) and value.dtype != object
        }
        header = {
            "parameters": parameters_to_json(self.get_params(deep=False)),
            "fitted": {n: value_to_json(v) for n, v in fitted.items() if n not in arrays},
        }
        write_tensors(path, MODEL_FORMAT, arrays, header)

    @classmethod
    def load(cls: type[_FittedT], path: str | os.PathLike[str]) -> _FittedT:
        """Read an estimator from a file that `save` wrote, or from a checkpoint of a run.

        Its `device` is ``"auto"``, wherever it was trained.

        Raises
        ------
        FileNotFoundError, ValueError
            If there is no such file, or it is damaged or something else.
        """
        file_format, arrays, header = read_tensors(path, MODEL_FORMAT, CHECKPOINT_FORMAT)
        if file_format == CHECKPOINT_FORMAT:
            model = header["model"]
            estimator = cls(**cls._known_parameters(model["parameters"], path))
            estimator._set_fitted(model["fitted"])
            options = TrainingOptions(
                group=estimator.group_,
                device=torch.device("cpu"),
                **header["values"]["options"],
            )
            tensors = {name: torch.tensor(array) for name, array in arrays.items()}
            estimator._adopt(Trainer.from_state(options, tensors, header["values"]))
            return estimator
        estimator = cls(**cls._known_parameters(header["parameters"], path))
        estimator._set_fitted({**header["fitted"], **arrays})
        return estimator

    @classmethod
    def _known_parameters(
        cls, saved: dict[str, Any], path: str | os.PathLike[str]
    ) -> dict[str, Any]:
        unknown = sorted(set(saved) - set(cls._get_param_names()))
        if unknown:
            raise ValueError(
                f"{path} was saved with parameters that this version of the package does not know: "
                f"{', '.join(unknown)}. Read it with the version that wrote it, or a newer one."
            )
        return parameters_from_json(saved)

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

    def _set_fitted(self, fitted: dict[str, Any]) -> None:
        self.group_ = Trivial() if self.group is None else self.group
        for name, value in fitted.items():
            setattr(self, name, value)
        # models saved before `group_` was have the parameter alone
        if isinstance(fitted.get("group_"), dict):
            self.group_ = group_from_json(fitted["group_"])
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
        """Weights on the device, in the precision of the data."""
        device = resolve_device(self.device) if device is None else device
        precision = torch.float64 if dtype == np.float64 else torch.float32
        intercept = self.intercept_.reshape(self.group_.order, self.n_channels_)
        arrays = (self.encoder_, self.encoder_intercept_, self.components_, intercept)
        weights = Parameters(*(_as_tensor(array, precision, device) for array in arrays))
        threshold = None
        if self.threshold_ is not None:
            threshold = torch.tensor(self.threshold_, dtype=precision, device=device)
        return FittedDictionary(weights, threshold, self.k_)


def _as_tensor(array: NDArray[np.floating], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Make a tensor to be read, over the same memory where that can be."""
    # of read-only arrays, such as joblib hands over, torch would warn
    tensor = torch.from_numpy(array) if array.flags.writeable else torch.tensor(array)
    return tensor.to(device, dtype)
