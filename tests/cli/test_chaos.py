"""Random faults over all stages: nothing is lost, nothing is wrong, and messages say the way on."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    os.name == "nt", reason="processes are forked and killed by signals"
)


def chaos(folder, *options, seconds):
    """In a program of its own, which forks alone."""
    command = [sys.executable, "-m", "tests.cli.chaos", str(folder / "chaos"), *options]
    root = Path(__file__).parents[2]
    ended = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=seconds)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return re.search(r"(\d+) faults in .*: 0 lost .* 0 results .* 0 messages", ended.stdout)[1]


@pytest.mark.slow
def test_a_few_faults(tmp_path):
    assert chaos(tmp_path, "--faults", "3", "--seed", "2", seconds=600) == "3"


@pytest.mark.slow
def test_many_faults(tmp_path):
    assert chaos(tmp_path, "--faults", "60", seconds=3600) == "60"
