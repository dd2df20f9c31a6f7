from __future__ import annotations

import json

import pandas as pd
import pytest

from examples.reproduction import claims
from examples.reproduction._claim import FAILS, HOLDS, Claim
from examples.reproduction._statistics import Estimate


class Measured:
    name = "measured"

    @property
    def claims(self):
        def measure(tables):
            return Estimate(tables["all"]["value"][0], 0.25, 0.75), HOLDS

        return (
            Claim("1a", "It is so.", "a share; by chance 0", "above 0", measure, held_out="n_few"),
        )


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
    shown = pd.read_csv(tmp_path / "verdicts-measured.csv")
    assert shown["effect"][0] == "0.50 (0.25 to 0.75)"
    assert shown["which is"][0] == "a share; by chance 0"
    assert shown["seeds, photographs held out"][0] == "2, 12"
    short = pd.read_csv(tmp_path / "verdicts-shown.csv")
    pd.testing.assert_frame_equal(short, shown[[*shown.columns[:2], "verdict", "effect"]])
    assert pd.read_csv(tmp_path / "rules-measured.csv")["rule"].tolist() == ["above 0"]


@pytest.mark.parametrize(
    ("of_stage", "expected"), [({"n_few": 8}, 8), ({"n_few": 99}, 12), ({"n_held_out": 8}, 12)]
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


def test_claims_at_two_scales_stand_side_by_side():
    def verdicts(*rows):
        names = ["claim", "sentence", "verdict", "value", "low", "high"]
        return pd.DataFrame(rows, columns=names)

    quick = verdicts(
        ("1a", "It is so.", HOLDS, 0.4, 0.1, 0.7), ("1b", "And so.", FAILS, 0.1, -0.1, 0.3)
    )
    full = verdicts(
        ("1a", "It is so.", HOLDS, 0.5, 0.4, 0.6), ("1b", "And so.", HOLDS, 0.2, 0.1, 0.3),
        ("1c", "Not asked.", HOLDS, 1.0, 1.0, 1.0),
    )  # fmt: skip
    table = claims.beside_full(quick, full).set_index("")
    assert list(table.index) == ["1a", "1b"]
    assert list(table["agree"]) == ["yes", "no"]
    assert list(table.loc["1a", ["effect", "effect, full"]]) == [
        "0.40 (0.10 to 0.70)", "0.50 (0.40 to 0.60)",
    ]  # fmt: skip
    assert table.loc["1b", "verdict, full"] == HOLDS


@pytest.mark.parametrize(
    ("estimate", "expected"),
    [
        ((0.5, 0.25, 0.75), "0.50 (0.25 to 0.75)"),
        ((-0.0012, -0.007, 0.005), "-0.001 (-0.007 to 0.005)"),
        ((12.3, 2.0, 22.6), "12 (2 to 23)"),
        ((0.5, float("nan"), float("nan")), "0.50"),
    ],
)
def test_effects_have_the_digits_that_their_intervals_tell(estimate, expected):
    row = {"claim": "", "sentence": "", "verdict": "", "effect": "", "n_seeds": 2, "n_held_out": 3}
    table = pd.DataFrame([row | Estimate(*estimate)._asdict()])
    assert claims.for_readers(table)["effect"].tolist() == [expected]
