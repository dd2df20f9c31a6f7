from __future__ import annotations

import json

import pandas as pd

from sklearn_groupcross.cli import main


def test_demo_finds_lines_and_directed_features(tmp_path, capsys):
    """The first command a newcomer runs, as it is."""
    assert main(["demo", "--out", str(tmp_path / "demo")]) == 0
    table = pd.read_csv(tmp_path / "demo" / "features.csv", index_col="feature")
    firing = table[table["frequency"] >= 1e-3]
    lines = (firing["p(180°)"] > 0.8) & (firing["p(90°)"] < 0.2)
    directed = firing["kind"] == "directed"
    assert directed.sum() >= 1
    assert (firing["p(180°)"][directed] < 0.5).all()
    # an atom whose responses say something else is not called what it looks like
    carried = lines & (firing["responses"] == "carry it")
    assert carried.sum() >= 1
    assert (firing["kind"][carried] == "line").all()
    printed = capsys.readouterr().out
    rows = [line.split() for line in printed.splitlines()]
    assert any(len(row) > 2 and row[1] == "line" for row in rows if row[0:1] and row[0].isdigit())
    assert any("directed" in line and line.strip()[0].isdigit() for line in printed.splitlines())

    # of what is done nothing is done again, and machines read the same
    assert main(["demo", "--out", str(tmp_path / "demo"), "--json"]) == 0
    results = json.loads(capsys.readouterr().out)
    counts = {kind["kind"]: kind["features"] for kind in results["analyze"]["kinds"]}
    assert counts["line"] == (firing["kind"] == "line").sum()
    # the report is made again from what is recorded, patches and all
    before = (tmp_path / "demo" / "report.html").read_bytes()
    (tmp_path / "demo" / "report.html").unlink()
    assert main(["report", str(tmp_path / "demo" / "crosscoder.safetensors")]) == 0
    assert (tmp_path / "demo" / "report.html").read_bytes() == before
