"""What to say of a run that has learned nothing."""

from __future__ import annotations

from sklearn.exceptions import ConvergenceWarning

from .._ambient import warn_caller
from ._options import TrainingOptions

# Share of dead atoms from which a dictionary is of no use.
_MOSTLY_DEAD = 0.95
# Of shorter runs, such as trials of whether everything works, nothing is expected.
_FEW_STEPS = 100


def warn_of_failure(history: dict[str, list[float]], options: TrainingOptions) -> None:
    """Warn if a run of 100 steps or more ended no better than the mean, or with dead atoms.

    Parameters
    ----------
    history : dict of str to list of float
        As in `GroupCrosscoder.history_`.
    options : TrainingOptions
    """
    if len(history["step_loss"]) < _FEW_STEPS:
        return
    # with early stopping the weights are those of the best epoch, not of the last
    unexplained = min(history.get("validation_fvu", history["fvu"][-1:]))
    n_dead = int(history["dead"][-1])
    if n_dead >= _MOSTLY_DEAD * options.n_atoms:
        what = f"{n_dead} of {options.n_atoms} atoms did not fire in the last epoch"
    elif unexplained >= 1:
        what = f"The reconstruction is no better than the mean of X (fvu {unexplained:.3g})"
    else:
        return
    warn_caller(
        f"{what} after {len(history['fvu'])} epochs. Try "
        + (f"a lower l1 (it is {options.l1:g}), " if options.rule.uses_l1 else "")
        + f"a lower learning_rate ({options.learning_rate:g}), more max_epochs, or an OrbitScaler "
        "if few channels drown the rest.",
        ConvergenceWarning,
    )
