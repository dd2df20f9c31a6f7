"""The checks, each described here once: ``nox --list`` says which.

``nox`` runs what every change must pass, as ``.ci/run`` does: tests, lint, types, contracts, docs.
``nox --no-venv`` takes the environment that nox was started from; otherwise each session has its
own. The rest is for a release: ``oldest`` and ``newest`` versions of what the package needs, on
every Python; ``processors``, every test once for each setting below; ``package``, what is to be
published. What stands after ``--`` goes to pytest:

    nox -s "processors('aten-default')"
    nox --no-venv -s "processors('numba-generic')" -- tests/crosscoder -x
"""

from __future__ import annotations

import configparser
import tarfile
import tempfile
import zipfile
from pathlib import Path

import nox

nox.needs_version = ">=2024.3.2"
nox.options.sessions = ["tests", "lint", "types", "contracts", "docs"]
nox.options.reuse_existing_virtualenvs = True

#: What README installs for its tests.
TESTED = ".[test,lucent]"
CHECKED = ".[lint,docs]"
LOCK = "requirements/dev.txt"
#: As README has it: neighbours, which share fixtures, run in one process while there are enough.
_IN_PARALLEL = ["-n", "auto", "--dist", "worksteal"]


def _pythons() -> list[str]:
    """The Pythons that the metadata names, oldest first."""
    metadata = configparser.ConfigParser()
    metadata.read("setup.cfg", encoding="utf-8")
    named = metadata["metadata"]["classifiers"].split("\n")
    prefix = "Programming Language :: Python :: 3."
    return [line.removeprefix(prefix[:-2]) for line in named if line.startswith(prefix)]


PYTHONS = _pythons()


def _install(session: nox.Session, *arguments: str) -> None:
    if session.virtualenv.venv_backend != "none":
        session.install(*arguments)


@nox.session
def tests(session: nox.Session) -> None:
    """The tests; any warning is an error."""
    _install(session, TESTED)
    session.run("python", "-m", "pytest", *_IN_PARALLEL, *session.posargs)


@nox.session
def slow(session: nox.Session) -> None:
    """The tests that repeat at length what others check: faults, kills, many processes."""
    _install(session, TESTED)
    as_long_as_they_take = ["-m", "slow", "-o", "faulthandler_timeout=0"]
    session.run("python", "-m", "pytest", *_IN_PARALLEL, *as_long_as_they_take, *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Lint, docstrings and format."""
    _install(session, CHECKED)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """The types."""
    _install(session, CHECKED)
    session.run("mypy")


@nox.session
def contracts(session: nox.Session) -> None:
    """The direction of imports."""
    _install(session, CHECKED)
    session.run("lint-imports")


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation with its examples, checked and packed; any warning is an error."""
    _install(session, ".[test,lint,docs]")
    own = [
        "tests/docs",
        "tests/tools/test_check_results.py",
    ]
    session.run("python", "-m", "pytest", "-q", *own)
    html = "docs/_build/html"
    build = ["-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "docs", html]
    session.run("python", *build)
    session.run("python", "-m", "tools.check_docs", "--guide", html)
    session.run("python", "-m", "tools.check_words", html)
    results = ["docs/reproduction", "README.md", "CITATION.cff"]
    session.run("python", "-m", "tools.check_results", *results)
    session.run("python", "-m", "tools.zip_docs", html)


@nox.session(python=PYTHONS[0], venv_backend="uv")
def oldest(session: nox.Session) -> None:
    """The tests with the oldest versions that the metadata allows, on the oldest Python."""
    session.install("--resolution=lowest-direct", TESTED)
    # old releases call what younger ones of what they need themselves have come to deprecate
    warnings = ["-W", "default::DeprecationWarning"]
    session.run("python", "-m", "pytest", *_IN_PARALLEL, *warnings, *session.posargs)


@nox.session(python=PYTHONS, venv_backend="uv")
def newest(session: nox.Session) -> None:
    """The tests with the newest versions there are, on every Python."""
    session.install("--upgrade", TESTED)
    session.run("python", "-m", "pytest", *_IN_PARALLEL, *session.posargs)


@nox.session(venv_backend="none")
def lock(session: nox.Session) -> None:
    """The versions and hashes of all that development takes, written to requirements/dev.txt."""
    extras = [f"--extra={name}" for name in ("test", "lucent", "lint", "docs")]
    # of no index: which one is asked is a matter of the machine
    plain = ["--no-header", "--no-annotate", "--no-emit-index-url", "--quiet"]
    versions = ["--universal", "--python-version", "3.11", "--generate-hashes", "--upgrade"]
    command = ["uv", "pip", "compile", "setup.cfg", *extras, *versions, *plain]
    session.run(*command, "--output-file", LOCK)


@nox.session
def audit(session: nox.Session) -> None:
    """What is known of faults in the locked versions; fails where the database is not reached."""
    session.install("pip-audit")
    # strict: versions that nothing is known of, for want of a database, are no good news
    check = ["--strict", "--disable-pip", "--require-hashes", "--progress-spinner=off"]
    session.run("pip-audit", *check, "--requirement", LOCK, *session.posargs)


@nox.session
def package(session: nox.Session) -> None:
    """What is published: built, its metadata valid, the package alone in the wheel."""
    session.install("build", "twine")
    with tempfile.TemporaryDirectory() as folder:
        session.run("python", "-m", "build", "--outdir", folder, silent=True)
        wheel, source = sorted(Path(folder).iterdir(), key=lambda path: path.suffix, reverse=True)
        session.run("twine", "check", "--strict", str(wheel), str(source))
        with zipfile.ZipFile(wheel) as opened:
            inside = set(opened.namelist())
        strangers = {name.split("/")[0] for name in inside if "dist-info/" not in name}
        _compare(session, wheel, strangers, {"sklearn_groupcross"}, exactly=True)
        _compare(session, wheel, inside, {f"sklearn_groupcross/{name}" for name in _FILES})
        with tarfile.open(source) as archive:
            unpacked = {name.split("/", 1)[-1] for name in archive.getnames()}
        _compare(session, source, unpacked, {"noxfile.py", "tests/conftest.py", "tools/shapes.py"})


def _compare(
    session: nox.Session, file: Path, found: set[str], wanted: set[str], *, exactly: bool = False
) -> None:
    if missing := wanted - found:
        session.error(f"{file.name} lacks {', '.join(sorted(missing))}")
    if exactly and (more := found - wanted):
        session.error(f"{file.name} holds {', '.join(sorted(more))}")


#: Files of the package that are no modules.
_FILES = (
    "py.typed",
    "networks/weights/bundled.safetensors",
    "report/templates/report.html.jinja",
    "report/explorer/order.txt",
    "report/explorer/app.js",
    "report/explorer/vendor/preact.umd.js",
    "report/explorer/vendor/LICENSE-preact.txt",
)

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
    _install(session, "-e", TESTED)
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
