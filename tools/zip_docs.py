"""Pack the built documentation into one file, the same bytes for the same pages.

python -m tools.zip_docs docs/_build/html
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

from sklearn_groupcross._version import __version__

#: A day for all files: when they were built says nothing.
DAY = (2020, 1, 1, 0, 0, 0)
#: What Sphinx keeps for its next build.
NOT_PACKED = {".buildinfo", ".doctrees", ".buildinfo.bak"}


def pack(folder: Path, name: str) -> Path:
    """Write ``name.zip`` beside a folder, its files in the order of their paths below ``name/``."""
    packed = folder.parent / f"{name}.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).parts):
            inside = path.relative_to(folder)
            if path.is_file() and not NOT_PACKED & set(inside.parts):
                entry = zipfile.ZipInfo(f"{name}/{inside.as_posix()}", DAY)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, path.read_bytes())
    return packed


def main() -> None:
    folder = Path(sys.argv[1])
    if not (folder / "index.html").is_file():
        raise SystemExit(f"{folder} has no index.html: build the documentation first")
    packed = pack(folder, f"sklearn_groupcross-{__version__}-docs")
    print(f"{packed} ({packed.stat().st_size / 2**20:.1f} MiB)")


if __name__ == "__main__":
    main()
