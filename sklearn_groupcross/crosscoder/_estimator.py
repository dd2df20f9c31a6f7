"""`GroupCrosscoder`: the scikit-learn estimator."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import replace
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import _fit_context
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from .._ambient import own_state, warn_caller
from .._device import resolve_device
from .._plain import as_numpy, as_tensor
from .._whole import all_or_nothing
from ..groups import FiniteGroup, Trivial
from ._checkpoint import Checkpoint, fingerprint, identity_of_seed
from ._feed import basis_of
from ._fitted import FittedCrosscoder
from ._interrupt import Interruption
from ._options import TrainingOptions
from ._outcome import warn_of_failure
from ._parameters import Parameters, Units, initialise
from ._persistence import WITHOUT_EFFECT, parameters_to_json, value_to_json
from ._resumable import Resumable
from ._rows import Rows, is_finite
from ._summary import FAR, DataSummary, summarise
from ._trainer import Trainer
from ._training import EarlyStopping, Passes, calibrate_threshold, train
from ._validation import (
    check_group_parameter,
    check_groups,
    count_channels,
    flatten_orbits,
    validate_rows,
)

# Training options that `partial_fit` takes from its first call, and the parameters they come from.
_KEPT_BY_PARTIAL_FIT = {
    "n_atoms": "n_features",
    "activation": "activation",
    "k": "k",
    "l1": "l1",
    "l1_weight": "l1_weight",
    "encoder_input": "encoder_input",
    "augment": "augment",
    "learning_rate": "learning_rate",
    "max_grad_norm": "max_grad_norm",
    "dead_features": "dead_features",
    "compression": "compression",
}
# Typical values of X between which training in float32 neither overflows nor loses digits.
_SMALLEST_SIZE, _LARGEST_SIZE = 1e-30, 1e30


class GroupCrosscoder(Resumable, FittedCrosscoder):
    """Sparse dictionary that reads one activation and reconstructs its whole orbit.

    The encoder sees the untransformed block alone, ``f = σ(W_enc x₀ + b_enc)``; the decoder
    reconstructs the activations of all |G| transformed inputs, ``Ô[g] = W_dec[g]ᵀ f + b_dec[g]``
    [1]_. Its atoms therefore say how each feature moves under the group. With the trivial group it
    is a sparse autoencoder.

    Parameters
    ----------
    group : FiniteGroup, optional
        The group whose elements index the blocks, in the order of `FiniteGroup.cayley_table`.
        Default: `Trivial`, which makes a sparse autoencoder. `SymmetryAnalyzer` names symmetries
        for groups of at most 128 elements.
    n_features : int, optional
        Number of atoms. Default: four for every channel, or as many as `dict_init` has.
    l1 : float, default=0.1
        Price of activity. With ``"relu"``, the weight of the L1 penalty on the codes; near 1 almost
        every code dies. With ``"jumprelu"``, (l1/2)² is the price of one active code: features
        that add less than l1/2 to the reconstruction's root mean square are not worth it, as with
        ``"relu"``. No effect with ``"topk"`` and ``"batch_topk"``.
    activation : {"relu", "topk", "batch_topk", "jumprelu"}, default="relu"
        ``"relu"`` is the paper's; its penalty also shrinks the codes that stay. ``"topk"`` keeps
        the `k` largest codes of each sample; ``"batch_topk"`` [2]_ the largest of a batch, k a
        sample on average, and at inference those above a threshold learned meanwhile;
        ``"jumprelu"`` [3]_ those above a threshold of each atom.
    k : int, optional
        Active codes of a sample with ``"topk"`` and ``"batch_topk"``. Default: 32, or `n_features`
        if that is less. No effect with ``"relu"`` and ``"jumprelu"``; `fit` then warns.
    l1_weight : {"joint", "blockwise"}, default="joint"
        What a code is weighted by in the L1 penalty: the norm of its whole atom, or the mean norm
        of the atom's blocks, which favours atoms that live in few blocks. For ``"relu"``.
    encoder_input : {"identity", "orbit"}, default="identity"
        ``"identity"`` is the paper's. ``"orbit"`` reads all blocks: better reconstruction and
        codes that move with the group, for |G| times the encoder; features can no longer be read
        from one untransformed activation (`encode`).
    augment : bool, default=False
        Replace each training batch by the orbits of its h-transformed samples, h drawn at random:
        only a permutation of the blocks. Right where the data's distribution is closed under the
        group, as photographs roughly are. All blocks then share one decoder bias.
    batch_size : int, default=512
    max_epochs : int, default=100
        Passes over the data.
    learning_rate : float, default=3e-3
        Of Adam, at its height.
    warm_up, decay : float, default=0.05, 0.2
        Shares of the steps over which the learning rate rises from 0 at the start, and falls to 0
        at the end.
    l1_warm_up : float, default=0.05
        Share of the steps over which `l1` rises from 0.
    max_grad_norm : float, default=1.0
        Gradients are clipped to this norm, so that a rare batch of outliers does not undo many
        steps.
    dead_features : {"auto", "auxk", "resample", None}, default="auto"
        What is done for atoms that no longer fire: ``"auxk"`` [4]_ lets them explain what the
        others leave over; ``"resample"`` [5]_ points them at badly reconstructed samples.
        ``"auto"`` is ``"resample"`` for ``"relu"`` and ``"jumprelu"``, otherwise ``"auxk"``.
    dead_after : float, default=0.05
        An atom counts as dead after this share of the run's samples without firing.
    early_stopping : bool, default=False
        Hold out `validation_fraction` of the samples, stop when the objective on them, penalty
        included, has not fallen by `tol` for `n_iter_no_change` epochs after the warm-ups, and keep
        the weights of the best epoch. The unit of `tol` is the fraction of variance unexplained.
    validation_fraction : float, default=0.1
    n_iter_no_change : int, default=10
    tol : float, default=1e-4
    dict_init : array-like of shape (n_atoms, n_features_in), optional
        Directions in which the atoms start. Default: random.
    warm_start : bool, default=False
        Start `fit` from the weights of the last one.
    sparse_output : bool, default=False
        Give codes as a CSR array, which `set_output` cannot put into a data frame.
    compression : float, optional
        Share of the variance, in (0, 1], that is kept while training: orbits are replaced by their
        coordinates along the principal axes of each isotypic component, which translations leave in
        place; 0.9 makes steps several times cheaper. Atoms are expanded at the end, so that
        everything else is as without it. Not with ``l1_weight="blockwise"``. Default: all columns.
    precision : {"auto", "float32", "tf32", "bfloat16"}, default="auto"
        Of the matrix products of training on a GPU, and of dense steps on the CPU; there steps with
        few active codes are float32 in any case. ``"tf32"`` is float32 on the CPU. ``"auto"``
        is bfloat16 on CUDA devices that have it, float32 elsewhere. Weights, optimiser and
        inference are never below float32.
    device : str or torch.device, default="auto"
        ``"auto"`` is CUDA when there is one. Arrays come and go as numpy in any case.
    random_state : int, RandomState instance or None, default=None
        The same seed on the same CPU gives the same bits.
    checkpoint_dir : path, optional
        Folder for checkpoints during training. A run that is killed, or stopped by Ctrl-C, SIGTERM
        or SIGHUP, is resumed by `fit` with the same parameters and data, and ends in the same bits
        as one that was not. Each configuration and data set has its own file, and each of several
        such runs at once; it goes when the run is done.
    checkpoint_interval : float, default=300
        Seconds between checkpoints.
    verbose : int, default=0
        1 shows a progress bar.

    Attributes
    ----------
    components_ : ndarray of shape (n_atoms, n_features_in_), float32
        The atoms, blocks side by side, in the units of the data.
    intercept_ : ndarray of shape (n_features_in_,), float32
        Decoder bias of all blocks. It and `encoder_intercept_` are float64 if the data lie a
        thousand times their spread, or more, from zero.
    encoder_ : ndarray of shape (n_atoms, n_channels_) or (n_atoms, n_features_in_), float32
    encoder_intercept_ : ndarray of shape (n_atoms,), float32
    threshold_ : float, ndarray of shape (n_atoms,) or None
        What a code has to exceed outside of training: 0 with ``"relu"``; None with ``"topk"``.
    group_ : FiniteGroup
    n_channels_ : int
        Columns of one block.
    k_ : int or None
        Active codes of a sample with ``"topk"`` and, on average, ``"batch_topk"``.
    scale_ : float
        Factor by which the data, less their mean, were multiplied during training, such that the
        root mean square norm of a block was √d. Both are folded back into the weights.
    n_coordinates_ : int
        Numbers of an atom that were learned: columns of X, or fewer with `compression`.
    kept_variance_ : float
        Share of the variance that these coordinates hold; 1 without `compression`.
    history_ : dict of str to list of float
        For every epoch: ``loss``; ``fvu``, the fraction of variance unexplained; ``l0``, mean
        number of active codes; ``dead``, number of atoms that did not fire; with early stopping
        ``validation_fvu`` and ``validation_loss``, the objective in the same unit. For every step:
        ``step_loss``, ``step_fvu``, ``step_l0``.
    n_iter_ : int
        Number of training steps.
    n_features_in_ : int
        Columns of X, ``order * n_channels_``.

    See Also
    --------
    OrbitScaler : Scaling that leaves the symmetry of the blocks alone.

    References
    ----------
    .. [1] Gorton (2024), "Group crosscoders for mechanistic analysis of symmetry",
       arXiv:2410.24184.
    .. [2] Bussmann, Leask and Nanda (2024), "BatchTopK sparse autoencoders", arXiv:2412.06410.
    .. [3] Rajamanoharan et al. (2024), "Jumping ahead: improving reconstruction fidelity with
       JumpReLU sparse autoencoders", arXiv:2407.14435.
    .. [4] Gao et al. (2024), "Scaling and evaluating sparse autoencoders", arXiv:2406.04093.
    .. [5] Bricken et al. (2023), "Towards monosemanticity: decomposing language models with
       dictionary learning", Transformer Circuits Thread.

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
        "activation": [StrOptions({"relu", "topk", "batch_topk", "jumprelu"})],
        "k": [Interval(Integral, 1, None, closed="left"), None],
        "l1_weight": [StrOptions({"joint", "blockwise"})],
        "encoder_input": [StrOptions({"identity", "orbit"})],
        "augment": ["boolean"],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "warm_up": [Interval(Real, 0, 1, closed="both")],
        "decay": [Interval(Real, 0, 1, closed="both")],
        "l1_warm_up": [Interval(Real, 0, 1, closed="both")],
        "max_grad_norm": [Interval(Real, 0, None, closed="neither")],
        "dead_features": [StrOptions({"auto", "auxk", "resample"}), None],
        "dead_after": [Interval(Real, 0, 1, closed="right")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "dict_init": ["array-like", None],
        "warm_start": ["boolean"],
        "sparse_output": ["boolean"],
        "compression": [Interval(Real, 0, 1, closed="right"), None],
        "precision": [StrOptions({"auto", "float32", "tf32", "bfloat16"})],
        "device": [str, torch.device],
        "random_state": ["random_state"],
        "checkpoint_dir": [str, os.PathLike, None],
        "checkpoint_interval": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        group: FiniteGroup | None = None,
        n_features: int | None = None,
        l1: float = 0.1,
        *,
        activation: str = "relu",
        k: int | None = None,
        l1_weight: str = "joint",
        encoder_input: str = "identity",
        augment: bool = False,
        batch_size: int = 512,
        max_epochs: int = 100,
        learning_rate: float = 3e-3,
        warm_up: float = 0.05,
        decay: float = 0.2,
        l1_warm_up: float = 0.05,
        max_grad_norm: float = 1.0,
        dead_features: str | None = "auto",
        dead_after: float = 0.05,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        dict_init: ArrayLike | None = None,
        warm_start: bool = False,
        sparse_output: bool = False,
        compression: float | None = None,
        precision: str = "auto",
        device: str | torch.device = "auto",
        random_state: int | np.random.RandomState | None = None,
        checkpoint_dir: str | os.PathLike[str] | None = None,
        checkpoint_interval: float = 300,
        verbose: int = 0,
    ) -> None:
        self.group = group
        self.n_features = n_features
        self.l1 = l1
        self.activation = activation
        self.k = k
        self.l1_weight = l1_weight
        self.encoder_input = encoder_input
        self.augment = augment
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.learning_rate = learning_rate
        self.warm_up = warm_up
        self.decay = decay
        self.l1_warm_up = l1_warm_up
        self.max_grad_norm = max_grad_norm
        self.dead_features = dead_features
        self.dead_after = dead_after
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.dict_init = dict_init
        self.warm_start = warm_start
        self.sparse_output = sparse_output
        self.compression = compression
        self.precision = precision
        self.device = device
        self.random_state = random_state
        self.checkpoint_dir = checkpoint_dir
        self.checkpoint_interval = checkpoint_interval
        self.verbose = verbose

    def check_parameters(self) -> None:
        """Check the parameters that need no data, as `fit` does before anything else.

        Raises
        ------
        ValueError, TypeError
            Naming the parameter at fault.
        """
        self._check_saved_parameters()
        resolve_device(self.device)

    def _check_saved_parameters(self) -> None:
        """Check the parameters that mean the same on every machine."""
        self._validate_params()
        self._check_compression()
        if self.n_features is not None:
            self._resolve_k(int(self.n_features))

    @_fit_context(prefer_skip_nested_validation=True)
    @own_state(gradients=True)
    def fit(
        self, X: ArrayLike, y: Any = None, *, groups: ArrayLike | None = None
    ) -> GroupCrosscoder:
        """Learn a dictionary from orbit stacks.

        Parameters
        ----------
        X : array-like of shape (n_samples, order, n_channels) or (n_samples, order * n_channels)
            Orbit stacks, block index = element index, of float16, float32 or float64. Memory maps
            and stores are read batch by batch, in an order shuffled over all rows, and never held
            whole. A plain array cannot say which group it was made with: only its number of columns
            is checked. Data with an attribute ``group``, as an `OrbitStore` has, must have the
            estimator's.
        y : Ignored
        groups : array-like of shape (n_samples,), optional
            Which samples belong together, such as `OrbitDataset.image_ids_`: early stopping holds
            out whole groups. Without `early_stopping` only their number is checked.

        Returns
        -------
        self : GroupCrosscoder

        Raises
        ------
        ValueError
            If the columns do not divide into the group's blocks, X holds NaN or infinity (the
            message names rows), there is one sample only, `k` exceeds `n_features`, `groups` are
            not one a sample, training diverges, or a checkpoint is damaged.
        TypeError
            If X is an `OrbitDataset`: ``as_array()`` and ``extract(path)`` give what can be fitted.
        OSError
            If `checkpoint_dir` cannot be made or written to.
        KeyboardInterrupt
            After Ctrl-C, at the end of the step. The estimator is then fitted with the weights of
            that step, and a checkpoint is written if `checkpoint_dir` is set. If the host program
            has a handler of its own, what that raises is raised; if it raises nothing, `fit` goes
            on.

        Warns
        -----
        ConvergenceWarning
            If nothing was learned in 100 steps or more: at the end the reconstruction is no better
            than the mean, or almost all atoms are dead.
        UserWarning
            If all samples are equal, or `k` is given and has no effect.
        """
        if self.k is not None and self.activation not in ("topk", "batch_topk"):
            warn_caller(
                f"k={self.k} has no effect with activation={self.activation!r}: l1 decides how "
                'sparse codes are. Leave k at None, or choose "topk" or "batch_topk".',
                UserWarning,
            )
        self._check_compression()
        with ExitStack() as opened:
            with all_or_nothing(self):
                trainer, summary, checkpoint, interrupted = self._train(X, groups, opened)
            if interrupted is not None:
                raise interrupted.error(self._describe_interrupt(checkpoint))
            self._end_run(checkpoint)
        if summary.variance > 0:
            warn_of_failure(trainer.history, trainer.options)
        return self

    def _train(
        self, X: ArrayLike, groups: ArrayLike | None, opened: ExitStack
    ) -> tuple[Trainer, DataSummary, Checkpoint | None, Interruption | None]:
        """Learn from the data, from the start or from a checkpoint, and take over what was learned.

        The last of what it returns is not None if a signal ended it early. `opened` closes the
        checkpoint.
        """
        rows, summary = self._learn_from(X, reset=True)
        if len(rows) < 2:
            raise ValueError(
                "X has n_samples=1: a dictionary needs at least 2 samples, and many more to mean "
                "anything."
            )
        groups = check_groups(groups, len(rows), to_split=self.early_stopping)
        checkpoint = self._open_checkpoint(summary, groups)
        if checkpoint is not None:
            opened.enter_context(checkpoint)
        saved = None if checkpoint is None else checkpoint.read()
        # drawn in any case: a RandomState is then where it would be without the break
        seed = self._draw_seed()
        if saved is not None and self.random_state is None:
            seed = saved.values["options"]["seed"]
        learned, held_out = self._split(len(rows), groups, seed)
        passes = self._passes(learned, seed)
        options = self._options(passes)
        stopping = None
        if held_out is not None:
            stopping = EarlyStopping(held_out, int(self.n_iter_no_change), float(self.tol))
        if saved is None:
            weights = self._weights("warm_start") if self.warm_start else None
            trainer = self._start(options, rows, summary, weights)
        else:
            assert checkpoint is not None
            checkpoint.check_options(saved, options)
            checkpoint.check_units(saved, *self._units(options, rows, summary))
            tensors = saved.tensors()
            trainer = Trainer.from_state(options, tensors, saved.values)
            if stopping is not None:
                stopping.set_state(tensors, saved.values["early_stopping"])
        interrupted = train(
            rows,
            [trainer],
            passes,
            early_stopping=stopping,
            checkpoint=checkpoint,
            progress=bool(self.verbose),
        )
        self._trainer: Trainer | None = None
        self._finish(trainer, rows)
        return trainer, summary, checkpoint, interrupted

    @_fit_context(prefer_skip_nested_validation=True)
    @own_state(gradients=True)
    def partial_fit(self, X: ArrayLike, y: Any = None) -> GroupCrosscoder:
        """Make one pass over some more orbit stacks.

        For data that arrive in portions. The first portion decides scale and start, and with
        `compression` the coordinates, so it should be typical; it also stands for the length of an
        epoch where `dead_after` asks for one. As no end is known, the learning rate and `l1` rise
        over 100 steps and then stay, and atoms are not resampled. So `max_epochs`, `warm_up`,
        `decay`, `l1_warm_up`, `warm_start`, the parameters of early stopping and those of
        checkpoints have no effect here.

        After `fit` or `load` it goes on from their weights, with a new optimiser; so it does from
        the weights of the last call after one that failed while it was training.

        Parameters
        ----------
        X : array-like of shape (n_samples, order, n_channels) or (n_samples, order * n_channels)
        y : Ignored

        Returns
        -------
        self : GroupCrosscoder

        Raises
        ------
        ValueError
            As `fit`; also if the number of columns changes, or since the first call a parameter
            of which the training is made: `group`, `n_features`, `activation`, `k`, `l1`,
            `l1_weight`, `encoder_input`, `augment`, `learning_rate`, `max_grad_norm`,
            `dead_features`.
        """
        self._check_compression()
        with all_or_nothing(self) as before:
            interrupted = self._train_on_portion(X, before)
        if interrupted is not None:
            raise interrupted.error(self._describe_interrupt(None))
        return self

    def _train_on_portion(self, X: ArrayLike, before: dict[str, Any]) -> Interruption | None:
        """Make a pass, and take over what was learned; not None if a signal ended it early."""
        trainer: Trainer | None = getattr(self, "_trainer", None)
        self._check_unchanged(trainer)
        rows, summary = self._learn_from(X, reset=not hasattr(self, "components_"))
        if trainer is None:
            seed = self._draw_seed()
            one_epoch = self._passes(np.arange(len(rows)), seed)
            options = replace(self._options(one_epoch), n_steps=None)
            trainer = self._start(options, rows, summary, self._weights("partial_fit"))
        trainer = trainer.on(resolve_device(self.device))
        passes = replace(
            self._passes(np.arange(len(rows)), trainer.options.seed),
            n_epochs=1,
            # every portion is shuffled in its own way
            first_epoch=len(trainer.history["loss"]),
            first_step=trainer.step,
        )
        # it is trained in place: if that fails, the next call goes on from the weights before
        before.pop("_trainer", None)
        interrupted = train(rows, [trainer], passes, progress=bool(self.verbose))
        self._trainer = trainer
        self._finish(trainer, rows)
        return interrupted

    def _check_unchanged(self, trainer: Trainer | None) -> None:
        """Refuse, in `partial_fit`, parameters that are not those of the training so far."""
        if not hasattr(self, "components_"):
            return
        group = Trivial() if self.group is None else self.group
        changed = [] if group == self.group_ else [f"group={group!r} (was {self.group_!r})"]
        if trainer is not None:
            before, now = trainer.options, self._options(self._passes(np.arange(2), 0))
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

    def _check_compression(self) -> None:
        if self.compression is not None and self.l1_weight == "blockwise":
            raise ValueError(
                f"compression={self.compression!r} mixes the blocks of an atom, so that "
                'l1_weight="blockwise" cannot tell them apart. Set compression=None, or '
                'l1_weight="joint".'
            )

    def _validate_params(self) -> None:
        check_group_parameter(self)
        super()._validate_params()

    def __getstate__(self) -> dict[str, Any]:
        state = self._without_checkpoint(super().__getstate__())
        if state.get("_trainer") is not None:
            # tensors on a CUDA device could not be read where there is none
            state = {**state, "_trainer": state["_trainer"].on(torch.device("cpu"))}
        return state

    def _learn_from(self, X: ArrayLike, *, reset: bool) -> tuple[Rows, DataSummary]:
        """Check the data to learn from, and what can be decided once they are known."""
        if reset:
            group = Trivial() if self.group is None else self.group
            if self.warm_start and hasattr(self, "components_") and group != self.group_:
                raise ValueError(
                    f"warm_start goes on from the last fit, under {self.group_!r}; now group is "
                    f"{group!r}, whose blocks mean something else. Fit a clone, or set "
                    "warm_start=False."
                )
            self.group_ = group
        rows = validate_rows(self, X, self.group_, reset=reset)
        if reset:
            self.n_channels_ = count_channels(rows.shape[1], self.group_)
        self._resolve_k(self._count_atoms())
        resolve_device(self.device)
        summary = summarise(rows, with_digest=self.checkpoint_dir is not None)
        size = ((summary.variance + summary.mean @ summary.mean) / rows.shape[1]) ** 0.5
        if size > 0 and not _SMALLEST_SIZE < size < _LARGEST_SIZE:
            raise ValueError(
                f"Values of X are of the size of {size:.0e}; training computes in float32, for "
                f"which they must lie between {_SMALLEST_SIZE:g} and {_LARGEST_SIZE:g}. Multiply X "
                "by one number."
            )
        if summary.distance * rows.resolution > 1:
            raise ValueError(
                f"X lies {summary.distance:.0e} times its spread from zero, where numbers of its "
                "type are farther apart than its samples. Subtract a number a column, or the mean, "
                "in float64, before X is made what it is."
            )
        if summary.variance == 0 and len(rows) > 1:
            warn_caller(
                f"All {len(rows)} samples of X are equal: only the intercept is learned. (What is "
                "less than 1e-10 of the mean counts as rounding.)",
                UserWarning,
            )
        return rows, summary

    def _known_of_data(self) -> dict[str, Any]:
        """Fitted attributes that the data decide before training."""
        names = ("n_features_in_", "n_channels_", "feature_names_in_")
        return {name: getattr(self, name) for name in names if hasattr(self, name)}

    def _draw_seed(self) -> int:
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _split(
        self, n_samples: int, groups: ArrayLike | None, seed: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64] | None]:
        """Rows to learn from, and rows that early stopping holds out."""
        rows = np.arange(n_samples)
        if not self.early_stopping:
            return rows, None
        splitter = ShuffleSplit if groups is None else GroupShuffleSplit
        split = splitter(1, test_size=self.validation_fraction, random_state=seed)
        learned, held_out = next(split.split(rows, groups=groups))
        return np.sort(learned), np.sort(held_out)

    def _passes(self, rows: NDArray[np.int64], seed: int) -> Passes:
        return Passes(
            rows, int(self.batch_size), int(self.max_epochs), augment=bool(self.augment), seed=seed
        )

    def _options(self, passes: Passes) -> TrainingOptions:
        dead_features = self.dead_features
        if dead_features == "auto":
            dead_features = "resample" if self.activation in ("relu", "jumprelu") else "auxk"
        device = resolve_device(self.device)
        n_atoms = self._count_atoms()
        return TrainingOptions(
            group=self.group_,
            n_channels=self.n_channels_,
            n_atoms=n_atoms,
            activation=self.activation,
            k=self._resolve_k(n_atoms),
            l1=float(self.l1),
            l1_weight=self.l1_weight,
            encoder_input=self.encoder_input,
            augment=bool(self.augment),
            n_steps=passes.n_steps,
            learning_rate=float(self.learning_rate),
            warm_up=float(self.warm_up),
            decay=float(self.decay),
            l1_warm_up=float(self.l1_warm_up),
            max_grad_norm=float(self.max_grad_norm),
            dead_features=dead_features,
            dead_samples=max(1, round(self.dead_after * len(passes.rows) * passes.n_epochs)),
            precision=self._resolve_precision(device),
            compression=None if self.compression is None else float(self.compression),
            device=device,
            seed=passes.seed,
        )

    def _resolve_precision(self, device: torch.device) -> str:
        if self.precision != "auto":
            return self.precision
        has_bfloat16 = device.type == "cuda" and torch.cuda.is_bf16_supported()
        return "bfloat16" if has_bfloat16 else "float32"

    def _count_atoms(self) -> int:
        given = as_numpy(self.dict_init, "dict_init")
        n_given = None if given is None else len(np.asarray(given))
        if self.n_features is None:
            return 4 * self.n_channels_ if n_given is None else n_given
        if n_given is not None and n_given != self.n_features:
            raise ValueError(f"dict_init has {n_given} atoms; n_features={self.n_features}.")
        return int(self.n_features)

    def _resolve_k(self, n_atoms: int) -> int | None:
        if self.activation not in ("topk", "batch_topk"):
            return None
        k = min(32, n_atoms) if self.k is None else int(self.k)
        if k > n_atoms:
            raise ValueError(
                f"k={k} codes cannot be active in a dictionary of n_features={n_atoms}."
            )
        return k

    def _weights(self, caller: str) -> Parameters | None:
        """Weights of the last fit, in the units of the data; None if there was none.

        `caller` is what goes on from them, for the message if it cannot.
        """
        if not hasattr(self, "components_"):
            return None
        shape = (self._count_atoms(), self.n_features_in_)
        n_read = self.n_channels_ if self.encoder_input == "identity" else self.n_features_in_
        if self.components_.shape != shape or self.encoder_.shape[1] != n_read:
            way_out = (
                "Fit a clone, or set warm_start=False."
                if caller == "warm_start"
                else "Set the parameters back, or call fit to start anew."
            )
            raise ValueError(
                f"{caller} goes on from the last fit, whose components_ have shape "
                f"{self.components_.shape} and encoder_ {self.encoder_.shape}; these parameters "
                f"and data ask for {shape} and {(shape[0], n_read)}. {way_out}"
            )
        weights = self._dictionary(np.dtype(np.float32), torch.device("cpu")).parameters
        if self.activation == "jumprelu" and isinstance(self.threshold_, np.ndarray):
            weights.log_threshold = as_tensor(self.threshold_).log()
        return weights

    def _start(
        self,
        options: TrainingOptions,
        rows: Rows,
        summary: DataSummary,
        weights: Parameters | None = None,
    ) -> Trainer:
        """Make a trainer at the start of a run, or at weights that are there already."""
        units, variance = self._units(options, rows, summary)
        order = options.group.order
        there = None if weights is None else units.unfold(weights, order)
        fitted = None
        if options.compression is not None:
            fitted = basis_of(rows, units, options, None if there is None else there.decoder)
        basis = None if fitted is None else fitted.basis
        parameters = initialise(options, self._initial_dictionary(), basis)
        if there is not None:
            threshold = parameters.log_threshold
            parameters = there
            if options.augment:  # one bias for all blocks
                parameters.decoder_bias = parameters.decoder_bias.mean(0, keepdim=True)
            if basis is not None:
                parameters = parameters.compressed(basis, reads_orbit=options.reads_orbit)
            if parameters.log_threshold is None:
                parameters.log_threshold = threshold
        return Trainer(options, parameters, units, variance, fitted)

    def _units(
        self, options: TrainingOptions, rows: Rows, summary: DataSummary
    ) -> tuple[Units, float]:
        """How the data are centred and scaled, and their variance then."""
        # samples of float64 that are all equal may lie at any distance from zero
        is_far = summary.distance > FAR or (summary.variance == 0 and rows.dtype == np.float64)
        centre = as_tensor(summary.mean, torch.float64 if is_far else torch.float32)
        centre = centre.reshape(options.group.order, -1)
        if options.augment:
            centre = centre.mean(0, keepdim=True)
        # the root mean square norm of a centred block becomes √d
        scale = (options.width / summary.variance) ** 0.5 if summary.variance > 0 else 1.0
        return Units(centre, scale), summary.variance * scale**2

    def _initial_dictionary(self) -> torch.Tensor | None:
        if self.dict_init is None:
            return None
        given = np.asarray(as_numpy(self.dict_init, "dict_init"))
        dictionary = np.asarray(flatten_orbits(given, self.group_))
        shape = (self._count_atoms(), self.n_features_in_)
        if dictionary.shape != shape or not np.isfinite(dictionary).all():
            raise ValueError(
                f"dict_init must be finite and of shape {shape}, one atom a row; got shape "
                f"{dictionary.shape}."
            )
        if (np.abs(dictionary).max(axis=1) == 0).any():
            raise ValueError("dict_init has atoms that are zero: they have no direction to start.")
        return as_tensor(dictionary, torch.float32)

    def _finish(self, trainer: Trainer, rows: Rows) -> None:
        if not all(is_finite(tensor) for tensor in trainer.parameters.tensors()):
            raise ValueError(
                "Training diverged: the weights are no longer finite. Lower learning_rate "
                f"({self.learning_rate:g}), and look for extreme values in X."
            )
        if self.activation == "batch_topk":
            calibrate_threshold(trainer, rows)
        self._adopt(trainer)

    def _open_checkpoint(self, summary: DataSummary, groups: ArrayLike | None) -> Checkpoint | None:
        self._release_checkpoint()
        if self.checkpoint_dir is None:
            return None
        parameters = parameters_to_json(self.get_params(deep=False))
        configuration = {n: v for n, v in parameters.items() if n not in WITHOUT_EFFECT}
        configuration["random_state"] = identity_of_seed(self.random_state)
        configuration["data"] = summary.digest
        configuration["columns"] = self.n_features_in_
        given = as_numpy(self.dict_init, "dict_init")
        for name, array in (("groups", groups), ("dict_init", given)):
            configuration[name] = None if array is None else fingerprint(array)
        if self.warm_start and hasattr(self, "components_"):
            weights = (self.components_, self.intercept_, self.encoder_, self.encoder_intercept_)
            configuration["warm_start"] = [
                fingerprint(array) for array in (*weights, np.asarray(self.threshold_))
            ]
        model = {
            "parameters": parameters,
            "fitted": {n: value_to_json(v) for n, v in self._known_of_data().items()},
        }
        return Checkpoint(
            self.checkpoint_dir,
            configuration,
            model,
            float(self.checkpoint_interval),
            keep=self._keeps_checkpoint,
        )

    def _describe_interrupt(self, checkpoint: Checkpoint | None) -> str:
        message = f"Training stopped after {self.n_iter_} steps; the estimator holds that state"
        if checkpoint is None:
            return f"{message} (set checkpoint_dir to have it saved)."
        if not checkpoint.path.exists():
            return f"{message}, but it could not be saved."
        return (
            f"{message}, saved to {checkpoint.path}. fit with the same parameters and data goes "
            "on from there."
        )
