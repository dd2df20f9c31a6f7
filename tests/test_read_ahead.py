"""Things are read in order, in another thread, and no more than one ahead."""

import threading

import pytest

from sklearn_groupcross._read_ahead import read_ahead


def test_they_come_in_order_and_at_most_one_ahead():
    begun, threads = [], set()

    def read(item):
        begun.append(item)
        threads.add(threading.get_ident())
        return -item

    for number, value in enumerate(read_ahead(read, iter([5, 3, 8, 1]))):
        assert value == [-5, -3, -8, -1][number]
        assert len(begun) <= number + 2
    assert begun == [5, 3, 8, 1]
    assert len(threads - {threading.get_ident()}) == len(threads) == 1


def test_the_next_is_begun_while_the_last_is_worked_on():
    begun = {item: threading.Event() for item in range(4)}
    for item in read_ahead(lambda item: begun[item].set() or item, begun):
        assert item == 3 or begun[item + 1].wait(30)


def test_what_is_two_ahead_waits_until_the_last_was_taken():
    """So that memory for two is enough."""
    begun = []
    values = read_ahead(lambda item: begun.append(item) or item, range(4))
    assert begun == []
    next(values)
    next(values)
    assert 3 not in begun
    values.close()


def test_an_error_is_raised_where_its_item_would_have_come():
    def read(item):
        if item == 2:
            raise OSError("item 2 cannot be read")
        return item

    values = read_ahead(read, range(4))
    assert [next(values), next(values)] == [0, 1]
    with pytest.raises(OSError, match="item 2 cannot be read"):
        next(values)


def test_of_nothing_nothing_comes():
    assert list(read_ahead(lambda item: item, [])) == []
