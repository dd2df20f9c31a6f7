"""The journal of one chunk: which images' rows are there, and what they are."""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from functools import cached_property
from pathlib import Path
from typing import Annotated, TypeAlias

import msgspec

from .._files import folder_to_disk, written_whole
from .._schema import Whole, read_json
from ._plain_files import (
    named_in_errors,
    open_plain,
    refuse_link,
    refuse_missing_folder,
    within_store,
)

# No line is longer, and none that was torn by a power cut leaves more than a block of a disk.
_LONGEST_LINE, _LONGEST_REST = 256, 2**16

#: What tells one state of a journal from every other, without reading it.
Stamp: TypeAlias = tuple[object, ...]


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    """One image: its number, the checksum of its rows, and that of this line."""

    image: Whole
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    crc32: str | None = None  # lines of before there was one are read as well


class Journal:
    """Lines of JSON, one for each image whose rows have reached the disk.

    Parameters
    ----------
    path : Path
    images : range
        Numbers of the images that it may name.
    """

    def __init__(self, path: Path, images: range) -> None:
        self.path = path
        self.images = images

    def read(self) -> dict[int, str]:
        """Checksums of the images that are there, by number.

        Raises
        ------
        ValueError
            If a line is damaged.
        OSError
        """
        return self.parse(self._content())[0]

    def stamp_if_full(self) -> Stamp | None:
        """Of a journal that is as long as one that names all images; it is not read."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            refuse_missing_folder(self.path.parent)
            return None
        if found.st_size != self.full_length:
            return None
        # a journal is only appended to or replaced by another file
        return found.st_size, found.st_mtime_ns, found.st_ino

    @cached_property
    def full_length(self) -> int:
        """Bytes of a journal that names all images, each once."""
        n_digits, first = 0, self.images.start
        while first < self.images.stop:  # from 10 to 99 a number has two digits, and so on
            stop = min(10 ** len(str(first)), self.images.stop)
            n_digits += (stop - first) * len(str(first))
            first = stop
        return len(self.images) * (len(_line(0, "0" * 64)) - 1) + n_digits

    def read_to_write(self) -> dict[int, str]:
        """Read it as the chunk's only writer, and drop what a killed one left of its last line.

        A journal that has another name elsewhere, such as in a copy made of hard links, is
        replaced by one of its own.
        """
        refuse_link(self.path)
        checksums, length = self.parse(self._content())
        if self.path.exists():
            found = self.path.stat()
            if found.st_size > length or found.st_nlink > 1:
                self.rewrite(checksums)
        return checksums

    def append(self, checksums: dict[int, str]) -> None:
        """Say that images' rows are there. When this returns, the lines are on the disk."""
        is_new = not self.path.exists()
        with within_store(self.path.parent), named_in_errors(self.path):
            with open_plain(self.path, "ab") as file:
                file.write(self.text(checksums))
                file.flush()
                os.fsync(file.fileno())
            if is_new:
                folder_to_disk(self.path.parent)

    def rewrite(self, checksums: dict[int, str]) -> None:
        """Replace it whole."""
        with written_whole(self.path, follow_links=False) as temporary:
            temporary.write_bytes(self.text(checksums))

    @staticmethod
    def text(checksums: dict[int, str]) -> bytes:
        """Lines that name images."""
        return b"".join(_line(*entry) for entry in checksums.items())

    def parse(self, content: bytes) -> tuple[dict[int, str], int]:
        """Checksums by image, and the length in bytes of the lines that are whole.

        Raises
        ------
        ValueError
            If a line is damaged.
        """
        *lines, _ = content.split(b"\n")  # what follows the last end is torn
        checksums: dict[int, str] = {}
        length = 0
        for number, text in enumerate(lines, start=1):
            line = self._line(text)
            if line is None or line.image in checksums:
                if number == len(lines):
                    break  # after a power cut, a torn line may end in an end of line
                raise ValueError(
                    f"{self.path} is damaged in line {number}. Remove that line, and its image "
                    "is pending again."
                )
            checksums[line.image] = line.sha256
            length += len(text) + 1
        return checksums, length

    def _line(self, text: bytes) -> _Line | None:
        """What a line says, if it is whole and of this journal."""
        try:
            line = read_json(text, _Line, self.path)
        except ValueError:
            return None
        is_whole = line.crc32 in (None, _crc32(line.image, line.sha256))
        return line if is_whole and line.image in self.images else None

    def check_size(self, size: int) -> int:
        """Refuse to read what no journal of these images can be; the most bytes that one has.

        Raises
        ------
        ValueError
        """
        longest = len(self.images) * _LONGEST_LINE + _LONGEST_REST
        if size > longest:
            raise ValueError(
                f"{self.path} is damaged: it has {size} bytes, and the journal of "
                f"{len(self.images)} images has {longest} at most."
            )
        return longest

    def _content(self) -> bytes:
        try:
            size = self.path.stat().st_size
        except FileNotFoundError:
            refuse_missing_folder(self.path.parent)
            return b""
        longest = self.check_size(size)
        if not self.path.is_file():
            raise ValueError(f"{self.path} is damaged: it is no file.")
        with (
            within_store(self.path.parent),
            open(self.path, "rb") as file,
            named_in_errors(self.path),
        ):
            return file.read(longest)


def _line(image: int, checksum: str) -> bytes:
    entry = {"image": image, "sha256": checksum, "crc32": _crc32(image, checksum)}
    return json.dumps(entry).encode() + b"\n"


def seal_of(checksums: dict[int, str]) -> bytes:
    """One digest of images and the checksums of their rows, in whatever order they were written."""
    digest = hashlib.blake2b(digest_size=16)
    for image, checksum in sorted(checksums.items()):
        digest.update(f"{image} {checksum}\n".encode())
    return digest.digest()


def _crc32(image: int, checksum: str) -> str:
    """Tells one changed bit, which may make another image's number of a number."""
    return f"{zlib.crc32(f'{image} {checksum}'.encode()):08x}"
