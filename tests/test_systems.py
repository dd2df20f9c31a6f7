"""What the package writes and replaces, on systems other than the one that tests run on."""

from __future__ import annotations

import os

import numpy as np
import pytest

from sklearn_groupcross import Dihedral, GroupCrosscoder, make_orbits
from sklearn_groupcross._files import folder_to_disk, written_whole
from sklearn_groupcross.cli._lock import hold_folder
from tests.cli import test_results as results
from tests.crosscoder.test_checkpoint import assert_same_run, build, interrupt_after
from tests.systems import Mac, Windows


@pytest.fixture(scope="module")
def orbits():
    return make_orbits(200, group=Dihedral(3), n_channels=8, random_state=0).orbits


@pytest.mark.usefixtures("elsewhere")
class TestElsewhere:
    def test_models_are_saved_over_one_another(self, orbits, tmp_path):
        first, second = (build(max_epochs=1, random_state=seed).fit(orbits) for seed in (0, 1))
        for model in (first, second):
            model.save(tmp_path / "model.safetensors")
        assert os.listdir(tmp_path) == ["model.safetensors"]
        assert_same_run(GroupCrosscoder.load(tmp_path / "model.safetensors"), second)

    def test_a_stopped_run_resumes_to_the_same_bits(self, orbits, tmp_path, monkeypatch):
        whole = build().fit(orbits)
        with monkeypatch.context() as patch:
            interrupt_after(6, patch)
            with pytest.raises(KeyboardInterrupt, match="goes on"):
                build(tmp_path).fit(orbits)
        assert len(os.listdir(tmp_path)) == 1
        assert_same_run(build(tmp_path).fit(orbits), whole)
        assert os.listdir(tmp_path) == []

    def test_results_replace_results(self, tmp_path):
        for content in ("old", "new"):
            results.write(tmp_path / "out", content)
        assert results.in_folder(tmp_path / "out") == results.whole("new")

    def test_one_command_at_a_time(self, tmp_path):
        another = pytest.raises(BlockingIOError, match="Another command")
        with hold_folder(tmp_path), another, hold_folder(tmp_path):
            pass
        with hold_folder(tmp_path):
            pass
        assert os.listdir(tmp_path) == []


@pytest.mark.usefixtures("windows")
def test_a_file_that_is_mapped_stays_and_is_named(tmp_path):
    path = tmp_path / "array.npy"
    np.save(path, np.arange(4))
    mapped = np.load(path, mmap_mode="r")
    with pytest.raises(PermissionError, match=r"in use.*array\.npy"), written_whole(path) as new:
        new.write_bytes(b"other")
    assert os.listdir(tmp_path) == ["array.npy"]
    np.testing.assert_array_equal(mapped, np.arange(4))


@pytest.mark.usefixtures("windows")
def test_the_stand_in_for_windows_refuses_what_windows_does(tmp_path):
    folder_to_disk(tmp_path)  # without opening it
    path = tmp_path / "file"
    path.write_bytes(b"")
    with pytest.raises(PermissionError):
        Windows().open(tmp_path, os.O_RDONLY)
    with path.open("rb"), pytest.raises(PermissionError):
        path.unlink()
    with path.open("rb"), pytest.raises(PermissionError):
        Windows().replace(path, tmp_path / "other")
    with pytest.raises(AttributeError):
        Windows().fork  # noqa: B018
    assert not hasattr(Mac(), "posix_fallocate")
