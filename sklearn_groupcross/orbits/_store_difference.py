"""What an orbit store that is there differs in from the one that is asked for, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ._store_format import Manifest, StoredImage


def explain_difference(path: Path, there: Manifest, wanted: Manifest) -> str:
    """Say why a store cannot serve as another; empty if it can.

    Parameters
    ----------
    path : Path
        The store's folder.
    there : Manifest
        Of the store that lies there.
    wanted : Manifest
        Of the one that is asked for.

    Returns
    -------
    message : str
        The first difference and the remedy. A store that holds the images is never to be removed.
    """
    conflict = _conflict_of_settings(there, wanted)
    if not conflict and there.images == wanted.images:
        return ""
    if conflict := conflict or _conflict_of_rows(there.images, wanted.images):
        return (
            f"There is another store at {path}: {conflict}. Give the same settings, choose another "
            "folder, or remove this one."
        )
    n_there, n_wanted = len(there.images), len(wanted.images)
    digests = {image.digest for image in there.images}
    n_known = sum(image.digest in digests for image in wanted.images)
    beginning = f"The store at {path} has the same settings, and holds"
    if n_known == n_wanted:
        how = "in another order" if n_there == n_wanted else f"among {n_there}"
        return (
            f"{beginning} these {n_wanted} images already, {how}: open it with "
            f"OrbitStore({str(path)!r}). If some of them are pending, append=True of extract "
            "(--append) writes them."
        )
    held, new = f"{n_known} of these {n_wanted} images, among {n_there}", "the others"
    if n_known == 0:
        held, new = "other images", "these"
    return (
        f"{beginning} {held}: append=True of extract (--append) adds {new}; OrbitStore.append does "
        "for stores written by hand. Or choose another folder."
    )


def _conflict_of_settings(there: Manifest, wanted: Manifest) -> str:
    """First setting in which two stores differ."""
    for name in ("group", "n_channels", "dtype"):
        mine, others = getattr(there, name), getattr(wanted, name)
        if mine != others:
            return f"its {name} is {mine!r}, not {others!r}"
    for key in sorted(there.metadata.keys() | wanted.metadata.keys()):
        mine, others = there.metadata.get(key), wanted.metadata.get(key)
        if mine != others or (key in there.metadata) != (key in wanted.metadata):
            return f"its metadata[{key!r}] is {mine!r}, not {others!r}"
    return ""


def _conflict_of_rows(there: Sequence[StoredImage], wanted: Sequence[StoredImage]) -> str:
    """Whether images of the same content are to have other numbers of positions."""
    known = {image.digest: image for image in there}
    for image in wanted:
        mine = known.get(image.digest)
        if mine is not None and mine.n_rows != image.n_rows:
            return f"its image {mine.name!r} has {mine.n_rows} positions, not {image.n_rows}"
    return ""
