from __future__ import annotations

from threading import Thread

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross._parallel import share_out, sharing


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


@given(st.lists(st.integers(), max_size=20), st.integers(1, 5))
def test_items_are_taken_once_each_by_threads_with_one_thread_for_products(items, n_threads):
    before, taken, threads = torch.get_num_threads(), [], []

    def work(some):
        threads.append(torch.get_num_threads())
        taken.extend(some)

    torch.set_num_threads(n_threads)
    try:
        share_out(work, items)
        assert torch.get_num_threads() == n_threads
        # nor is what other threads of the host begin with
        others = []
        beginning = Thread(target=lambda: others.append(torch.get_num_threads()))
        beginning.start()
        beginning.join()
        assert others == [n_threads]
    finally:
        torch.set_num_threads(before)
    assert sorted(taken) == sorted(items)
    assert set(threads) == {1}


@pytest.mark.parametrize("gradients", [False, True])
def test_gradients_are_recorded_where_the_caller_has_it(gradients):
    def work(some):
        found.extend(torch.is_grad_enabled() for _ in some)

    before, found = torch.get_num_threads(), []
    torch.set_num_threads(2)
    try:
        with torch.set_grad_enabled(gradients):
            share_out(work, range(8))
    finally:
        torch.set_num_threads(before)
    assert found == 8 * [gradients]


def test_errors_of_an_item_are_raised():
    def fails(some):
        for item in some:
            if item == 3:
                raise ZeroDivisionError

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(ZeroDivisionError):
            share_out(fails, range(6))
    finally:
        torch.set_num_threads(before)
