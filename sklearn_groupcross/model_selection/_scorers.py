"""Scorers of crosscoders, for `~sklearn.model_selection.GridSearchCV` and its kind."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from .._ambient import own_state
from ._description_length import description_length, from_statistics
from ._statistics import collect_statistics


@own_state()
def score_crosscoder(
    estimator: Any, X: ArrayLike, y: Any = None, *, distortion: float = 0.1
) -> dict[str, float]:
    """All scores at once: ``GridSearchCV(..., scoring=score_crosscoder)``.

    The samples are encoded and reconstructed once, a batch at a time, so that X may be a memory
    map larger than memory.

    Parameters
    ----------
    estimator : GroupCrosscoder or Pipeline
        Fitted. A pipeline ends in a crosscoder; its other steps transform X first, and the scores
        are about what the crosscoder sees.
    X : array-like of shape (n_samples, n_columns) or (n_samples, order, n_channels)
        Held-out samples. Shares of dead atoms and description lengths of few samples are too
        pessimistic: use hundreds.
    y : Ignored
    distortion : float, default=0.1
        Share of the variance that the description may lose; see `description_length`. To set it
        in a search, ``scoring=functools.partial(score_crosscoder, distortion=0.05)``.

    Returns
    -------
    scores : dict of str to float
        Greater is better, as scikit-learn has it. Of a single sample, explained variance and
        description length are NaN, with a warning.

        - ``explained_variance``, what `GroupCrosscoder.score` returns;
        - ``neg_l0``, minus the mean number of positive codes of a sample;
        - ``neg_dead_share``, minus the share of atoms without a positive code on any sample;
        - ``neg_description_length``, minus the bits of `description_length`.

    Examples
    --------
    >>> from sklearn_groupcross import Dihedral, GroupCrosscoder, make_orbits
    >>> from sklearn_groupcross.model_selection import score_crosscoder
    >>> group = Dihedral(3)
    >>> orbits = make_orbits(300, group=group, n_channels=8, random_state=0).orbits
    >>> crosscoder = GroupCrosscoder(group=group, n_features=12, max_epochs=20, random_state=0)
    >>> sorted(score_crosscoder(crosscoder.fit(orbits[:200]), orbits[200:]))
    ['explained_variance', 'neg_dead_share', 'neg_description_length', 'neg_l0']
    """
    statistics = collect_statistics(estimator, X, keep_rows=True)
    return {
        "explained_variance": statistics.explained_variance,
        "neg_l0": -statistics.l0,
        "neg_dead_share": -statistics.dead_share,
        "neg_description_length": -from_statistics(statistics, distortion).bits,
    }


def explained_variance(estimator: Any, X: ArrayLike, y: Any = None) -> float:
    """Share of the variance of all blocks that the reconstruction explains.

    Unlike `GroupCrosscoder.score`, it also scores a pipeline that ends in a crosscoder: in the
    units of what the crosscoder sees.

    Parameters
    ----------
    estimator : GroupCrosscoder or Pipeline
    X : array-like of shape (n_samples, n_columns) or (n_samples, order, n_channels)
    y : Ignored

    Returns
    -------
    score : float
        At most 1.
    """
    return collect_statistics(estimator, X).explained_variance


def neg_l0(estimator: Any, X: ArrayLike, y: Any = None) -> float:
    """Minus the mean number of positive codes of a sample.

    Parameters
    ----------
    estimator : GroupCrosscoder or Pipeline
    X : array-like of shape (n_samples, n_columns) or (n_samples, order, n_channels)
    y : Ignored

    Returns
    -------
    score : float
        At most 0. Alone it always prefers the emptiest dictionary.
    """
    return -collect_statistics(estimator, X).l0


def neg_dead_share(estimator: Any, X: ArrayLike, y: Any = None) -> float:
    """Minus the share of atoms without a positive code on any sample.

    Parameters
    ----------
    estimator : GroupCrosscoder or Pipeline
    X : array-like of shape (n_samples, n_columns) or (n_samples, order, n_channels)
        An atom may be rare rather than dead: the fewer the samples, the more seem dead.
    y : Ignored

    Returns
    -------
    score : float
        Between -1 and 0.
    """
    return -collect_statistics(estimator, X).dead_share


def neg_description_length(
    estimator: Any, X: ArrayLike, y: Any = None, *, distortion: float = 0.1
) -> float:
    """Minus the bits of a sample, to a fidelity of 1 - `distortion`.

    Parameters
    ----------
    estimator : GroupCrosscoder or Pipeline
    X : array-like of shape (n_samples, n_columns) or (n_samples, order, n_channels)
    y : Ignored
    distortion : float, default=0.1
        Share of the variance that may be lost.

    Returns
    -------
    score : float
        At most 0. Its parts are in `description_length`, which also defines it.
    """
    return -description_length(estimator, X, distortion=distortion).bits
