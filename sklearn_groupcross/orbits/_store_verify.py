"""Whether an orbit store holds what was written."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from .._progress import tqdm
from ._store_chunk import Chunk
from ._store_format import Manifest


@dataclass(frozen=True)
class StoreReport:
    """What `OrbitStore.verify` found.

    Attributes
    ----------
    n_images : int
        Images that the store is to hold.
    n_verified : int
        Images that are there as they were written.
    n_pending : int
        Images that are yet to be written. They are no damage.
    problems : tuple of str
        One sentence for each damage, naming file and image.
    damaged_images : tuple of int
        Numbers of the images that are concerned: `OrbitStore.discard` makes them pending.
    """

    n_images: int
    n_verified: int
    n_pending: int
    problems: tuple[str, ...]
    damaged_images: tuple[int, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is damaged."""
        return not self.problems

    def __str__(self) -> str:
        counts = f"{self.n_verified} of {self.n_images} images verified"
        if self.n_pending:
            counts += f", {self.n_pending} pending"
        if self.problems:
            counts += f", {len(self.damaged_images)} damaged"
        return "\n".join([*self.problems, f"{counts}."])


def verify_chunks(
    manifest: Manifest, chunks: Sequence[Chunk], progress: bool = False
) -> StoreReport:
    """Recompute the checksums of all images that are there."""
    problems: list[str] = []
    damaged: list[int] = []
    n_verified = n_pending = 0
    for files in tqdm(chunks, desc="verifying", unit="chunk", disable=not progress, leave=False):
        try:
            checksums = files.journal.read()
        except (ValueError, OSError) as error:
            problems.append(str(error))
            damaged.extend(files.images)
            continue
        n_pending += len(files.images) - len(checksums)
        if not checksums:
            continue
        with ExitStack() as stack:
            try:
                copy = stack.enter_context(files.local_copy())
                copy.check("orbits")
                copy.check("positions")
            except (ValueError, OSError) as error:
                problems.append(f"{error} Images {_range(sorted(checksums))} are lost.")
                damaged.extend(sorted(checksums))
                continue
            for image, checksum in sorted(checksums.items()):
                name, _, n_rows = manifest.images[image]
                first = manifest.row_in_chunk(files.chunk, image)
                try:
                    found = copy.read_checksum(first, n_rows)
                    problem = "" if found == checksum else "they are not what was written"
                except OSError as error:
                    problem = f"they cannot be read ({error})"
                if problem and files.journal.read().get(image) != checksum:
                    n_pending += 1  # it was discarded meanwhile
                elif problem:
                    problems.append(
                        f"{files.orbits} or {files.positions.name}, rows {first} to "
                        f"{first + n_rows - 1}, image {image} ({name!r}): {problem}."
                    )
                    damaged.append(image)
                else:
                    n_verified += 1
    return StoreReport(len(manifest.images), n_verified, n_pending, tuple(problems), tuple(damaged))


def _range(numbers: Sequence[int]) -> str:
    return str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"
