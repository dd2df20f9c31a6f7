"""States of a run on disk, so that one that is killed goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from .._ambient import warn_caller
from .._files import remove_remains
from ._checkpoint_schema import RunState, check_checkpoint
from ._checkpoint_slot import Slot
from ._model_schema import naming
from ._options import TrainingOptions
from ._parameters import Units
from ._persistence import CHECKPOINT_FORMAT, history_to_arrays
from ._tensor_file import read_tensors, write_tensors

#: Seconds between two writes: no more than a minute is lost.
SECONDS_BETWEEN = 50.0
# Where one takes longer than this, as of states of gigabytes, so many times as long is between
# them: writing is a twentieth of a run at most.
_SLOW_WRITE, _TIMES_A_WRITE = 2.5, 20


class Checkpoint:
    """The checkpoint of one run: of one configuration on one set of data.

    Its name is made of both, so that the clones of a grid search, which share a folder, do not
    take up one another's runs. It is locked while it is open: a second run of the same
    configuration has a file of its own (`Slot`). Leaving a ``with`` of it closes it.

    Parameters
    ----------
    folder : path
        Made if it is missing.
    configuration : dict
        All that the result depends on, the data's digest included, as JSON can hold it.
    model : dict
        Parameters and fitted values with which the checkpoint can be loaded as an estimator.
    keep : bool, default=False
        Whether the state at the end of training is written as well, and stays until `remove`:
        the same fit then takes up the whole run, and has nothing left to train.

    Attributes
    ----------
    path : Path
        The file.

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
        *,
        keep: bool = False,
    ) -> None:
        key = hashlib.blake2b(
            json.dumps(configuration, sort_keys=True).encode(), digest_size=8
        ).hexdigest()
        self._configuration, self._model = configuration, model
        self._last, self._took = time.monotonic(), 0.0
        self.keep = keep
        place = Path(folder)
        if place.exists() and not place.is_dir():
            raise NotADirectoryError(
                f"checkpoint_dir {place} is a file: name a folder, which is made if it is missing."
            )
        place.mkdir(parents=True, exist_ok=True)
        if not os.access(place, os.W_OK):
            raise PermissionError(f"checkpoint_dir {place} cannot be written to.")
        self._slot = Slot(place, key)
        self.path = self._slot.path
        remove_remains(self.path)

    def __enter__(self) -> Checkpoint:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None or not self.keep:
            self.close()

    def close(self) -> None:
        """Leave the file to other runs."""
        self._slot.release()

    @property
    def is_due(self) -> bool:
        """Whether it is time to write again."""
        is_slow = self._took > _SLOW_WRITE
        between = _TIMES_A_WRITE * self._took if is_slow else SECONDS_BETWEEN
        return time.monotonic() - self._last >= between

    def write(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        """Write the state of a run; on failure warn, and keep the one before.

        A long run should not be lost because its checkpoint cannot be written.
        """
        began = time.monotonic()
        header = {
            "configuration": self._configuration,
            "model": self._model,
            "values": {name: value for name, value in values.items() if name != "history"},
        }
        arrays = {name: tensor.cpu().numpy() for name, tensor in tensors.items()}
        arrays |= history_to_arrays(values["history"])
        try:
            write_tensors(self.path, CHECKPOINT_FORMAT, arrays, header)
        except OSError as error:
            warn_caller(
                f"The checkpoint could not be written: {error} Training goes on; if it is killed, "
                "it resumes at the checkpoint before, if there is one.",
                RuntimeWarning,
            )
        self._last = time.monotonic()
        self._took = self._last - began

    def read(self) -> RunState | None:
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
            with naming(self.path):
                state = check_checkpoint(arrays, header, list(self._model["parameters"]))
        except ValueError as error:
            raise ValueError(f"{error} Delete it to start again.") from error
        made_with, now = state.configuration, self._configuration
        differing = [
            f"{name}={made_with.get(name)!r:.80} (now {now.get(name)!r:.80})"
            for name in sorted({*made_with, *now})
            if made_with.get(name) != now.get(name)
        ]
        if differing:
            raise ValueError(
                f"Checkpoint {self.path} is of another run, made with {', '.join(differing)}. "
                "Give this run another checkpoint_dir, or delete the file."
            )
        return state

    def check_options(self, state: RunState, options: TrainingOptions) -> None:
        """Check that a state is of a run with the same options; on another device they may differ.

        Raises
        ------
        ValueError
        """
        saved, now = state.values["options"], options.to_json()
        differing = [name for name in now if name != "precision" and saved[name] != now[name]]
        if differing:
            raise ValueError(
                f"{self.path} is damaged or something else: it disagrees with this run in "
                f"{', '.join(differing)}. Delete it to start again."
            )

    def check_units(self, state: RunState, units: Units, variance: float) -> None:
        """Check that a state is in the units that the data have.

        Raises
        ------
        ValueError
        """
        pairs: dict[str, tuple[Any, Any]] = {
            "center": (state.arrays["center"], units.center.cpu().numpy()),
            "scale": (state.values["scale"], units.scale),
            "variance": (state.values["variance"], variance),
        }
        # on another processor sums come in another order
        differing = [name for name, pair in pairs.items() if not np.allclose(*pair, rtol=1e-5)]
        if differing:
            raise ValueError(
                f"{self.path} is damaged or something else: it disagrees with the data in "
                f"{', '.join(differing)}. Delete it to start again."
            )

    def remove(self) -> None:
        """Delete the checkpoint of a run that has ended well, and close it."""
        self.path.unlink(missing_ok=True)
        # with a seed, other files of this configuration are on the way to the same end
        if self._configuration.get("random_state") is not None:
            self._slot.remove_others()
        self.close()
