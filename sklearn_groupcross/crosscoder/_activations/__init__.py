"""Activations: what makes codes of pre-activations, one class for each."""

from __future__ import annotations

from ._activation import Activation
from ._jumprelu import JumpReLU
from ._largest import BatchTopK, TopK
from ._relu import ReLU

__all__ = ["ACTIVATIONS", "Activation"]

#: By the name that `GroupCrosscoder` has for them.
ACTIVATIONS: dict[str, type[Activation]] = {
    "relu": ReLU,
    "topk": TopK,
    "batch_topk": BatchTopK,
    "jumprelu": JumpReLU,
}
