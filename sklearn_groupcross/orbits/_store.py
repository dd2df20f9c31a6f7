"""`OrbitStore`: orbits on disk."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._integers import check_integer
from ..groups import FiniteGroup, as_group, group_to_json
from ._store_cache import CACHE_BYTES
from ._store_chunk import Chunk
from ._store_format import Manifest
from ._store_images import StoredImage
from ._store_journal import Stamp
from ._store_locating import place_of
from ._store_mapping import ChunkedArray, Snapshot
from ._store_reading import StoredOrbits
from ._store_remote_chunk import HEADERS
from ._store_verify import StoreReport, verify_chunks
from ._store_writer import ChunkWriter


class OrbitStore(StoredOrbits):
    """Orbits on disk, in chunks of images, readable as an array.

    A store is a folder: a manifest, and for each chunk of images two ``.npy`` files and a journal
    that says which images are in them. Several processes, also on several machines, write different
    chunks at once. What is killed loses the image in work and no other.

    The folder may lie on object storage, behind a URL. Chunks that are read are then copied to a
    cache here, and what is written is uploaded a chunk at a time, or as much of one as half a
    minute has brought: that is what a kill may cost there.

    Indexed by a number, a slice, an array of numbers in any order or a boolean mask, a store reads
    those rows into a new array; ``store[rows, ...]`` is a view that reads nothing until it is
    indexed itself. It is an X for `GroupCrosscoder` and for scikit-learn's model selection, which
    then reads folds batch by batch, and a `torch.utils.data.Dataset`. It knows the group that its
    orbits were made with, and `GroupCrosscoder` refuses to fit another.

    Parameters
    ----------
    path : path or str
        The store's folder, which `create` made; or its URL, such as ``"s3://bucket/name.orbits"``,
        of a protocol that fsspec knows (``pip install 'sklearn-groupcross[remote]'``). ``file://``
        names a folder here.
    allow_incomplete : bool, default=False
        Give the rows that are there, as of the first time they are asked for. Otherwise a store
        with pending images is not readable.
    verify_on_read : bool, default=False
        Compare each image with its checksum the first time that rows of it are read, by `fit` for
        example; a difference is a ValueError that names the image. Otherwise bytes that changed on
        the disk are seen by `verify` alone. Of a URL, chunks are always compared when they are
        fetched, and this has all rows read from chunks that were.
    storage_options : mapping, optional
        Of a URL: what fsspec's filesystem takes, such as ``{"endpoint_url": ...}``. Whatever may be
        secret in it is not pickled: other processes find it where fsspec and the protocol look, in
        the environment or their configuration.
    cache_dir : path, optional
        Of a URL: the folder for copies of chunks, which several processes and stores may share.
        Default: one for this user, where the system has such.
    cache_bytes : int, default=16 GiB
        Of a URL: what all copies in that folder may take together; those used least recently go.
        Where a store is larger, rows of chunks that find no room are read alone, unless a quarter
        of a chunk is asked for at once. 0: no copies are made. Otherwise at least the size of a
        chunk.

    Attributes
    ----------
    path : Path or str
        A string of a URL.
    allow_incomplete : bool
    verify_on_read : bool

    Raises
    ------
    FileNotFoundError
        If there is no store.
    ImportError
        If fsspec or the protocol's package is not installed.
    OSError
        If it cannot be read, or the URL not be reached.
    ValueError
        If the URL has a password in it, `cache_bytes` is too small, or the manifest is damaged or
        of a newer format; when rows are read, if other files are
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
        storage_options: Mapping[str, Any] | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        check_integer("cache_bytes", cache_bytes, 0)
        self._place = place_of(path, storage_options, cache_dir, cache_bytes)
        self.path = self._place.path
        self.allow_incomplete = allow_incomplete
        self.verify_on_read = verify_on_read
        self._adopt(self._place.read_manifest())
        if not isinstance(self.path, Path):
            self._check_cache(cache_bytes)

    def _check_cache(self, cache_bytes: int) -> None:
        """See that a cache can hold a chunk."""
        manifest = self._manifest
        ends = (*manifest.chunk_starts[1:], self.n_images)
        largest = int(np.diff(manifest.row_starts[[0, *ends]]).max()) * (manifest.row_bytes + 8)
        if 0 < cache_bytes < largest + HEADERS:
            raise ValueError(
                f"cache_bytes={cache_bytes} holds no chunk of {self.path}, of which the largest "
                f"has {largest + HEADERS} bytes: give room for some, or cache_bytes=0 to read rows "
                "alone, without copies."
            )
        if self.verify_on_read and cache_bytes == 0:
            raise ValueError(
                "verify_on_read=True compares whole images, in copies of chunks: give cache_bytes."
            )

    def _adopt(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._images: tuple[StoredImage, ...] | None = None
        self._files = self._place.chunks(manifest)
        starts = manifest.row_starts[list(manifest.chunk_starts)]
        shape, dtype = (manifest.group.order, manifest.n_channels), np.dtype(manifest.dtype)
        self._chunks = chunks = self._place.mapped(manifest, self._files, self.verify_on_read)
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
        storage_options: Mapping[str, Any] | None = None,
    ) -> OrbitStore:
        """Make a store without rows, or reopen one of the same configuration to go on with it.

        A store of another configuration in which nothing is written yet is replaced, unless a
        chunk of it is in work.

        Parameters
        ----------
        path : path or str
            Its folder, by convention ``NAME.orbits``, or a URL.
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
        storage_options : mapping, optional
            Of a URL; see `OrbitStore`.

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
        place = place_of(path, storage_options)
        plan = Manifest.plan(
            group=as_group(group),
            n_channels=n_channels,
            dtype=dtype,
            metadata={} if metadata is None else metadata,
            images=images,
            chunk_bytes=chunk_bytes,
        )
        place.make(plan)
        return cls(path, storage_options=storage_options)

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
        self._place.extend(images)
        self._adopt(self._place.read_manifest())

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
        return self._place.writer(self._manifest, chunk, timeout)

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
            with self._place.held(files):
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
        if self._images is None:  # a million of them take a second
            self._images = tuple(self._manifest.images)
        return self._images

    @property
    def n_images(self) -> int:
        """Number of all images."""
        return len(self._manifest.images)

    def pending(self) -> list[int]:
        """Numbers of the chunks that are not complete, as of now.

        Returns
        -------
        chunks : list of int
        """
        return list(self.pending_by_chunk())

    def pending_by_chunk(self) -> dict[int, list[int]]:
        """Numbers of the images whose orbits are not there, by chunk, as of now.

        Returns
        -------
        images : dict of int to list of int
            Of the chunks that are not complete.
        """
        return {files.chunk: absent for files, absent in self._absent() if absent}

    def pending_images(self) -> list[int]:
        """Numbers of the images whose orbits are not there, as of now.

        Returns
        -------
        images : list of int
        """
        return [image for absent in self.pending_by_chunk().values() for image in absent]

    def _absent(self) -> Iterator[tuple[Chunk, list[int]]]:
        """Every chunk, and the images that it lacks.

        Of many images, journals of the length of a complete one are not read.
        """
        stamps: list[Stamp | None] = [None] * len(self._files)
        if self._manifest.has_many_images:
            stamps = self._place.stamps(self._files)
        unknown = [f for f, stamp in zip(self._files, stamps, strict=True) if stamp is None]
        journals = iter(self._place.journals(unknown))
        for files, stamp in zip(self._files, stamps, strict=True):
            if stamp is not None:
                yield files, []
            else:
                yield files, sorted(set(files.images) - next(journals).keys())

    def _selected(self) -> NDArray[np.int64] | None:
        if self._chunks.snapshot is None:
            snapshot = Snapshot.take(
                self._place, self._files, reads_all=not self._manifest.has_many_images
            )
            pending = list(snapshot.pending)
            if pending and not self.allow_incomplete:
                raise ValueError(
                    f"{self.path} is incomplete: {len(pending)} of {self.n_images} images are "
                    "missing. Repeat the extraction, which writes them (see pending), or open it "
                    "with allow_incomplete=True to have the rows that are there."
                )
            if pending:
                is_present = np.ones(self.n_images, dtype=bool)
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
        n_there = n_rows - int(self._manifest.images.n_rows[pending].sum())
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
        manifest = self._manifest
        n_absent = [len(absent) for _, absent in self._absent()]
        n_there, n_complete = self.n_images - sum(n_absent), n_absent.count(0)
        return {
            "path": str(self.path),
            "format version": manifest.format_version,
            "group": repr(self.group),
            "shape": (int(manifest.row_starts[-1]), self.group.order, manifest.n_channels),
            "dtype": manifest.dtype,
            "images": f"{n_there} of {self.n_images}",
            "chunks": f"{n_complete} of {manifest.n_chunks}",
            "bytes on disk": self._place.n_bytes(),
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
        for files, checksums in zip(self._files, self._place.journals(self._files), strict=True):
            for number in files.images:
                line = (*manifest.images[number], checksums.get(number))
                state.update(json.dumps(line).encode())
        return state.hexdigest()

    def read_beside(self, name: str) -> bytes:
        """Read a file that lies beside the chunks, such as a record of how the store was made.

        Parameters
        ----------
        name : str

        Returns
        -------
        content : bytes

        Raises
        ------
        OSError
            FileNotFoundError if there is none.
        """
        return self._place.read_file(name)

    def write_beside(self, name: str, content: bytes) -> None:
        """Write a file beside the chunks, whole, in place of the one that is there.

        Parameters
        ----------
        name : str
        content : bytes

        Raises
        ------
        OSError
        """
        self._place.write_file(name, content)

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
