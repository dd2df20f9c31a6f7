from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross import Dihedral
from sklearn_groupcross.analysis._code_moments import code_moments, joined, without
from sklearn_groupcross.analysis._lift import solve

D4 = Dihedral(4)


def test_moments_of_parts_add_up_and_come_apart(data, autoencoder):
    orbits = data.orbits[:400] + np.linspace(0, 3, 400)[:, None, None]
    first, second, whole = (
        code_moments(autoencoder, part, None) for part in (orbits[:150], orbits[150:], orbits)
    )
    for found, expected in ((joined(first, second), whole), (without(whole, first), second)):
        for field, value in vars(expected).items():
            np.testing.assert_allclose(getattr(found, field), value, rtol=1e-5, atol=1e-3)
    alone = np.flatnonzero(autoencoder.encode(orbits[:, 0])[:, 5])
    rest = without(whole, code_moments(autoencoder, orbits, alone))
    assert (rest.firings[5], rest.mean_code[5], rest.codes_codes[5, 5]) == (0, 0, 0)
    assert not solve(rest, D4, 0.1).atoms[5].any()


def test_there_is_something_to_sum_over(data, autoencoder):
    with pytest.raises(ValueError, match="no samples"):
        code_moments(autoencoder, data.orbits, np.array([], dtype=np.int64))
