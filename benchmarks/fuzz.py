"""Every reader of files, fed what is damaged or senseless, for so many minutes.

    python benchmarks/fuzz.py [--minutes 30] [--seed 0] [--only stores] [--trial 123]

Readers, each in a process of its own, in turn, for an equal share of the time:

    models, checkpoints  `GroupCrosscoder.load`, and `fit` that goes on (`fuzz_models.py` mutates)
    stores               `OrbitStore`, read and verified (`fuzz_stores.py`)
    weights              of torch.save, old and new, and safetensors (`fuzz_weights.py`)
    images               of every format, arrays and stacks of pages
    lists                folders of images with names, links, pipes and folders of all kinds
    records              run.toml as --config, stages.json, the record of moves, owners of locks
    folders              `groupcross analyze`, `report` and `run` over the folder of a run, one file
                         of which was changed, with digests made right again or not

Printed for each: trials, how many were refused by a ValueError or an OSError that names the file,
how many were read, and what should be 0: other exceptions and errors that name no file ("unclear"),
content that nobody wrote under a checksum ("wrong"), reads of more than 120 seconds ("hung"),
processes that died ("died": 2 GiB beyond what the imports take is all that there is), and what was
tried that no reader may do ("forbidden": a program started, code compiled or run that is of no
module, something unpickled, a file written to outside of the trial's folder; it is refused too).
Of each kind the first finds are shown, with the number that ``--trial`` repeats, and the exit
status is 1 if there are any.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fuzz_models
import fuzz_stores
import fuzz_weights
import msgspec
import numpy as np
import tomli_w
from PIL import Image

from sklearn_groupcross import OrbitStore
from sklearn_groupcross._locks import owner_of
from sklearn_groupcross.cli import main as groupcross
from sklearn_groupcross.cli._config import parse
from sklearn_groupcross.cli._manifest import Manifest, digest_of_file
from sklearn_groupcross.cli._parser import make_parser
from sklearn_groupcross.cli._record import tomllib
from sklearn_groupcross.cli._results import Results
from sklearn_groupcross.networks import _weights
from sklearn_groupcross.orbits import ImageSource
from sklearn_groupcross.orbits._store_schema import _checksum

SECONDS, SPARE = 120.0, 2 * 2**30
BAD = ("unclear", "wrong", "hung", "died", "forbidden")
#: A trial changes something by its random numbers, reads it, and says whether what was read is
#: right; errors are judged by whether they name the file.
Trial = Callable[[random.Random], bool]


class Hung(BaseException):
    """A read took too long."""


class Forbidden(BaseException):
    """A reader did what none may do."""


# --- what no reader may do ---------------------------------------------------------------------


class Watch:
    """An audit hook; `forbidden` lists what was tried while `folder` is set."""

    PROGRAMS = ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system", "os.fork", "os.spawn")
    WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

    def __init__(self) -> None:
        self.folder = ""
        self.forbidden: list[str] = []
        paths = {sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")}
        self._modules = (*paths, str(Path(__file__).parents[1]), "<frozen")
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.folder and (what := self._of(event, arguments)) and not self._is_cached_loop():
            self.forbidden.append(f"{event} {what}")
            raise Forbidden(self.forbidden[-1])

    def _is_cached_loop(self) -> bool:
        """Whether numba's cache is at work, which is trusted as the package is."""
        frame = sys._getframe()
        while frame is not None and not frame.f_code.co_filename.endswith("_compiled.py"):
            frame = frame.f_back
        return frame is not None

    def _of(self, event: str, arguments: tuple[Any, ...]) -> str:
        """What is forbidden of an event, if anything is."""
        if event in self.PROGRAMS:
            return str(arguments)[:200]
        if event == "pickle.find_class":
            return ".".join(arguments)
        if event in ("exec", "compile"):
            code = arguments[0] if event == "exec" else arguments[1]
            name = str(getattr(code, "co_filename", code))
            # namedtuples and dataclasses of modules that are imported late are made of strings, and
            # Cython compiles an empty line for every line of a traceback
            is_known = name.startswith(self._modules) or name in ("<string>", "<unknown>", "None")
            return "" if is_known or name.endswith(".pyx") else name
        if event == "open" and isinstance(arguments[0], str | bytes):
            path = os.path.abspath(os.fsdecode(arguments[0]))
            is_written = bool((arguments[2] or 0) & self.WRITES)
            if is_written and path != os.devnull and not path.startswith(self.folder):
                return path
        return ""


# --- readers: each makes what is read in a folder, and gives a trial ----------------------------


def names(error: Exception, path: Path) -> bool:
    """Whether an error names a file, or one in a folder."""
    return str(path) in f"{error} {getattr(error, 'filename', '')}"


def of_models(folder: Path, read: Any, kinds: dict[str, Any], make: Any) -> Trial:
    files = [(make(options, folder / title), options) for title, options in kinds.items()]
    originals = [file.read_bytes() for file, _ in files]
    expected = [fuzz_models.content_of(read(file, options)) for file, options in files]

    def trial(rng: random.Random) -> bool:
        at = rng.randrange(len(files))
        file, options = files[at]
        is_signed = fuzz_models.mutate(originals[at], rng.choice(originals), file, rng)
        try:
            found = read(file, options)
            codes = found.transform(fuzz_models.ORBITS)
        except (ValueError, OSError) as error:
            if "Training diverged" in str(error):  # with a state that is signed anything may be
                return True
            raise
        finally:
            if read is fuzz_models.resume:
                file.write_bytes(originals[at])
        content = fuzz_models.content_of(found)
        codes = codes.data if found.sparse_output else codes
        return bool(np.isfinite(codes).all()) and (is_signed or content == expected[at])

    return trial


def models(folder: Path) -> Trial:
    def make(options: Any, place: Path) -> Path:
        path = place.with_suffix(".safetensors")
        fuzz_models.model(options).fit(fuzz_models.ORBITS).save(path)
        return path

    return of_models(folder, fuzz_models.load, fuzz_models.MODELS, make)


def checkpoints(folder: Path) -> Trial:
    return of_models(folder, fuzz_models.resume, fuzz_models.CHECKPOINTS, fuzz_models.stopped)


def stores(folder: Path) -> Trial:
    store = fuzz_stores.make_store(folder / "a.orbits")
    path = store.path
    whole = {file: file.read_bytes() for file in path.iterdir() if file.suffix != ".lock"}
    rows, ids = np.asarray(store), store.image_ids
    content = json.loads(whole[path / "manifest.json"])
    del content["checksum"]

    def trial(rng: random.Random) -> bool:
        for file, data in whole.items():
            file.write_bytes(data)
        if rng.random() < 0.3:
            changed = fuzz_stores.other_value(content, rng)
            changed = changed if isinstance(changed, dict) else content
            (path / "manifest.json").write_text(
                json.dumps({**changed, "checksum": _checksum(changed)})
            )
            return fuzz_stores.use(path)
        file = rng.choice(list(whole))
        file.write_bytes(next(fuzz_stores.mutations(whole[file], 1, rng.randrange(2**32))))
        fuzz_stores.use(path)
        found = OrbitStore(path, allow_incomplete=True, verify_on_read=True)
        there = np.isin(ids, found.image_ids)
        return np.array_equal(np.asarray(found), rows[there])

    return trial


def weights(folder: Path) -> Trial:
    module, mark = fuzz_weights.make_module(), str(folder / "ran")
    files = {kind: fuzz_weights.make_file(kind, module) for kind in fuzz_weights.KINDS}

    def trial(rng: random.Random) -> bool:
        kind = rng.choice(list(files))
        path = folder / f"weights{fuzz_weights.KINDS[kind]}"
        damaged, _ = fuzz_weights.mutate(kind, files[kind], rng, mark)
        path.write_bytes(damaged)
        _weights.load_state(module, path, "fuzzed")
        return not os.path.exists(mark)

    return trial


def images(folder: Path) -> Trial:
    import tifffile

    files = {f".{name[:4]}": data for name, data in fuzz_stores.image_files().items()}
    planes = np.random.default_rng(0).integers(0, 255, (5, 20, 24), dtype=np.uint8)
    for suffix, array in ((".npy", planes.transpose(1, 2, 0)), ("-n.npy", planes[..., None])):
        opened = io.BytesIO()
        np.save(opened, array)
        files[suffix] = opened.getvalue()
    for suffix, more in ((".tif", {}), ("-z.tif", {"compression": "zlib"})):
        opened = io.BytesIO()
        tifffile.imwrite(opened, planes.transpose(1, 2, 0), planarconfig="contig", **more)
        files[suffix] = opened.getvalue()

    def trial(rng: random.Random) -> bool:
        suffix = rng.choice(list(files))
        path = folder / f"image{suffix}"
        path.write_bytes(next(fuzz_stores.mutations(files[suffix], 1, rng.randrange(2**32))))
        return read(path, rng.choice([1, 3, 5]))

    def read(path: Path, n_channels: int) -> bool:
        source = ImageSource([path], n_channels=n_channels)
        # without checksums, other pixels are no fault
        return all(source.load(i, 16).shape == (n_channels, 16, 16) for i in range(len(source)))

    for suffix, data in files.items():  # decoders are imported when there is something to decode
        (folder / f"whole{suffix}").write_bytes(data)
        for n_channels in (1, 3, 5):
            with contextlib.suppress(ValueError):
                read(folder / f"whole{suffix}", n_channels)
    return trial


def lists(folder: Path) -> Trial:
    picture = fuzz_stores.image_files()["PNG"]

    def make(path: bytes, rng: random.Random) -> None:
        kind = rng.randrange(9)
        if kind == 0:
            os.mkdir(path)
        elif kind == 1:
            os.mkfifo(path)
        elif kind == 2:
            os.symlink(rng.choice([b"/etc/passwd", b"/dev/zero", b".", b"nowhere", path]), path)
        else:
            with open(path, "wb") as file:
                cut = rng.randrange(len(picture)) if kind < 5 else None
                file.write(picture[:cut])

    def trial(rng: random.Random) -> bool:
        place = folder / "images"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        for _ in range(rng.randint(0, 6)):
            stem = bytes(
                rng.choice(b"ab \n\x1b\xff.-'\"\xc3\xa9") for _ in range(rng.randint(0, 9))
            )
            suffix = rng.choice([b".png", b".PNG", b".tif", b".npy", b".txt", b""])
            path = os.path.join(os.fsencode(place), stem + suffix)
            if not os.path.lexists(path):
                make(path, rng)
        source = ImageSource(place)
        source.check_all()
        return all(source.load(i, 16).shape == (3, 16, 16) for i in range(len(source)))

    return trial


def records(folder: Path) -> Trial:
    settings = {"images": ["/a", "/b"], "network": "bundled", "group": "dihedral:4", "positions": 9}
    record = {
        "format": "groupcross run/1",
        "extract": {**settings, "mask": True, "layer": ["relu2"]},
        "fit": {"epochs": 3, "k": 2, "compression": "auto", "orbits": "/c"},
        "analyze": {"threshold": 0.5, "family_distance": "auto"},
        "hashes": {"network": "abc"},
        "versions": {"torch": "2"},
    }
    stage = {"done": True, "settings": {"epochs": 3}, "inputs": {"orbits": "ab" * 16}}
    stages = {"fit": {**stage, "outputs": {"model": "ab" * 16}, "results": {"steps": 3}}}
    moves = [[".groupcross.staged-0a-model", "model"]]
    jsons = {
        "stages.json": {"format": "groupcross stages/1", "stages": stages},
        ".groupcross.results": {
            "format": "groupcross results/2",
            "moves": moves,
            "outdated": ["b"],
        },
        "a.owner": {"process": 1, "host": "h", "command": "c", "since": "s"},
    }

    def read(path: Path) -> None:
        if path.name == "run.toml":
            with contextlib.redirect_stderr(io.StringIO()):
                parse(make_parser, ["run", "--config", str(path), "--out", str(folder / "out")])
        elif path.name == "stages.json":
            Manifest.read(folder)
        elif path.name == "a.owner":
            owner_of(folder / "a.lock")
        else:
            Results(folder)

    def trial(rng: random.Random) -> bool:
        path = folder / rng.choice(["run.toml", *jsons])
        content: Any = record if path.name == "run.toml" else jsons[path.name]
        for _ in range(rng.choice([0, 1, 1, 2])):
            content = fuzz_stores.other_value(content, rng)
        try:
            is_toml = path.name == "run.toml" and isinstance(content, dict)
            data = tomli_w.dumps(content).encode() if is_toml else json.dumps(content).encode()
        except (TypeError, ValueError):  # TOML has no null
            data = json.dumps(content).encode()
        if rng.random() < 0.5:
            data = next(fuzz_stores.mutations(data, 1, rng.randrange(2**32)))
        path.write_bytes(data)
        try:
            read(path)
        except SystemExit as error:  # of options
            return error.code == 2
        finally:
            path.unlink(missing_ok=True)
        return True

    return trial


def folders(folder: Path) -> Trial:
    photographs, whole, out = folder / "photographs", folder / "whole", folder / "out"
    photographs.mkdir()
    for i in range(4):
        pixels = np.random.default_rng(i).integers(0, 256, (9, 9, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((150, 150)).save(photographs / f"{i}.png")
    options = "--network bundled --group dihedral:2 --positions 4 --features 4 --k 2 --epochs 1"
    run = ["run", str(photographs), *options.split(), "--seeds", "1", "--quiet", "--out"]
    if groupcross([*run, str(whole)]):
        raise SystemExit("The run failed.")
    changed = [
        *("stages.json", "run.toml", "features.csv", "families.csv", "crosscoder.safetensors"),
        *("orbits/extract.toml", "orbits/manifest.json", "orbits/chunk-00000.npy"),
    ]

    def mutate(path: Path, rng: random.Random) -> None:
        data = path.read_bytes()
        if path.suffix in (".json", ".toml") and rng.random() < 0.6:
            is_json = path.suffix == ".json"
            content: Any = json.loads(data) if is_json else tomllib.loads(data.decode())
            content = fuzz_stores.other_value(content, rng)
            if path.name == "manifest.json" and isinstance(content, dict):
                content.pop("checksum", None)
                content["checksum"] = _checksum(content)
            with contextlib.suppress(TypeError, ValueError, AttributeError):
                dump = json.dumps if is_json else tomli_w.dumps
                data = dump(content).encode()
        else:
            data = next(fuzz_stores.mutations(data, 1, rng.randrange(2**32)))
        path.write_bytes(data)

    def sign(name: str) -> None:
        """Have stages.json say that a file is as it was written."""
        manifest = Manifest.read(out)
        for stage in manifest.stages.values():
            if name in stage.outputs:
                stage.outputs[name] = digest_of_file(out / name)
        manifest.write(out / "stages.json")

    def trial(rng: random.Random) -> bool:
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(whole, out)
        name = rng.choice(changed)
        mutate(out / name, rng)
        if rng.random() < 0.6 and name != "stages.json":
            sign(name)
        model = str(out / "crosscoder.safetensors")
        command = rng.choice(
            [["analyze", model, "--no-map", "--families", "0"], ["report", model], [*run, str(out)]]
        )
        said = io.StringIO()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
            try:
                status = groupcross(command)
            except SystemExit as error:
                status = int(error.code or 0)
        if status:
            raise ValueError(
                said.getvalue().strip().splitlines()[-1] + f" [{' '.join(command[:1])}]"
            )
        return True

    return trial


READERS: dict[str, Callable[[Path], Trial]] = {
    reader.__name__: reader
    for reader in (models, checkpoints, stores, weights, images, lists, records, folders)
}


# --- running them ------------------------------------------------------------------------------


def hang(number: int, frame: Any) -> None:
    raise Hung


def try_once(trial: Trial, rng: random.Random, folder: Path, watch: Watch) -> tuple[str, str]:
    """What became of a trial, and what to show of it."""
    watch.forbidden.clear()
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    watch.folder = str(folder)
    try:
        verdict, note = ("read", "") if trial(rng) else ("wrong", "read as if it were whole")
    except Hung:
        verdict, note = "hung", traceback.format_exc(limit=-6)
    except (ValueError, OSError) as error:
        verdict, note = ("refused", "") if names(error, folder) else ("unclear", repr(error))
        if "not enough memory" in str(error).lower():
            verdict, note = "unclear", repr(error)
    except BaseException as error:
        verdict, note = "unclear", "".join(traceback.format_exception(error, limit=-6))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        watch.folder = ""
    if watch.forbidden:
        verdict, note = "forbidden", "; ".join(watch.forbidden)
    return verdict, note


def run_reader(name: str, options: argparse.Namespace) -> None:
    """Trials of one reader, in this process; counts go to a file after every trial."""
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it is ignored
    folder = options.folder / name
    folder.mkdir()
    trial = READERS[name](folder)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + SPARE
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    signal.signal(signal.SIGALRM, hang)
    watch, end = Watch(), time.monotonic() + options.seconds
    counts: Counter[str] = Counter()
    shown: list[str] = []
    numbers = iter([options.trial]) if options.trial is not None else iter(range(10**12))
    for number in numbers:
        state = {"counts": dict(counts), "shown": shown, "trial": number}
        (options.folder / f"{name}.json").write_bytes(msgspec.json.encode(state))
        if time.monotonic() > end and options.trial is None:
            break
        rng = random.Random(f"{options.seed} {name} {number}")
        verdict, note = try_once(trial, rng, folder, watch)
        counts[verdict] += 1
        if verdict in BAD and counts[verdict] <= 5:
            shown.append(f"{verdict}, trial {number}: {note.strip()}")
    state = {"counts": dict(counts), "shown": shown, "trial": -1}
    (options.folder / f"{name}.json").write_bytes(msgspec.json.encode(state))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=READERS)
    parser.add_argument("--trial", type=int)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.folder is not None:
        run_reader(options.only, options)
        return 0
    chosen = [options.only] if options.only else list(READERS)
    total: Counter[str] = Counter()
    for name in chosen:
        with tempfile.TemporaryDirectory() as place:
            more = [] if options.trial is None else ["--trial", str(options.trial)]
            command = [sys.executable, __file__, "--seed", str(options.seed), "--only", name, *more]
            seconds = 60 * options.minutes / len(chosen)
            command += ["--folder", os.path.realpath(place), "--seconds", str(seconds)]
            begin = time.monotonic()
            status = subprocess.run(command).returncode
            state = {"counts": {}, "shown": [], "trial": "none: nothing could be prepared"}
            with contextlib.suppress(FileNotFoundError):
                state = json.loads(Path(place, f"{name}.json").read_bytes())
        counts = Counter(state["counts"])
        if status:
            counts["died"] += 1
            state["shown"].append(f"died with {status}, trial {state['trial']}")
        total.update(counts)
        bad = ", ".join(f"{counts[kind]} {kind}" for kind in BAD)
        print(
            f"{name:12} {sum(counts.values()):8} trials: {counts['refused']} refused, "
            f"{counts['read']} read, {bad}; {time.monotonic() - begin:.0f} s",
            *state["shown"],
            sep="\n    ",
            flush=True,
        )
    n_bad = sum(total[kind] for kind in BAD)
    print(f"{sum(total.values())} trials, {n_bad} of them should not have been")
    return int(n_bad > 0)


if __name__ == "__main__":
    sys.exit(main())
