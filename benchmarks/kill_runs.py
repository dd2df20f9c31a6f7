"""`groupcross run` killed in every stage, at random moments: does the same command end the same?

    python benchmarks/kill_runs.py IMAGES WEIGHTS FOLDER --images 110 --group dihedral:16 --kills 1

One run of bvlc_googlenet's inception_3b_output is left alone. In each stage a process is killed
with -9, `--kills` times, at a random moment of what that stage took in the run that was left alone,
and the same command goes on. Then stages are run by hand. Then the same with SIGTERM: status 143,
and the last line says what is kept and the command that goes on. What comes after ``--`` is handed
to the runs. A process that is to be killed in a stage begins with a copy of the folder of the run
that was left alone as that stage began, for which that run is stopped (SIGSTOP) for a moment.

All files, hidden ones too, and what is printed are compared with those of the run that was left
alone, bit by bit. Left out is run.log, which has times and tells of the kill; the report has no
date. By hand there are figures besides, which a run does not draw: their folder and their stage in
stages.json are taken out before that is compared. The exit status is the number of faults.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from sklearn_groupcross.cli._manifest import MANIFEST, Manifest
from sklearn_groupcross.cli._record import ANALYSIS, EXTRACTION, FITTING
from sklearn_groupcross.cli._stores import describe_store

# What the log says as a stage begins.
BEGINS = {
    "extract": r" INFO bvlc_googlenet, layer ",
    "fit": r" INFO fit: \d",
    "analyze": r" INFO analyze: (?!done already)",
    "report": r" INFO (report: with|analyze: done already)",
}
STAGES = list(BEGINS)


class Command:
    """A command in a process of its own, and what it says in the log of its folder."""

    def __init__(self, arguments, out):
        self.arguments, self.out, self._log = arguments, out, out / "run.log"
        self._offset = self._log.stat().st_size if self._log.exists() else 0
        self._began = time.monotonic()
        program = [sys.executable, "-m", "sklearn_groupcross", *arguments]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        environment = {"OMP_NUM_THREADS": "1", **os.environ}
        self.process = subprocess.Popen(program, env=environment, text=True, **streams)

    def logged(self):
        content = self._log.read_bytes() if self._log.exists() else b""
        return content[self._offset :].decode(errors="replace")

    def stage(self):
        text = self.logged()
        return ([None] + [name for name in STAGES if re.search(BEGINS[name], text)])[-1]

    def reach(self, stage):
        while self.process.poll() is None and self.stage() != stage:
            time.sleep(0.01)

    def end(self):
        printed, errors = self.process.communicate()
        self.took = time.monotonic() - self._began
        # where results are is not the same in two folders
        self.printed, self.errors = printed.replace(str(self.out), "OUT"), errors.strip()
        return self.process.returncode

    def did_again(self, stages):
        """Of stages that were done, by its log; it has none where nothing was left to do."""
        text = self.logged()
        done = set(re.findall(r" INFO (\w+): done already", text)) if text else set(stages)
        return [f"{name} was done again" for name in stages if name not in done]


def digests(command):
    contents = {
        path.relative_to(command.out).as_posix(): path.read_bytes() if path.is_file() else b"folder"
        for path in command.out.rglob("*")
    }
    contents["what is printed"] = command.printed.encode()
    contents.pop("run.log", None)
    return {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}


def differences(one, other):
    names = sorted({*one, *other})
    return [f"{name} differs" for name in names if one.get(name) != other.get(name)]


def left_in(folder):
    names = {path.name for path in folder.iterdir()} if folder.exists() else set()
    orbits = describe_store(folder / "orbits").partition(" in ")[0]
    return ", ".join([orbits or "no orbits", *sorted(names - {"orbits"})])


def wrong_with_what_is_told(killed):
    kept, *going_on = re.split(r"(?:To go on|To begin again): ", killed.errors.split("\n")[-1])
    print(f"      {kept}", flush=True)
    if [shlex.split(command) for command in going_on] != [["groupcross", *killed.arguments]]:
        yield f"the command that goes on is {going_on}"
    if ("Nothing is kept" in kept) == (killed.out / "orbits").exists():
        yield "what is kept is there, or is not"
    for name in re.findall(rf"{re.escape(str(killed.out))}[\w/.-]*\w", kept):
        if not Path(name).exists():
            yield f"{name} is not there"


class Trial:
    def __init__(self, options, more):
        self.folder, self.more, self.faults = options.folder.resolve(), more, 0
        self.folder.mkdir(parents=True)
        network = ["--network", "bvlc_googlenet", "--weights", str(options.weights)]
        images = [str(options.photographs), "--n-images", str(options.images)]
        layer = ["--layer", "inception_3b_output", "--group", options.group]
        self.extraction = [*images, *network, *layer]
        self.rng = np.random.default_rng(0)

    def run(self, out):
        return Command(["run", *self.extraction, *self.more, "--quiet", "--out", str(out)], out)

    def leave_alone(self):
        command, paused, begins = self.run(self.folder / "whole"), 0.0, []
        for stage in STAGES:
            command.reach(stage)
            begins.append(time.monotonic() - paused)
            if stage != "extract" and command.process.poll() is None:
                command.process.send_signal(signal.SIGSTOP)
                os.waitid(os.P_PID, command.process.pid, os.WSTOPPED | os.WNOWAIT)
                shutil.copytree(command.out, self.folder / f"before-{stage}")
                command.process.send_signal(signal.SIGCONT)
                paused = time.monotonic() - begins[-1]
        if command.end() != 0:
            raise SystemExit(command.errors)
        begins.append(time.monotonic() - paused)
        self.seconds = dict(zip(STAGES, np.diff(begins).tolist(), strict=True))
        self.expected = digests(command)
        took = ", ".join(f"{stage} {self.seconds[stage]:.0f} s" for stage in STAGES)
        print(f"left alone: {took}; {len(self.expected) - 1} files and folders", flush=True)

    def kill(self, stage, number):
        out, share, reached = self.folder / "out", self.rng.uniform(), None
        while reached != stage:  # less, where the stage was faster than in the run before
            shutil.rmtree(out, ignore_errors=True)
            if stage != "extract":
                shutil.copytree(self.folder / f"before-{stage}", out)
            killed = self.run(out)
            killed.reach(stage)
            begin = time.monotonic()
            try:
                if killed.process.wait(share * self.seconds[stage]) != 0:
                    reached = stage  # it has failed
            except subprocess.TimeoutExpired:
                reached = killed.stage()
                killed.process.send_signal(number)
            into, share = time.monotonic() - begin, share / 2
            status = killed.end()
        asking = number != signal.SIGKILL
        problems = [] if status == (128 + number if asking else -number) else [f"status {status}"]
        left = left_in(out)
        problems += wrong_with_what_is_told(killed) if asking else []
        again = self.run(out)
        problems += [again.errors[-300:]] if again.end() != 0 else []
        problems += again.did_again(STAGES[1 : STAGES.index(stage)])
        self.compare(f"{number.name} {into:.1f} s into {stage}", problems, left, again)

    def stages_by_hand(self):
        out = self.folder / "by-hand"
        model, store = str(out / "crosscoder.safetensors"), str(out / "orbits")
        options = [text.split() for text in " ".join(["", *self.more]).split(" --")[1:]]

        def of(names):
            mine = [option for option in options if option[0].replace("-", "_") in names]
            return [text for name, *values in mine for text in (f"--{name}", *values)]

        for arguments in (
            ["extract", *self.extraction, *of(EXTRACTION), "--out", store],
            ["fit", store, *of(FITTING), "--out", str(out)],
            ["analyze", model, "--families", "0", *of(ANALYSIS)],
            ["report", model],
        ):
            command = Command([*arguments, "--quiet"], out)
            if command.end() != 0:
                raise SystemExit(command.errors)
        again = self.run(out)
        problems = [again.errors[-300:]] if again.end() != 0 else []
        problems += again.did_again(STAGES[1:])
        left, manifest = left_in(out), Manifest.read(out)
        del manifest.stages["figures"]
        manifest.write(out / MANIFEST)
        shutil.rmtree(out / "figures")
        self.compare("stages by hand", problems, left, again)

    def compare(self, what, problems, left, again):
        problems = problems + differences(self.expected, digests(again))
        self.faults += bool(problems)
        print("FAULT" if problems else "ok   ", f"{what}: left {left}; run again", end=" ")
        print(f"{again.took:.0f} s: {'; '.join(problems) or 'equal'}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name in ("photographs", "weights", "folder"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--images", type=int, default=110)
    parser.add_argument("--group", default="dihedral:16")
    parser.add_argument("--kills", type=int, default=1, help="in each stage, of each kind")
    end = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    options = parser.parse_args(sys.argv[1:end])
    trial = Trial(options, sys.argv[end + 1 :])
    trial.leave_alone()
    for stage in STAGES * options.kills:
        trial.kill(stage, signal.SIGKILL)
    trial.stages_by_hand()
    for stage in STAGES * options.kills:
        trial.kill(stage, signal.SIGTERM)
    print(f"{trial.faults} faults in {8 * options.kills} kills and the stages by hand")
    return trial.faults


if __name__ == "__main__":
    sys.exit(main())
