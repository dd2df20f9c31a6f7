"""Estimators that a failure leaves as they were."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def all_or_nothing(estimator: Any) -> Iterator[dict[str, Any]]:
    """Give an object its attributes back, all of them, if what is done inside does not succeed.

    So a fit on bad data, or one that is interrupted, leaves neither new attributes beside old ones
    nor an unfitted estimator with some. Values are not copied: what is changed in place stays
    changed.

    Parameters
    ----------
    estimator : object

    Yields
    ------
    before : dict of str to object
        What it gets back; names may be taken out of it.
    """
    before = dict(vars(estimator))
    try:
        yield before
    except BaseException:
        estimator.__dict__ = before
        raise
