"""`Claim`: a sentence that can fail, and the rule by which it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from ._statistics import Estimate

HOLDS, IN_PART, FAILS = "holds", "holds in part", "does not hold"


@dataclass(frozen=True)
class Claim:
    """A sentence that can fail.

    Attributes
    ----------
    number : str
        As in docs/reproduction: of the part, and a letter.
    sentence : str
    effect : str
        What the value is, in what unit, and what it would be by chance.
    rule : str
        When it holds, holds in part, and fails; and what a run has changed of it.
    measure : callable
        Gives the estimate and the verdict from the tables of its stage.
    held_out : str, default="n_held_out"
        The setting of its stage that says how many photographs it is judged on.
    """

    number: str
    sentence: str
    effect: str
    rule: str
    measure: Callable[[Mapping[str, pd.DataFrame]], tuple[Estimate, str]]
    held_out: str = "n_held_out"
