from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross._parallel import sharing


@given(st.integers(0, 40), st.integers(1, 7))
def test_ranges_cover_every_row_once(n_rows, n_threads):
    before, rows = torch.get_num_threads(), []
    torch.set_num_threads(n_threads)
    try:
        with sharing() as run:
            run(lambda into, first, last: into.extend(range(first, last)), n_rows, rows)
            done = len(rows)  # it returns when all are done
    finally:
        torch.set_num_threads(before)
    assert done == n_rows
    assert sorted(rows) == list(range(n_rows))


@pytest.mark.parametrize("n_threads", [1, 3])
def test_errors_of_a_range_are_raised(n_threads):
    def fails(first, last):
        if last == 6:
            raise ZeroDivisionError

    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        with sharing() as run, pytest.raises(ZeroDivisionError):
            run(fails, 6)
    finally:
        torch.set_num_threads(before)
