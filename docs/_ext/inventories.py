"""Names of other projects that the documentation links to, without a network.

``docs/_inventories/PROJECT.txt`` lists them, in the words of Sphinx's inventories: a name, what it
is, and where it is documented ($ stands for the name); the first line is the address of the
project's documentation. ``python -m tools.pick_names objects.inv NAME ...`` makes such lines.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

HEADER = """# Sphinx inventory version 2
# Project: {name}
# Version:
# The remainder of this file is compressed using zlib.
"""


def read_names(path: Path) -> tuple[str, list[tuple[str, str, str]]]:
    """Return the address of a project's documentation, and (name, role, location) of its names."""
    first, *lines = path.read_text(encoding="utf-8").splitlines()
    if not first.startswith("https://"):
        raise ValueError(f"{path.name}: {first!r} is not understood")
    entries = []
    for line in filter(None, lines):
        parts = line.rsplit(" ", 2)
        if len(parts) != 3 or ":" not in parts[1]:
            raise ValueError(f"{path.name}: {line!r} is not understood")
        entries.append((parts[0], parts[1], parts[2]))
    return first, entries


def write_inventories(source: Path, target: Path) -> dict[str, tuple[str, str]]:
    """Make inventories of lists, and return what ``intersphinx_mapping`` says of them."""
    target.mkdir(parents=True, exist_ok=True)
    mapping = {}
    for path in sorted(source.glob("*.txt")):
        address, entries = read_names(path)
        lines = [f"{name} {role} 1 {location} -" for name, role, location in sorted(entries)]
        packed = zlib.compress("\n".join([*lines, ""]).encode())
        made = target / f"{path.stem}.inv"
        content = HEADER.format(name=path.stem).encode() + packed
        if not made.exists() or made.read_bytes() != content:
            made.write_bytes(content)
        mapping[path.stem] = (address, str(made))
    return mapping


def set_mapping(app: Any, config: Any) -> None:
    """Let ``intersphinx`` read the inventories, before it looks at its mapping."""
    made = Path(app.outdir).parent / "inventories"
    config.intersphinx_mapping = write_inventories(Path(app.confdir) / "_inventories", made)


def setup(app: Any) -> dict[str, bool]:
    """Set ``intersphinx_mapping``."""
    app.connect("config-inited", set_mapping, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
