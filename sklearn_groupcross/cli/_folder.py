"""The folder that a command writes its results to: what of it is done, and what is at stake."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from .._locks import names_of_lock
from ._lock import LOCK
from ._log import LOG, Log
from ._manifest import MANIFEST, Manifest, Stage, differences, digest_of_file
from ._record import read_record
from ._results import NEXT, Results

#: The record of how the results were made: see `_record`.
RUN = "run.toml"
#: Store of orbits in a run folder.
ORBITS = "orbits"
# What a command leaves beside its results; alone it is nothing.
_BESIDE = {MANIFEST, LOG, RUN}


class RunFolder:
    """A folder of results that one command writes to, stage by stage.

    A stage whose files are there, made with the same settings from the same inputs, is done. Where
    other results would be replaced, the command is refused; with `overwrite` everything that is new
    is written to a folder inside of this one (`NEXT`), which takes its place at the end, in one
    step. Killed, the same command goes on with what it finds, in either.

    Parameters
    ----------
    out : Path
    overwrite : bool
    log : Log

    Attributes
    ----------
    out : Path
    work : Path
        Where new results go: `out`, or the folder in it.
    """

    def __init__(self, out: Path, overwrite: bool, log: Log) -> None:
        self.out, self.work = out, out
        self._overwrite, self._log = overwrite, log
        self._results = Results(out)
        self._record: Callable[[Path], None] = lambda path: None
        Manifest.read(out)  # a damaged one is refused before the work
        if not overwrite and (out / RUN).is_file():
            read_record(out / RUN)  # what is none is somebody's own, and not to be replaced

    # --- what is there -------------------------------------------------------------------------

    def check(self, name: str, settings: Mapping[str, Any] | None, files: Iterable[str]) -> None:
        """Complain before hours of work if a stage would replace results of other settings.

        Parameters
        ----------
        name : str
        settings : mapping or None
            None if they are not known yet.
        files : iterable of str
            What it writes.

        Raises
        ------
        ValueError
            It says what differs, and what to do.
        """
        stage = Manifest.read(self.out).stages.get(name)
        if stage is not None and settings is not None and not self._overwrite:
            there = any((self.out / file).exists() for file in stage.outputs)
            if there and (differing := differences(stage.settings, settings)):
                self._refuse(name, stage, differing)
        for file in files:
            if (self.out / file).is_dir():
                raise ValueError(
                    f"{self.out / file} is a folder, and results belong into a file of that name: "
                    "choose another --out."
                )
        if stage is None and not self._overwrite:
            self._check_absent(files)

    def done(
        self, name: str, settings: Mapping[str, Any], inputs: Mapping[str, str]
    ) -> Path | None:
        """Where all files of a stage lie, if it is done.

        What a command before has left in `NEXT` counts with `overwrite`; then it takes its place
        at the end, with all that follows.
        """
        for place in (self.out, self.out / NEXT) if self._overwrite else (self.out,):
            stage = self._of(place, name, settings, inputs)
            if stage is not None and stage.done and not self._missing(place, stage):
                if place != self.out:
                    self.redirect()
                return place
        return None

    def results_of(self, place: Path, name: str) -> dict[str, Any]:
        """What a stage has given to be printed."""
        return Manifest.read(place).stages[name].results

    def _of(
        self, place: Path, name: str, settings: Mapping[str, Any], inputs: Mapping[str, str]
    ) -> Stage | None:
        """A stage with these settings and inputs whose files are not changed since."""
        stage = Manifest.read(place).stages.get(name)
        if stage is None or stage.settings != settings or stage.inputs != inputs:
            return None
        return None if self._changed(place, stage) else stage

    def _missing(self, place: Path, stage: Stage) -> list[str]:
        return [file for file in stage.outputs if not (place / file).exists()]

    def _changed(self, place: Path, stage: Stage) -> list[str]:
        return [
            file
            for file, digest in stage.outputs.items()
            if (place / file).exists() and digest_of_file(place / file) != digest
        ]

    # --- beginning -----------------------------------------------------------------------------

    def record_with(self, write: Callable[[Path], None]) -> None:
        """Have the record of the settings written beside what is done, by this function."""
        self._record = write

    def begin_work(self) -> None:
        """Begin to write: from now on there is a log, and a record of the settings."""
        self.work.mkdir(exist_ok=True)
        self._log.open(self.out / LOG)
        self._record(self.work / RUN)

    def begin(
        self,
        name: str,
        settings: Mapping[str, Any],
        inputs: Mapping[str, str],
        files: Iterable[str],
    ) -> list[str]:
        """Begin a stage that is not done, and give those of its files that are there already.

        Raises
        ------
        ValueError
            If it would replace other results, and may not.
        """
        files = list(files)
        if self.work == self.out and (problem := self._stake(name, settings, inputs, files)):
            if not self._overwrite:
                self._refuse(name, *problem)
            self.redirect()
        self.begin_work()
        stage = self._of(self.work, name, settings, inputs)
        if stage is None:
            self._drop(name)
            return []
        return [file for file in stage.outputs if (self.work / file).exists()]

    def redirect(self) -> None:
        """Write everything from now on to the folder that takes this one's place at the end."""
        self.work = self.out / NEXT
        self.work.mkdir(exist_ok=True)

    @property
    def may_overwrite(self) -> bool:
        """Whether results that are there may be replaced."""
        return self._overwrite

    def _stake(
        self,
        name: str,
        settings: Mapping[str, Any],
        inputs: Mapping[str, str],
        files: Sequence[str],
    ) -> tuple[Stage | None, list[str]] | None:
        """What would be replaced: the stage that is there, and in what it differs."""
        stage = Manifest.read(self.out).stages.get(name)
        if stage is None:
            return (None, []) if any((self.out / file).exists() for file in files) else None
        there = [file for file in stage.outputs if (self.out / file).exists()]
        if changed := self._changed(self.out, stage):
            return stage, [f"{', '.join(changed)} was changed since"]
        if not there:
            return None
        differing = differences(stage.settings, settings)
        differing += [
            f"it was made from other {key}"
            for key in sorted({*inputs, *stage.inputs})
            if stage.inputs.get(key) != inputs.get(key)
        ]
        return (stage, differing) if differing else None

    def _refuse(self, name: str, stage: Stage | None, differing: list[str]) -> None:
        if stage is None:
            what = f"{self.out} already holds results that no command here has recorded"
        else:
            files = ", ".join(stage.outputs) or f"results of {name}"
            what = f"{self.out} already holds {files} of other settings ({'; '.join(differing)})"
        raise ValueError(
            f"{what}: choose another --out, give the settings of before, or --overwrite, which "
            "keeps them until the new ones are whole."
        )

    def _check_absent(self, files: Iterable[str]) -> None:
        for file in files:
            if (self.out / file).exists():
                raise ValueError(
                    f"{self.out} already holds {file}: choose another --out, or --overwrite."
                )

    def _drop(self, name: str) -> None:
        """Remove what a stage of other settings left where nothing is kept: in `NEXT`."""
        manifest = Manifest.read(self.work)
        if self.work != self.out and (stage := manifest.stages.pop(name, None)) is not None:
            for file in stage.outputs:
                (self.work / file).unlink(missing_ok=True)
            manifest.write(self.work / MANIFEST)

    # --- writing -------------------------------------------------------------------------------

    def publish(
        self,
        name: str,
        settings: Mapping[str, Any],
        inputs: Mapping[str, str],
        files: Mapping[str, Callable[[Path], Any]],
        *,
        kept: Iterable[str] = (),
        outdated: Iterable[str] = (),
        results: Mapping[str, Any] | None = None,
    ) -> None:
        """Write files of a stage and the manifest, which appear together.

        Parameters
        ----------
        name : str
        settings, inputs : mapping
        files : mapping of str to callable
            Names, and what writes each of them to a path.
        kept : iterable of str
            Files of this stage that are there.
        outdated : iterable of str
            Files of a command before, which go unless they are written.
        results : mapping, optional
            What is printed of the stage, which is done with this.

        Raises
        ------
        OSError
            If something cannot be written: then nothing of it is there.
        """
        place = self._results if self.work == self.out else Results(self.work)
        try:
            for file, write in files.items():
                write(place.place(file))
            outputs = {
                **{file: digest_of_file(self.work / file) for file in kept},
                **{file: digest_of_file(place.place(file)) for file in files},
            }
            manifest = Manifest.read(self.work)
            before = manifest.stages.get(name)
            manifest.stages[name] = Stage(
                done=results is not None,
                settings=dict(settings),
                inputs=dict(inputs),
                outputs=outputs,
                results=dict(results or {}),
            )
            manifest.write(place.place(MANIFEST))
            gone = {*outdated, *(before.outputs if before is not None else ())} - outputs.keys()
            place.publish(replaced=gone)
            self._record(self.work / RUN)
        except OSError as error:
            place.abandon()
            place.name_place(error)
            raise
        except BaseException:
            place.abandon()
            raise

    def take_place(
        self, files: Mapping[str, Iterable[str]], *, following: Mapping[str, str] | None = None
    ) -> None:
        """Let what was written to `NEXT` take its place, in one step, if there is something.

        Parameters
        ----------
        files : mapping of str to iterable of str
            By stage, names of results, of whatever command: where the stage is replaced, those
            without a successor go.
        following : mapping of str to str
            By stage, that of which it is made: results of the one go where the other is replaced.
        """
        place = self.out / NEXT
        if self.work == self.out:
            shutil.rmtree(place, ignore_errors=True)
            return
        new, manifest = Manifest.read(place), Manifest.read(self.out)
        taken = {file for stage in new.stages.values() for file in stage.outputs}
        taken |= {name for name in (ORBITS, RUN) if (place / name).exists()}
        outdated = {file for name in new.stages for file in files.get(name, ())}
        for name in new.stages.keys() & manifest.stages.keys():
            outdated.update(manifest.stages[name].outputs)
        for name, first in (following or {}).items():
            if first in new.stages and name not in new.stages and name in manifest.stages:
                outdated.update(manifest.stages.pop(name).outputs)
        Manifest(stages={**manifest.stages, **new.stages}).write(self._results.place(MANIFEST))
        self._results.publish(replaced=outdated - taken, taken=taken)
        self.work = self.out

    def close(self, *, failed: bool) -> None:
        """End the command; where it has failed and kept nothing, nothing stays."""
        self._log.close()  # before files are removed: not everywhere may open ones be
        if not failed:
            return
        following = self.out / NEXT
        held = names_of_lock(self.out / LOCK)  # these go with the command
        for folder in (following, self.out):
            if folder.is_dir() and {path.name for path in folder.iterdir()} <= _BESIDE | held:
                for name in _BESIDE:
                    (folder / name).unlink(missing_ok=True)
        with suppress(OSError):
            following.rmdir()
