"""`crosscoder_path`: dictionaries for many penalties from one run over the data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone

from .._ambient import own_state
from .._plain import as_numpy
from ._activations import ACTIVATIONS
from ._adoption import columns_of, set_fitted
from ._data import prepare_data
from ._estimator import GroupCrosscoder
from ._outcome import warn_of_short_run
from ._resolution import draw_seed, resolve_options, resolve_passes
from ._shared_passes import check_for_shared_passes
from ._start import start
from ._trainer import Trainer
from ._training import finish, train


@own_state(gradients=True)
def crosscoder_path(
    estimator: GroupCrosscoder, X: ArrayLike, l1s: Sequence[float], *, refine: float = 0.5
) -> list[GroupCrosscoder]:
    """Fit a dictionary for every penalty of a path, with warm starts and shared passes.

    The smallest penalty is fitted as `GroupCrosscoder.fit` does. The others start from its weights
    and are trained together: each batch is read, scaled and translated once for all of them, and
    their penalties rise from the smallest to their own. On a CPU they make their steps at the same
    time, each by some of the threads. All are held in memory meanwhile, with their optimisers: 16
    bytes a weight.

    So, but for the first, the dictionaries are not those of separate fits: they are relatives of
    the first, and have been trained for ``1 + refine`` times as long as it. Where `max_epochs` is
    too small for the first to settle, a larger penalty may even explain more than a smaller one.

    Parameters
    ----------
    estimator : GroupCrosscoder
        Its parameters, but for `l1`, are those of all dictionaries. It is not changed. Its
        `activation` is ``"relu"`` or ``"jumprelu"``; `early_stopping` and `checkpoint_dir` are not
        for paths.
    X : array-like of shape (n_samples, order, n_channels) or (n_samples, order * n_channels)
    l1s : sequence of float
        At least one, no two alike.
    refine : float, default=0.5
        Passes for the penalties after the first, as a share of `max_epochs`.

    Returns
    -------
    path : list of GroupCrosscoder
        Fitted, in order of rising `l1`.

    Raises
    ------
    ValueError
        If there is no penalty, one of them twice, or one that is negative or not finite; or the
        estimator cannot be used for a path.
    TypeError
        If `estimator` is not a `GroupCrosscoder`.

    Warns
    -----
    ConvergenceWarning
        If the first of them has learned too little in a run of less than 100 steps. Large
        penalties may well explain nothing: of these nothing is said.

    See Also
    --------
    sklearn.model_selection.GridSearchCV : With cross-validation, one independent fit a penalty and
        fold.

    Examples
    --------
    >>> from sklearn_groupcross import Dihedral, GroupCrosscoder, crosscoder_path, make_orbits
    >>> group = Dihedral(3)
    >>> orbits = make_orbits(200, group=group, n_channels=8, random_state=0).orbits
    >>> estimator = GroupCrosscoder(group=group, n_features=12, max_epochs=10, random_state=0)
    >>> [fitted.l1 for fitted in crosscoder_path(estimator, orbits, [0.3, 0.03])]
    [0.03, 0.3]
    """
    penalties = _check(estimator, l1s, refine)
    path = [clone(estimator).set_params(l1=l1) for l1 in penalties]
    first, others = path[0], path[1:]
    progress = bool(estimator.verbose)
    rows, summary = prepare_data(first, X, reset=True)
    passes = resolve_passes(first, np.arange(len(rows)), draw_seed(first.random_state))
    options = resolve_options(first, passes)
    trainer = start(options, rows, summary, dict_init=first.dict_init)
    interrupted = train(rows, [trainer], passes, progress=progress)
    finish([first], [trainer], rows)
    if summary.variance > 0 and interrupted is None:
        warn_of_short_run(trainer.record.history, options)
    if others and interrupted is None:
        more = replace(
            passes, n_epochs=math.ceil(refine * passes.n_epochs), first_epoch=passes.n_epochs
        )
        for fitted in others:
            set_fitted(fitted, {**columns_of(first), "group_": first.group_})
        trainers = [
            Trainer(
                replace(resolve_options(fitted, more), l1_start=first.l1),
                trainer.options.rule.with_l1(trainer.parameters, fitted.l1, first.l1),
                trainer.units,
                trainer.variance,
                trainer.fitted_basis,
            )
            for fitted in others
        ]
        interrupted = train(rows, trainers, more, progress=progress)
        finish(others, trainers, rows)
    if interrupted is not None:
        raise interrupted.error("The path was stopped before it was complete.")
    return path


def _check(estimator: GroupCrosscoder, l1s: Sequence[float], refine: float) -> list[float]:
    """Penalties in rising order."""
    check_for_shared_passes(estimator, "crosscoder_path")
    penalties = np.asarray(as_numpy(l1s, "l1s"), dtype=np.float64)
    if penalties.ndim != 1:
        raise ValueError(f"l1s is a sequence of penalties, such as [0.03, 0.1]; got {l1s!r}.")
    if len(penalties) == 0 or not (np.isfinite(penalties) & (penalties >= 0)).all():
        raise ValueError(
            f"l1s are finite penalties of at least 0, one or more; got {penalties.tolist()}."
        )
    if len(np.unique(penalties)) < len(penalties):
        raise ValueError(
            f"l1s holds a penalty twice: {penalties.tolist()}; one model each is made."
        )
    if not 0 < refine <= 1:
        raise ValueError(f"refine is a share of max_epochs, in (0, 1]; got {refine!r}.")
    if not ACTIVATIONS[estimator.activation].uses_l1:
        able = " or ".join(f'"{name}"' for name, rule in ACTIVATIONS.items() if rule.uses_l1)
        raise ValueError(
            f"l1 has no effect with activation={estimator.activation!r}: a path over it needs "
            f"{able}."
        )
    return sorted(penalties.tolist())
