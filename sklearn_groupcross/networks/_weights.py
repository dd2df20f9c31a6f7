"""Weights files: found, fetched with a check of their content, and read without unpickling code."""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from tqdm.auto import tqdm

from .._files import written_whole


def load_state(module: nn.Module, weights: str | os.PathLike[str], network: str) -> None:
    """Read a ``.safetensors`` or ``.pth`` file into a module.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged or holds the weights of another network; the message names the
        first arrays that do not fit.
    """
    state = read_state(Path(weights))
    expected = {key: tuple(value.shape) for key, value in module.state_dict().items()}
    found = {key: tuple(value.shape) for key, value in state.items()}
    missing = [key for key in expected if key not in found]
    unknown = [key for key in found if key not in expected]
    reshaped = [key for key in expected if key in found and expected[key] != found[key]]
    if missing or unknown or reshaped:
        details = []
        if missing:
            details.append(f"{len(missing)} arrays are missing ({missing[0]}, ...)")
        if unknown:
            details.append(f"{len(unknown)} are unknown ({unknown[0]}, ...)")
        if reshaped:
            key = reshaped[0]
            details.append(f"{key} has shape {found[key]} instead of {expected[key]}")
        raise ValueError(f"{weights} does not hold weights of {network!r}: {'; '.join(details)}.")
    module.load_state_dict(state)


def read_state(path: Path) -> dict[str, Tensor]:
    """Read the arrays of a weights file, never running code that it may hold."""
    if not path.is_file():
        raise FileNotFoundError(f"No weights file at {path}.")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, RuntimeError, EOFError, ValueError) as error:
        raise ValueError(f"{path} is not a readable weights file: {error}") from error
    except Exception as error:  # torch.load names its own pickle errors
        raise ValueError(
            f"{path} is not a weights file that can be read safely: {error}"
        ) from error


def git_blob_id(data: bytes) -> str:
    """Identifier under which git stores a file: what its repository publishes of it."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def cache_folder() -> Path:
    """Folder for downloaded weights: beside those of torch.hub."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def fetch(url: str, file_name: str, blob_id: str) -> Path:
    """Return the path of a cached download, fetched with a progress bar if it is not there yet.

    Parameters
    ----------
    url : str
    file_name : str
        Name within `cache_folder`.
    blob_id : str
        `git_blob_id` that the content must have.

    Raises
    ------
    OSError
        If it cannot be downloaded; the message says which file to put where by hand.
    ValueError
        If the content is not what it should be; nothing is kept then.
    """
    target = cache_folder() / file_name
    if target.is_file():
        _check_blob(
            target.read_bytes(),
            blob_id,
            f"The cached file {target}",
            "Delete it to download it again.",
        )
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        data = _download(url, file_name)
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        raise OSError(
            f"Could not download {url} ({error}). Without a network, put that file at {target}."
        ) from error
    _check_blob(data, blob_id, f"The download {url}", "Nothing was kept.")
    with written_whole(target) as temporary:
        temporary.write_bytes(data)
    return target


def _download(url: str, description: str) -> bytes:
    chunks = []
    with urllib.request.urlopen(url, timeout=30) as response:
        total = int(response.headers.get("Content-Length") or 0) or None
        with tqdm(total=total, unit="B", unit_scale=True, desc=description) as bar:
            while chunk := response.read(1 << 20):
                chunks.append(chunk)
                bar.update(len(chunk))
    return b"".join(chunks)


def _check_blob(data: bytes, blob_id: str, what: str, remedy: str) -> None:
    found = git_blob_id(data)
    if found != blob_id:
        raise ValueError(
            f"{what} is not the file it should be (git blob {found}, not {blob_id}). {remedy}"
        )
