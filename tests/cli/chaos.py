"""Chaos: random faults over all stages of the command line; a program, so that it forks alone.

    python -m tests.cli.chaos FOLDER [--faults 60] [--seed 0] [--only flip] [--fault 12]

Every stage (`extract`, `fit`, `analyze`, `report`, `run`, and `python`: a store and a crosscoder
without the command line) is carried out once undisturbed, which says how long it takes and what it
leaves. Then each fault begins with what the stage before has left, or a kill of the same stage. A
fault is a kill in the midst (-9 or SIGTERM), a full disk, a flipped bit or a cut of any file that
is there, a folder that may not be written to, a worker that dies, a clock that jumps, a second
command in the same folder, or a store that is moved while it is read. Then what the message says is
done, if it asks for something, and the same command is given again. It has to end with the bits of
the undisturbed one. Printed for each fault: what became of it; and at the end what must be 0:
images and steps that were done again though they had been kept, results that differ, and messages
that do not name the file and the way on.

The children are forked, of one process that has imported and compiled everything, with one thread.
Checkpoints are written after every step. Faults that need more than the rights of a user (a disk of
a few megabytes, mounted) are left out where they are missing, and said to be.
"""

from __future__ import annotations

import argparse
import ctypes
import io
import mmap
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from sklearn_groupcross import Dihedral, GroupCrosscoder, OrbitDataset, OrbitStore
from sklearn_groupcross.cli import main
from sklearn_groupcross.crosscoder import _checkpoint, keeping_checkpoint
from sklearn_groupcross.crosscoder._trainer import Trainer
from sklearn_groupcross.orbits._store_writer import ChunkWriter
from tests.cli import runs
from tests.cli.runs import EXTRACTION, bits

N_IMAGES = 6
FITTING = [*runs.FITTING, "--batch-size", "16"]
STAGES = ("extract", "fit", "analyze", "report", "run", "python")
MODEL = "crosscoder.safetensors"
#: Seconds that a stage never takes.
HUNG = 100.0
#: Where a message says what to do.
WAYS = re.compile(
    "To go on|To begin again|--discard|[Dd]elete|Remove that line|another --out|--overwrite|"
    "[Ww]ait|put it back|fit again|Open it again|Repeat|the same call|See groupcross"
)
#: Of Linux's prctl and capset: root without these obeys permissions.
_VERSION_3, _ALL_DROPPED = 0x20080522, (0, 0, 0, 0, 0, 0)


class Place:
    """The folder in which everything happens, at one path, since records name paths."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.images, self.work = folder / "images", folder / "work"
        self.store, self.out = self.work / "a.orbits", self.work / "out"
        self.model = self.out / MODEL
        self.counts = mmap.mmap(-1, 16)

    def make_images(self) -> None:
        self.images.mkdir(parents=True)
        for i in range(N_IMAGES):
            pixels = np.random.default_rng(i).integers(0, 256, (9, 9, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize((150, 150)).save(self.images / f"{i}.png")

    def command(self, stage: str, jobs: int = 1) -> list[str]:
        model = str(self.model)
        return {
            "extract": ["extract", str(self.images), *EXTRACTION, "--out", str(self.store)],
            "fit": ["fit", str(self.store), *FITTING, "--out", str(self.out)],
            "analyze": ["analyze", model, "--no-map", "--families", "1", "--format", "svg"],
            "report": ["report", model],
            "run": ["run", str(self.images), *EXTRACTION, *FITTING, "--out", str(self.out)],
        }[stage] + (["--jobs", str(jobs)] if jobs > 1 else [])

    def carry_out(self, stage: str, jobs: int = 1) -> int:
        """A stage, in the child."""
        if stage != "python":
            return main(self.command(stage, jobs))
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            dataset = OrbitDataset(
                self.images, network="bundled", group=Dihedral(4), n_positions=10
            )
            dataset.extract(self.store)
            store = OrbitStore(self.store, verify_on_read=True)
            crosscoder = GroupCrosscoder(
                Dihedral(4), n_features=4, activation="topk", k=2, max_epochs=4, batch_size=16,
                random_state=0, device="cpu", checkpoint_dir=self.out / "states",
            )  # fmt: skip
            with keeping_checkpoint(crosscoder):
                crosscoder.fit(store).save(self.model)
        except (ValueError, OSError) as error:
            print(f"python: error: {error}", file=sys.stderr)
            return 2
        shutil.rmtree(self.out / "states", ignore_errors=True)
        return 0

    def kept(self) -> tuple[int, int]:
        """Images in the store, and steps of training in models and checkpoints."""
        n_images = 0
        for path in (self.store, self.out / "orbits"):
            with suppress(OSError, ValueError):
                store = OrbitStore(path, allow_incomplete=True)
                n_images += len(store.images) - len(store.pending_images())
        steps: dict[object, int] = {}
        for path in sorted(self.out.rglob("*.safetensors")):
            if any(part.startswith(".") for part in path.relative_to(self.out).parts):
                continue  # on its way, and not there yet
            with suppress(OSError, ValueError):
                found = GroupCrosscoder.load(path)
                steps[found.random_state] = max(steps.get(found.random_state, 0), found.n_steps_)
        return n_images, sum(steps.values())

    def snapshot(self, name: str) -> Path:
        target = self.folder / name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self.work, target, symlinks=True)
        return target

    def restore(self, name: str) -> None:
        for path in list(self.work.iterdir()) if self.work.exists() else []:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if name:
            shutil.copytree(self.folder / name, self.work, dirs_exist_ok=True, symlinks=True)
        self.work.mkdir(exist_ok=True)


def counted(counts: mmap.mmap) -> None:
    """Count what is written and trained, where the parent sees it though the child is killed."""
    numbers = memoryview(counts).cast("q")
    numbers[0] = numbers[1] = 0

    def counting(at, owner, name):
        before = getattr(owner, name)

        def count(self, *args):
            result = before(self, *args)
            numbers[at] += 1
            return result

        setattr(owner, name, count)

    counting(0, ChunkWriter, "write")
    counting(1, Trainer, "train_on")


def drop_rights() -> None:
    """Obey permissions, as everybody but root does."""
    if os.geteuid() == 0:
        header, data = (ctypes.c_uint32 * 2)(_VERSION_3, 0), (ctypes.c_uint32 * 6)(*_ALL_DROPPED)
        if ctypes.CDLL(None, use_errno=True).capset(header, data):
            raise OSError(ctypes.get_errno(), "capset")


class Child:
    """A stage, or something else, in a forked process."""

    def __init__(self, place: Place, stage: str, before=None, jobs=1, action=None) -> None:
        self.stage = stage
        self.said = place.folder / f"said-{time.monotonic_ns()}"
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                os.setsid()  # workers are killed with it
                said = os.open(self.said, os.O_WRONLY | os.O_CREAT)
                os.dup2(said, 1), os.dup2(said, 2)
                counted(place.counts)
                before and before()
                with open(1, "w", closefd=False) as sys.stdout, open(2, "w", closefd=False) as err:
                    sys.stderr = err
                    status = action() if action else place.carry_out(stage, jobs)
            except BaseException:
                import traceback

                os.write(2, traceback.format_exc().encode())
            finally:
                os._exit(status)

    def ended(self, seconds: float) -> bool:
        """Wait so long; whether it has ended by itself."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                return True
            time.sleep(0.002)
        return False

    def end(self) -> int:
        if not self.ended(HUNG):
            os.kill(self.pid, signal.SIGABRT)
        self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        # killed before it could open the file
        self.words = self.said.read_text(errors="replace").strip() if self.said.exists() else ""
        self.said.unlink(missing_ok=True)
        return self.status

    @property
    def last(self) -> str:
        """What it has said of its end: its last two lines, of all that others say too."""
        own = re.compile(r"(groupcross[ \w]*|python): |Kept: |Nothing is kept")
        return "\n".join([line for line in self.words.splitlines() if own.match(line)][-2:])

    def workers(self) -> list[int]:
        found = subprocess.run(["pgrep", "-g", str(self.pid)], capture_output=True, text=True)
        return [int(pid) for pid in found.stdout.split() if int(pid) != self.pid]


class Chaos:
    """Faults of one seed."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.place, self.seed = Place(folder), seed
        self.wrong: Counter[str] = Counter()
        self.left_out: set[str] = set()

    # --- without faults --------------------------------------------------------------------------

    def prepare(self) -> None:
        """Every stage undisturbed; its begin and end are kept, and how long it took."""
        place = self.place
        place.make_images()
        self.seconds, self.expected = {}, {}
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):  # compile and import
            for stage in STAGES:
                place.restore("" if stage in ("extract", "run", "python") else "after-warm")
                assert place.carry_out(stage) == 0
                place.snapshot("after-warm")
        place.restore("")
        for stage in STAGES:
            if stage in ("run", "python"):
                place.restore("")
            place.snapshot(f"before-{stage}")
            begin, child = time.monotonic(), Child(place, stage)
            assert child.end() == 0, child.words
            self.seconds[stage] = time.monotonic() - begin
            place.snapshot(f"after-{stage}")
            self.expected[stage] = bits(place.work)
            if stage in ("extract", "run"):
                self.n_images = memoryview(place.counts).cast("q")[0]
            if stage in ("fit", "run"):
                self.n_steps = memoryview(place.counts).cast("q")[1]

    # --- faults: each says what is to be undone before the command is given again -----------------

    def midst(self, stage, rng):
        """A moment of a stage."""
        return rng.uniform(0, self.seconds[stage])

    def kill(self, stage, rng):
        child = Child(self.place, stage)
        child.ended(self.midst(stage, rng))
        os.kill(child.pid, signal.SIGKILL)
        return child, None

    def terminate(self, stage, rng):
        child = Child(self.place, stage)
        if not child.ended(self.midst(stage, rng)):
            os.kill(child.pid, signal.SIGTERM)
        return child, None

    def full_disk(self, stage, rng):
        """A disk of its own, with room for a part of what the stage writes."""
        work = self.place.work
        before = self.place.snapshot("for-disk")
        room = sum(path.stat().st_size for path in before.rglob("*") if path.is_file())
        room += rng.randrange(20_000, 900_000)
        try:
            subprocess.run(
                ["mount", "-t", "tmpfs", "-o", f"size={room + 2**16}", "chaos", str(work)],
                check=True, capture_output=True,
            )  # fmt: skip
        except (OSError, subprocess.CalledProcessError):
            self.left_out.add("full disks (nothing may be mounted here)")
            return self.short_files(stage, rng)
        self.place.restore("for-disk")
        child = Child(self.place, stage)

        def mend():
            after = self.place.snapshot("from-disk")
            subprocess.run(["umount", str(work)], check=True)
            self.place.restore(after.name)

        return child, mend

    def short_files(self, stage, rng):
        """No file may grow beyond a size, as with a quota."""
        import resource

        limits = rng.randrange(4096, 60_000), resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        short = Child(self.place, stage, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limits))
        return short, None

    def forbid(self, stage, rng):
        """A folder that may not be written to, of those that are there."""
        folders = [self.place.work, *(p for p in self.place.work.rglob("*") if p.is_dir())]
        folder = rng.choice(folders)
        folder.chmod(0o555)
        return Child(self.place, stage, drop_rights), lambda: folder.chmod(0o755)

    def lose_worker(self, stage, rng):
        """Of an extraction by two processes, one is killed."""
        child = Child(self.place, stage, jobs=2)
        while not child.ended(0.02) and not child.workers():
            pass
        child.ended(rng.uniform(0, 6))
        for worker in child.workers()[-1:]:
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
        return child, None

    def jump(self, stage, rng):
        """The clock jumps in the midst, to whenever; what is there was written whenever."""
        self.partly(stage, rng)
        for path in self.place.work.rglob("*"):
            at = rng.uniform(0, 4e9)
            os.utime(path, (at, at))
        clock, jumps = time.time, [rng.uniform(-2e9, 2e9) for _ in range(1000)]

        def jumping():
            time.time = lambda: abs(clock() + jumps.pop()) if jumps else clock()

        return Child(self.place, stage, jumping), None

    def second(self, stage, rng):
        """The same command a second time, while the first is at work."""
        first = Child(self.place, stage)
        first.ended(self.midst(stage, rng))
        second = Child(self.place, stage)
        while not second.ended(0.02) and not first.ended(0.02):
            pass
        if second.ended(0) and not first.ended(0):
            second.end()
            if second.status == 2 and f"process {first.pid} on" not in second.last:
                self.fault("messages", "the second is not told of the first", second.last)
        else:
            second.ended(60)
            second.end()
        return first, None

    def move(self, stage, rng):
        """The store is moved away while it is read, and back."""
        store, away = self.place.store, self.place.work / "away"
        child = Child(self.place, stage)
        if not child.ended(self.midst(stage, rng)) and store.exists():
            store.rename(away)

        def mend():
            if away.exists():
                shutil.rmtree(store, ignore_errors=True)
                away.rename(store)

        return child, mend

    def partly(self, stage, rng):
        """Leave what a kill leaves, mostly: checkpoints and rows of a report are among it."""
        if rng.random() < 0.7:
            self.kill(stage, rng)[0].end()

    def flip(self, stage, rng):
        return self.damage(stage, rng, lambda content: self.flipped(content, rng))

    def cut(self, stage, rng):
        return self.damage(stage, rng, lambda content: content[: rng.randrange(len(content))])

    @staticmethod
    def flipped(content, rng):
        changed = bytearray(content)
        changed[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        return bytes(changed)

    def damage(self, stage, rng, change):
        self.partly(stage, rng)
        files = [p for p in self.place.work.rglob("*") if p.is_file() and p.stat().st_size]
        files = sorted(p for p in files if p.suffix not in (".lock", ".owner", ".log"))
        if not files:
            return self.kill(stage, rng)
        self.damaged = rng.choice(files)
        self.damaged.write_bytes(change(self.damaged.read_bytes()))
        return Child(self.place, stage), None

    # --- what follows ---------------------------------------------------------------------------

    KINDS = (
        "kill", "terminate", "full_disk", "short_files", "forbid", "lose_worker", "jump", "second",
        "move", "flip", "cut", "flip", "cut",
    )  # fmt: skip

    def one(self, number: int, only: str | None = None) -> None:
        rng = random.Random(f"{self.seed} {number}")
        kind, stage = only or rng.choice(self.KINDS), rng.choice(STAGES)
        if kind == "lose_worker":
            stage = "extract"
        if kind == "move" and stage in ("extract", "run", "python"):
            stage = "fit"
        place, self.damaged = self.place, None
        self.label = f"{number:3} {kind:11} {stage:8}"
        place.restore(f"before-{stage}")
        child, mend = getattr(self, kind)(stage, rng)
        status = child.end()
        if mend is not None:
            mend()
        self.judge_message(kind, child)
        self.go_on(kind, stage, status, child)
        print(f"{self.label} status {status:3}: {child.words.splitlines()[-1:]}"[:230], flush=True)

    def fault(self, kind: str, what: str, words: str = "") -> None:
        self.wrong[kind] += 1
        print(f"FAULT {self.label}: {what}\n{words[-1500:]}", flush=True)

    def judge_message(self, kind: str, child: Child) -> None:
        """A command that could not go on names the file, and says how it can."""
        if child.status in (0, -signal.SIGKILL):
            return
        if child.stage == "python" and child.status == -signal.SIGTERM:
            return  # a program dies of it, wherever it is
        if child.status not in (2, 128 + signal.SIGTERM):
            self.fault("messages", f"status {child.status}", child.words)
            return
        is_killed_worker = kind == "lose_worker"
        if str(self.place.work) not in child.last and not is_killed_worker:
            self.fault("messages", "no file is named", child.last)
        if not WAYS.search(child.last) and "python: error" not in child.last:
            self.fault("messages", "no way on is named", child.last)

    def go_on(self, kind: str, stage: str, status: int, child: Child) -> None:
        """Do what was asked for, give the same command again, and compare."""
        place, words = self.place, child.last
        is_damage = self.damaged is not None
        if is_damage and status == 2:
            self.repair(stage, words)
        kept = place.kept()
        again = Child(place, stage)
        if again.end() == 2 and is_damage and (words := again.last):
            self.repair(stage, words)
            kept = place.kept()
            again = Child(place, stage)
            again.end()
        if again.status != 0:
            self.fault("results", f"the same command again: {again.status}", again.words)
            return
        if not is_damage:
            images, steps = memoryview(place.counts).cast("q")[:2]
            totals = (self.n_images, self.n_steps if stage != "python" else self.n_steps // 2)
            done = {"extract": (1, 0), "fit": (0, 1), "run": (1, 1), "python": (1, 0)}
            for what, count, total, there, counts in zip(
                ("images", "steps"), (images, steps), totals, kept, done.get(stage, (0, 0)),
                strict=True,
            ):  # fmt: skip
                if counts and count > total - min(there, total):
                    self.fault(
                        "lost",
                        f"{count} of {total} {what} done again; {there} were kept",
                        again.words,
                    )
        found, wanted = bits(place.work), self.expected[stage]
        if kind == "lose_worker":  # the record says how many processes there were
            record = f"{place.store.name}/extract.toml"
            found.pop(record, None), (wanted := dict(wanted)).pop(record, None)
        if is_damage and (self.damaged.name == "run.toml" or self.unread(stage, status)):
            name = self.damaged.relative_to(place.work).as_posix()
            found.pop(name, None), (wanted := dict(wanted)).pop(name, None)
        differing = sorted(k for k in {*found, *wanted} if found.get(k) != wanted.get(k))
        if differing:
            self.fault("results", f"differ: {', '.join(differing)}", child.words)

    def unread(self, stage: str, status: int) -> bool:
        """Whether the damaged file is none that the stage reads or writes: it stays as it is."""
        after = self.expected[stage].get(self.damaged.relative_to(self.place.work).as_posix())
        return status == 0 and after is not None and self.damaged.read_bytes() != after

    def repair(self, stage: str, words: str) -> None:
        """What a message says is to be done."""
        place, stores = self.place, (self.place.store, self.place.out / "orbits")
        if line := re.search(r"(\S+\.jsonl) is damaged in line (\d+)\. Remove that line", words):
            path = Path(line[1])
            lines = path.read_bytes().split(b"\n")
            del lines[int(line[2]) - 1]
            path.write_bytes(b"\n".join(lines))
        elif "--discard" in words:
            for store in stores:
                if (store / "manifest.json").exists():
                    command = ["store", "verify", str(store), "--discard"]
                    Child(place, "verify", action=lambda c=command: main(c)).end()
        elif "Repeat the extraction" in words:
            pass  # which follows
        elif "delete the store's folder" in words:
            for store in stores:
                if self.damaged.is_relative_to(store):
                    shutil.rmtree(store)
        elif re.search("[Dd]elete", words) and str(self.damaged) in words:
            self.damaged.unlink()
            if self.damaged.name == "stages.json" and stage in ("analyze", "report"):
                self.overwrite("fit")  # which seeds there are is not known any more
                self.overwrite("analyze")
        elif "fit again" in words:
            self.overwrite("fit")
            if stage == "report":
                self.overwrite("analyze")
        elif "--overwrite" in words and stage != "python":
            self.overwrite(stage)
        else:
            self.fault("messages", "nothing that can be done is said", words)
            place.restore(f"before-{stage}")
            return
        if stage in ("fit", "analyze", "report"):  # what is discarded is written again
            Child(place, "extract").end()

    def overwrite(self, stage: str) -> None:
        place, command = self.place, self.place.command
        place.command = lambda s, jobs=1: [*command(s, jobs), "--overwrite"]
        try:
            Child(place, stage).end()
        finally:
            place.command = command

    def report(self, n_faults: int, seconds: float) -> int:
        print(
            f"{n_faults} faults in {seconds:.0f} s: {self.wrong['lost']} lost images or steps, "
            f"{self.wrong['results']} results that differ, {self.wrong['messages']} messages "
            "without a file or a way on"
        )
        for what in sorted(self.left_out):
            print(f"left out: {what}")
        return self.wrong.total()


def run(folder: Path, numbers, seed: int, only: str | None = None) -> int:
    """Faults of these numbers; how many were faults of the package."""
    torch.set_num_threads(1)  # children are forked
    _checkpoint.SECONDS_BETWEEN = 0.0
    begin, chaos = time.monotonic(), Chaos(folder, seed)
    chaos.prepare()
    print(", ".join(f"{stage} {took:.1f} s" for stage, took in chaos.seconds.items()), flush=True)
    for number in numbers:
        chaos.one(number, only)
    return chaos.report(len(numbers), time.monotonic() - begin)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--faults", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=sorted(set(Chaos.KINDS)))
    parser.add_argument("--fault", type=int)
    options = parser.parse_args()
    chosen = range(options.faults) if options.fault is None else [options.fault]
    sys.exit(min(run(options.folder.resolve(), chosen, options.seed, options.only), 100))
