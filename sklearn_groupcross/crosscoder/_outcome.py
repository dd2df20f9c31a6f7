"""What to say of a run that has learned nothing, or more than its data could teach."""

from __future__ import annotations

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from .._ambient import warn_caller
from ._attributes import CrosscoderAttributes
from ._feed import expected_firings
from ._options import TrainingOptions

# Share of dead atoms from which a dictionary is of no use.
_MOSTLY_DEAD = 0.95
#: Firings of an atom in a pass, for each number that it learns, below which dictionaries do not
#: hold: with 0.04, of 110 photographs in all columns, 852 of 1024 features were alone. How many are
#: enough depends on the data: on photographs with 0.2 a second seed found 15 % of the features
#: again, with 1.6 40 %, and 67 % with augmentation; planted ones were found again with 0.1.
FEWEST_FIRINGS = 0.05
# Shorter runs are expected to be too short. Of data of which there is much to explain, they explain
# little: D8 photographs 20 % after 20 steps, 37 % after 60 and 45 % after 150, planted orbits 70 %
# after 40.
_FEW_STEPS, _LITTLE_EXPLAINED = 100, 0.5


def warn_of_outcome(
    crosscoder: CrosscoderAttributes,
    history: dict[str, list[float]],
    options: TrainingOptions,
    n_rows: int,
) -> None:
    """Warn once of a run that was too short, learned nothing, or what its data could not teach."""
    if options.n_steps is not None and options.n_steps < _FEW_STEPS:
        if not crosscoder.warm_start:  # there short runs are meant: others follow
            warn_of_short_run(history, options)
    elif not warn_of_failure(history, options):
        warn_of_few_firings(crosscoder, expected_firings(n_rows, options))


def warn_of_short_run(history: dict[str, list[float]], options: TrainingOptions) -> None:
    """Warn if a run was meant to make a few steps only, and has explained little in them."""
    n_steps, unexplained = options.n_steps, _unexplained(history)
    if n_steps is None or n_steps >= _FEW_STEPS or unexplained < 1 - _LITTLE_EXPLAINED:
        return
    n_passes = len(history["fvu"])
    warn_caller(
        f"The run was short: {n_steps} step{'s' * (n_steps > 1)} in {n_passes} "
        f"pass{'es' * (n_passes > 1)} over the data, and {unexplained:.0%} of the variance is "
        f"unexplained (fvu {unexplained:.3g}). What it found is mostly chance. Try more "
        f"max_epochs, a smaller batch_size, or more data: {_FEW_STEPS} steps are few, thousands "
        "are usual.",
        ConvergenceWarning,
    )


def warn_of_failure(history: dict[str, list[float]], options: TrainingOptions) -> bool:
    """Warn if a run ended no better than the mean, or with dead atoms.

    Parameters
    ----------
    history : dict of str to list of float
        As in `GroupCrosscoder.history_`.
    options : TrainingOptions

    Returns
    -------
    failed : bool
        Whether there was something to warn of.
    """
    unexplained = _unexplained(history)
    n_dead = int(history["dead"][-1])
    if n_dead >= _MOSTLY_DEAD * options.n_atoms:
        what = f"{n_dead} of {options.n_atoms} atoms did not fire in the last epoch"
    elif unexplained >= 1:
        what = f"The reconstruction is no better than the mean of X (fvu {unexplained:.3g})"
    else:
        return False
    warn_caller(
        f"{what} after {len(history['fvu'])} epochs. Try "
        + (f"a lower l1 (it is {options.l1:g}), " if options.rule.uses_l1 else "")
        + f"a lower learning_rate ({options.learning_rate:g}), more max_epochs, or an OrbitScaler "
        "if few channels drown the rest.",
        ConvergenceWarning,
    )
    return True


def _unexplained(history: dict[str, list[float]]) -> float:
    # with early stopping the weights are those of the best epoch, not of the last
    return min(history.get("validation_fvu", history["fvu"][-1:]))


def firings_per_number(crosscoder: CrosscoderAttributes) -> float:
    """How often an atom fired in the last pass of training, for each number that it has to learn.

    Numbers are columns, or the coordinates that `compression` keeps. Augmentation shows no orbits
    that are not there, and is not counted.

    Parameters
    ----------
    crosscoder : GroupCrosscoder
        Fitted.

    Returns
    -------
    ratio : float
        NaN if nothing is known of a pass, as after `partial_fit` or of weights from elsewhere.

    Examples
    --------
    >>> from sklearn_groupcross import Dihedral, GroupCrosscoder, make_orbits
    >>> from sklearn_groupcross.crosscoder import firings_per_number
    >>> orbits = make_orbits(200, group=Dihedral(3), n_channels=8, random_state=0).orbits
    >>> crosscoder = GroupCrosscoder(
    ...     Dihedral(3), n_features=12, activation="topk", k=3, batch_size=50, random_state=0
    ... ).fit(orbits)
    >>> round(firings_per_number(crosscoder), 2)  # 200 orbits, 3 of 12 atoms each, 48 columns
    1.04
    """
    l0 = crosscoder.history_.get("l0", [])
    if not l0 or not np.isfinite(l0[-1]):
        return float("nan")
    # at most: the last batch of a pass may be smaller
    n_orbits = crosscoder.n_steps_ / len(l0) * crosscoder.batch_size
    return _per_number(n_orbits * l0[-1] / len(crosscoder.components_), crosscoder.n_coordinates_)


def warn_of_few_firings(crosscoder: CrosscoderAttributes, expected: float) -> None:
    """Warn if atoms had more numbers to learn than they were expected to fire to learn them from.

    `expected` is how often an atom was expected to fire in a pass: how often it did depends on a
    penalty too, and a path of them should not warn of its ends.
    """
    n_numbers = crosscoder.n_coordinates_
    ratio = _per_number(expected, n_numbers)
    if ratio >= FEWEST_FIRINGS:
        return
    remedies = [
        *([] if crosscoder.augment else ["augment=True, where the data is closed under the group"]),
        *(['compression="auto"'] if crosscoder.compression is None else []),
        "fewer atoms",
        "more data",
    ]
    warn_caller(
        f"Each atom has {n_numbers} numbers to learn, and fires some {expected:.0f} times in a "
        f"pass over the data, {ratio:.2g} for each number: with less than {FEWEST_FIRINGS} another "
        "seed may find few of the features again. Try "
        f"{', '.join(remedies[:-1])}, or {remedies[-1]}.",
        UserWarning,
    )


def _per_number(firings: float, n_numbers: int) -> float:
    # of samples that are all equal there is nothing to learn
    return float(firings / max(1, n_numbers))
