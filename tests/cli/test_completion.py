from __future__ import annotations

import argparse
import shutil
import subprocess

import pytest

from sklearn_groupcross.cli import main
from sklearn_groupcross.cli._completion import SHELLS, completion
from sklearn_groupcross.cli._parser import make_parser


@pytest.mark.parametrize("shell", SHELLS)
def test_scripts_are_printed_whole(shell, capsys):
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert script == completion(make_parser(), shell) + "\n"
    for word in ("extract", "verify", "--n-images"):
        assert word.lstrip("-") in script


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_bash_completes_commands_options_and_places(tmp_path):
    (tmp_path / "photographs").mkdir()
    (tmp_path / "photograph.jpg").touch()
    (tmp_path / "script").write_text(completion(make_parser(), "bash"), encoding="utf-8")
    tried = [
        ("ru", "run"),
        ("store ver", "verify"),
        ("run --ep", "--epochs"),
        ("extract --sampling d", "disk"),
        ("store info photo", "photographs"),
        ("run --weights photograph.", "photograph.jpg"),
    ]
    lines = ["source ./script"]
    for typed, _ in tried:
        words = ("groupcross", *typed.split())
        lines.append(f"COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; COMPREPLY=()")
        lines.append('_shtab_groupcross; echo "${COMPREPLY[*]}"')
    done = subprocess.run(
        ["bash", "--norc", "-c", "\n".join(lines)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [completed for _, completed in tried]


def test_a_parser_of_any_depth(capsys):
    parser = argparse.ArgumentParser(prog="tool")
    parser.add_argument("--plain")
    assert "--plain" in completion(parser, "bash")
