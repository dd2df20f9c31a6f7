"""`OrbitStore`: orbits on disk."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..groups import FiniteGroup, as_group, group_to_json
from ._plain_files import hold_lock
from ._store_chunk import ChunkFiles
from ._store_format import Manifest, StoredImage
from ._store_making import extend_store, make_store
from ._store_mapping import ChunkedArray, MappedChunks, Snapshot
from ._store_reading import StoredOrbits
from ._store_schema import FORMAT_VERSION
from ._store_verify import StoreReport, verify_chunks
from ._store_writer import ChunkWriter


class OrbitStore(StoredOrbits):
    """Orbits on disk, in chunks of images, readable as an array.

    A store is a folder: a manifest, and for each chunk of images two ``.npy`` files and a journal
    that says which images are in them. Several processes, also on several machines, write different
    chunks at once. What is killed loses the image in work and no other.

    Indexed by a number, a slice, an array of numbers in any order or a boolean mask, a store reads
    those rows into a new array; ``store[rows, ...]`` is a view that reads nothing until it is
    indexed itself. It is an X for `GroupCrosscoder` and for scikit-learn's model selection, which
    then reads folds batch by batch, and a `torch.utils.data.Dataset`. It knows the group that its
    orbits were made with, and `GroupCrosscoder` refuses to fit another.

    Parameters
    ----------
    path : path
        The store's folder, which `create` made.
    allow_incomplete : bool, default=False
        Give the rows that are there, as of the first time they are asked for. Otherwise a store
        with pending images is not readable.
    verify_on_read : bool, default=False
        Compare each image with its checksum the first time that rows of it are read, by `fit` for
        example; a difference is a ValueError that names the image. Otherwise bytes that changed on
        the disk are seen by `verify` alone.

    Attributes
    ----------
    path : Path
    allow_incomplete : bool
    verify_on_read : bool

    Raises
    ------
    FileNotFoundError
        If there is no store.
    ValueError
        If the manifest is damaged or of a newer format; when rows are read, if other files are
        damaged, or another process discarded images or wrote them anew since rows were first asked
        for. What is being read stays as it was then.

    See Also
    --------
    OrbitDataset : Orbits as they are read from a network.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn_groupcross import Dihedral, OrbitStore, make_orbits
    >>> from sklearn_groupcross.orbits import StoredImage
    >>> group = Dihedral(3)
    >>> orbits = make_orbits(40, group=group, n_channels=8, random_state=0).orbits
    >>> folder = tempfile.TemporaryDirectory()
    >>> images = [StoredImage("left.jpg", "5ca1", n_rows=20), StoredImage("right.jpg", "ab1e", 20)]
    >>> store = OrbitStore.create(folder.name, group=group, n_channels=8, images=images)
    >>> for chunk in store.pending():
    ...     with store.writer(chunk) as writer:
    ...         for image in writer.pending_images:
    ...             rows = slice(20 * image, 20 * image + 20)
    ...             writer.write(image, orbits[rows], positions=np.zeros((20, 2)))
    >>> store
    OrbitStore(...): Dihedral(3), shape (40, 6, 8), float16, complete
    >>> store[[39, 0]].shape
    (2, 6, 8)
    >>> store.verify().ok
    True
    >>> folder.cleanup()
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        allow_incomplete: bool = False,
        verify_on_read: bool = False,
    ) -> None:
        self.path = Path(path)
        self.allow_incomplete = allow_incomplete
        self.verify_on_read = verify_on_read
        self._adopt(Manifest.read(self.path))

    def _adopt(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._files = [ChunkFiles(self.path, manifest, c) for c in range(manifest.n_chunks)]
        starts = manifest.row_starts[list(manifest.chunk_starts)]
        shape, dtype = (manifest.group.order, manifest.n_channels), np.dtype(manifest.dtype)
        self._chunks = chunks = MappedChunks(manifest, self._files, self.verify_on_read)
        self._orbits = ChunkedArray("orbits", chunks, starts, shape, dtype)
        self._positions = ChunkedArray("positions", chunks, starts, (2,), np.dtype(np.float32))
        self._channels = range(manifest.n_channels)
        self._present: NDArray[np.int64] | None = None

    # --- making --------------------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        *,
        group: FiniteGroup | str,
        n_channels: int,
        images: Sequence[StoredImage],
        metadata: Mapping[str, Any] | None = None,
        dtype: str = "float16",
        chunk_bytes: int = 64 * 2**20,
    ) -> OrbitStore:
        """Make a store without rows, or reopen one of the same configuration to go on with it.

        A store of another configuration in which nothing is written yet is replaced, unless a
        chunk of it is in work.

        Parameters
        ----------
        path : path
            Its folder, by convention ``NAME.orbits``.
        group : FiniteGroup or str
        n_channels : int
        images : sequence of StoredImage
            All images whose orbits it will hold, in the order of its rows.
        metadata : mapping, optional
            Where the orbits come from, in what JSON can hold: network and its hash, action,
            sampling. ``metadata["layers"]`` maps names to ``[first, stop]`` channels, for `layer`.
        dtype : {"float16", "float32"}, default="float16"
            float16 has three digits and ends at 65504.
        chunk_bytes : int, default=64 MiB
            What one process writes at a time. A chunk holds whole images, at least one.

        Returns
        -------
        store : OrbitStore

        Raises
        ------
        ValueError
            If an argument is out of range, the folder is something else, or the store that is there
            has rows of another configuration or of other images; the message names the first
            difference, and what to do.
        OSError
            If the folder cannot be made or written to.
        """
        path = Path(path)
        plan = Manifest.plan(
            group=as_group(group),
            n_channels=n_channels,
            dtype=dtype,
            metadata={} if metadata is None else metadata,
            images=images,
            chunk_bytes=chunk_bytes,
        )
        make_store(path, plan)
        return cls(path)

    def append(self, images: Sequence[StoredImage]) -> None:
        """Add images, in new chunks, which are then pending.

        Parameters
        ----------
        images : sequence of StoredImage

        Raises
        ------
        ValueError
            If one of them is in the store already.
        OSError
            If the folder is read-only or full.
        """
        self._adopt(extend_store(self.path, images))

    def writer(self, chunk: int, *, timeout: float = 0) -> ChunkWriter:
        """Give the writer of a chunk, for a ``with``: only one at a time may be open.

        It writes to new files, into which it first copies the rows that are there: whoever reads
        the chunk is not disturbed.

        Parameters
        ----------
        chunk : int
            See `pending`.
        timeout : float, default=0
            Seconds to wait for another process that writes this chunk.

        Returns
        -------
        writer : ChunkWriter
            ``writer.pending_images`` are to be given to ``writer.write(image, orbits, positions)``.
            On entering, BlockingIOError says that another process writes this chunk, and OSError
            that the folder is read-only, full or gone, or a file in it a link.
        """
        return ChunkWriter(self.path, self._manifest, chunk, timeout)

    def discard(self, images: Sequence[int]) -> None:
        """Have images written again, such as those that `verify` found damaged.

        Parameters
        ----------
        images : sequence of int

        Raises
        ------
        BlockingIOError
            If one of their chunks is being written.
        """
        discarded = set(map(int, images))
        for files in self._files:
            if discarded.isdisjoint(files.images):
                continue
            with hold_lock(files.lock, f"Chunk {files.chunk} of {self.path} is being written."):
                # of a damaged journal nothing can be kept, nor need be where all is discarded
                kept = {}
                if not discarded.issuperset(files.images):
                    checksums = files.journal.read_to_write()
                    kept = {i: checksum for i, checksum in checksums.items() if i not in discarded}
                files.journal.rewrite(kept)
        self._adopt(self._manifest)

    # --- what is there -------------------------------------------------------------------------

    @property
    def images(self) -> tuple[StoredImage, ...]:
        """All images, also those whose orbits are pending; `image_ids` are their numbers."""
        return self._manifest.images

    def pending(self) -> list[int]:
        """Numbers of the chunks that are not complete, as of now.

        Returns
        -------
        chunks : list of int
        """
        return [f.chunk for f in self._files if len(f.journal.read()) < len(f.images)]

    def pending_images(self) -> list[int]:
        """Numbers of the images whose orbits are not there, as of now.

        Returns
        -------
        images : list of int
        """
        return [i for f in self._files for i in sorted(set(f.images) - f.journal.read().keys())]

    def _selected(self) -> NDArray[np.int64] | None:
        if self._chunks.snapshot is None:
            snapshot = Snapshot.take(self._files)
            pending = list(snapshot.pending)
            if pending and not self.allow_incomplete:
                raise ValueError(
                    f"{self.path} is incomplete: {len(pending)} of {len(self.images)} images are "
                    "missing. Write them (see pending), or open it with allow_incomplete=True to "
                    "have the rows that are there."
                )
            if pending:
                is_present = np.ones(len(self.images), dtype=bool)
                is_present[pending] = False
                # reckoned from the rows that are there: what a manifest claims may be any number
                n_rows = np.diff(self._manifest.row_starts)[is_present]
                skipped = self._manifest.row_starts[:-1][is_present] - (np.cumsum(n_rows) - n_rows)
                self._present = np.arange(n_rows.sum()) + np.repeat(skipped, n_rows)
            self._chunks.snapshot = snapshot
        return self._present

    def __repr__(self) -> str:
        order, n_rows = self.group.order, int(self._manifest.row_starts[-1])
        pending = self.pending_images()
        n_there = n_rows - sum(self.images[i].n_rows for i in pending)
        state = "complete"
        if pending:
            images = "image" if len(pending) == 1 else "images"
            state = f"{len(pending)} {images} pending, {n_there} rows there"
        shape = (n_rows, order, self._manifest.n_channels)
        return (
            f"OrbitStore({str(self.path)!r}): {self.group!r}, shape {shape}, {self.dtype}, {state}"
        )

    def info(self) -> dict[str, Any]:
        """Summarise the store for people.

        Returns
        -------
        info : dict
            Texts, numbers and the metadata, in the order in which to show them.
        """
        manifest, n_pending = self._manifest, len(self.pending_images())
        size = sum(f.stat().st_size for f in self.path.iterdir() if f.is_file())
        return {
            "path": str(self.path),
            "format version": FORMAT_VERSION,
            "group": repr(self.group),
            "shape": (int(manifest.row_starts[-1]), self.group.order, manifest.n_channels),
            "dtype": manifest.dtype,
            "images": f"{len(self.images) - n_pending} of {len(self.images)}",
            "chunks": f"{manifest.n_chunks - len(self.pending())} of {manifest.n_chunks}",
            "bytes on disk": size,
            **{f"metadata: {key}": value for key, value in self.metadata.items()},
        }

    def digest(self) -> str:
        """Digest of what the store holds, as of now; the orbits themselves are not read.

        Returns
        -------
        digest : str
            SHA-256 of group, layout, metadata, images and the checksums of their orbits. Two stores
            of one digest hold the same; the release of the package that wrote them does not count.

        Raises
        ------
        ValueError, OSError
            If a journal is damaged or cannot be read.
        """
        manifest = self._manifest
        metadata = {k: v for k, v in manifest.metadata.items() if k != "package_version"}
        said = (group_to_json(manifest.group), manifest.n_channels, manifest.dtype, metadata)
        state = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
        for files in self._files:
            checksums = files.journal.read()
            for number in files.images:
                line = (*self.images[number], checksums.get(number))
                state.update(json.dumps(line).encode())
        return state.hexdigest()

    def verify(self, *, progress: bool = False) -> StoreReport:
        """Read everything and compare it with its checksums.

        Parameters
        ----------
        progress : bool, default=False
            Show a progress bar.

        Returns
        -------
        report : StoreReport
            ``report.ok``, ``report.problems``, ``report.damaged_images``.
        """
        return verify_chunks(self._manifest, self._files, progress)
