"""Which models and orbits a command looks at: those it names, and what lies beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .._urls import is_url
from ..crosscoder import GroupCrosscoder
from ..groups import check_nameable
from ..orbits import OrbitStore, is_store
from ._fit import FIT, split_of
from ._folder import RunFolder
from ._manifest import Manifest, digest_of, digest_of_file
from ._measuring import Orbits
from ._streams import say


@dataclass(frozen=True)
class Subject:
    """What is looked at.

    Attributes
    ----------
    models : tuple of Path
        The first is reported; features are looked up in the others.
    store : Path, str or None
        A string of a URL.
    held_out : tuple of (int, int) or None
        How many images the fit held out and the seed by which; None where nothing says so.
    verify : bool
        Compare orbits with their checksums as they are first read.
    """

    models: tuple[Path, ...]
    store: Path | str | None
    held_out: tuple[int, int] | None
    verify: bool

    def inputs(self) -> dict[str, str]:
        """Digests of all of it."""
        store = "" if self.store is None else OrbitStore(self.store).digest()
        return {
            "models": digest_of(digest_of_file(model) for model in self.models),
            "orbits": digest_of([store, str(self.held_out)]),
        }

    def orbits(self) -> Orbits | None:
        """The orbits to measure on."""
        if self.store is None:
            return None
        store = OrbitStore(self.store, verify_on_read=self.verify)
        if self.held_out is None:
            return Orbits(store, None, (0, len(store.images)))
        return Orbits.of_split(split_of(store, *self.held_out))

    def check(self) -> GroupCrosscoder:
        """Load the first model, and see that all fit together before the work.

        Raises
        ------
        ValueError
        """
        crosscoder = GroupCrosscoder.load(self.models[0])
        check_nameable(crosscoder.group_)
        for other in self.models[1:]:
            found = GroupCrosscoder.load(other)
            if (found.group_, found.n_channels_) != (crosscoder.group_, crosscoder.n_channels_):
                raise ValueError(
                    f"{other} is over {found.group_!r} with {found.n_channels_} channels, "
                    f"{self.models[0]} over {crosscoder.group_!r} with {crosscoder.n_channels_}: "
                    "features of one cannot be looked up in the other."
                )
        if self.store is not None:
            store = OrbitStore(self.store)
            expected = (crosscoder.group_, crosscoder.n_channels_)
            if (store.group, store.shape[2]) != expected:
                raise ValueError(
                    f"The orbits in {self.store} are over {store.group!r} with {store.shape[2]} "
                    f"channels, the crosscoder is over {expected[0]!r} with {expected[1]}."
                )
        return crosscoder


def subject_of(
    model: Path, store: Path | str | None, others: Sequence[Path] | None, *, verify: bool
) -> Subject:
    """A model and what its run folder says of it, where it lies in one.

    Parameters
    ----------
    model : Path
    store : Path, str or None
        Default: the one that it was fitted on.
    others : sequence of Path or None
        Default: those of other seeds of the same fit.
    verify : bool
    """
    stage = Manifest.read(model.parent).stages.get(FIT)
    is_known = stage is not None and model.is_file() and _is_of(model, stage.outputs)
    if stage is None or not is_known:
        return Subject((model, *(others or ())), store, None, verify)
    if others is None:
        beside = [model.parent / name for name in stage.outputs if name != model.name]
        others = [path for path in beside if path.is_file()]
    if store is None and "store" in stage.results:
        store = _fitted_on(model, stage.results["store"])
        if not _is_there(store):
            say(
                f"Note: {store}, on which {model.name} was fitted, is not there: nothing is "
                "measured on orbits. --orbits names a store."
            )
            store = None
    held_out = None
    if store is not None and stage.inputs.get("orbits") == OrbitStore(store).digest():
        held_out = stage.results["images"]["held_out"], stage.settings.get("seed", 0)
    return Subject((model, *others), store, held_out, verify)


def _fitted_on(model: Path, recorded: str) -> Path | str:
    return recorded if is_url(recorded) else model.parent / recorded


def _is_there(store: Path | str) -> bool:
    if isinstance(store, Path):
        return store.exists()
    try:
        return is_store(store)
    except (OSError, ImportError, ValueError):  # nor can it be reached
        return False


def subject_in(folder: RunFolder, place: Path, store: Path | str, *, verify: bool) -> Subject:
    """What a run has fitted: models that lie in a place of its folder, and its store."""
    stage = Manifest.read(place).stages[FIT]
    held_out = stage.results["images"]["held_out"], stage.settings.get("seed", 0)
    models = tuple(place / name for name in stage.results["models"])
    return Subject(models, store, held_out, verify)


def _is_of(model: Path, outputs: dict[str, str]) -> bool:
    return outputs.get(model.name) == digest_of_file(model)
