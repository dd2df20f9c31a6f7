"""Long checks, run by hand: ``nox --list`` says which.

``nox -s processors`` runs every test once for each setting below, in an environment of its own.
``nox --no-venv -s processors`` takes the environment that nox was started from,
``nox -s "processors('aten-default')"`` one setting alone, and what stands after ``--`` goes to
pytest: ``nox --no-venv -s "processors('numba-generic')" -- tests/crosscoder -x``.
"""

from __future__ import annotations

import tempfile

import nox

nox.needs_version = ">=2024.3.2"
nox.options.sessions = ["processors"]
nox.options.reuse_existing_virtualenvs = True

#: Features for which numpy has loops beyond its least, as this machine offers them.
_NUMPY_DISPATCHED = "from tests.processor import numpy_dispatched; print(*numpy_dispatched())"

#: What LLVM calls the instructions of the first processors with AVX2.
_HASWELL = "+sse,+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+avx,+avx2,+fma,+f16c,+bmi,+bmi2,+lzcnt"

#: Each makes one library compute as it does on another processor: sums come in another order.
SETTINGS: dict[str, dict[str, str]] = {
    "aten-default": {"ATEN_CPU_CAPABILITY": "default"},
    "aten-avx2": {"ATEN_CPU_CAPABILITY": "avx2"},
    "onednn-sse41": {"ONEDNN_MAX_CPU_ISA": "SSE41"},
    "onednn-avx2": {"ONEDNN_MAX_CPU_ISA": "AVX2"},
    "numba-generic": {"NUMBA_CPU_NAME": "generic"},
    "one-thread": {"OMP_NUM_THREADS": "1"},
    "numpy-least": {"NPY_DISABLE_CPU_FEATURES": ""},  # all that this machine has
    # the products of torch and of numpy, which none of the above reaches
    "blas-least": {"MKL_CBWR": "COMPATIBLE", "OPENBLAS_CORETYPE": "Nehalem"},
    # a whole machine, as most have it
    "avx2": {
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "NUMBA_CPU_NAME": "haswell",
        "NUMBA_CPU_FEATURES": _HASWELL,
        "MKL_CBWR": "AVX2",
        "OPENBLAS_CORETYPE": "Haswell",
        "NPY_DISABLE_CPU_FEATURES": "X86_V3 AVX AVX2 F16C FMA3",  # all but these
    },
}


@nox.session
@nox.parametrize("setting", [nox.param(name, id=f"'{name}'") for name in SETTINGS])
def processors(session: nox.Session, setting: str) -> None:
    """The tests, as another processor would compute them."""
    if session.virtualenv.venv_backend != "none":
        session.install("-e", ".[test]")
    environment = dict(SETTINGS[setting])
    if "NPY_DISABLE_CPU_FEATURES" in environment:
        found = str(session.run("python", "-c", _NUMPY_DISPATCHED, silent=True)).split()
        kept = environment["NPY_DISABLE_CPU_FEATURES"].split()
        disabled = [feature for feature in found if feature not in kept]
        environment["NPY_DISABLE_CPU_FEATURES"] = " ".join(disabled)
    session.log(" ".join(f"{name}={value!r}" for name, value in environment.items()))
    # what numba compiled for one processor must not meet another
    with tempfile.TemporaryDirectory(prefix="numba-") as environment["NUMBA_CACHE_DIR"]:
        session.run("python", "tests/processor.py", env=environment)  # fails where it had no effect
        session.run("python", "-m", "pytest", *session.posargs, env=environment)
