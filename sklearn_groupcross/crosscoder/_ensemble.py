"""`crosscoder_ensemble`: dictionaries from several starts, in shared runs over the data."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.utils import check_random_state

from .._ambient import own_state
from .._stacks._rows import Rows
from .._workers import check_n_jobs, choose_workers, share_out
from ._adoption import columns_of, set_fitted
from ._batches import Passes
from ._data import prepare_data
from ._estimator import GroupCrosscoder
from ._outcome import warn_of_outcome
from ._resolution import draw_seed, resolve_options, resolve_passes
from ._shared_passes import check_for_shared_passes
from ._start import Ground, ground_of, start_on
from ._training import finish, train


@own_state(gradients=True)
def crosscoder_ensemble(
    estimator: GroupCrosscoder, X: ArrayLike, n_seeds: int = 3, *, n_jobs: int | None = None
) -> list[GroupCrosscoder]:
    """Fit dictionaries from several random starts, with shared passes.

    What one start finds and another does not is a matter of chance. The data are read, checked and
    summarized once, the coordinates of `compression` are found once, and each batch is read,
    scaled and translated once, for all dictionaries. On a CPU they make their steps at the same
    time, each by some of the threads. All are held in memory meanwhile, with their optimisers: 16
    bytes a weight.

    So they share the order of batches, the translations of `augment` and those coordinates, and
    differ in the atoms that they start from, and in what is drawn when dead atoms are resampled.
    The first is, bit for bit, what `GroupCrosscoder.fit` gives; the others differ from separate
    fits by another order of batches.

    Parameters
    ----------
    estimator : GroupCrosscoder
        Its parameters are those of all dictionaries. It is not changed. `early_stopping`,
        `checkpoint_dir` and `dict_init` are not for ensembles.
    X : array-like of shape (n_samples, order, n_channels) or (n_samples, order * n_channels)
    n_seeds : int, default=3
        Number of dictionaries. Their seeds are drawn one after the other from `random_state`, so
        that a larger ensemble begins with the dictionaries of a smaller one.
    n_jobs : int, optional
        Processes among which the dictionaries are shared out, as joblib has it: a surrounding
        ``joblib.parallel_config`` chooses the backend, such as Dask or Ray. Each of them reads the
        data, so that X is best an `OrbitStore` that all of them see. The dictionaries are the same,
        bit for bit, for any number of processes that compute with as many threads
        (``torch.get_num_threads``). Where a process dies, its dictionaries are begun again, once.

    Returns
    -------
    ensemble : list of GroupCrosscoder
        Fitted, of length `n_seeds`.

    Raises
    ------
    ValueError
        If `n_seeds` is less than 1, X cannot be fitted, or the estimator cannot be used for an
        ensemble.
    TypeError
        If `estimator` is not a `GroupCrosscoder`.
    KeyboardInterrupt
        After Ctrl-C, at the end of the step.
    ChildProcessError
        If a process dies a second time; it names the dictionaries that are lost.

    Warns
    -----
    ConvergenceWarning
        If one of them has learned nothing, or too little in a run of less than 100 steps.
    RuntimeWarning
        If a process has died.

    See Also
    --------
    sklearn_groupcross.analysis.found_again : Which features of one the others have too.
    sklearn_groupcross.analysis.consensus_dictionary : What at least half of them agree on.

    Examples
    --------
    >>> from sklearn_groupcross import Dihedral, GroupCrosscoder, crosscoder_ensemble, make_orbits
    >>> group = Dihedral(3)
    >>> orbits = make_orbits(200, group=group, n_channels=8, random_state=0).orbits
    >>> estimator = GroupCrosscoder(group=group, n_features=12, max_epochs=10, random_state=0)
    >>> ensemble = crosscoder_ensemble(estimator, orbits, n_seeds=5)
    >>> len(ensemble), bool((ensemble[0].components_ == estimator.fit(orbits).components_).all())
    (5, True)
    """
    _check(estimator, n_seeds)
    check_n_jobs(n_jobs)
    ensemble = [clone(estimator) for _ in range(n_seeds)]
    first = ensemble[0]
    rows, summary = prepare_data(first, X, reset=True)
    generator = check_random_state(first.random_state)
    seeds = [draw_seed(generator) for _ in ensemble]
    passes = resolve_passes(first, np.arange(len(rows)), seeds[0])
    ground = ground_of(resolve_options(first, passes), rows, summary)
    for fitted in ensemble[1:]:
        set_fitted(fitted, {**columns_of(first), "group_": first.group_})
    parts = np.array_split(np.arange(n_seeds), min(n_seeds, choose_workers(n_jobs, n_seeds)))
    tasks = [
        ([ensemble[i] for i in part], [seeds[i] for i in part], rows, passes, ground)
        for part in parts
    ]
    if len(tasks) == 1:
        ensemble = _fit_together(*tasks[0])
    else:
        names = [f"dictionaries {part[0]} to {part[-1]} of {n_seeds}" for part in parts]
        for number, fitted_part in share_out(_fit_together, tasks, len(tasks), names):
            for i, fitted in zip(parts[number], fitted_part, strict=True):
                ensemble[i] = fitted
    if summary.variance > 0:
        for fitted in ensemble:
            warn_of_outcome(fitted, fitted.history_, ground.options, len(rows))
    return ensemble


@own_state(gradients=True)
def _fit_together(
    crosscoders: list[GroupCrosscoder],
    seeds: list[int],
    rows: Rows,
    passes: Passes,
    ground: Ground,
) -> list[GroupCrosscoder]:
    """Fit dictionaries in shared passes: what one process does."""
    trainers = [start_on(ground, seed) for seed in seeds]
    interrupted = train(rows, trainers, passes, progress=bool(crosscoders[0].verbose))
    if interrupted is not None:
        raise interrupted.error("The ensemble was stopped before it was complete.")
    finish(crosscoders, trainers, rows)
    return crosscoders


def _check(estimator: GroupCrosscoder, n_seeds: int) -> None:
    if not isinstance(n_seeds, Integral) or isinstance(n_seeds, bool) or n_seeds < 1:
        raise ValueError(f"n_seeds is the number of dictionaries, 1 or more; got {n_seeds!r}.")
    check_for_shared_passes(estimator, "crosscoder_ensemble")
    if estimator.dict_init is not None:
        raise ValueError(
            "With dict_init all dictionaries of crosscoder_ensemble would start alike; leave it at "
            "None."
        )
