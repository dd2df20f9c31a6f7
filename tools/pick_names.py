"""Print the lines of a Sphinx inventory that ``docs/_inventories`` needs, for names that are given.

    python -m tools.pick_names objects.inv pathlib.Path ValueError >> docs/_inventories/python.txt

A project's inventory lies beside its documentation, at ``ADDRESS/objects.inv``.
"""

from __future__ import annotations

import re
import sys
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

#: Name, role, priority, location and title; names and titles may have spaces.
ENTRY = re.compile(r"(?P<name>.+?)\s+(?P<role>\S+:\S+)\s+-?\d+\s+(?P<location>\S*)\s+.*")
#: Of several entries of one name, the first of these is taken.
ROLES = ("py:", "std:term", "std:label")


def read_inventory(content: bytes) -> Iterator[tuple[str, str, str]]:
    """Yield (name, role, location) of an inventory of version 2."""
    *header, packed = content.split(b"\n", 4)
    if not header[0].endswith(b"version 2"):
        raise ValueError(f"not an inventory of version 2: {header[0]!r}")
    for line in zlib.decompress(packed).decode().splitlines():
        if match := ENTRY.match(line):
            yield match["name"], match["role"], match["location"]


def pick(entries: Iterable[tuple[str, str, str]], names: list[str]) -> list[str]:
    """Return a line for every name, in their order."""
    found: dict[str, tuple[int, str]] = {}
    for name, role, location in entries:
        rank = next((i for i, prefix in enumerate(ROLES) if role.startswith(prefix)), None)
        if name in names and rank is not None and rank < found.get(name, (len(ROLES), ""))[0]:
            found[name] = (rank, f"{name} {role} {location}")
    if missing := [name for name in names if name not in found]:
        raise SystemExit(f"not in the inventory: {', '.join(missing)}")
    return [found[name][1] for name in names]


def main() -> None:
    inventory, *names = sys.argv[1:]
    print("\n".join(pick(read_inventory(Path(inventory).read_bytes()), names)))


if __name__ == "__main__":
    main()
