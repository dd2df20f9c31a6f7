"""`GroupCrosscoder`: the scikit-learn estimator."""

from __future__ import annotations

import os
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.utils import Tags, check_array, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from .._device import resolve_device
from ..groups import FiniteGroup, Trivial
from ._inference import decode, encode, explained_variance
from ._parameters import Parameters
from ._persistence import read_model, write_model
from ._training import TrainingOptions, train
from ._validation import count_channels, flatten_orbits

#: File in `checkpoint_dir` that holds the last state of an interrupted fit.
INTERRUPTED_FILE = "crosscoder-interrupted.safetensors"
_SAVED_ARRAYS = ("components_", "intercept_", "encoder_", "encoder_intercept_")
_SAVED_VALUES = (
    "n_features_in_",
    "n_channels_",
    "k_",
    "scale_",
    "history_",
    "n_iter_",
    "feature_names_in_",  # there if X was a data frame
)


class GroupCrosscoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Sparse dictionary that reads one activation and reconstructs its whole orbit.

    The encoder sees the untransformed block alone, ``f = σ(W_enc x₀ + b_enc)``; the decoder
    reconstructs the activations of all |G| transformed inputs, ``Ô[g] = W_dec[g]ᵀ f + b_dec[g]``
    [1]_. Its atoms therefore say how each feature moves under the group. With the trivial group it
    is a sparse autoencoder.

    Parameters
    ----------
    group : FiniteGroup, optional
        The group whose elements index the blocks, in the order of `FiniteGroup.cayley_table`.
        Default: `Trivial`, which makes a sparse autoencoder.
    n_features : int, optional
        Number of atoms. Default: four for every channel.
    l1 : float, default=0.06
        Weight of the L1 penalty on the codes, each weighted by its atom's norm. Larger is
        sparser; near 1 almost every code dies. Has no effect with ``activation="topk"``.
    activation : {"relu", "topk"}, default="relu"
        ``"relu"`` is the paper's, sparse through `l1`; ``"topk"`` keeps the `k` largest codes of
        each sample.
    k : int, optional
        Active codes of a sample with ``activation="topk"``. Default: 32, or `n_features` if that
        is less. Has no effect with ``"relu"``.
    augment : bool, default=False
        Replace each training batch by the orbits of its h-transformed samples, h drawn at random:
        only a permutation of the blocks. Right where the data's distribution is closed under the
        group, as photographs roughly are. All blocks then share one decoder bias.
    batch_size : int, default=512
    max_epochs : int, default=100
        Passes over the data.
    learning_rate : float, default=3e-3
        Of Adam, at its height; it rises over the first 5 % and falls to 0 over the last 20 % of
        the steps.
    device : str or torch.device, default="auto"
        ``"auto"`` is CUDA when there is one. Arrays come and go as numpy in any case.
    random_state : int, RandomState instance or None, default=None
        The same seed on the same CPU gives the same bits.
    checkpoint_dir : path, optional
        Folder where an interrupted fit leaves its last state, as
        ``crosscoder-interrupted.safetensors``.
    verbose : int, default=0
        1 shows a progress bar.

    Attributes
    ----------
    components_ : ndarray of shape (n_atoms, n_features_in_), float32
        The atoms, blocks side by side, in the units of the data.
    intercept_ : ndarray of shape (n_features_in_,), float32
        Decoder bias of all blocks.
    encoder_ : ndarray of shape (n_atoms, n_channels_), float32
    encoder_intercept_ : ndarray of shape (n_atoms,), float32
    group_ : FiniteGroup
    n_channels_ : int
        Columns of one block.
    k_ : int or None
        Active codes of a sample with ``activation="topk"``; None with ``"relu"``.
    scale_ : float
        Factor by which the data were multiplied during training; folded back into the weights.
    history_ : dict of str to list of float
        For every epoch: ``loss``; ``fvu``, the fraction of variance unexplained; ``l0``, mean
        number of active codes; ``dead``, number of atoms that never fired.
    n_iter_ : int
        Number of training steps.
    n_features_in_ : int
        Columns of X, ``order * n_channels_``.

    References
    ----------
    .. [1] Gorton (2024), "Group crosscoders for mechanistic analysis of symmetry",
       arXiv:2410.24184.

    Examples
    --------
    >>> from sklearn_groupcross import Dihedral, GroupCrosscoder, make_orbits
    >>> orbits = make_orbits(200, group=Dihedral(3), n_channels=8, random_state=0).orbits
    >>> crosscoder = GroupCrosscoder(group=Dihedral(3), n_features=12, random_state=0).fit(orbits)
    >>> crosscoder.transform(orbits).shape, crosscoder.components_.shape
    ((200, 12), (12, 48))
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "group": [FiniteGroup, None],
        "n_features": [Interval(Integral, 1, None, closed="left"), None],
        "l1": [Interval(Real, 0, None, closed="left")],
        "activation": [StrOptions({"relu", "topk"})],
        "k": [Interval(Integral, 1, None, closed="left"), None],
        "augment": ["boolean"],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "device": [str, torch.device],
        "random_state": ["random_state"],
        "checkpoint_dir": [str, os.PathLike, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        group: FiniteGroup | None = None,
        n_features: int | None = None,
        l1: float = 0.06,
        *,
        activation: str = "relu",
        k: int | None = None,
        augment: bool = False,
        batch_size: int = 512,
        max_epochs: int = 100,
        learning_rate: float = 3e-3,
        device: str | torch.device = "auto",
        random_state: int | np.random.RandomState | None = None,
        checkpoint_dir: str | os.PathLike[str] | None = None,
        verbose: int = 0,
    ) -> None:
        self.group = group
        self.n_features = n_features
        self.l1 = l1
        self.activation = activation
        self.k = k
        self.augment = augment
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.learning_rate = learning_rate
        self.device = device
        self.random_state = random_state
        self.checkpoint_dir = checkpoint_dir
        self.verbose = verbose

    def check_parameters(self) -> None:
        """Check the parameters that need no data, as `fit` does before anything else.

        Raises
        ------
        ValueError, TypeError
            Naming the parameter at fault.
        """
        self._validate_params()
        if self.n_features is not None:
            self._resolve_k(int(self.n_features))
        resolve_device(self.device)

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: Any = None) -> GroupCrosscoder:
        """Learn a dictionary from orbit stacks.

        Parameters
        ----------
        X : array-like of shape (n_samples, order, n_channels) or (n_samples, order * n_channels)
            Orbit stacks, block index = element index. A plain array cannot say which group it was
            made with: only its number of columns is checked.
        y : Ignored

        Returns
        -------
        self : GroupCrosscoder

        Raises
        ------
        ValueError
            If the columns do not divide into the group's blocks, X holds NaN or infinity, `k`
            exceeds `n_features`, or training diverges.
        KeyboardInterrupt
            After Ctrl-C, at the end of the step. The estimator is then fitted with the weights of
            that step, which are also saved if `checkpoint_dir` is set; the message says where.
        """
        group = Trivial() if self.group is None else self.group
        flat = validate_data(self, flatten_orbits(X, group), dtype=[np.float32, np.float64])
        n_channels = count_channels(flat.shape[1], group)
        n_atoms = 4 * n_channels if self.n_features is None else int(self.n_features)
        k = self._resolve_k(n_atoms)
        result = train(
            flat,
            TrainingOptions(
                group=group,
                n_atoms=n_atoms,
                k=k,
                l1=float(self.l1) if k is None else 0.0,
                augment=bool(self.augment),
                batch_size=int(self.batch_size),
                max_epochs=int(self.max_epochs),
                learning_rate=float(self.learning_rate),
                device=resolve_device(self.device),
                seed=int(check_random_state(self.random_state).randint(2**31 - 1)),
                progress=bool(self.verbose),
            ),
        )
        parameters = result.parameters
        if not all(bool(tensor.isfinite().all()) for tensor in parameters.tensors()):
            raise ValueError(
                "Training diverged: the weights are no longer finite. Lower learning_rate "
                f"({self.learning_rate:g}), and look for extreme values in X."
            )
        self.group_, self.n_channels_, self.k_ = group, n_channels, k
        self.components_ = parameters.decoder.cpu().numpy()
        self.intercept_ = parameters.flat_bias(group.order).cpu().numpy()
        self.encoder_ = parameters.encoder.cpu().numpy()
        self.encoder_intercept_ = parameters.encoder_bias.cpu().numpy()
        self.scale_ = result.scale
        self.history_ = result.history
        self.n_iter_ = result.n_steps
        if result.interrupted:
            raise KeyboardInterrupt(self._keep_interrupted())
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.floating]:
        """Codes of orbit stacks, read from their identity block.

        Parameters
        ----------
        X : array-like of shape (n_samples, order, n_channels) or (n_samples, order * n_channels)

        Returns
        -------
        codes : ndarray of shape (n_samples, n_atoms)
            Non-negative, mostly zeros; of the float dtype of X.
        """
        check_is_fitted(self)
        flat = self._validate(X)
        return encode(flat[:, : self.n_channels_], self._parameters(flat.dtype), self.k_)

    def encode(self, activations: ArrayLike) -> NDArray[np.floating]:
        """Codes of untransformed activations alone: no orbit is needed.

        Parameters
        ----------
        activations : array-like of shape (n_samples, n_channels)

        Returns
        -------
        codes : ndarray of shape (n_samples, n_atoms)
        """
        check_is_fitted(self)
        array = check_array(activations, dtype=[np.float32, np.float64], input_name="activations")
        if array.shape[1] != self.n_channels_:
            raise ValueError(
                f"encode takes untransformed activations of {self.n_channels_} channels; "
                f"got {array.shape[1]} columns. Orbit stacks go to transform."
            )
        return encode(array, self._parameters(array.dtype), self.k_)

    def inverse_transform(self, X: ArrayLike) -> NDArray[np.floating]:
        """Orbit stacks from codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_atoms)
            Codes.

        Returns
        -------
        orbits : ndarray of shape (n_samples, order * n_channels)
            Reshape to ``(-1, group_.order, n_channels_)`` for the blocks.
        """
        check_is_fitted(self)
        codes = check_array(X, dtype=[np.float32, np.float64])
        if codes.shape[1] != len(self.components_):
            raise ValueError(
                f"Codes have one column an atom, {len(self.components_)}; got {codes.shape[1]}."
            )
        return decode(codes, self._parameters(codes.dtype), self.group_.order)

    def score(self, X: ArrayLike, y: Any = None) -> float:
        """Share of the variance of all blocks that the reconstruction explains.

        Parameters
        ----------
        X : array-like of shape (n_samples, order, n_channels) or (n_samples, order * n_channels)
        y : Ignored

        Returns
        -------
        explained_variance : float
            ``1 − Σ‖O − Ô‖² / Σ‖O − mean‖²``: 1 is perfect, 0 no better than the mean of X.
        """
        check_is_fitted(self)
        flat = self._validate(X)
        return explained_variance(flat, self._parameters(flat.dtype), self.group_.order, self.k_)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator to one safetensors file; it appears when it is complete.

        Parameters
        ----------
        path : path
            By convention it ends in ``.safetensors``.
        """
        check_is_fitted(self)
        names = (*_SAVED_ARRAYS, *_SAVED_VALUES)
        fitted = {name: getattr(self, name) for name in names if hasattr(self, name)}
        write_model(path, self.get_params(deep=False), fitted)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> GroupCrosscoder:
        """Read a fitted estimator from a file that `save` wrote.

        Its `device` is ``"auto"``, wherever it was trained.

        Raises
        ------
        FileNotFoundError, ValueError
            If there is no such file, or it is damaged or something else.
        """
        parameters, fitted = read_model(path)
        estimator = cls(**parameters)
        estimator.group_ = Trivial() if estimator.group is None else estimator.group
        for name, value in fitted.items():
            setattr(estimator, name, value)
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

    def _resolve_k(self, n_atoms: int) -> int | None:
        if self.activation != "topk":
            return None
        k = min(32, n_atoms) if self.k is None else int(self.k)
        if k > n_atoms:
            raise ValueError(
                f"k={k} codes cannot be active in a dictionary of n_features={n_atoms}."
            )
        return k

    def _validate(self, X: ArrayLike) -> NDArray[np.floating]:
        flat = flatten_orbits(X, self.group_)
        return validate_data(self, flat, reset=False, dtype=[np.float32, np.float64])

    def _parameters(self, dtype: np.dtype) -> Parameters:
        device = resolve_device(self.device)
        precision = torch.float64 if dtype == np.float64 else torch.float32
        intercept = self.intercept_.reshape(self.group_.order, self.n_channels_)
        arrays = (self.encoder_, self.encoder_intercept_, self.components_, intercept)
        return Parameters(*(torch.tensor(a, dtype=precision, device=device) for a in arrays))

    def _keep_interrupted(self) -> str:
        message = f"Training stopped after {self.n_iter_} steps; the estimator holds that state"
        if self.checkpoint_dir is None:
            return f"{message} (set checkpoint_dir to have it saved)."
        path = Path(self.checkpoint_dir) / INTERRUPTED_FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        self.save(path)
        return f"{message}, saved to {path}."
