import warnings

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_groupcross import Cyclic
from sklearn_groupcross._plain import as_plain, as_tensor
from sklearn_groupcross._stacks._rows import Rows

GROUP, N, WIDTH = Cyclic(2), 12, 8


X = np.random.default_rng(0).normal(size=(N, WIDTH)).astype(np.float32)


TYPES = ["<f2", "<f4", "<f8", ">f2", ">f4", ">f8"]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_view_becomes_the_tensor_of_its_values(data):
    array = np.arange(60.0).reshape(3, 4, 5).astype(data.draw(st.sampled_from(TYPES)))
    steps = data.draw(st.tuples(*[st.sampled_from([-3, -2, -1, 1, 2, 3])] * 3))
    view = array[tuple(slice(None, None, step) for step in steps)]
    view = view.transpose(data.draw(st.permutations(range(3))))
    if data.draw(st.booleans()):
        view.setflags(write=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tensor = as_tensor(view)
        read = Rows(view).read(slice(0, 2), to_change=data.draw(st.booleans()))
    np.testing.assert_array_equal(tensor.numpy(), view)
    np.testing.assert_array_equal(read.numpy(), view[:2].reshape(len(view[:2]), -1))


def test_what_is_plain_is_left_alone():
    for given_as in (X, X.tolist(), "text", None, pd.DataFrame(X)):
        assert as_plain(given_as) is given_as
