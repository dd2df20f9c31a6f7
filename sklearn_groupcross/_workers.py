"""Work shared out among processes, here or on other machines, some of which may die."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from joblib import Parallel, delayed, effective_n_jobs
from joblib.parallel import BACKENDS, get_active_backend

from ._ambient import warn_caller
from ._integers import check_integer

# Seconds between two looks at the parent.
_INTERVAL = 0.5
# Backends of joblib that start processes of this one.
_STARTED_HERE = ("loky", "multiprocessing")
# What loky, Dask and Ray raise, or a class above it, when a process dies that had work. Those of
# Dask and Ray are known by name: neither need be installed.
_DEATHS = {"BrokenExecutor", "KilledWorker", "RayActorError", "WorkerCrashedError"}
# So many tasks are named in a message.
_NAMED = 8


def check_n_jobs(n_jobs: int | None) -> None:
    """Refuse what is no number of processes.

    Raises
    ------
    TypeError, ValueError
    """
    if n_jobs is not None:
        check_integer("n_jobs", n_jobs)
        if n_jobs == 0:
            raise ValueError("n_jobs is a number of processes, or -1 for one a core; got 0.")


def choose_workers(n_jobs: int | None, n_tasks: int) -> int:
    """How many processes to use: no more of those that are started for it than there are tasks."""
    n_workers = effective_n_jobs(n_jobs)
    return max(1, min(n_workers, n_tasks)) if _are_started_here() else n_workers


def share_out(
    function: Callable[..., Any],
    tasks: Sequence[tuple[Any, ...]],
    n_workers: int,
    names: Sequence[str],
) -> Iterator[tuple[int, Any]]:
    """Have processes do tasks, and give what comes of them as it comes.

    They are those of joblib: a surrounding ``joblib.parallel_config`` chooses them. Where one dies,
    what it had begun, and nothing else, is done once more.

    Parameters
    ----------
    function : callable
    tasks : sequence of tuple
        Its arguments. A task that is done again must come to the same.
    n_workers : int
        See `choose_workers`.
    names : sequence of str
        What each task is of, for messages.

    Yields
    ------
    number : int
        Of the task.
    result : object

    Raises
    ------
    ChildProcessError
        If a process dies again; it names the tasks that are lost.
    Exception
        What the function raises.

    Warns
    -----
    RuntimeWarning
        If processes have died.
    """
    left = dict(enumerate(tasks))
    for is_last in (False, True):
        try:
            for number, result in _results(function, left, n_workers):
                del left[number]
                yield number, result
            return
        except Exception as error:
            if _DEATHS.isdisjoint(kind.__name__ for kind in type(error).__mro__):
                raise
            message = (
                f"A worker process died ({type(error).__name__}), of too little memory perhaps. "
                f"Not done: {_listed([names[number] for number in left])}."
            )
            if is_last:
                raise ChildProcessError(
                    f"{message} It was the second time: try fewer processes, or larger machines."
                ) from error
            warn_caller(f"{message} They are begun again.", RuntimeWarning)


def _results(
    function: Callable[..., Any], tasks: Mapping[int, tuple[Any, ...]], n_workers: int
) -> Iterable[tuple[int, Any]]:
    backend, _ = get_active_backend()
    if type(backend).__name__ == "DaskDistributedBackend":
        return _results_of_dask(backend, function, tasks)
    # Ray's backend gives what has been done when all is
    how = "generator_unordered" if backend.supports_return_generator else "list"
    options = {"initializer": end_with_parent} if _are_started_here() else {}
    return Parallel(n_jobs=n_workers, return_as=how, **options)(
        delayed(_numbered)(number, function, task) for number, task in list(tasks.items())
    )


def _results_of_dask(
    backend: Any, function: Callable[..., Any], tasks: Mapping[int, tuple[Any, ...]]
) -> Iterator[tuple[int, Any]]:
    """Results of Dask's own futures: joblib 1.6 waits for ever for a task that has killed workers.

    Dask gives a task to other workers up to ``distributed.scheduler.allowed-failures`` times.
    """
    from distributed import as_completed

    futures = [
        backend.client.submit(_numbered, number, function, task, pure=False)
        for number, task in tasks.items()
    ]
    with backend.retrieval_context():  # within a task of Dask, others take its place
        for future in as_completed(futures):
            yield future.result()


def _numbered(
    number: int, function: Callable[..., Any], arguments: tuple[Any, ...]
) -> tuple[int, Any]:
    return number, function(*arguments)


def _are_started_here() -> bool:
    backend, _ = get_active_backend()
    return isinstance(backend, tuple(BACKENDS[name] for name in _STARTED_HERE if name in BACKENDS))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def end_with_parent() -> None:
    """End this worker as soon as its parent is gone: the initializer of a pool of processes.

    A killed parent tells nobody. Its workers would go on with what they have, and then wait for
    more, with all that they have imported. What a worker was writing is left as by a kill.

    In a process that was not started by Python's multiprocessing or joblib's it does nothing: those
    of Dask and Ray are not ours to end.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    wait = _wait_for_handle if os.name == "nt" else _wait_for_process
    threading.Thread(target=_end_after, args=(wait, parent), name="parent", daemon=True).start()


def _end_after(wait: Any, parent: Any) -> None:
    wait(parent)
    # nobody is left to report to, and another thread may be deep in a library
    os._exit(1)


def _wait_for_handle(parent: Any) -> None:
    # Windows keeps the number of a parent that is gone; its handle is told
    parent.join()


def _wait_for_process(parent: Any) -> None:
    # an orphan gets another parent. It may be one already: its first task took seconds to import
    first = os.getppid()
    while os.getppid() == first and _exists(parent.pid):
        time.sleep(_INTERVAL)


def _exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True
