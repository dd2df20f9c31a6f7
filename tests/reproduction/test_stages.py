from __future__ import annotations

import json

import pandas as pd
import pytest
from matplotlib.figure import Figure

from examples.reproduction import _stages
from examples.reproduction._stages import STAGES, Stage, draw_stage, read_tables, run_stage
from examples.reproduction._study import Study

STAGE = Stage("made_up", "Does it?")


class MadeUp:
    CLAIMS = ()

    def __init__(self):
        self.n_measured = 0

    def measure(self, study):
        self.n_measured += 1
        return {"all": pd.DataFrame({"what": ["a"], "value": [0.123456789]})}

    @staticmethod
    def draw(tables):
        figure = Figure()
        figure.subplots().plot(tables["all"]["value"])
        return {"all": figure}


@pytest.fixture
def made_up(monkeypatch):
    module = MadeUp()
    monkeypatch.setattr(_stages, "import_module", lambda *_: module)
    return module


def test_tables_come_with_their_origin_and_are_not_measured_twice(made_up, study, tmp_path):
    tables = run_stage(STAGE, study, tmp_path, "the command", again=False)
    record = json.loads((tmp_path / "made_up.json").read_text())
    assert record["command"] == "the command"
    assert record["settings"]["seeds"] == study.seeds
    assert {"date", "processor", "threads", "seconds", "versions"} <= set(record)
    assert tables["all"]["value"][0] == 0.12346  # as written, not as computed
    run_stage(STAGE, study, tmp_path, "the command", again=False)
    assert made_up.n_measured == 1
    run_stage(STAGE, study, tmp_path, "the command", again=True)
    assert made_up.n_measured == 2


def test_other_settings_are_measured_again_but_not_those_of_other_stages(made_up, study, tmp_path):
    run_stage(STAGE, study, tmp_path, "", again=False)
    original = study.config
    try:
        study.config = original | {"depth": {"made": "up"}}
        run_stage(STAGE, study, tmp_path, "", again=False)
        assert made_up.n_measured == 1
        study.config = original | {"n_positions": 31}
        run_stage(STAGE, study, tmp_path, "", again=False)
        assert made_up.n_measured == 2
    finally:
        study.config = original


def test_the_same_tables_draw_the_same_file(made_up, study, tmp_path):
    tables = run_stage(STAGE, study, tmp_path, "", again=False)
    (first,) = draw_stage(STAGE, tables, tmp_path)
    content = first.read_bytes()
    assert draw_stage(STAGE, read_tables(tmp_path, STAGE), tmp_path)[0].read_bytes() == content
    assert first.name == "made_up-all.svg"


def test_every_stage_has_claims_with_numbers_of_its_own():
    numbers = [claim.number for stage in STAGES for claim in stage.claims]
    assert len(set(numbers)) == len(numbers)
    assert all(stage.claims for stage in STAGES)


@pytest.mark.parametrize("stage", STAGES, ids=[stage.name for stage in STAGES])
def test_every_stage_runs_to_its_end(stage, study, tmp_path):
    tables = run_stage(stage, study, tmp_path, "", again=False)
    assert tables
    for table in tables.values():
        assert len(table)
    assert draw_stage(stage, tables, tmp_path)
    for claim in stage.claims:
        estimate, verdict = claim.measure(tables)
        assert verdict in ("holds", "holds in part", "does not hold")
        assert len(estimate) == 3


@pytest.mark.parametrize("name", ["families", "transform_blocks", "separation"])
def test_what_no_claim_needs_can_be_left_out(name, study, tmp_path):
    (stage,) = (stage for stage in STAGES if stage.name == name)
    short = Study(study.config | {"claims_only": True}, study.folder, study.images)
    tables = run_stage(stage, short, tmp_path, "", again=False)
    assert draw_stage(stage, tables, tmp_path)
    assert not any(
        word in table.to_csv()
        for table in tables.values()
        for word in ("augmented", "translated", "of shuffled blocks")
    )
    for claim in stage.claims:
        assert len(claim.measure(tables)) == 2
