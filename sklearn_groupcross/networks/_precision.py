"""In what precision a network computes, where that is left to the device."""

from __future__ import annotations

import torch

from .._ambient import warn_caller
from .._processor import instruction_sets, multiplies_bfloat16

#: What `Network` calls ``precision``.
PRECISIONS = ("float32", "tf32", "bfloat16", "auto")


def resolve_precision(precision: str, device: torch.device) -> str:
    """Turn ``"auto"`` into bfloat16 on devices that multiply it in hardware, else into float32."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    return "bfloat16" if device.type == "cpu" and multiplies_bfloat16() else "float32"


def warn_of_slow_products(precision: str, device: torch.device) -> None:
    """Warn if bfloat16 is asked for on a CPU that has to do without instructions for it."""
    if precision == "bfloat16" and device.type == "cpu" and not multiplies_bfloat16():
        warn_caller(
            f"precision='bfloat16' on a CPU without instructions for bfloat16 products "
            f"({instruction_sets()}): networks of convolutions took ten times as long as with "
            "'float32' on such a CPU. 'auto' takes bfloat16 only where it is fast.",
            RuntimeWarning,
        )
