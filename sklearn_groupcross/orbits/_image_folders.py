"""Which files of a folder are images."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from .._ambient import warn_caller
from ._channel_files import ARRAY_SUFFIX
from ._pictures import known_suffixes
from ._store_schema import MANIFEST, is_store_folder

#: Those that Pillow has for the formats that are read, and that of arrays.
IMAGE_SUFFIXES = (*known_suffixes(), ARRAY_SUFFIX)
# Companions of images that are none: of macOS in archives, of file servers, of Windows.
_COMPANIONS = frozenset({"__macosx", "@eadir", "thumbs.db", "ehthumbs.db", "desktop.ini"})
# How files of images begin.
_BEGINNINGS = (
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF87a",
    b"GIF89a",
    b"II*\0",
    b"MM\0*",
    b"\0\0\0\x0cjP  ",
)
# So many files of other names are looked into: a folder may hold a note beside every image.
_LOOKED_INTO = 1000


def list_folder(folder: Path) -> list[Path]:
    """Find the images of a folder and its subfolders; of a file, the file.

    Hidden files and folders, what systems lay beside images, stores of orbits and folders of
    results are passed over. So are images with other suffixes, with a warning.

    Raises
    ------
    FileNotFoundError
        If there is no such file or folder.
    ValueError
        If there are no images.
    """
    if not folder.exists():
        is_pattern = any(sign in folder.name for sign in "*?[")
        hint = " Patterns are not expanded: give sorted(Path(...).glob(...))." if is_pattern else ""
        raise FileNotFoundError(f"No image file or folder at {folder}.{hint}")
    if folder.is_file():
        return [folder]
    found = sorted(p for p in folder.rglob("*") if not _is_hidden(p, folder) and p.is_file())
    results = {p.parent for p in found if _is_of_results(p)} - {folder}
    found = [p for p in found if results.isdisjoint(p.parents)]
    paths = [p for p in found if p.suffix.lower() in IMAGE_SUFFIXES]
    others = (p for p in found if p.suffix.lower() not in IMAGE_SUFFIXES)
    passed_over = [p.name for p in islice(others, _LOOKED_INTO) if _begins_as_image(p)]
    if not paths:
        held = f" It holds {_counted(passed_over)}: name them." if passed_over else ""
        raise ValueError(
            f"No images in {folder}: looked for files that end in {', '.join(IMAGE_SUFFIXES)}, "
            f"in subfolders too.{held}"
        )
    if passed_over:
        warn_caller(
            f"{folder} holds {_counted(passed_over)}: they are passed over, since in folders only "
            f"names that end in {', '.join(IMAGE_SUFFIXES)} are read. Name them to have them read.",
            UserWarning,
        )
    return paths


def _is_hidden(path: Path, folder: Path) -> bool:
    """Whether it is hidden within the folder, which may itself be."""
    parts = path.relative_to(folder).parts
    return any(part.startswith(".") or part.lower() in _COMPANIONS for part in parts)


def _is_of_results(path: Path) -> bool:
    """Whether it says that its folder is a store, or holds results of the command line."""
    if path.name == MANIFEST:
        return is_store_folder(path.parent)
    if path.name != "stages.json":
        return False
    try:
        with open(path, "rb") as file:
            return b'"groupcross stages/' in file.read(64)
    except OSError:  # somebody's own
        return False


def _begins_as_image(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            beginning = file.read(16)
    except OSError:  # not to be read, and not asked for
        return False
    is_webp = beginning[:4] == b"RIFF" and beginning[8:12] == b"WEBP"
    is_avif = beginning[4:12] == b"ftypavif"
    return is_webp or is_avif or beginning.startswith(_BEGINNINGS)


def _counted(names: Sequence[str]) -> str:
    count = "1 image" if len(names) == 1 else f"{len(names)} images"
    return f"{count} with other names ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"
