"""Which instructions torch, oneDNN, numba, numpy and the BLAS compute with, and whether they obey.

``python tests/processor.py`` prints them and fails where a variable of the environment asked for
others. Each library chooses its loops by the processor it finds, sums in another order with each,
and can be told to take a lesser one: so one machine computes as others would.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator

#: A convolution large enough for torch to leave it to oneDNN.
_WORK = """
import torch
torch.nn.functional.conv2d(torch.ones(1, 3, 50, 50), torch.ones(8, 3, 5, 5))
"""
#: oneDNN's words for the instructions that its variable names.
_ONEDNN = {"SSE41": "Intel SSE4.1", "AVX2": "Intel AVX2"}


def torch_capability() -> str:
    import torch

    return torch.backends.cpu.get_cpu_capability()


def onednn_instructions() -> str:
    """What oneDNN says of itself, which it does on the output of a process and nowhere else."""
    environment = {**os.environ, "ONEDNN_VERBOSE": "1"}
    said = subprocess.run(
        [sys.executable, "-c", _WORK], env=environment, capture_output=True, text=True, check=True
    ).stdout
    found = re.search(r"cpu,isa:(.*)", said)
    return found.group(1).strip() if found else "none"


def numba_target() -> tuple[str, list[str]]:
    """The processor that loops are compiled for and the features it is said to have."""
    from numba.core.registry import cpu_target

    _, name, features = cpu_target.target_context.codegen().magic_tuple()
    return name, [feature[1:] for feature in features.split(",") if feature.startswith("+")]


def numpy_dispatched() -> list[str]:
    """Features beyond numpy's least processor that it has loops for and this machine offers."""
    try:
        from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__
    except ModuleNotFoundError:  # before numpy 2
        from numpy.core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    return [feature for feature in __cpu_dispatch__ if __cpu_features__[feature]]


def blas_kernels() -> list[str]:
    """Kernels of every OpenBLAS that is loaded: numpy brings one, and scipy another."""
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_info

    return [pool["architecture"] for pool in threadpool_info() if pool.get("architecture")]


def n_threads() -> int:
    import torch

    return torch.get_num_threads()


def disobedience() -> Iterator[str]:
    """For every variable of the environment that had no effect, a sentence."""
    asked = os.environ
    capability = asked.get("ATEN_CPU_CAPABILITY")
    if capability and torch_capability() != capability.upper():
        yield f"ATEN_CPU_CAPABILITY={capability}, but torch takes {torch_capability()}"
    isa = asked.get("ONEDNN_MAX_CPU_ISA")
    if isa and onednn_instructions() != _ONEDNN.get(isa, isa):
        yield f"ONEDNN_MAX_CPU_ISA={isa}, but oneDNN takes {onednn_instructions()}"
    name, features = asked.get("NUMBA_CPU_NAME"), asked.get("NUMBA_CPU_FEATURES")
    if name or features:
        # "generic" has no features, and another name those of this machine unless they are given
        wanted = [feature.strip("+") for feature in (features or "").split(",") if feature]
        target, found = numba_target()
        other_features = (features or name == "generic") and set(found) != set(wanted)
        if (name and target != name) or other_features:
            yield f"NUMBA_CPU_NAME={name} with {wanted}, but numba compiles for {target}: {found}"
    disabled = set(asked.get("NPY_DISABLE_CPU_FEATURES", "").split())
    if disabled & set(numpy_dispatched()):
        yield f"NPY_DISABLE_CPU_FEATURES={disabled}, but numpy takes {numpy_dispatched()}"
    core = asked.get("OPENBLAS_CORETYPE")
    if core and set(blas_kernels()) != {core}:
        yield f"OPENBLAS_CORETYPE={core}, but OpenBLAS takes {blas_kernels()}"
    threads = asked.get("OMP_NUM_THREADS")
    if threads and n_threads() != int(threads):
        yield f"OMP_NUM_THREADS={threads}, but torch takes {n_threads()}"


def header() -> list[str]:
    """What a report of tests says about the processor: enough to compute alike elsewhere."""
    name, features = numba_target()
    vectors = [feature for feature in features if feature.startswith(("sse", "avx", "neon", "sve"))]
    return [
        f"processor: torch {torch_capability()}, {n_threads()} threads, "
        f"numpy {' '.join(numpy_dispatched()) or 'its least'}, BLAS {' '.join(blas_kernels())}",
        f"numba: {name} with {' '.join(sorted(vectors)) or 'no vectors beyond its least'}",
    ]


def main() -> int:
    print(*header(), f"oneDNN: {onednn_instructions()}", sep="\n")
    ignored = list(disobedience())
    for sentence in ignored:
        print(sentence, file=sys.stderr)
    return len(ignored) > 0


if __name__ == "__main__":
    sys.exit(main())
