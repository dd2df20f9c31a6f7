"""Runs that are stopped, killed or damaged, and what becomes of them."""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from sklearn_groupcross import Dihedral, GroupCrosscoder, make_orbits
from sklearn_groupcross._files import written_whole
from sklearn_groupcross.crosscoder import _checkpoint, keeping_checkpoint
from sklearn_groupcross.crosscoder._trainer import Trainer

pytestmark = pytest.mark.usefixtures("checkpoint_every_step")

GROUP = Dihedral(3)


@pytest.fixture(scope="module")
def orbits():
    return make_orbits(200, group=GROUP, n_channels=8, random_state=0).orbits


def build(folder=None, **options):
    defaults = {
        "group": GROUP,
        "n_features": 20,
        "augment": True,
        "batch_size": 30,
        "max_epochs": 8,
        "random_state": 0,
        "checkpoint_dir": folder,
    }
    return GroupCrosscoder(**{**defaults, **options})


class LostError(Exception):
    pass


def assert_same_run(first, second):
    for name in ("components_", "intercept_", "encoder_", "encoder_intercept_"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name), err_msg=name)
    assert np.array_equal(first.threshold_, second.threshold_)
    assert first.history_ == second.history_
    assert (first.n_iter_, first.n_steps_) == (second.n_iter_, second.n_steps_)


def interrupt_after(n_steps, monkeypatch, number=signal.SIGINT):
    """Send this process a signal in the step after n."""
    train_on = Trainer.train_on

    def interrupted(self, batch):
        if self.step == n_steps:
            signal.raise_signal(number)  # os.kill would end the process on Windows
        train_on(self, batch)

    monkeypatch.setattr(Trainer, "train_on", interrupted)


CASES = [
    {},
    {"activation": "topk", "k": 3},
    {"activation": "batch_topk", "k": 3},
    {"activation": "jumprelu"},
    {"early_stopping": True, "n_iter_no_change": 2, "learning_rate": 0.05, "max_epochs": 30},
    {"encoder_input": "orbit", "precision": "bfloat16", "dead_features": "auxk"},
    {"compression": 0.8, "augment": True},
    {"compression": "auto"},
    {"compression": 0.9, "encoder_input": "orbit", "early_stopping": True},
]


@pytest.mark.parametrize("options", CASES, ids=str)
@pytest.mark.parametrize("n_steps", [3, 6, 20])
def test_a_stopped_run_resumes_to_the_same_bits(orbits, tmp_path, monkeypatch, options, n_steps):
    whole = build(**options).fit(orbits)
    with monkeypatch.context() as patch:
        interrupt_after(n_steps, patch)
        with pytest.raises(KeyboardInterrupt, match=f"after {n_steps + 1} steps.*goes on"):
            build(tmp_path, **options).fit(orbits)
    assert len(os.listdir(tmp_path)) == 1
    resumed = build(tmp_path, **options).fit(orbits)
    assert_same_run(resumed, whole)
    assert os.listdir(tmp_path) == []  # a run that is done leaves none


def test_without_a_seed_the_run_that_goes_on_keeps_its_own(orbits, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt_after(10, patch)
        stopped = build(tmp_path, random_state=None)
        with pytest.raises(KeyboardInterrupt):
            stopped.fit(orbits)
    resumed = build(tmp_path, random_state=None).fit(orbits)
    assert resumed.history_["step_loss"][:7] == stopped.history_["step_loss"][:7]


def test_the_estimator_holds_the_last_whole_step(orbits, tmp_path, monkeypatch):
    interrupt_after(4, monkeypatch)
    crosscoder = build(tmp_path)
    with pytest.raises(KeyboardInterrupt, match="saved to"):
        crosscoder.fit(orbits)
    assert (crosscoder.n_iter_, crosscoder.n_steps_) == (1, 5)  # the pass was cut short
    (file,) = tmp_path.iterdir()
    loaded = GroupCrosscoder.load(file)
    assert (loaded.n_iter_, loaded.n_steps_) == (1, 5)
    np.testing.assert_array_equal(loaded.transform(orbits), crosscoder.transform(orbits))
    assert loaded.score(orbits) == crosscoder.score(orbits)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_without_a_folder_nothing_is_saved(orbits, monkeypatch):
    interrupt_after(4, monkeypatch)
    crosscoder = build()
    with pytest.raises(KeyboardInterrupt, match="set checkpoint_dir"):
        crosscoder.fit(orbits)
    assert crosscoder.transform(orbits).shape == (200, 20)


KILLED = """
    import os, signal, sys
    import numpy as np
    from sklearn_groupcross import Dihedral, GroupCrosscoder
    from sklearn_groupcross.crosscoder import _checkpoint
    from sklearn_groupcross.crosscoder._trainer import Trainer

    _checkpoint.SECONDS_BETWEEN = 0.0
    folder, steps = sys.argv[1], iter(int(n) for n in sys.argv[2].split(","))
    kill_at = next(steps)
    train_on = Trainer.train_on

    def deadly(self, batch):
        train_on(self, batch)
        if self.step == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    orbits = np.load(folder + "/orbits.npy", mmap_mode="r")
    build = lambda: GroupCrosscoder(
        group=Dihedral(3), n_features=20, augment=True, batch_size=30, max_epochs=8,
        activation="batch_topk", k=3, random_state=0, device="cpu",
    )
    # what torch loads at its first step is then loaded for all children
    build().set_params(max_epochs=1).fit(orbits)
    Trainer.train_on = deadly
    for kill_at in [kill_at, *steps]:
        pid = os.fork()
        if pid == 0:  # a child of its own for every life: importing torch is what takes long
            place = {"checkpoint_dir": folder + "/checkpoints"}
            build().set_params(**place).fit(orbits)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        print(os.WTERMSIG(status))
"""


@pytest.mark.skipif(os.name == "nt", reason="processes are forked and killed by signals")
@pytest.mark.parametrize("n_lives", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_kill_9_at_random_moments(orbits, tmp_path, n_lives):
    """Some lives of one run are each ended by SIGKILL, one more by its end: the same bits."""
    np.save(tmp_path / "orbits.npy", orbits)
    options = {"activation": "batch_topk", "k": 3, "device": "cpu"}
    whole = build(**options).fit(np.load(tmp_path / "orbits.npy"))
    drawn = np.random.default_rng(0).choice(np.arange(2, 56), size=n_lives, replace=False)
    moments = np.sort(drawn)
    script = textwrap.dedent(KILLED)
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), ",".join(map(str, moments))],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=True,
    )
    assert done.stdout.split() == [str(int(signal.SIGKILL))] * n_lives
    resumed = build(tmp_path / "checkpoints", **options).fit(orbits)
    assert_same_run(resumed, whole)


def stopped_run(folder, orbits, monkeypatch, **options):
    """Folder with the checkpoint of a run that was stopped; the checkpoint's path."""
    with monkeypatch.context() as patch:
        interrupt_after(4, patch)
        with pytest.raises(KeyboardInterrupt):
            build(folder, **options).fit(orbits)
    (file,) = folder.iterdir()
    return file


def test_other_parameters_or_data_have_their_own_checkpoints(orbits, tmp_path, monkeypatch):
    file = stopped_run(tmp_path, orbits, monkeypatch)
    before = file.read_bytes()
    for crosscoder, X in [(build(tmp_path, l1=0.2), orbits), (build(tmp_path), orbits[:150])]:
        fresh = clone(crosscoder).set_params(checkpoint_dir=None).fit(X)
        assert_same_run(crosscoder.fit(X), fresh)
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


def test_machine_and_display_may_change_on_resuming(orbits, tmp_path, monkeypatch):
    stopped_run(tmp_path, orbits, monkeypatch, device="cpu")
    monkeypatch.setattr(_checkpoint, "SECONDS_BETWEEN", 60.0)
    resumed = build(tmp_path, verbose=0, sparse_output=True).fit(orbits)
    assert_same_run(resumed, build().fit(orbits))
    assert list(tmp_path.iterdir()) == []


def test_the_clones_of_a_grid_search_do_not_mix(orbits, tmp_path):
    flat = orbits.reshape(200, -1)
    grid = {"l1": [0.01, 0.2]}
    with parallel_config("threading"):  # both at once, in one folder
        with_checkpoints, without = (
            GridSearchCV(build(folder, max_epochs=2), grid, cv=2, n_jobs=2).fit(flat)
            for folder in (tmp_path, None)
        )
    np.testing.assert_array_equal(
        with_checkpoints.cv_results_["mean_test_score"], without.cv_results_["mean_test_score"]
    )
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_of_another_configuration_is_refused(orbits, tmp_path, monkeypatch):
    file = stopped_run(tmp_path / "first", orbits, monkeypatch)
    other = stopped_run(tmp_path / "second", orbits, monkeypatch, l1=0.2)
    file.write_bytes(other.read_bytes())
    with pytest.raises(ValueError, match=r"of another run, made with l1=0\.2 \(now 0\.1\)"):
        build(tmp_path / "first").fit(orbits)


@pytest.mark.parametrize("damage", ["truncated", "a bit flipped", "empty"])
def test_damaged_checkpoints_are_refused(orbits, tmp_path, monkeypatch, damage):
    file = stopped_run(tmp_path, orbits, monkeypatch)
    content = bytearray(file.read_bytes())
    if damage == "truncated":
        content = content[: len(content) // 2]
    elif damage == "empty":
        content = b""
    else:
        content[-500] ^= 4
    file.write_bytes(content)
    with pytest.raises(ValueError, match="damaged.*Delete it to start again"):
        build(tmp_path).fit(orbits)
    assert file.exists()


def test_a_full_disk_warns_and_training_goes_on(orbits, tmp_path, monkeypatch):
    def no_space(arrays, file, metadata):
        file.write_bytes(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sklearn_groupcross.crosscoder._tensor_file.save_file", no_space)
    crosscoder = build(tmp_path)
    with pytest.warns(RuntimeWarning, match="No space left on device.*Training goes on"):
        crosscoder.fit(orbits)
    assert_same_run(crosscoder, build().fit(orbits))
    assert list(tmp_path.iterdir()) == []  # no half of it


def test_a_folder_that_cannot_be_made_is_an_error_before_training(orbits, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OSError, match="file"):
        build(tmp_path / "file" / "folder").fit(orbits)


def test_remains_of_a_killed_write_are_cleared_away(orbits, tmp_path, monkeypatch):
    def write_half():
        with written_whole(file) as temporary:
            temporary.write_bytes(b"half of it")
            # what a killed process leaves: nobody holds its folder any more
            shutil.copytree(temporary.parent, f"{temporary.parent}copy")
            file.with_name(f".{file.name}.lock").touch()
            raise LostError

    file = stopped_run(tmp_path, orbits, monkeypatch)
    with pytest.raises(LostError):
        write_half()
    assert len(list(tmp_path.iterdir())) == 3
    build(tmp_path).fit(orbits)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "options",
    [
        {"activation": "batch_topk", "k": 3},
        {"early_stopping": True, "n_iter_no_change": 2, "learning_rate": 0.05, "max_epochs": 30},
    ],
    ids=str,
)
def test_a_run_whose_results_were_lost_is_there_at_once(orbits, tmp_path, monkeypatch, options):
    def lose(crosscoder):
        with keeping_checkpoint(crosscoder):
            pickle.loads(pickle.dumps(crosscoder.fit(orbits)))
            raise LostError

    monkeypatch.setattr(_checkpoint, "SECONDS_BETWEEN", 300.0)
    first = build(tmp_path, **options)
    with pytest.raises(LostError):
        lose(first)
    monkeypatch.setattr(_checkpoint, "SECONDS_BETWEEN", 0.0)
    (file,) = tmp_path.iterdir()
    assert file.suffix == ".safetensors"
    monkeypatch.setattr(Trainer, "train_on", None)  # nothing is trained
    for crosscoder in (build(tmp_path, **options), build(tmp_path, **options)):
        with pytest.raises(LostError):
            lose(crosscoder)
        assert_same_run(crosscoder, first)
    with keeping_checkpoint(crosscoder):
        crosscoder.fit(orbits).fit(orbits)
        assert list(tmp_path.glob("*.safetensors")) == [file]
    assert list(tmp_path.iterdir()) == []
    assert_same_run(crosscoder, first)


@pytest.mark.parametrize("seed", [0, None])
def test_two_runs_at_once_have_a_file_each(orbits, tmp_path, monkeypatch, seed):
    """Of the same configuration, in one folder; both are stopped, and both are gone on with."""
    meet = threading.Barrier(2, timeout=60)
    train_on = Trainer.train_on
    files = []

    def together(self, batch):
        train_on(self, batch)
        if self.step == 5:
            meet.wait()
            files.append(sorted(path.name for path in tmp_path.glob("cross*")))
            meet.wait()

    runs = [build(tmp_path, random_state=seed) for _ in range(2)]
    threads = [threading.Thread(target=run.fit, args=(orbits,)) for run in runs]
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "train_on", together)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [len(names) for names in files] == [2, 2]
    assert list(tmp_path.iterdir()) == []
    same = np.array_equal(runs[0].components_, runs[1].components_)
    assert same == (seed is not None)
    if seed is not None:
        assert_same_run(runs[0], build(random_state=seed).fit(orbits))


def test_what_two_killed_runs_left_is_gone_when_a_third_is_done(orbits, tmp_path, monkeypatch):
    file = stopped_run(tmp_path, orbits, monkeypatch)
    shutil.copy(file, file.with_name(file.name.replace(".checkpoint", "-2.checkpoint")))
    assert_same_run(build(tmp_path).fit(orbits), build().fit(orbits))
    assert list(tmp_path.iterdir()) == []


def test_the_state_of_a_generator_tells_runs_apart(orbits, tmp_path, monkeypatch):
    """Also when it is as another was: then that one's run goes on, and both states move alike."""

    def started(seed, folder=None):
        return build(folder, random_state=np.random.RandomState(seed))

    with monkeypatch.context() as patch:
        interrupt_after(4, patch)
        with pytest.raises(KeyboardInterrupt):
            started(1, tmp_path).fit(orbits)
    (file,) = tmp_path.iterdir()
    assert_same_run(started(2, tmp_path).fit(orbits), started(2).fit(orbits))
    assert list(tmp_path.iterdir()) == [file]
    resumed, whole = started(1, tmp_path).fit(orbits), started(1).fit(orbits)
    assert_same_run(resumed, whole)
    assert resumed.random_state.randint(1000) == whole.random_state.randint(1000)
    assert list(tmp_path.iterdir()) == []


def test_a_warm_start_from_other_weights_is_another_run(orbits, tmp_path, monkeypatch):
    def warm(folder, **changed):
        crosscoder = build(folder, max_epochs=1, warm_start=True)
        for name, value in vars(start).items():
            if name.endswith("_"):
                setattr(crosscoder, name, value)
        for name, value in changed.items():
            setattr(crosscoder, name, value)
        return crosscoder

    start = build(max_epochs=1).fit(orbits)
    other = {"encoder_": 2 * start.encoder_}
    with monkeypatch.context() as patch:
        interrupt_after(2, patch)
        with pytest.raises(KeyboardInterrupt):
            warm(tmp_path).fit(orbits)
    assert_same_run(warm(tmp_path, **other).fit(orbits), warm(None, **other).fit(orbits))
