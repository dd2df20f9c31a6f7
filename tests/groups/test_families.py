from __future__ import annotations

import pytest

from sklearn_groupcross.groups import (
    Cyclic,
    Dihedral,
    DirectProduct,
    Quaternion,
    SemidirectProduct,
    Symmetric,
)


def test_quaternions_multiply_as_hamilton_cut_them_into_the_bridge():
    group = Quaternion()
    one, i, j, k, minus = 0, 1, 2, 3, 4
    multiply = group.multiply
    assert multiply(i, i) == multiply(j, j) == multiply(k, k) == minus
    assert multiply(multiply(i, j), k) == minus
    assert group.element_name(multiply(j, i)) == "-k"
    assert multiply(minus, minus) == one


def test_element_names():
    assert Symmetric(3).element_name(3) == "(0 1 2)"
    product = Cyclic(4) * Dihedral(2)
    assert product.element_name(5) == "(ρ, ρ)"
    # both have a turn by 180°, of different things
    assert product.describe_element(5) == "(turn 90°; turn 180°)"
    assert (Cyclic(3) * Dihedral(2)).describe_element(5) == "turn 120° and turn 180°"
    stabilizer = Symmetric(4).generated_subgroup([1])
    assert stabilizer.name == "C2: (2 3)"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Symmetric(7), "1 <= n <= 6"),
        (lambda: Dihedral(32) * Dihedral(16), "2048 elements; at most 1024"),
        (lambda: DirectProduct(Symmetric(6), Cyclic(2)), "at most 1024"),
        (lambda: SemidirectProduct(Cyclic(3), Cyclic(2), [[0, 1, 2]]), r"\(2, 3\)"),
        (
            lambda: SemidirectProduct(Cyclic(4), Cyclic(2), [[0, 1, 2, 3], [0, 2, 1, 3]]),
            "Element 1 does not act by an automorphism",
        ),
        (
            lambda: SemidirectProduct(
                Cyclic(7), Cyclic(3), [[m * 3**h % 7 for m in range(7)] for h in range(3)]
            ),
            "no homomorphism",
        ),
    ],
)
def test_factors_that_do_not_fit_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
