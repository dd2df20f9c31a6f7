"""A group may be given by the name that the command line has for it."""

from __future__ import annotations

import pickle
import signal

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from sklearn_groupcross import (
    Cyclic,
    Dihedral,
    GroupCrosscoder,
    OrbitScaler,
    SymmetryAnalyzer,
    crosscoder_path,
    make_orbits,
)
from sklearn_groupcross.crosscoder._persistence import CHECKPOINT_FORMAT, MODEL_FORMAT
from sklearn_groupcross.crosscoder._tensor_file import read_tensors, write_tensors
from sklearn_groupcross.crosscoder._trainer import Trainer

NAME, GROUP = "dihedral:3", Dihedral(3)


@pytest.fixture(scope="module")
def orbits():
    return make_orbits(100, group=GROUP, n_channels=4, random_state=0).orbits


def build(group=NAME, **options):
    defaults = {"n_features": 8, "max_epochs": 2, "batch_size": 25, "random_state": 0}
    return GroupCrosscoder(group, **{**defaults, **options})


@pytest.fixture(scope="module")
def fitted(orbits):
    return build().fit(orbits)


@pytest.fixture
def stopped(orbits, tmp_path, monkeypatch):
    """The checkpoint of a run that was stopped."""
    train_on = Trainer.train_on

    def interrupted(self, batch):
        if self.step == 4:
            signal.raise_signal(signal.SIGINT)
        train_on(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "train_on", interrupted)
        with pytest.raises(KeyboardInterrupt):
            build(checkpoint_dir=tmp_path).fit(orbits)
    (file,) = tmp_path.iterdir()
    return file


def test_it_is_resolved_in_fit_and_the_parameter_stays(fitted, orbits):
    assert (fitted.group, fitted.group_) == (NAME, GROUP)
    assert clone(fitted).group == pickle.loads(pickle.dumps(fitted)).group == NAME
    np.testing.assert_array_equal(fitted.components_, build(GROUP).fit(orbits).components_)
    assert SymmetryAnalyzer().fit(fitted).group_ == GROUP


def test_a_model_keeps_it(fitted, orbits, tmp_path):
    fitted.save(tmp_path / "model")
    loaded = GroupCrosscoder.load(tmp_path / "model")
    assert loaded.get_params() == fitted.get_params()
    assert loaded.group_ == GROUP
    np.testing.assert_array_equal(loaded.transform(orbits), fitted.transform(orbits))


def test_a_run_goes_on_and_can_be_looked_at(orbits, stopped, fitted):
    assert GroupCrosscoder.load(stopped).group_ == GROUP
    resumed = build(checkpoint_dir=stopped.parent).fit(orbits)
    np.testing.assert_array_equal(resumed.components_, fitted.components_)
    assert not stopped.exists()


@pytest.mark.parametrize("name", ["klein:4", "dihedral:513", ""])
def test_files_that_name_no_group_are_refused(fitted, stopped, tmp_path, name):
    model = tmp_path / "model"
    fitted.save(model)
    for path, kind in ((model, MODEL_FORMAT), (stopped, CHECKPOINT_FORMAT)):
        _, arrays, header = read_tensors(path, kind)
        parameters = header["parameters"] if kind == MODEL_FORMAT else header["model"]["parameters"]
        parameters["group"] = name
        if kind == CHECKPOINT_FORMAT:
            header["configuration"]["group"] = name
        write_tensors(path, kind, arrays, header)
        with pytest.raises(ValueError, match=f"{path.name} .*over no group"):
            GroupCrosscoder.load(path)


def test_a_file_that_names_another_group_is_refused(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    _, arrays, header = read_tensors(tmp_path / "model", MODEL_FORMAT)
    header["parameters"]["group"] = "cyclic:6"
    write_tensors(tmp_path / "model", MODEL_FORMAT, arrays, header)
    with pytest.raises(ValueError, match=r"fitted with group=Dihedral\(3\); its parameter is 'cyc"):
        GroupCrosscoder.load(tmp_path / "model")


def test_the_same_group_by_another_word_is_no_change(orbits):
    online = build().partial_fit(orbits)
    online.set_params(group=GROUP).partial_fit(orbits)
    warm = build(warm_start=True).fit(orbits)
    warm.set_params(group=GROUP).fit(orbits)
    with pytest.raises(ValueError, match=r"now group is Cyclic\(6\)"):
        warm.set_params(group="cyclic:6").fit(orbits)
    with pytest.raises(ValueError, match=r"group=Cyclic\(6\) \(was Dihedral\(3\)\)"):
        online.set_params(group="cyclic:6").partial_fit(orbits)


def test_scaler_path_and_search_take_it(orbits):
    flat = orbits.reshape(100, -1)
    scaler = OrbitScaler(NAME).fit(flat)
    assert (scaler.group, scaler.group_) == (NAME, GROUP)
    np.testing.assert_array_equal(scaler.mean_, OrbitScaler(GROUP).fit(flat).mean_)
    path = crosscoder_path(build(), orbits, [0.1, 0.3])
    assert [each.group_ for each in path] == [GROUP, GROUP]
    search = GridSearchCV(build(), {"group": ["cyclic:6", NAME, Cyclic(3)]}, cv=2).fit(flat)
    assert search.cv_results_["mean_test_score"].shape == (3,)


@pytest.mark.parametrize("estimator", [GroupCrosscoder, OrbitScaler])
def test_a_name_that_is_none_is_refused_before_anything_is_read(estimator):
    with pytest.raises(ValueError, match=f"of {estimator.__name__}: Unknown group 'D3': expected"):
        estimator("D3").fit("nothing that could be read")
