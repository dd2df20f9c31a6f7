"""What a fitted crosscoder shows in a notebook."""

from __future__ import annotations

from typing import Any

from .._html import card, curve


def crosscoder_html(crosscoder: Any) -> str:
    """Group, atoms, steps and losses of a fitted crosscoder, as far as they are known."""
    history: dict[str, list[float]] = getattr(crosscoder, "history_", {})
    n_atoms = len(crosscoder.components_)
    facts: dict[str, object] = {"group": repr(crosscoder.group_), "atoms": n_atoms}
    if history.get("dead"):
        facts["fired in the last epoch"] = f"{n_atoms - int(history['dead'][-1])} atoms"
    facts["channels"] = crosscoder.n_channels_
    facts["steps"] = f"{crosscoder.n_steps_} in {crosscoder.n_iter_} epochs"
    named = {"loss": "last loss", "fvu": "variance unexplained", "l0": "active codes a sample"}
    for key, name in named.items():
        if history.get(key):
            facts[name] = f"{history[key][-1]:.4g}"
    steps, epochs = history.get("step_loss", []), history.get("loss", [])
    picture = curve(steps, "loss, step by step") if len(steps) > 1 else curve(epochs, "loss")
    return card("What was learned", facts, picture)
