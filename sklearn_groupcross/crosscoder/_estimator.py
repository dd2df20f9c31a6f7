"""`GroupCrosscoder`: the scikit-learn estimator."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import replace
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike

from .._ambient import own_state, warn_caller
from .._device import resolve_device
from .._estimator_html import ShowsWhatWasLearned
from .._sklearn import Interval, StrOptions, fit_context
from .._stacks._validation import check_group_parameter
from .._whole import all_or_nothing
from ..groups import FiniteGroup
from ._activations import ACTIVATIONS
from ._beginning import begin
from ._checkpoint import Checkpoint
from ._continuation import check_unchanged, last_weights
from ._data import prepare_data
from ._distributed._launch import device_of_process, parallelism
from ._early_stopping import EarlyStopping
from ._fitted import FittedCrosscoder
from ._interrupt import Interruption
from ._notebook import crosscoder_html
from ._outcome import warn_of_outcome
from ._resolution import draw_seed, resolve_options, resolve_passes
from ._resumable import Resumable
from ._run_identity import open_checkpoint
from ._splitting import check_groups, split_rows
from ._start import start
from ._summary import DataSummary
from ._trainer import Trainer
from ._trainer_state import on_device, whole
from ._training import finish, train


class GroupCrosscoder(ShowsWhatWasLearned, Resumable, FittedCrosscoder):
    """Sparse dictionary that reads one activation and reconstructs its whole orbit.

    The encoder sees the untransformed block alone, ``f = σ(W_enc x₀ + b_enc)``; the decoder
    reconstructs the activations of all |G| transformed inputs, ``Ô[g] = W_dec[g]ᵀ f + b_dec[g]``
    [1]_. Its atoms therefore say how each feature moves under the group. With the trivial group it
    is a sparse autoencoder.

    Its parameters say, in this order,

    - what is learned, and from what: `group` to `compression`;
    - from where and how, and for how long: `dict_init` to `tol`;
    - where it is computed: `device`, `parallel`, `precision`;
    - what is drawn, saved and shown: `random_state` to `verbose`.

    Parameters
    ----------
    group : FiniteGroup or str, optional
        The group whose elements index the blocks, in the order of `FiniteGroup.cayley_table`, or
        its name as on the command line, such as ``"dihedral:4"``. Default: `Trivial`, which makes a
        sparse autoencoder. `SymmetryAnalyzer` names symmetries for groups of at most 128 elements.
        The names that actions give to elements are known to stores; of an array of orbits give
        ``group=action.group``.
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
    encoder_input : {"identity", "orbit"}, default="identity"
        ``"identity"`` is the paper's. ``"orbit"`` reads all blocks: better reconstruction and
        codes that move with the group, for |G| times the encoder; features can no longer be read
        from one untransformed activation (`encode`).
    augment : bool, default=False
        Replace each training batch by the orbits of its h-transformed samples, h drawn at random:
        only a permutation of the blocks. Right where the data's distribution is closed under the
        group, as photographs roughly are. All blocks then share one decoder bias.
    compression : float or "auto", optional
        Share of the variance, in (0, 1], that is kept while training: orbits are replaced by their
        coordinates along the principal axes of each isotypic component, which translations leave in
        place; 0.9 makes steps several times cheaper. Atoms are expanded at the end, so that
        everything else is as without it. ``"auto"`` is 0.8, and up to 0.9 where coordinates are few
        beside the firings of an atom in a pass. Default: all columns.
    dict_init : array-like of shape (n_atoms, n_features_in_), optional
        Directions in which the atoms start. Default: random.
    warm_start : bool, default=False
        Start `fit` from the weights of the last one.
    learning_rate : float, default=3e-3
        Of Adam, at its height.
    warm_up, decay : float, default=0.05, 0.2
        Shares of the steps over which learning rate and `l1` rise from 0 at the start, and over
        which the learning rate falls to 0 at the end.
    dead_features : {"auto", "auxk", "resample", None}, default="auto"
        What is done for atoms that have not fired for a twentieth of the run's samples: ``"auxk"``
        [4]_ lets them explain what the others leave over; ``"resample"`` [5]_ points them at badly
        reconstructed samples. ``"auto"`` is ``"resample"`` for ``"relu"`` and ``"jumprelu"``,
        otherwise ``"auxk"``.
    batch_size : int, default=512
        At most so many samples a step.
    max_epochs : int, default=100
        Passes over the data.
    early_stopping : bool, default=False
        Hold out `validation_fraction` of the samples, stop when the objective on them, penalty
        included, has not fallen by `tol` for `n_iter_no_change` passes after the warm-up, and keep
        the weights of the best pass. The unit of `tol` is the fraction of variance unexplained.
    validation_fraction : float, default=0.1
    n_iter_no_change : int, default=10
    tol : float, default=1e-4
    device : str or torch.device, default="auto"
        ``"auto"`` is CUDA when there is one, never Apple's ``"mps"``, which has no float64 and is
        refused. Arrays come and go as numpy in any case.
    parallel : {"data", "atoms"} or None, default=None
        How several processes, each of which calls `fit` with the same data and parameters, train
        one dictionary: each on some of the samples of every step, with all atoms, or each some of
        the atoms, on all samples, for dictionaries that one device cannot hold. They are started by
        ``torchrun``, or are those of the program's own ``torch.distributed``. All of them have the
        whole result; the first alone writes checkpoints. None: this process alone.
    precision : {"auto", "float32", "tf32", "bfloat16"}, default="auto"
        Of the matrix products of training on a GPU, and of dense steps on the CPU; there steps with
        few active codes are float32 in any case. ``"tf32"`` is float32 on the CPU. ``"auto"``
        is bfloat16 on CUDA devices that have it, float32 elsewhere. Weights, optimiser and
        inference are never below float32. On a CPU without instructions for it, bfloat16 is slow,
        and a warning says so.
    random_state : int, RandomState instance or None, default=None
        The same seed on the same CPU gives the same bits.
    checkpoint_dir : path, optional
        Folder for checkpoints during training, one a minute, or less often where writing takes
        long. A run that is killed, or stopped by Ctrl-C, SIGTERM or SIGHUP, is resumed by `fit`
        with the same parameters and data, and ends in the same bits as one that was not. Each
        configuration and data set has its own file, and each of several such runs at once; it goes
        when the run is done.
    sparse_output : bool, default=False
        Give codes as a CSR array, which `set_output` cannot put into a data frame.
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
    activation_ : str
        The activation of these weights.
    threshold_ : float, ndarray of shape (n_atoms,) or None
        What a code has to exceed outside of training: 0 with ``"relu"``; None with ``"topk"``.
    group_ : FiniteGroup
    n_channels_ : int
        Columns of one block.
    k_ : int or None
        Active codes of a sample with ``"topk"`` and, on average, ``"batch_topk"``.
    l1_ : float or None
        The penalty that the weights were trained with, whatever `l1` was set to since; None where
        `k_` decides.
    scale_ : float
        Factor by which the data, less their mean, were multiplied during training, such that the
        root mean square norm of a block was √d. Both are folded back into the weights.
    n_coordinates_ : int
        Numbers of an atom that were learned: columns of X, or fewer with `compression`.
    kept_variance_ : float
        Share of the variance that these coordinates hold, of a sample of 4,096 rows if there are
        more; 1 without `compression`.
    history_ : dict of str to list of float
        For every epoch: ``loss``; ``fvu``, the fraction of variance unexplained; ``l0``, mean
        number of active codes; ``dead``, number of atoms that did not fire; with early stopping
        ``validation_fvu`` and ``validation_loss``, the objective in the same unit. For every step:
        ``step_loss``, ``step_fvu``, ``step_l0``.
    n_iter_ : int
        Passes over the data, one that was cut short by Ctrl-C included. With `partial_fit`, which
        passes once over each portion, those since it began to train.
    n_steps_ : int
        Batches, of one training step each, in these passes.
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
        "group": [FiniteGroup, str, None],
        "n_features": [Interval(Integral, 1, None, closed="left"), None],
        "l1": [Interval(Real, 0, None, closed="left")],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "k": [Interval(Integral, 1, None, closed="left"), None],
        "encoder_input": [StrOptions({"identity", "orbit"})],
        "augment": ["boolean"],
        "compression": [Interval(Real, 0, 1, closed="right"), StrOptions({"auto"}), None],
        "dict_init": ["array-like", None],
        "warm_start": ["boolean"],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "warm_up": [Interval(Real, 0, 1, closed="both")],
        "decay": [Interval(Real, 0, 1, closed="both")],
        "dead_features": [StrOptions({"auto", "auxk", "resample"}), None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "device": [str, torch.device],
        "parallel": [StrOptions({"data", "atoms"}), None],
        "precision": [StrOptions({"auto", "float32", "tf32", "bfloat16"})],
        "random_state": ["random_state"],
        "checkpoint_dir": [str, os.PathLike, None],
        "sparse_output": ["boolean"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        group: FiniteGroup | str | None = None,
        n_features: int | None = None,
        l1: float = 0.1,
        *,
        activation: str = "relu",
        k: int | None = None,
        encoder_input: str = "identity",
        augment: bool = False,
        compression: float | str | None = None,
        dict_init: ArrayLike | None = None,
        warm_start: bool = False,
        learning_rate: float = 3e-3,
        warm_up: float = 0.05,
        decay: float = 0.2,
        dead_features: str | None = "auto",
        batch_size: int = 512,
        max_epochs: int = 100,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        device: str | torch.device = "auto",
        parallel: str | None = None,
        precision: str = "auto",
        random_state: int | np.random.RandomState | None = None,
        checkpoint_dir: str | os.PathLike[str] | None = None,
        sparse_output: bool = False,
        verbose: int = 0,
    ) -> None:
        self.group = group
        self.n_features = n_features
        self.l1 = l1
        self.activation = activation
        self.k = k
        self.encoder_input = encoder_input
        self.augment = augment
        self.compression = compression
        self.dict_init = dict_init
        self.warm_start = warm_start
        self.learning_rate = learning_rate
        self.warm_up = warm_up
        self.decay = decay
        self.dead_features = dead_features
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.device = device
        self.parallel = parallel
        self.precision = precision
        self.random_state = random_state
        self.checkpoint_dir = checkpoint_dir
        self.sparse_output = sparse_output
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
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
            Which samples belong together, such as `OrbitDataset.image_ids`: early stopping holds
            out whole groups. Without `early_stopping` only their number is checked.

        Returns
        -------
        self : GroupCrosscoder

        Raises
        ------
        ValueError
            If the columns do not divide into the group's blocks, X holds NaN or infinity (the
            message names rows), there is one sample only, `k` exceeds `n_features`, `groups` are
            not one a sample, training diverges, a checkpoint is damaged, or `parallel` is set and
            nothing has started other processes, or they are given something else.
        TypeError
            If X is an `OrbitDataset`: ``as_array()`` and ``extract(path)`` give what can be fitted.
        RuntimeError
            If another process is lost; the message names it. The same call goes on from the last
            checkpoint.
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
            If nothing was learned: at the end the reconstruction is no better than the mean, or
            almost all atoms are dead; or the run was too short, less than 100 steps with half of
            the variance or more unexplained. Of short runs with `warm_start`, nothing is said.
        UserWarning
            If all samples are equal, `k` is given and has no effect, or atoms fire too rarely for
            what each has to learn.
        RuntimeWarning
            If `precision` is ``"bfloat16"`` on a CPU without instructions for its products.
        """
        if self.k is not None and not ACTIVATIONS[self.activation].uses_k:
            warn_caller(
                f"k={self.k} has no effect with activation={self.activation!r}: l1 decides how "
                'sparse codes are. Leave k at None, or choose "topk" or "batch_topk".',
                UserWarning,
            )
        with ExitStack() as opened:
            with all_or_nothing(self):
                trainer, summary, n_rows, checkpoint, interrupted = self._train(X, groups, opened)
            if interrupted is not None:
                raise interrupted.error(self._describe_interrupt(checkpoint))
            self._end_run(checkpoint)
        if summary.variance > 0:
            warn_of_outcome(self, trainer.record.history, trainer.options, n_rows)
        return self

    def _train(
        self, X: ArrayLike, groups: ArrayLike | None, opened: ExitStack
    ) -> tuple[Trainer, DataSummary, int, Checkpoint | None, Interruption | None]:
        """Learn from the data, from the start or from a checkpoint, and take over what was learned.

        It returns also how many rows it learned from. The last is not None if a signal ended it
        early. `opened` closes the checkpoint.
        """
        device = device_of_process(resolve_device(self.device), self.parallel)
        parallel = opened.enter_context(parallelism(self.parallel, device))
        rows, summary = prepare_data(self, X, reset=True)
        if len(rows) < 2:
            raise ValueError(
                "X has n_samples=1: a dictionary needs at least 2 samples, and many more to mean "
                "anything."
            )
        groups = check_groups(groups, len(rows), to_split=self.early_stopping)
        self._release_checkpoint()
        checkpoint = None
        if parallel.is_first:
            checkpoint = open_checkpoint(self, summary, groups, keep=self._keeps_checkpoint)
        if checkpoint is not None:
            opened.enter_context(checkpoint)
        saved = None if checkpoint is None else checkpoint.read()
        # drawn in any case: a RandomState is then where it would be without the break
        seed = draw_seed(self.random_state)
        if saved is not None and self.random_state is None:
            seed = saved.values["options"]["seed"]
        seed = parallel.tell(seed)
        learned = np.arange(len(rows))
        stopping = None
        if self.early_stopping:
            fraction = float(self.validation_fraction)
            learned, held_out = split_rows(len(rows), groups, fraction, seed)
            stopping = EarlyStopping(held_out, int(self.n_iter_no_change), float(self.tol))
        passes = resolve_passes(self, learned, seed)
        options = replace(resolve_options(self, passes), device=device)
        trainer = begin(self, options, rows, summary, checkpoint, saved, stopping, parallel)
        interrupted = train(
            rows,
            [trainer],
            passes,
            early_stopping=stopping,
            checkpoint=checkpoint,
            progress=bool(self.verbose),
        )
        self._trainer: Trainer | None = None
        trainer = whole(trainer)
        finish([self], [trainer], rows)
        return trainer, summary, len(learned), checkpoint, interrupted

    @fit_context(prefer_skip_nested_validation=True)
    @own_state(gradients=True)
    def partial_fit(self, X: ArrayLike, y: Any = None) -> GroupCrosscoder:
        """Make one pass over some more orbit stacks.

        For data that arrive in portions. The first portion decides scale and start, and with
        `compression` the coordinates, so it should be typical; its length also stands for that of a
        pass where atoms are counted as dead. As no end is known, the learning rate and `l1` rise
        over 100 steps and then stay, and atoms are not resampled. So `max_epochs`, `warm_up`,
        `decay`, `warm_start`, the parameters of early stopping and those of checkpoints have no
        effect here.

        After `fit` or `load` it goes on from their weights, with a new optimiser; so it does from
        the weights of the last call after one that failed while it was training. `history_`,
        `n_iter_` and `n_steps_` then begin anew.

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
            `encoder_input`, `augment`, `compression`, `learning_rate`,
            `dead_features`.
        """
        with all_or_nothing(self) as before:
            interrupted = self._train_on_portion(X, before)
        if interrupted is not None:
            raise interrupted.error(self._describe_interrupt(None))
        return self

    def _train_on_portion(self, X: ArrayLike, before: dict[str, Any]) -> Interruption | None:
        """Make a pass, and take over what was learned; not None if a signal ended it early."""
        if self.parallel is not None:
            raise ValueError(
                f"partial_fit trains in one process; parallel={self.parallel!r} is for fit. Set it "
                "to None."
            )
        trainer: Trainer | None = getattr(self, "_trainer", None)
        check_unchanged(self, trainer)
        rows, summary = prepare_data(self, X, reset=not hasattr(self, "components_"))
        if trainer is None:
            seed = draw_seed(self.random_state)
            one_epoch = resolve_passes(self, np.arange(len(rows)), seed)
            options = replace(resolve_options(self, one_epoch), n_steps=None)
            weights = last_weights(self, "partial_fit")
            trainer = start(options, rows, summary, dict_init=self.dict_init, weights=weights)
        trainer = on_device(trainer, resolve_device(self.device))
        passes = replace(
            resolve_passes(self, np.arange(len(rows)), trainer.options.seed),
            n_epochs=1,
            # every portion is shuffled in its own way
            first_epoch=len(trainer.record.history["loss"]),
            first_step=trainer.step,
        )
        # it is trained in place: if that fails, the next call goes on from the weights before
        before.pop("_trainer", None)
        interrupted = train(rows, [trainer], passes, progress=bool(self.verbose))
        self._trainer = trainer
        finish([self], [trainer], rows)
        return interrupted

    def _learned_html(self) -> str:
        return crosscoder_html(self) if "components_" in vars(self) else ""

    def _validate_params(self) -> None:
        check_group_parameter(self)
        super()._validate_params()

    def __getstate__(self) -> dict[str, Any]:
        state = self._without_checkpoint(super().__getstate__())
        if state.get("_trainer") is not None:
            # tensors on a CUDA device could not be read where there is none
            state = {**state, "_trainer": on_device(state["_trainer"], torch.device("cpu"))}
        return state

    def _describe_interrupt(self, checkpoint: Checkpoint | None) -> str:
        message = f"Training stopped after {self.n_steps_} steps; the estimator holds that state"
        if checkpoint is None:
            return f"{message} (set checkpoint_dir to have it saved)."
        if not checkpoint.path.exists():
            return f"{message}, but it could not be saved."
        return (
            f"{message}, saved to {checkpoint.path}. fit with the same parameters and data goes "
            "on from there."
        )
