"""One configuration file, and what a scale makes of it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SCALES = ("full", "quick", "paper", "smoke")
DEFAULT = Path(__file__).with_name("config.toml")


def read_config(path: Path, scale: str) -> dict[str, Any]:
    """Read the settings of a scale: those of [common] with what its own section changes.

    Parameters
    ----------
    path : Path
    scale : str
        Name of a section.

    Returns
    -------
    config : dict

    Raises
    ------
    ValueError
        If the file has no such section, or the section changes what [common] does not know.
    """
    sections = tomllib.loads(path.read_text(encoding="utf-8"))
    if scale not in sections:
        known = ", ".join(name for name in sections if name != "common")
        raise ValueError(f"{path} has no section [{scale}]; it has {known}.")
    return merged(sections["common"], sections[scale])


def merged(common: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with changes; tables are merged, everything else is replaced."""
    result = dict(common)
    for key, value in changes.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, Mapping) else value
    return result
