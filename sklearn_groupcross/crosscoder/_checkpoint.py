"""States of a run on disk, so that one that is killed goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ._persistence import CHECKPOINT_FORMAT
from ._tensor_file import read_tensors, write_tensors


def fingerprint(array: ArrayLike) -> str:
    """Digest of an array's values."""
    values = np.asarray(array)
    if values.dtype == object:  # its bytes would be addresses
        values = values.astype(str)
    return hashlib.blake2b(values.tobytes()).hexdigest()


class Checkpoint:
    """The checkpoint of one run: of one configuration on one set of data.

    Its name is made of both, so that the clones of a grid search, which share a folder, do not
    take up one another's runs.

    Parameters
    ----------
    folder : path
        Made if it is missing.
    configuration : dict
        All that the result depends on, the data's digest included, as JSON can hold it.
    model : dict
        Parameters and fitted values with which the checkpoint can be loaded as an estimator.
    interval : float
        Seconds between two writes.

    Raises
    ------
    OSError
        If the folder cannot be made or written to, or is a file.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        configuration: dict[str, Any],
        model: dict[str, Any],
        interval: float,
    ) -> None:
        key = hashlib.blake2b(
            json.dumps(configuration, sort_keys=True).encode(), digest_size=8
        ).hexdigest()
        self.path = Path(folder) / f"crosscoder-{key}.checkpoint.safetensors"
        self._configuration, self._model = configuration, model
        self._interval, self._last = interval, time.monotonic()
        if self.path.parent.exists() and not self.path.parent.is_dir():
            raise NotADirectoryError(
                f"checkpoint_dir {self.path.parent} is a file: name a folder, which is made if it "
                "is missing."
            )
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(self.path.parent, os.W_OK):
            raise PermissionError(f"checkpoint_dir {self.path.parent} cannot be written to.")
        # what a write left behind that was killed in the middle
        for remains in self.path.parent.glob(f".{self.path.stem}-*"):
            remains.unlink(missing_ok=True)

    @property
    def is_due(self) -> bool:
        """Whether the last write is longer ago than the interval."""
        return time.monotonic() - self._last >= self._interval

    def write(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        """Write the state of a run; on failure warn, and keep the one before.

        A long run should not be lost because its checkpoint cannot be written.
        """
        header = {
            "configuration": self._configuration,
            "model": self._model,
            "values": values,
        }
        arrays = {name: tensor.cpu().numpy() for name, tensor in tensors.items()}
        try:
            write_tensors(self.path, CHECKPOINT_FORMAT, arrays, header)
        except OSError as error:
            warnings.warn(
                f"The checkpoint could not be written: {error} Training goes on; if it is killed, "
                "it resumes at the checkpoint before, if there is one.",
                RuntimeWarning,
                stacklevel=2,
            )
        self._last = time.monotonic()

    def read(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Read the state of the run that was killed; None if there was none.

        Raises
        ------
        ValueError
            If the file is damaged, or of another configuration.
        """
        if not self.path.exists():
            return None
        try:
            _, arrays, header = read_tensors(self.path, CHECKPOINT_FORMAT)
        except ValueError as error:
            raise ValueError(f"{error} Delete it to start again.") from error
        made_with = header["configuration"]
        differing = [
            f"{name}={made_with.get(name)!r} (now {value!r})"
            for name, value in self._configuration.items()
            if made_with.get(name) != value
        ]
        if differing:
            raise ValueError(
                f"Checkpoint {self.path} is of another run, made with {', '.join(differing)}. "
                "Give this run another checkpoint_dir, or delete the file."
            )
        # copies: torch is not to write into what numpy holds
        return {name: torch.tensor(array) for name, array in arrays.items()}, header["values"]

    def remove(self) -> None:
        """Delete the checkpoint of a run that has ended well."""
        self.path.unlink(missing_ok=True)
