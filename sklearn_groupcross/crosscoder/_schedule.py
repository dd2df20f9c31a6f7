"""How the learning rate and the penalty change over a run."""

from __future__ import annotations

from ._options import TrainingOptions

# Without a known end (partial_fit) there is no share of a run: warm-ups last this many steps.
_STEPS_WITHOUT_END = 100


def learning_rate_factor(step: int, options: TrainingOptions) -> float:
    """Linear rise over the first share of the steps, linear fall to 0 over the last."""
    rise = _rise(step, options.warm_up, options.n_steps)
    if options.n_steps is None:
        return rise
    fall = (options.n_steps - step) / max(1.0, options.decay * options.n_steps)
    return min(rise, fall)


def l1_at(step: int, options: TrainingOptions) -> float:
    """Penalty weight: it rises, since a full one kills atoms before they are of use."""
    rise = _rise(step, options.warm_up, options.n_steps)
    return options.l1_start + (options.l1 - options.l1_start) * rise


def is_warming_up(step: int, options: TrainingOptions) -> bool:
    """Whether learning rate or penalty still rise after so many steps."""
    return _rise(step, options.warm_up, options.n_steps) < 1


def _rise(step: int, share: float, n_steps: int | None) -> float:
    length = share * n_steps if n_steps is not None else float(_STEPS_WITHOUT_END)
    return min(1.0, (step + 1) / max(1.0, length))
