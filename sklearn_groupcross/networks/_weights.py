"""Weights of the known networks: from a file, or fetched with a check of their content."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .._files import written_whole
from ._state_dicts import fitting_state
from ._weights_file import LARGEST, WeightsFile, decode_weights, read_file


def load_state(
    module: nn.Module,
    weights: WeightsFile | str | os.PathLike[str],
    network: str,
    optional: tuple[str, ...] = (),
) -> None:
    """Read a ``.safetensors`` or ``.pth`` file into a module.

    Parameters
    ----------
    module : torch.nn.Module
    weights : WeightsFile or path
    network : str
        For messages.
    optional : tuple of str
        See `fitting_state`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, cannot be read without running code, or holds the weights of another
        network; the message names it, and the first arrays that do not fit.
    """
    file = weights if isinstance(weights, WeightsFile) else read_file(Path(weights))
    found = decode_weights(file)
    try:
        state = fitting_state(found, module.state_dict(), optional)
    except ValueError as error:
        raise ValueError(f"{file.path} does not hold weights of {network!r}: it {error}.") from None
    module.load_state_dict(state)


def git_blob_id(data: bytes) -> str:
    """Identifier under which git stores a file: what its repository publishes of it."""
    digest = hashlib.sha1(b"blob %d\0" % len(data), usedforsecurity=False)
    digest.update(data)
    return digest.hexdigest()


def cache_folder() -> Path:
    """Folder for downloaded weights: beside those of torch.hub."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def fetch(url: str, file_name: str, *, blob_id: str = "", sha256: str = "") -> WeightsFile:
    """Return a cached download, fetched with a progress bar if it is not there yet.

    Its content is checked before anything else is done with it, a cached one's every time.

    Parameters
    ----------
    url : str
    file_name : str
        Name within `cache_folder`.
    blob_id : str
        `git_blob_id` that the content must have.
    sha256 : str
        How its SHA-256 must begin.

    Raises
    ------
    OSError
        If it cannot be downloaded; the message says which file to put where by hand.
    ValueError
        If the content is not what it should be; nothing is kept then. Also if nothing says what it
        should be.
    """
    if not blob_id and not sha256:
        raise ValueError(f"{url} is not downloaded: nothing says what its content has to be.")
    target = cache_folder() / file_name
    if target.exists():
        file = read_file(target)
        remedy = "Delete it to download it again."
        _check_content(file.content, blob_id, sha256, f"The cached file {target}", remedy)
        return file
    target.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(target) as temporary:
        try:
            _download(url, temporary)
        except OSError as error:
            raise OSError(
                f"Could not download {url} ({error}). Without a network, put that file at {target}."
            ) from error
        content = read_file(temporary).content
        _check_content(content, blob_id, sha256, f"The download {url}", "Nothing was kept.")
    return WeightsFile(target, content)


class _BoundedFile(io.BufferedWriter):
    """A file that grows no larger than any file of weights."""

    def write(self, data: Any) -> int:
        if self.tell() + len(data) > LARGEST:
            raise OSError("it does not end")
        return super().write(data)


def _download(url: str, target: Path) -> None:
    from pooch import HTTPDownloader  # with all that it takes to ask a server

    with _BoundedFile(io.FileIO(target, "w")) as file:
        HTTPDownloader(progressbar=True, chunk_size=1 << 20, timeout=30)(url, file, None)


def _check_content(data: bytes, blob_id: str, sha256: str, what: str, remedy: str) -> None:
    for name, wanted, digest in (
        ("git blob", blob_id, git_blob_id),
        ("SHA-256", sha256, lambda content: hashlib.sha256(content).hexdigest()),
    ):
        if wanted and not (found := digest(data)).startswith(wanted):
            raise ValueError(
                f"{what} is not the file it should be ({name} {found}, not {wanted}). {remedy}"
            )
