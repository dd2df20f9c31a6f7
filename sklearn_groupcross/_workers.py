"""Worker processes that end when the process that started them does, however it ends."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from typing import Any

# Seconds between two looks at the parent.
_INTERVAL = 0.5


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
