"""The scripts of others that the explorer's page holds, as npm has them.

``python tools/vendor_explorer.py`` packs the releases named below with ``npm pack``, holds each to
its checksum, and writes files of them into the package, byte for byte. ``--check`` writes nothing
and says whether the same bytes are there. `SHA256` has what was written last, to which a test holds
what is there without npm.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parents[1] / "sklearn_groupcross" / "report" / "explorer" / "vendor"


class Release(NamedTuple):
    """A release of npm, its checksum there, and which of its files are kept under which name."""

    name: str
    version: str
    integrity: str
    files: Mapping[str, str]


RELEASES = (
    # the last line with builds for a page without modules
    Release(
        "preact",
        "10.29.8",
        "sha512-ej2aVZ+vZ8WO7tvlQWRM9N63A0KzF9q4mWJfDUHgYaIofWY9hu74QdnQrjoPMmZi2/nZ5gN0bJCQF49xQqx09Q==",
        {
            "dist/preact.umd.js": "preact.umd.js",
            "hooks/dist/hooks.umd.js": "hooks.umd.js",
            "LICENSE": "LICENSE-preact.txt",
        },
    ),
    Release(
        "htm",
        "3.1.1",
        "sha512-983Vyg8NwUE7JkZ6NmOqpCZ+sh1bKv2iYTlUkzlWmA5JD2acKoxd4KVxbMmxX/85mtfdnDmTFoNKcg5DGAvxNQ==",
        {"dist/htm.umd.js": "htm.umd.js", "LICENSE": "LICENSE-htm.txt"},
    ),
)
SHA256 = {
    "preact.umd.js": "134b77bc803fa38661dc1b1e44e96eb0bb6a1a00edbb96d34dcde421b2e80b06",
    "hooks.umd.js": "5c29238e5dc99df306d7f7fff038591a397cfcfabb59f81fbdef43d670aa0566",
    "LICENSE-preact.txt": "1fe6958409c8c257a70c587a18b6f7f412b179b456630790d30b2ec9a8e4b7d4",
    "htm.umd.js": "7a31776e04bd4afde0d4308177d26f377716fcf7e4bd70be590746d6aa594f08",
    "LICENSE-htm.txt": "740725f7252e750af735d0028cc534970772f513331e9f68150fede8fb3ce00f",
}


def pack(release: Release, folder: Path) -> Path:
    """Have npm download a release."""
    command = ["npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", str(folder)]
    subprocess.run(
        [*command, f"{release.name}@{release.version}"], check=True, stdout=subprocess.DEVNULL
    )
    return folder / f"{release.name}-{release.version}.tgz"


def read(release: Release, archive: Path) -> dict[str, bytes]:
    """Read the files that are kept, by the names under which they are.

    Raises
    ------
    ValueError
        If the archive is not the release.
    """
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if f"sha512-{digest}" != release.integrity:
        raise ValueError(
            f"{archive.name} is not {release.name} {release.version}: expected "
            f"{release.integrity}, got sha512-{digest}."
        )
    found = {}
    with tarfile.open(archive) as opened:
        for inside, name in release.files.items():
            member = opened.extractfile(f"package/{inside}")
            if member is None:
                raise ValueError(f"{archive.name} has no file {inside}.")
            found[name] = member.read()
    return found


def different(wanted: Mapping[str, bytes], folder: Path) -> list[str]:
    """Name the files of a folder that are missing, others, or too many."""
    there = {path.name: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else {}
    return sorted(
        name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name)
    )


def main(arguments: Sequence[str] | None = None, folder: Path = FOLDER) -> int:
    parser = argparse.ArgumentParser(description="Fetch the scripts of others for the explorer.")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail where bytes differ"
    )
    options = parser.parse_args(arguments)
    wanted: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for release in RELEASES:
            wanted |= read(release, pack(release, Path(temporary)))
    changed = different(wanted, folder)
    if options.check:
        print("\n".join(f"differs: {name}" for name in changed) or "the same bytes")
        return int(bool(changed))
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in wanted.items():
        (folder / name).write_bytes(content)
        print(f'    "{name}": "{hashlib.sha256(content).hexdigest()}",')
    return 0


if __name__ == "__main__":
    sys.exit(main())
