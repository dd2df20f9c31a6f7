from __future__ import annotations

import os
import threading

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from sklearn_groupcross import Cyclic, Dihedral, GroupCrosscoder, make_orbits
from sklearn_groupcross.crosscoder._persistence import MODEL_FORMAT
from sklearn_groupcross.crosscoder._tensor_file import read_tensors, write_tensors
from sklearn_groupcross.groups import FiniteGroup, Quaternion, SemidirectProduct

GROUP = Dihedral(3)


@pytest.fixture(scope="module")
def orbits():
    return make_orbits(100, group=GROUP, n_channels=8, random_state=0).orbits


@pytest.fixture
def crosscoder(orbits):
    return GroupCrosscoder(group=GROUP, n_features=10, max_epochs=3, random_state=0).fit(orbits)


def test_save_and_load(crosscoder, orbits, tmp_path):
    crosscoder.save(tmp_path / "model.safetensors")
    again = GroupCrosscoder.load(tmp_path / "model.safetensors")
    assert again.get_params() == crosscoder.get_params()
    assert again.history_ == crosscoder.history_
    np.testing.assert_array_equal(again.transform(orbits), crosscoder.transform(orbits))
    codes = crosscoder.transform(orbits)
    np.testing.assert_array_equal(
        again.inverse_transform(codes), crosscoder.inverse_transform(codes)
    )
    assert os.listdir(tmp_path) == ["model.safetensors"]


@pytest.mark.parametrize(
    "group",
    [
        Quaternion(),
        FiniteGroup(Quaternion().cayley_table),
        Cyclic(2) * Dihedral(2),
        SemidirectProduct(Cyclic(3), Cyclic(2), [[0, 1, 2], [0, 2, 1]]),
    ],
    ids=["family", "table", "product", "semidirect"],
)
def test_every_group_comes_back(tmp_path, group):
    rng = np.random.default_rng(0)
    orbits = rng.standard_normal((20, group.order, 3)).astype(np.float32)
    crosscoder = GroupCrosscoder(group=group, n_features=4, max_epochs=1).fit(orbits)
    crosscoder.save(tmp_path / "model.safetensors")
    assert GroupCrosscoder.load(tmp_path / "model.safetensors").group_ == group


def test_the_default_group_stays_the_default(tmp_path):
    crosscoder = GroupCrosscoder(n_features=4, max_epochs=1).fit(
        np.linspace(0, 1, 60).reshape(20, 3)
    )
    crosscoder.save(tmp_path / "model.safetensors")
    assert GroupCrosscoder.load(tmp_path / "model.safetensors").group is None


def test_the_device_is_not_saved_but_column_names_are(tmp_path):
    frame = pd.DataFrame({"a": [0.0, 1.0, 2.0], "b": [1.0, 0.0, 1.0]})
    crosscoder = GroupCrosscoder(n_features=2, max_epochs=1, device="cpu").fit(frame)
    crosscoder.save(tmp_path / "model.safetensors")
    again = GroupCrosscoder.load(tmp_path / "model.safetensors")
    assert again.device == "auto"
    assert again.feature_names_in_.tolist() == ["a", "b"]
    np.testing.assert_array_equal(again.transform(frame), crosscoder.transform(frame))


def test_damaged_and_foreign_files_are_refused(crosscoder, tmp_path):
    path = tmp_path / "model.safetensors"
    with pytest.raises(FileNotFoundError, match="No saved crosscoder"):
        GroupCrosscoder.load(path)
    crosscoder.save(path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ValueError, match="damaged.*: copy it again, or fit again"):
        GroupCrosscoder.load(path)
    crosscoder.save(path)
    content = bytearray(path.read_bytes())
    content[-100] ^= 1  # one bit of one weight
    path.write_bytes(content)
    with pytest.raises(ValueError, match="damaged: .* is not what was written.*or fit again"):
        GroupCrosscoder.load(path)
    save_file({"a": np.zeros(2)}, path)
    with pytest.raises(ValueError, match="not a crosscoder saved by this version"):
        GroupCrosscoder.load(path)


def test_equal_models_are_equal_files(crosscoder, tmp_path):
    for number in range(5):  # safetensors writes metadata in any order
        crosscoder.save(tmp_path / str(number))
    assert len({file.read_bytes() for file in tmp_path.iterdir()}) == 1


def test_a_failed_write_leaves_the_old_file(crosscoder, tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    crosscoder.save(path)
    before = path.read_bytes()

    def no_space(arrays, file, metadata):
        file.write_bytes(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sklearn_groupcross.crosscoder._tensor_file.save_file", no_space)
    with pytest.raises(OSError, match="No space left"):
        crosscoder.save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["model.safetensors"]


def test_fitting_outside_the_main_thread_works(orbits):
    """Signals belong to the main thread: elsewhere no handler may be set."""
    crosscoder = GroupCrosscoder(group=GROUP, n_features=4, max_epochs=1)
    thread = threading.Thread(target=crosscoder.fit, args=(orbits,))
    thread.start()
    thread.join()
    assert crosscoder.n_steps_ == 1


def test_the_group_is_that_of_the_fit(crosscoder, orbits, tmp_path):
    crosscoder.set_params(group=Cyclic(6)).save(tmp_path / "model.safetensors")
    again = GroupCrosscoder.load(tmp_path / "model.safetensors")
    assert again.group_ == GROUP
    assert again.group == Cyclic(6)
    np.testing.assert_array_equal(again.transform(orbits), crosscoder.transform(orbits))


def rewritten(path, change):
    """The file, with a changed header."""
    _, arrays, header = read_tensors(path, MODEL_FORMAT)
    change(header)
    write_tensors(path, MODEL_FORMAT, arrays, header)


def test_unknown_parameters_are_named(crosscoder, tmp_path):
    path = tmp_path / "model.safetensors"
    crosscoder.save(path)
    rewritten(path, lambda header: header["parameters"].update(momentum=0.9))
    with pytest.raises(ValueError, match=r"model.safetensors was saved with .*: momentum"):
        GroupCrosscoder.load(path)


def test_places_that_cannot_be_written_to_are_named(crosscoder, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder '.*absent'.*absent/model.safetensors'"):
        crosscoder.save(tmp_path / "absent" / "model.safetensors")
    with pytest.raises(IsADirectoryError, match=f"This is a folder.*{tmp_path.name}'$"):
        crosscoder.save(tmp_path)
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(NotADirectoryError, match="checkpoint_dir .*file is a file: name a folder"):
        crosscoder.set_params(checkpoint_dir=file).fit(np.eye(48, dtype=np.float32))
