"""Workers end with the process that started them, however it ends; what is theirs is not lost."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import dask
import distributed
import joblib
import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, GroupKFold

from sklearn_groupcross import GroupCrosscoder, OrbitStore, _workers, crosscoder_ensemble
from sklearn_groupcross._workers import end_with_parent
from tests.orbits.stores import GROUP, create, fill

# Workers inherit the standard output: it ends when the last of them is gone. One task a worker
# says that they are at work; the parent says so to us.
PARENT = textwrap.dedent(
    """
    import signal, sys, time
    for name in ("SIGTERM", "SIGHUP"):  # nohup has its own ignored by all that it starts
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    from joblib import Parallel, delayed
    from sklearn_groupcross._workers import end_with_parent

    def work():
        print("at work", flush=True)
        time.sleep(600)

    Parallel(n_jobs=2, backend=sys.argv[1], initializer=end_with_parent)(
        delayed(work)() for _ in range(2)
    )
    """
)
SIGNALS = ["SIGKILL", "SIGTERM", "SIGHUP"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has none of these signals")
def test_workers_of_a_killed_parent_end():
    cases = [("loky", name) for name in SIGNALS] + [("multiprocessing", "SIGKILL")]
    parents = [
        subprocess.Popen(
            [sys.executable, "-c", PARENT, backend],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        for backend, _ in cases
    ]
    try:
        check_that_all_end(parents, [getattr(signal, name) for _, name in cases])
    finally:
        for parent in parents:
            parent.kill()
            parent.communicate()


def check_that_all_end(parents, signals):
    for parent, number in zip(parents, signals, strict=True):
        assert [parent.stdout.readline() for _ in range(2)] == [b"at work\n"] * 2
        parent.send_signal(number)
    for parent, number in zip(parents, signals, strict=True):
        rest, _ = parent.communicate(timeout=60)
        assert (rest, parent.returncode) == (b"", -number)


def test_a_process_that_nobody_started_watches_nobody(monkeypatch):
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: None)
    monkeypatch.setattr(_workers.threading, "Thread", None)
    _workers.end_with_parent()


@pytest.mark.parametrize("states", [[(7, True), (1, True)], [(7, True), (7, False)], [(1, False)]])
def test_an_orphan_knows_it(monkeypatch, states):
    """Of another parent, or of none that exists, also from the beginning."""

    class Parent:
        pid = 7

    first = [states[0]]
    monkeypatch.setattr(_workers.time, "sleep", lambda _: states.pop(0))
    monkeypatch.setattr(_workers.os, "getppid", lambda: states[0][0])
    monkeypatch.setattr(_workers, "_exists", lambda pid: pid == 7 and states[0][1])
    _workers._wait_for_process(Parent)
    assert states in ([(1, True)], [(7, False)], first)


def test_on_windows_the_handle_of_the_parent_is_waited_for(monkeypatch):
    waited, ended = [], []

    class Parent:
        def join(self):
            waited.append("parent")

    monkeypatch.setattr(_workers.os, "_exit", ended.append)
    _workers._end_after(_workers._wait_for_handle, Parent())
    assert (waited, ended) == (["parent"], [1])


@pytest.mark.parametrize(
    ("backend", "n_tasks", "n_jobs", "is_watching"),
    [
        ("loky", 9, 4, True),
        ("loky", 3, 3, True),
        ("loky", 0, 1, True),
        ("multiprocessing", 9, 4, True),
        ("threading", 3, 4, False),
    ],
)
def test_processes_started_here_watch_this_one(backend, n_tasks, n_jobs, is_watching, monkeypatch):
    options = []

    def watched(**given):
        options.append(given)
        return joblib.Parallel(**{**given, "initializer": None, "backend": "threading"})

    monkeypatch.setattr(_workers, "Parallel", watched)
    with joblib.parallel_config(backend=backend):
        found = _workers.choose_workers(4, n_tasks)
        done = dict(_workers.share_out(abs, [(-1,), (-2,)], found, ["a", "b"]))
    assert found == n_jobs
    assert done == {0: 1, 1: 2}
    assert options[0].get("initializer") is (end_with_parent if is_watching else None)


def die_until(number, folder, deaths):
    """Take the worker along, in one task, the first times."""
    mark = Path(folder, "deaths")
    before = len(mark.read_text()) if mark.exists() else 0
    if number == 2 and before < deaths:
        mark.write_text("x" * (before + 1))
        os.kill(os.getpid(), signal.SIGKILL)
    return 10 * number


def shared(folder, deaths):
    tasks = [(number, str(folder), deaths) for number in range(4)]
    return dict(_workers.share_out(die_until, tasks, 2, ["one", "two", "three", "four"]))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
class TestDeaths:
    def test_what_a_worker_had_begun_is_done_again(self, tmp_path):
        with pytest.warns(RuntimeWarning, match=r"died \(TerminatedWorkerError\).*three.*again"):
            assert shared(tmp_path, 1) == {0: 0, 1: 10, 2: 20, 3: 30}

    def test_the_second_time_what_is_lost_is_named(self, tmp_path):
        with (
            pytest.warns(RuntimeWarning, match="begun again"),
            pytest.raises(ChildProcessError, match=r"Not done: .*three.*second time"),
        ):
            shared(tmp_path, 99)

    def test_an_error_of_a_task_is_that_error(self):
        with pytest.raises(TypeError, match="bad operand type"):
            list(_workers.share_out(abs, [("x",), (1,)], 2, ["a", "b"]))


@pytest.fixture(scope="module")
def cluster():
    with (
        # so many deaths of workers do not end a task
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, processes=True
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = fill(create(tmp_path_factory.mktemp("dask") / "small.orbits"))
    return OrbitStore(store.path)


@pytest.mark.skipif(os.name == "nt", reason="processes are killed by signals")
class TestDask:
    """Two workers of Dask come to what one process comes to, from one store."""

    @pytest.fixture
    def estimator(self):
        return GroupCrosscoder(
            GROUP, n_features=12, batch_size=16, max_epochs=3, augment=True, random_state=0
        )

    def test_seeds(self, cluster, store, estimator):
        alone = crosscoder_ensemble(estimator, store, 5)
        with joblib.parallel_config(backend="dask"):
            by_two = crosscoder_ensemble(estimator, store, 5, n_jobs=2)
        for one, other in zip(alone, by_two, strict=True):
            np.testing.assert_array_equal(one.components_, other.components_)
            np.testing.assert_array_equal(one.encoder_, other.encoder_)
            assert one.history_ == other.history_

    @pytest.mark.slow
    def test_grid_search_over_penalties(self, cluster, store, estimator):
        search = GridSearchCV(
            estimator, {"l1": [0.03, 0.1, 0.3]}, cv=GroupKFold(2), refit=False, n_jobs=2
        )
        alone = search.fit(store, groups=store.image_ids).cv_results_
        with joblib.parallel_config(backend="dask"):
            by_two = search.fit(store, groups=store.image_ids).cv_results_
        for name in ("split0_test_score", "split1_test_score"):
            np.testing.assert_array_equal(alone[name], by_two[name])

    @pytest.mark.slow
    def test_a_death(self, cluster, tmp_path):
        """Dask itself gives the task to another worker; when it gives up, so do we."""
        with joblib.parallel_config(backend="dask"):
            assert shared(tmp_path, 1) == {0: 0, 1: 10, 2: 20, 3: 30}
            cluster.wait_for_workers(2)
            with (
                pytest.warns(RuntimeWarning, match=r"KilledWorker.*three"),
                pytest.raises(ChildProcessError, match=r"Not done: .*three"),
            ):
                shared(tmp_path, 99)
