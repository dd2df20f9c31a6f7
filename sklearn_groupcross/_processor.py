"""What this computer's CPU can do, where a choice depends on it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

# LLVM's names of what products are made with, and how manuals call it; the larger come later.
_NAMES = {
    "avx2": "AVX2",
    "fma": "FMA",
    "avxvnni": "AVX-VNNI",
    "avx512f": "AVX-512",
    "avx512vnni": "VNNI",
    "avx512bf16": "bfloat16",
    "avx512fp16": "float16",
    "amx-int8": "AMX int8",
    "amx-bf16": "AMX bfloat16",
    "neon": "NEON",
    "dotprod": "dot products",
    "i8mm": "int8 products",
    "bf16": "bfloat16",
    "sve": "SVE",
    "sve2": "SVE2",
    "sme": "SME",
}


@cache
def multiplies_bfloat16() -> bool:
    """Whether this CPU has instructions of x86 for products of bfloat16 numbers.

    Those of ARM are left out: nothing that asks has been tried on one.
    """
    features = _features()
    return any(features.get(name, False) for name in ("avx512bf16", "amx-bf16"))


def instruction_sets() -> str:
    """Which instructions for products this CPU has, such as ``"AVX2, FMA"`` or ``"NEON"``.

    "none known" where LLVM does not tell. Libraries may use fewer, as
    `torch.backends.cpu.get_cpu_capability` says of torch.
    """
    features = _features()
    found = [name for feature, name in _NAMES.items() if features.get(feature, False)]
    return ", ".join(found) or "none known"


@cache
def _features() -> Mapping[str, bool]:
    import llvmlite.binding  # numba's, which few of those that import the package need

    try:
        return dict(llvmlite.binding.get_host_cpu_features())
    except RuntimeError:  # LLVM does not know them on this system
        return {}
