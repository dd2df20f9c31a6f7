from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross import GroupCrosscoder, SymmetryAnalyzer
from sklearn_groupcross.report import write_report
from sklearn_groupcross.report._codes import codes_under, reads_whole_orbits


@pytest.fixture(scope="module")
def of_orbits(small_dataset, orbits):
    """A crosscoder whose encoder reads whole orbits."""
    settings = {"activation": "topk", "k": 4, "max_epochs": 5, "random_state": 0}
    crosscoder = GroupCrosscoder(small_dataset.group, 12, encoder_input="orbit", **settings)
    return crosscoder.fit(orbits)


def test_codes_are_those_of_transformed_inputs(small_crosscoder, of_orbits, orbits):
    assert [reads_whole_orbits(c) for c in (small_crosscoder, of_orbits)] == [False, True]
    group, elements = small_crosscoder.group_, [3, 0, 6]
    for crosscoder in (small_crosscoder, of_orbits):
        codes = codes_under(crosscoder, orbits[:9], elements)
        for i, g in enumerate(elements):
            moved = orbits[:9, group.right_translation(g)]  # the orbits of g·x
            np.testing.assert_allclose(codes[:, i], crosscoder.transform(moved), atol=1e-5)


def test_encoders_of_whole_orbits_have_a_report(
    of_orbits, small_dataset, orbits, tmp_path, written
):
    analysis = SymmetryAnalyzer().fit(of_orbits)
    write_report(tmp_path / "report.html", analysis, of_orbits, small_dataset, orbits)
    (run,) = written[0][0]["runs"]
    # where in a picture it fires would take orbits of every place
    assert run["shown"]["firing"] is None
    assert run["pictures"]["n"] > 0
