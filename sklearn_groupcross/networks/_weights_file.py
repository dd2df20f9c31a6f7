"""Weights files as data: of what kind one is, and the tensors in it, without running anything."""

from __future__ import annotations

import io
import os
import warnings
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load as load_safetensors

from ._pickle_outline import UnsafeError, check_pickle

#: More than any network known here needs; a larger file is refused before it is read.
LARGEST = 2 * 1024**3
_ZIP = b"PK\x03\x04"
#: How `torch.save` of before 2020 begins: a pickle of its magic number.
_LEGACY = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."


class WeightsFile(NamedTuple):
    """A file's content beside its name: what is checked is what is read."""

    path: Path
    content: bytes


def read_file(path: Path) -> WeightsFile:
    """Read the bytes of a weights file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is larger than `LARGEST`.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"No weights file at {path}" + (": this is a folder." if path.is_dir() else ".")
        )
    with path.open("rb") as opened:
        # no more than the file is large: Python makes room for all that is asked for
        content = opened.read(min(os.fstat(opened.fileno()).st_size, LARGEST) + 1)
    if len(content) > LARGEST:
        raise ValueError(
            f"{path} is not a weights file of a network known here: it has more than "
            f"{LARGEST // 1024**3} GiB."
        )
    return WeightsFile(path, content)


def decode_weights(file: WeightsFile) -> Any:
    """Return what a ``.safetensors`` file or one of `torch.save` holds.

    No code that a file may hold runs, and no more memory is taken than a few times its size.

    Raises
    ------
    ValueError
        If it is damaged, of another kind than its name says, or holds more than tensors in dicts
        and lists; the message names it.
    """
    path, content = file
    kind = _kind_of(content)
    if kind is None:
        raise ValueError(
            f"{path} is not a readable weights file: it is neither a safetensors file nor one of "
            f"torch.save{_guess(content)}."
        )
    if (kind == "safetensors") != (path.suffix.lower() == ".safetensors"):
        known = "safetensors" if kind == "safetensors" else "torch.save"
        wanted = ".safetensors" if kind == "safetensors" else ".pth"
        raise ValueError(
            f"{path} is not a readable weights file: its content is of {known}, and its name says "
            f"something else. Name it {path.with_suffix(wanted).name!r} if you trust that."
        )
    try:
        with torch.device("cpu"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch about its own old formats
            if kind == "safetensors":
                return load_safetensors(content)
            return _load_pickled(content, kind)
    except UnsafeError as error:
        raise ValueError(f"{path} is not a weights file that can be read safely: {error}") from None
    except Exception as error:  # what parsers raise on damaged bytes is of every kind
        said = " ".join(str(error).split())[:300]
        raise ValueError(
            f"{path} is not a readable weights file: it is damaged or cut off "
            f"({type(error).__name__}: {said})."
        ) from error


def _kind_of(content: bytes) -> str | None:
    if content.startswith(_ZIP):
        return "zip"
    if content.startswith(_LEGACY):
        return "legacy"
    length = int.from_bytes(content[:8], "little")
    return "safetensors" if content[8:9] == b"{" and length <= len(content) - 8 else None


def _guess(content: bytes) -> str:
    if not content:
        return " (it is empty)"
    if content[:1] == b"\x80":
        return " (it is a pickle, which may run code and is never opened)"
    if content[8:9] == b"{":
        return " (a safetensors file is cut off)"
    return ""


def _load_pickled(content: bytes, kind: str) -> Any:
    if kind == "zip":
        _check_archive(content)
    else:
        _check_legacy(content)
    try:
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True, mmap=False)
    except Exception as error:
        if "weights_only" in str(error) or "WeightsUnpickler" in str(error):
            raise UnsafeError(str(error).split("\n")[0]) from error
        raise


def _check_archive(content: bytes) -> None:
    """Hold an archive against its own table: torch takes sizes from the pickle without looking."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        records = archive.infolist()
        names = [record.filename for record in records]
        if any(name.endswith("/constants.pkl") for name in names):
            raise UnsafeError(
                "it is a TorchScript archive, a program. Save the state_dict() of the module."
            )
        if len(set(names)) < len(names):
            raise UnsafeError("it has two records of one name.")
        if any(record.compress_type != zipfile.ZIP_STORED for record in records):
            raise UnsafeError("it is compressed, which torch.save never does.")
        if sum(record.file_size for record in records) > len(content):
            raise UnsafeError("its records are larger than the file.")
        pickles = [name for name in names if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise UnsafeError("it is an archive, but not one of torch.save.")
        damaged = archive.testzip()
        if damaged is not None:
            raise zipfile.BadZipFile(f"the checksum of {damaged} is wrong")
        root = pickles[0].removesuffix("data.pkl")
        sizes = {record.filename: record.file_size for record in records}
        for storage in check_pickle(io.BytesIO(archive.read(pickles[0]))):
            if storage.n_bytes != sizes.get(f"{root}data/{storage.key}"):
                raise UnsafeError(f"its storage {storage.key!r} is not of the size it says.")


def _check_legacy(content: bytes) -> None:
    """Bound what an old file's storages ask for, which torch allocates before it reads them."""
    opened = io.BytesIO(content)
    storages = {}
    for _ in range(5):  # magic number, version, machine, content, keys of the storages
        storages.update({storage.key: storage.n_bytes for storage in check_pickle(opened)})
    if sum(storages.values()) > len(content) - opened.tell():
        raise UnsafeError("its storages are larger than the file.")
