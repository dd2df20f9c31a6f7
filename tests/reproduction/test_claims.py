from __future__ import annotations

import json

import pandas as pd
import pytest

from examples.reproduction import claims
from examples.reproduction._claim import HOLDS, Claim
from examples.reproduction._statistics import Estimate


class Measured:
    name = "measured"

    @property
    def claims(self):
        def measure(tables):
            return Estimate(tables["all"]["value"][0], 0.25, 0.75), HOLDS

        return (Claim("1a", "It is so.", "a share; by chance 0", "above 0", measure),)


class NotMeasured(Measured):
    name = "other"


def test_verdicts_are_of_what_is_measured_and_of_tables_as_written(monkeypatch, tmp_path):
    monkeypatch.setattr(claims, "STAGES", [Measured(), NotMeasured()])
    record = {"settings": {"seeds": [0, 1], "n_held_out": 12}, "tables": ["all"]}
    (tmp_path / "measured.json").write_text(json.dumps(record))
    (tmp_path / "measured-all.csv").write_text("what,value\na,0.5\n")
    (row,) = claims.judge(tmp_path).to_dict("records")
    assert (row["claim"], row["verdict"], row["value"]) == ("1a", HOLDS, 0.5)
    assert (row["n_seeds"], row["n_held_out"]) == (2, 12)
    assert pd.read_csv(tmp_path / "verdicts.csv")["low"][0] == 0.25
    shown = pd.read_csv(tmp_path / "verdicts-shown.csv")
    assert shown["effect"][0] == "0.50 (0.25 to 0.75)"
    assert shown["which is"][0] == "a share; by chance 0"


@pytest.mark.parametrize(
    ("of_stage", "expected"), [({"n_held_out": 8}, 8), ({"n_held_out": 99}, 12)]
)
def test_verdicts_say_on_how_many_photographs(monkeypatch, tmp_path, of_stage, expected):
    monkeypatch.setattr(claims, "STAGES", [Measured()])
    settings = {"seeds": [0, 1], "n_held_out": 12, "measured": of_stage}
    (tmp_path / "measured.json").write_text(json.dumps({"settings": settings, "tables": ["all"]}))
    (tmp_path / "measured-all.csv").write_text("what,value\na,0.5\n")
    assert claims.judge(tmp_path)["n_held_out"].tolist() == [expected]


def test_nothing_measured_writes_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(claims, "STAGES", [NotMeasured()])
    assert claims.judge(tmp_path).empty
    assert list(tmp_path.iterdir()) == []


def test_tables_of_another_version_are_left_out_by_name(monkeypatch, tmp_path):
    monkeypatch.setattr(claims, "STAGES", [Measured()])
    record = {"settings": {"seeds": [0, 1], "n_held_out": 12}, "tables": ["all"]}
    (tmp_path / "measured.json").write_text(json.dumps(record))
    (tmp_path / "measured-all.csv").write_text("what,old name\na,0.5\n")
    with pytest.warns(UserWarning, match=r"another version.*--stages measured --again"):
        assert claims.judge(tmp_path).empty
