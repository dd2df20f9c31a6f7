from __future__ import annotations

import logging

from sklearn_groupcross.cli._log import LOGGER, Log
from sklearn_groupcross.cli._streams import say


def test_what_was_said_before_there_was_a_file_is_in_it(tmp_path, capsys):
    log = Log()
    say("first")
    log.open(tmp_path / "run.log")
    say("second \x1b[31m \udcff")
    log.open(tmp_path / "elsewhere")  # it has one
    log.close()
    say("third")
    lines = (tmp_path / "run.log").read_text(encoding="utf-8").splitlines()
    assert [line.partition("INFO ")[2] for line in lines] == ["first", r"second \u001b[31m \udcff"]
    assert lines[0][:2] == "20"
    assert not (tmp_path / "elsewhere").exists()
    assert "first" in capsys.readouterr().err


def test_the_logger_stays_as_it_was(tmp_path):
    package = logging.getLogger("sklearn_groupcross")
    before = [(logger.level, list(logger.handlers)) for logger in (LOGGER, package)]
    log = Log()
    assert LOGGER.getEffectiveLevel() == logging.INFO
    log.open(tmp_path / "run.log")
    log.close()
    assert [(logger.level, logger.handlers) for logger in (LOGGER, package)] == before


def test_what_other_rooms_log_is_in_it(tmp_path):
    log = Log()
    log.open(tmp_path / "run.log")
    logging.getLogger("sklearn_groupcross.crosscoder").info("exact products")
    log.close()
    assert "INFO exact products" in (tmp_path / "run.log").read_text(encoding="utf-8")


def test_a_log_is_gone_on_with_and_not_through_a_link(tmp_path):
    victim, path = tmp_path / "victim", tmp_path / "run.log"
    victim.write_text("mine", encoding="utf-8")
    path.symlink_to(victim)
    for text in ("one", "two"):
        log = Log()
        log.open(path)
        say(text)
        log.close()
    assert victim.read_text(encoding="utf-8") == "mine"
    assert len(path.read_text(encoding="utf-8").splitlines()) == 2


def test_a_full_disk_stops_no_work(tmp_path, capsys, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    log = Log()
    log.open(tmp_path / "run.log")
    monkeypatch.setattr(logging.FileHandler, "flush", full)
    say("it goes on")
    monkeypatch.undo()
    log.close()
    assert capsys.readouterr().err == "it goes on\n"
