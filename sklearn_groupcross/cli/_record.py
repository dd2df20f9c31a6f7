"""The record of a run, ``run.toml``: every setting, and what else the results depend on."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import tomli_w

from .._files import written_whole
from .._network_names import names_code, read_code
from .._version import __version__

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FORMAT = "groupcross run/1"
#: The record of an extraction, in the store's folder.
EXTRACTION_RECORD = "extract.toml"

#: Options of every stage, by the names that they have in the record.
EXTRACTION = (
    "n_images",
    "skip_damaged",
    "network",
    "weights",
    "group",
    "layer",
    "hues",
    "mask",
    "sampling",
    "positions",
    "max_samples",
    "radius",
    "interpolation",
    "precision",
    "dtype",
    "jobs",
    "device",
    "seed",
)
FITTING = (
    "held_out",
    "features",
    "k",
    "l1",
    "compression",
    "epochs",
    "batch_size",
    "no_augment",
    "seeds",
    "device",
    "seed",
)
ANALYSIS = ("threshold", "family_distance", "bags", "no_refit", "device", "seed")
#: The sections that hold settings; the first also holds what was read.
SECTIONS = {"extract": EXTRACTION, "fit": FITTING, "analyze": ANALYSIS}
SOURCES = "images"
#: Of the second, the store that was not extracted by the run itself.
STORE = "orbits"

_WITHOUT = "Delete it, and how the results beside it were made is not recorded any more."
# Where something is computed, and by how many, is no matter of what it is.
_WITHOUT_EFFECT = ("device", "jobs", "weights")


def settings_of(options: argparse.Namespace, section: str) -> dict[str, Any]:
    """Settings of a stage as TOML can hold them: what is not given is left out."""
    settings: dict[str, Any] = {name: getattr(options, name, None) for name in SECTIONS[section]}
    if section == "fit" and settings["compression"] is None:
        settings["compression"] = "none"
    if settings.get("weights") is not None:
        settings["weights"] = os.path.abspath(settings["weights"])
    if section == "extract":
        settings["network"] = _from_anywhere(settings["network"])
    return {
        name: value for name, value in settings.items() if value is not None and value is not False
    }


def with_effect(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of which results are made."""
    return {name: value for name, value in settings.items() if name not in _WITHOUT_EFFECT}


class RunRecord:
    """What `run.toml` says, as it becomes known.

    Attributes
    ----------
    sections : dict of str to dict
        Settings of the stages.
    hashes : dict of str to str
        Of the network's weights, the images, the orbits.
    """

    def __init__(self) -> None:
        self.sections: dict[str, dict[str, Any]] = {}
        self.hashes: dict[str, str] = {}

    def add(self, record: Mapping[str, Any]) -> None:
        """Take over the settings of stages that other commands have recorded."""
        for name in SECTIONS:
            if isinstance(record.get(name), dict):
                self.sections.setdefault(name, record[name])
        self.hashes = {**record.get("hashes", {}), **self.hashes}

    def keep_later_stages(self, path: Path) -> None:
        """Take over from a record that is to be replaced what stages after these have set.

        Their results stay in the folder.
        """
        order = list(SECTIONS)
        later = order[max(map(order.index, self.sections)) + 1 :]
        with suppress(OSError, ValueError):  # there is none, or somebody else's
            record = read_record(path)
            self.sections.update({name: record[name] for name in later if name in record})

    def write(self, path: Path) -> None:
        """Write it, unless it says so already.

        Raises
        ------
        OSError
        """
        text = self.text()
        if path.is_file() and path.read_bytes() == text:
            return
        with written_whole(path, follow_links=False) as temporary:
            temporary.write_bytes(text)

    def text(self) -> bytes:
        """What its file says."""
        ordered = {name: self.sections[name] for name in SECTIONS if name in self.sections}
        content = {
            "format": FORMAT,
            **ordered,
            "hashes": self.hashes,
            "versions": versions(),
            "machine": {"system": platform.platform(), "processor": processor()},
        }
        return _encodable(tomli_w.dumps(content)).encode()


def read_record(path: Path) -> dict[str, Any]:
    """Read a record.

    Raises
    ------
    ValueError
        If it is no TOML, or no record of a run.
    OSError
        If it cannot be read.
    """
    return parse_record(path.read_bytes(), str(path))


def parse_record(text: bytes, path: str) -> dict[str, Any]:
    """Read a record's text; `path` is named in errors.

    Raises
    ------
    ValueError
    """
    try:
        content = tomllib.loads(text.decode())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no TOML: {error}. {_WITHOUT}") from error
    if content.get("format") != FORMAT:
        raise ValueError(
            f"{path} is no record of a run: format = {FORMAT!r} is missing. {_WITHOUT}"
        )
    for name in (*SECTIONS, "hashes", "versions"):
        if not isinstance(content.get(name, {}), dict):
            raise ValueError(f"{path} makes no sense: {name} is a table. {_WITHOUT}")
    for name, known in SECTIONS.items():
        for key in content.get(name, {}):
            if key not in (*known, SOURCES, STORE):
                raise ValueError(
                    f"{path} makes no sense: [{name}] has no setting {key!r}. It has "
                    f"{', '.join(known)}. {_WITHOUT}"
                )
    return content


def versions() -> dict[str, str]:
    """Versions that results depend on."""
    import numpy
    import sklearn
    import torch

    return {
        "sklearn_groupcross": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "scikit-learn": sklearn.__version__,
    }


def processor() -> str:
    """Name of the processor, and the instructions that torch computes with."""
    import torch

    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            models = [
                line.partition(":")[2].strip() for line in file if line.startswith("model name")
            ]
        name = models[0] if models else name
    except OSError:  # another system
        pass
    return f"{name}, {torch.backends.cpu.get_cpu_capability()}"


def _from_anywhere(network: str) -> str:
    """Name of a network; where it is code in a file, with the file's whole path."""
    if not names_code(network):
        return network
    code = read_code(network)
    return f"{os.path.abspath(code.place)}:{code.function}" if code.is_file else network


def absolute(paths: Iterable[str | os.PathLike[str]]) -> list[str]:
    """Paths as they are found from every folder."""
    return [os.path.abspath(path) for path in paths]


def _encodable(text: str) -> str:
    """Text without the halves of characters in which undecodable names of files come."""
    return text.encode(errors="replace").decode()
