"""What an orbit store that is there differs in from the one that is asked for, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ._store_format import Manifest
from ._store_images import StoredImage

#: Key of metadata that is a record and no setting: names of images that were set apart.
DAMAGED = "damaged_images"


def explain_difference(path: Path | str, stored: Manifest, asked: Manifest) -> str:
    """Say why a store cannot serve as another; empty if it can.

    Parameters
    ----------
    path : Path or str
        The store's folder.
    stored : Manifest
        Of the store that lies there.
    asked : Manifest
        Of the one that is asked for.

    Returns
    -------
    message : str
        The first difference and the remedy. A store that holds the images is never to be removed.
    """
    conflict = _conflict_of_settings(stored, asked)
    if not conflict and stored.images == asked.images:
        return ""
    if conflict := conflict or _conflict_of_rows(stored.images, asked.images):
        return (
            f"There is another store at {path}: {conflict}. Give the same settings, choose another "
            "folder, or remove this one."
        )
    n_stored, n_asked = len(stored.images), len(asked.images)
    digests = {image.digest for image in stored.images}
    n_known = sum(image.digest in digests for image in asked.images)
    beginning = f"The store at {path} has the same settings, and holds"
    if n_known == n_asked:
        how = "in another order" if n_stored == n_asked else f"among {n_stored}"
        return (
            f"{beginning} these {n_asked} images already, {how}: open it with "
            f"OrbitStore({str(path)!r}). If some of them are pending, append=True of extract "
            "writes them."
        )
    held, added = f"{n_known} of these {n_asked} images, among {n_stored}", "the others"
    if n_known == 0:
        held, added = "other images", "these"
    return (
        f"{beginning} {held}: append=True of extract adds {added}; OrbitStore.append "
        "does for stores written by hand. Or choose another folder."
    )


def _conflict_of_settings(stored: Manifest, asked: Manifest) -> str:
    """First setting in which two stores differ."""
    for name in ("group", "n_channels", "dtype"):
        old, new = getattr(stored, name), getattr(asked, name)
        if old != new:
            return f"its {name} is {old!r}, not {new!r}"
    for key in sorted((stored.metadata.keys() | asked.metadata.keys()) - {DAMAGED}):
        old, new = stored.metadata.get(key), asked.metadata.get(key)
        if old != new or (key in stored.metadata) != (key in asked.metadata):
            return f"its metadata[{key!r}] is {old!r}, not {new!r}"
    return ""


def _conflict_of_rows(stored: Sequence[StoredImage], asked: Sequence[StoredImage]) -> str:
    """Whether images of the same content are to have other numbers of positions."""
    known = {image.digest: image for image in stored}
    for image in asked:
        old = known.get(image.digest)
        if old is not None and old.n_rows != image.n_rows:
            return f"its image {old.name!r} has {old.n_rows} positions, not {image.n_rows}"
    return ""
