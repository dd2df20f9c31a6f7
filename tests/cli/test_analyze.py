from __future__ import annotations

import json
import os

import numpy as np
import pandas as pd
import pytest

from sklearn_groupcross import (
    Dihedral,
    GroupCrosscoder,
    OrbitStore,
    SymmetryAnalyzer,
    make_orbits,
)
from sklearn_groupcross.cli import _results, main
from sklearn_groupcross.cli._analyze import read_features
from sklearn_groupcross.orbits import StoredImage

GROUP = Dihedral(4)


@pytest.fixture(scope="module")
def planted():
    return make_orbits(40, group=GROUP, n_channels=12, n_families=4, random_state=5)


@pytest.fixture(scope="module")
def model(planted, tmp_path_factory):
    crosscoder = GroupCrosscoder(
        group=GROUP, n_features=len(planted.components) + 1, max_epochs=1, random_state=0
    ).fit(planted.orbits)
    # planted symmetries, and one dead feature: what is found can be known beforehand
    atoms = planted.components.reshape(len(planted.components), -1)
    decoder = np.concatenate([atoms, np.zeros((1, atoms.shape[1]))])
    crosscoder.components_ = decoder.astype(crosscoder.components_.dtype)
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    crosscoder.save(path)
    return path


def make_store(path, orbits, group=GROUP):
    images = [StoredImage(f"{i}.png", str(i), n_rows=5) for i in range(8)]
    store = OrbitStore.create(path, group=group, n_channels=orbits.shape[2], images=images)
    for chunk in store.pending():
        with store.writer(chunk) as writer:
            for image in writer.pending_images:
                rows = slice(5 * image, 5 * image + 5)
                writer.write(image, orbits[rows], positions=np.zeros((5, 2)))
    return path


def analyze(model, out, *more):
    return main(["analyze", str(model), "--out", str(out), "--no-map", *more])


def test_tables_figures_and_summary(model, planted, tmp_path, capsys):
    out = tmp_path / "new" / "out"
    assert analyze(model, out, "--families", "2") == 0
    tables = {"families.csv", "features.csv", "figures"}
    assert set(os.listdir(out)) == tables | {"run.log", "run.toml", "stages.json"}
    crosscoder = GroupCrosscoder.load(model)
    expected = SymmetryAnalyzer().fit(crosscoder)
    features = pd.read_csv(out / "features.csv", index_col="feature")
    assert features["symmetry"].tolist() == [s.name for s in expected.stabilizers_]
    families = pd.read_csv(out / "families.csv", index_col="family")
    assert families["medoid"].tolist() == [family.medoid for family in expected.families_]
    figures = {path.stem for path in (out / "figures").iterdir()}
    medoids = [family.medoid for family in expected.families_[:2]]
    assert figures == {
        "distances",
        "spectra",
        "family-000",
        "family-001",
        *(f"block-{medoid}" for medoid in medoids),
        *(f"profile-{medoid}" for medoid in medoids),
    }
    assert all(path.read_bytes()[1:4] == b"PNG" for path in (out / "figures").iterdir())
    printed = capsys.readouterr().out
    lines = [line.split() for line in printed.splitlines()]
    assert ["dead", "(zero", "atoms)", "1"] in lines
    for name in {s.name.split(":")[0] for s in planted.stabilizers}:
        count = sum(s.name.startswith(f"{name}:") for s in planted.stabilizers)
        assert [name, str(count)] in lines
    assert "Findings" not in printed


def test_json_goes_alone_to_standard_output(model, planted, tmp_path, capsys):
    assert analyze(model, tmp_path / "out", "--json", "--families", "0") == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["features"] == len(planted.components) + 1
    assert summary["dead"] == 1
    assert sum(summary["symmetry_classes"].values()) == len(planted.components)
    assert sorted(len(f["members"]) for f in summary["families"]) == sorted(
        size for size in np.bincount(planted.families) if size > 1
    )
    assert all(family["gaps"] == [] for family in summary["families"])
    assert summary["findings"] is None


def test_missing_members_are_gaps(model, tmp_path, capsys):
    crosscoder = GroupCrosscoder.load(model)
    largest = SymmetryAnalyzer().fit(crosscoder).families_[0]
    lost = next(i for i in largest.members if i != largest.medoid)
    crosscoder.components_[lost] = 0
    crosscoder.save(tmp_path / "model.safetensors")
    options = ["--json", "--families", "0"]
    assert analyze(tmp_path / "model.safetensors", tmp_path / "out", *options) == 0
    summary = json.loads(capsys.readouterr().out)
    assert sorted(len(family["gaps"]) for family in summary["families"])[-1] == 1
    assert summary["dead"] == 2


def test_orbits_bring_confidence_and_findings(model, planted, tmp_path, capsys):
    store = make_store(tmp_path / "store", planted.orbits)
    options = ["--orbits", str(store), "--families", "0", "--format", "svg"]
    assert analyze(model, tmp_path / "out", *options) == 0
    printed = capsys.readouterr().out
    assert "median confidence of symmetries" in printed
    # the atoms were put in place of those that the crosscoder had learned
    assert "- poor reconstruction (" in printed
    figures = sorted(os.listdir(tmp_path / "out" / "figures"))
    assert figures == ["diagnosis.svg", "distances.svg", "spectra.svg"]


def test_results_are_replaced_only_when_asked(model, tmp_path, capsys):
    assert analyze(model, tmp_path / "out", "--families", "1") == 0
    note = tmp_path / "out" / "figures" / "note.png"
    note.write_bytes(b"mine")
    assert analyze(model, tmp_path / "out") == 2
    assert "--overwrite" in capsys.readouterr().err
    options = ["--overwrite", "--families", "0", "--format", "svg"]
    assert analyze(model, tmp_path / "out", *options) == 0
    figures = sorted(os.listdir(tmp_path / "out" / "figures"))
    assert figures == ["distances.svg", "note.png", "spectra.svg"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--threshold", "1"], "--threshold: a number above 0 and below 1"),
        (["--family-distance", "3"], "at least 0 and at most 2 or auto"),
        (["--families", "-1"], "0 or more; got '-1'"),
        (["--device", "abacus"], "auto, cpu, cuda or cuda:N"),
        (["--orbits", "absent"], "absent"),
    ],
)
def test_mistakes_are_said_in_one_line(model, tmp_path, capsys, more, message):
    out = tmp_path / "out"
    assert analyze(model, out, *more) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith(("groupcross: error: ", "groupcross analyze: error: "))
    assert message in error
    assert not out.exists()


def test_a_family_distance_is_a_number_or_auto(model, tmp_path, capsys):
    assert analyze(model, tmp_path / "out", "--family-distance", "near") == 2
    assert "at least 0 and at most 2 or auto; got 'near'" in capsys.readouterr().err


def test_a_dictionary_of_dead_features(model, planted, tmp_path, capsys):
    crosscoder = GroupCrosscoder.load(model)
    crosscoder.components_[:] = 0
    crosscoder.save(tmp_path / "model.safetensors")
    store = make_store(tmp_path / "store", planted.orbits)
    options = ["--orbits", str(store), "--json"]
    assert analyze(tmp_path / "model.safetensors", tmp_path / "out", *options) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["dead"] == summary["features"]
    assert summary["symmetry_classes"] == {}
    assert os.listdir(tmp_path / "out" / "figures") == ["diagnosis.png"]


def test_quiet_analyses_say_nothing_but_results(model, tmp_path, capsys):
    assert analyze(model, tmp_path / "out", "--families", "0", "--quiet") == 0
    output, error = capsys.readouterr()
    assert "Symmetry classes" in output
    assert error == ""


def test_no_model(tmp_path, capsys):
    assert analyze(tmp_path / "absent.safetensors", tmp_path / "out") == 2
    assert "absent.safetensors" in capsys.readouterr().err
    (tmp_path / "text.safetensors").write_text("hello", encoding="utf-8")
    assert analyze(tmp_path / "text.safetensors", tmp_path / "out") == 2
    assert "groupcross: error: " in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_orbits_of_another_group_are_refused(model, tmp_path, capsys):
    other = make_orbits(40, group=Dihedral(3), n_channels=12, random_state=0)
    store = make_store(tmp_path / "store", other.orbits, Dihedral(3))
    assert analyze(model, tmp_path / "out", "--orbits", str(store)) == 2
    assert "over Dihedral(3) with 12 channels" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("stage", ["_results._move_into_place", "_results._move"])
def test_results_are_replaced_in_one_step(model, tmp_path, monkeypatch, stage):
    out = tmp_path / "out"
    assert analyze(model, out, "--families", "1") == 0
    before = contents(out)

    move = getattr(_results, stage.split(".")[1])
    options = ["--overwrite", "--families", "0", "--threshold", "0.9", "--format", "svg"]
    with monkeypatch.context() as patch:
        patch.setattr(f"sklearn_groupcross.cli.{stage}", at_the_end(move))
        assert analyze(model, out, *options) == 130
    after = contents(out)
    # halfway, the manifest says what is on its way, and the next command brings it in
    unmoved = set(before) - ({"stages.json"} if stage == "_results._move" else set())
    assert {name: after[name] for name in unmoved} == {name: before[name] for name in unmoved}
    assert analyze(model, out, *options) == 0
    assert analyze(model, tmp_path / "whole", *options) == 0
    assert contents(out) == contents(tmp_path / "whole")


def at_the_end(move):
    """Interrupt moves out of the folder in which new results were written."""

    def interrupted(*args):
        record = args[1]
        sources = [source for source, _ in getattr(record, "moves", [(str(args[0]), "")])]
        if any("groupcross.next/" in source and "staged" not in source for source in sources):
            raise KeyboardInterrupt
        return move(*args)

    return interrupted


def contents(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in files
        if path.name != "run.log"
    }


def test_two_at_once_into_one_folder(model, tmp_path, capsys, monkeypatch):
    out = tmp_path / "out"
    fit = SymmetryAnalyzer.fit

    def second(self, *args, **kwargs):
        assert analyze(model, out, "--overwrite") == 2
        assert f"process {os.getpid()} on " in capsys.readouterr().err.splitlines()[-1]
        return fit(self, *args, **kwargs)

    monkeypatch.setattr(SymmetryAnalyzer, "fit", second)
    assert analyze(model, out, "--families", "0") == 0


def test_damaged_models_are_no_faults_of_the_program(model, tmp_path, capsys):
    """A bit of the header changed: one line that names the file, and no traceback."""
    content = model.read_bytes()
    damaged = tmp_path / "damaged.safetensors"
    end = 8 + int.from_bytes(content[:8], "little")
    for place in range(0, end, 41):
        damaged.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert analyze(damaged, tmp_path / "out") == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("groupcross: error: ")
        assert "damaged.safetensors" in line
    assert not (tmp_path / "out").exists()


def test_a_group_that_is_too_large_is_refused_before_the_orbits_are_opened(
    model, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("sklearn_groupcross._group_names.MAX_ORDER_FOR_ALL_SUBGROUPS", 7)
    (tmp_path / "manifest.json").write_text("{}", encoding="utf-8")  # of no store
    assert analyze(model, tmp_path / "out", "--orbits", str(tmp_path)) == 2
    assert "at most 7 elements; this one has 8. Take a smaller group." in capsys.readouterr().err


def test_models_of_other_seeds_tell_what_is_found_again(model, planted, tmp_path, capsys):
    crosscoder = GroupCrosscoder.load(model)
    crosscoder.components_[: len(planted.components) // 2] = 0
    crosscoder.save(tmp_path / "other.safetensors")
    options = ["--others", str(tmp_path / "other.safetensors"), "--families", "0"]
    assert analyze(model, tmp_path / "out", *options) == 0
    table = pd.read_csv(tmp_path / "out" / "features.csv", index_col="feature")
    assert set(table["found_again"].dropna()) == {0.0, 1.0}
    assert "Kinds of features" in capsys.readouterr().out
    other = GroupCrosscoder(group=Dihedral(3), n_features=4, max_epochs=1, random_state=0)
    other.fit(make_orbits(40, group=Dihedral(3), n_channels=12, random_state=0).orbits)
    other.save(tmp_path / "third.safetensors")
    options = ["--others", str(tmp_path / "third.safetensors")]
    assert analyze(model, tmp_path / "third", *options) == 2
    assert "features of one cannot be looked up in the other" in capsys.readouterr().err


def test_what_is_done_is_not_done_again(model, tmp_path, capsys):
    out = tmp_path / "out"
    assert analyze(model, out, "--families", "0") == 0
    before, printed = contents(out), capsys.readouterr().out
    assert analyze(model, out, "--families", "0") == 0
    out_of_second = capsys.readouterr()
    assert out_of_second.out == printed
    assert "analyze: done already" in out_of_second.err
    assert contents(out) == before


@pytest.mark.parametrize("content", ["", "a,b\n1\n1,2,3\n", "kind\nline\n"])
def test_a_table_that_is_none_is_named(tmp_path, content):
    (tmp_path / "features.csv").write_text(content)
    with pytest.raises(ValueError, match=r"features\.csv is damaged.* Delete it"):
        read_features(tmp_path)
