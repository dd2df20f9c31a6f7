"""Writers that are killed at random moments: is what they leave old or new, and whole?

    python benchmarks/kill_writers.py [--kills 20] [--seed 0] [--only save] [--list]

Of every kind in `KINDS` the writer runs once undisturbed, which says how long it takes, and then in
processes of its own that are ended by SIGKILL at random moments of that time. After each kill what
lies there must be what stood there before or what was to be written, whole; after the last the
writer runs to its end once more: its result must have the same bits as the undisturbed one's, and
no other file may be left. Printed for each kind: kills, how many left the old and how many the new
state, and what was wrong, which must be nothing.

A kind is three functions of a folder. ``prepare(folder)`` makes what is there before, once;
``act(folder)`` writes; ``check(folder)`` raises unless all is whole, and returns a name of the
state: "old", "new", or any in between that can be gone on from.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import signal
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sklearn_groupcross import Dihedral, GroupCrosscoder, make_orbits
from sklearn_groupcross.crosscoder import _checkpoint, keeping_checkpoint

_checkpoint.SECONDS_BETWEEN = 0.0  # after every step
GROUP = Dihedral(3)
ORBITS = make_orbits(400, group=GROUP, n_channels=16, random_state=0).orbits
MODEL = "model.safetensors"


@dataclass(frozen=True)
class Kind:
    """A writer: see above."""

    prepare: Callable[[Path], None]
    act: Callable[[Path], None]
    check: Callable[[Path], str]


def crosscoder(seed: int, **options: object) -> GroupCrosscoder:
    common = {"group": GROUP, "n_features": 200, "max_epochs": 4, "batch_size": 40}
    more = {"activation": "topk", "k": 5, "random_state": seed, "device": "cpu"}
    return GroupCrosscoder(**{**common, **more, **options})


OLD, NEW = crosscoder(0).fit(ORBITS), crosscoder(1).fit(ORBITS)


def is_like(found: GroupCrosscoder, expected: GroupCrosscoder) -> bool:
    return found.history_ == expected.history_ and all(
        np.array_equal(getattr(found, name), getattr(expected, name))
        for name in ("components_", "intercept_", "encoder_", "encoder_intercept_")
    )


def which(folder: Path) -> str:
    found = GroupCrosscoder.load(folder / MODEL)
    if is_like(found, OLD):
        return "old"
    assert is_like(found, NEW), "a model that nobody saved"
    return "new"


def save(folder: Path) -> None:
    NEW.save(folder / MODEL)


def fit_with_checkpoints(folder: Path) -> None:
    fitted = crosscoder(1, checkpoint_dir=folder)
    with keeping_checkpoint(fitted):
        fitted.fit(ORBITS).save(folder / MODEL)


def check_checkpoint(folder: Path) -> str:
    for file in folder.glob("*.checkpoint.safetensors"):
        assert GroupCrosscoder.load(file).n_steps_ <= NEW.n_steps_
    return which(folder)


KINDS: dict[str, Kind] = {
    "save": Kind(lambda folder: OLD.save(folder / MODEL), save, which),
    "fit": Kind(lambda folder: OLD.save(folder / MODEL), fit_with_checkpoints, check_checkpoint),
}


def contents(folder: Path) -> dict[str, str]:
    """Digests of all files, by their names."""
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def in_child(act: Callable[[Path], None], folder: Path, kill_after: float | None = None) -> float:
    """Run a writer in a process of its own, and kill it; the seconds that it took."""
    go, start_it = os.pipe()
    done, is_done = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.setsid()  # its own children are killed with it
            os.read(go, 1)  # making the process is none of the time
            act(folder)
            os.write(is_done, b".")
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(is_done)
    start = time.monotonic()
    os.write(start_it, b".")
    if kill_after is None:
        os.read(done, 1)
        seconds = time.monotonic() - start
    else:
        time.sleep(kill_after)
        seconds = time.monotonic() - start
        with suppress(ProcessLookupError):  # before it had a group of its own
            os.killpg(pid, signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    for descriptor in (go, start_it, done):
        os.close(descriptor)
    if code not in (0, -signal.SIGKILL):
        raise RuntimeError(f"The writer ended with {code}.")
    return seconds


def try_kind(name: str, kind: Kind, n_kills: int, seed: int) -> bool:
    """Whether all was well."""
    rng = random.Random(seed)
    states: Counter[str] = Counter()
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as place:
        undisturbed, killed = Path(place) / "undisturbed", Path(place) / "killed"
        for folder in (undisturbed, killed):
            folder.mkdir()
            kind.prepare(folder)
        seconds = in_child(kind.act, undisturbed)
        kind.check(undisturbed)
        for number in range(n_kills):
            if number % 2 == 0:  # from the start again, so that every stage is met
                shutil.rmtree(killed)
                killed.mkdir()
                kind.prepare(killed)
            try:
                in_child(kind.act, killed, rng.uniform(0, seconds))
                states[kind.check(killed)] += 1
            except Exception as error:
                wrong.append(f"kill {number}: {error!r}")
        in_child(kind.act, killed)
        kind.check(killed)
        if contents(killed) != contents(undisturbed):
            wrong.append(f"{contents(killed)} in place of {contents(undisturbed)}")
        left = {path.name for path in killed.iterdir()} - {p.name for p in undisturbed.iterdir()}
        if left:
            wrong.append(f"left behind: {', '.join(sorted(left))}")
    seen = ", ".join(f"{state} {count}" for state, count in sorted(states.items()))
    print(f"{name}: {n_kills} kills within {seconds:.2f} s; {seen}; wrong: {wrong or 'nothing'}")
    return not wrong


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=KINDS)
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    if arguments.list:
        print(*KINDS, sep="\n")
        return
    warnings.simplefilter("ignore")
    chosen = [arguments.only] if arguments.only else list(KINDS)
    results = [try_kind(name, KINDS[name], arguments.kills, arguments.seed) for name in chosen]
    raise SystemExit(not all(results))


if __name__ == "__main__":
    main()
