"""How long the checkpoint of a run stays: until the run is done, or until its results are saved."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ._checkpoint import Checkpoint


class Resumable:
    """The part of an estimator that looks after the checkpoint of its last run."""

    _keeps_checkpoint = False
    _checkpoint: Checkpoint | None = None

    def _release_checkpoint(self) -> None:
        """Leave the checkpoint of the last run, if there is one, to whoever takes it up."""
        if self._checkpoint is not None:
            self._checkpoint.close()
            del self._checkpoint

    def _discard_checkpoint(self) -> None:
        """Delete the checkpoint of the last run, whose results are saved, if there is one."""
        if self._checkpoint is not None:
            self._checkpoint.remove()
            del self._checkpoint

    def _end_run(self, checkpoint: Checkpoint | None) -> None:
        """Delete the checkpoint of a run that is done, or keep it if that was asked for."""
        if checkpoint is None:
            return
        if checkpoint.keep:
            self._checkpoint = checkpoint
        else:
            checkpoint.remove()

    @staticmethod
    def _without_checkpoint(state: dict[str, Any]) -> dict[str, Any]:
        """State of the estimator to be pickled: the lock of a file belongs to this process."""
        own = ("_checkpoint", "_keeps_checkpoint")
        return {name: value for name, value in state.items() if name not in own}


@contextmanager
def keeping_checkpoint(crosscoder: Resumable) -> Iterator[None]:
    """Let `fit` leave its checkpoint until the results of the run are saved.

    Results are written in the block. If the process ends before they are, or the block raises, the
    next identical `fit` takes the whole run from the checkpoint: it gives the same bits at once.
    When the block has ended well the checkpoint is deleted.

    Parameters
    ----------
    crosscoder : GroupCrosscoder
        With a `checkpoint_dir`; without one, nothing is kept.

    Yields
    ------
    None

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn_groupcross import Dihedral, GroupCrosscoder, make_orbits
    >>> from sklearn_groupcross.crosscoder import keeping_checkpoint
    >>> orbits = make_orbits(200, group=Dihedral(3), n_channels=8, random_state=0).orbits
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     crosscoder = GroupCrosscoder(
    ...         group=Dihedral(3), n_features=12, random_state=0, checkpoint_dir=folder
    ...     )
    ...     with keeping_checkpoint(crosscoder):
    ...         crosscoder.fit(orbits).save(Path(folder, "crosscoder.safetensors"))
    ...         n_kept = len(list(Path(folder).glob("*.checkpoint.safetensors")))
    ...     n_kept, [path.name for path in Path(folder).iterdir()]
    (1, ['crosscoder.safetensors'])
    """
    crosscoder._keeps_checkpoint = True
    try:
        yield
        crosscoder._discard_checkpoint()
    finally:
        del crosscoder._keeps_checkpoint
        crosscoder._release_checkpoint()
