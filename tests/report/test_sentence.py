from __future__ import annotations

import numpy as np

from sklearn_groupcross.report._sentence import what_was_found

UNKNOWN = np.full(9, np.nan)


def family(n, kind, n_taken, n_poses):
    counts = {"n_taken": n_taken, "n_poses": n_poses}
    return {"members": list(range(n)), "silent": [], "main_kind": kind, **counts}


def test_families_the_largest_one_without_gaps_and_what_others_find():
    families = [family(17, "directed", 16, 32), family(8, "grid", 8, 8), family(3, "line", 3, 3)]
    found = np.array([1.0, 0.5, 0.0, np.nan])
    assert what_was_found(40, families, found) == (
        "3 families of features that are one another's transforms, 28 of 40 features in all; the "
        "largest has 17 directed features in 16 of 32 poses; one of 8 grids has all 8; 50 % of "
        "features found again by another seed."
    )


def test_what_is_not_there_is_not_told():
    assert what_was_found(9, [], UNKNOWN) == (
        "9 features, of which no two are one another's transforms."
    )
    # alike in one pose is not one another's transforms
    assert what_was_found(9, [family(2, "round", 1, 1)], UNKNOWN) == (
        "9 features, of which no two are one another's transforms."
    )
    assert what_was_found(9, [family(2, "other", 2, 4)], UNKNOWN) == (
        "1 family of features that are one another's transforms, 2 of 9 features in all; the "
        "largest has 2 features in 2 of 4 poses."
    )
