"""Checks of the laws that make a family of maps an action."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._ambient import own_state
from ..groups import FiniteGroup
from ._protocols import Action


@own_state()
def check_action(action: Action, inputs: Tensor, *, tolerance: float = 1e-4) -> None:
    """Check an action on some inputs: the shapes, the identity, and ``(gh)·x = g·(h·x)``.

    Parameters
    ----------
    action : Action
        One whose results are inputs of the same shape.
    inputs : Tensor of shape (n, ...)
        A few inputs without symmetry of their own, such as random ones, or a wrong action may
        pass; inputs that are constant are refused. All products are
        compared at once: ``n * order**2`` transformed inputs are held in memory.
    tolerance : float, default=1e-4
        Largest difference, relative to the largest absolute value of the inputs. Interpolation
        needs more.

    Raises
    ------
    TypeError
        If the object has no ``group`` or no ``transform``, or the inputs are no tensor.
    ValueError
        Naming the elements for which a law does not hold; if there are no inputs, or constant ones.

    Examples
    --------
    >>> import torch
    >>> from sklearn_groupcross.groups import Symmetric
    >>> from sklearn_groupcross.actions import SetAction, check_action
    >>> check_action(SetAction(Symmetric(3)), torch.randn(2, 3, 5))
    """
    if not isinstance(action, Action):
        raise TypeError(f"An action has a group and a method transform; got {action!r}.")
    _check_examples(inputs)
    order, table = action.group.order, torch.from_numpy(action.group.cayley_table.copy())
    once = apply_action(action, inputs)
    if once.shape[2:] != inputs.shape[1:]:
        raise ValueError(
            f"Inputs of shape {tuple(inputs.shape[1:])} become {tuple(once.shape[2:])}: the "
            "composition can be checked only where the shape stays."
        )
    scale = inputs.abs().amax().double().clamp_min(1e-12)

    def difference(a: Tensor, b: Tensor) -> Tensor:
        """Largest relative difference for every element, or pair of elements."""
        return (a.double() - b.double()).abs().flatten(a.ndim - inputs.ndim + 1).amax(-1) / scale

    moved = float(difference(once[:, :1], inputs[:, None]).amax())
    if not moved <= tolerance:
        raise ValueError(
            f"Element 0, the identity, changes inputs by up to {moved:.3g} of their size."
        )
    # [n, h, g] -> g·(h·x), to be compared with (gh)·x
    twice = apply_action(action, once.flatten(0, 1)).unflatten(0, (len(inputs), order))
    wrong = difference(twice, once[:, table.T.to(once.device)]).amax(0)
    worst = int(torch.nan_to_num(wrong, nan=torch.inf).argmax())
    h, g = divmod(worst, order)
    if not float(wrong[h, g]) <= tolerance:
        # of an abelian group a right action is a left one, and this cannot be the mistake
        hint = " (Functions of position take the inverse: (g·x)(u) = x(g⁻¹u).)"
        hint = "" if action.group.is_abelian else hint
        raise ValueError(
            f"It is not a left action of {action.group!r}: g·(h·x) and (gh)·x differ by "
            f"{float(wrong[h, g]):.3g} of the inputs' size for g = {g}, h = {h}.{hint}"
        )


def _check_examples(inputs: Tensor) -> None:
    """Refuse inputs on which wrong actions would pass."""
    if not isinstance(inputs, Tensor):
        raise TypeError(f"Inputs are a torch Tensor (n, ...); got {type(inputs).__name__}.")
    if inputs.ndim < 1 or inputs.numel() == 0:
        raise ValueError(f"Give at least one input; got a tensor of shape {tuple(inputs.shape)}.")
    rows = inputs.reshape(len(inputs), -1)
    # one number alone is constant, and may change its sign
    if (rows == rows[:, :1]).all() and (rows.shape[1] > 1 or not rows.any()):
        raise ValueError(
            "Every input is constant, and many wrong actions leave it as it is: give random inputs."
        )


def apply_action(action: Action, inputs: Tensor, **options: Any) -> Tensor:
    """Transform inputs, and check the shape of what comes of it.

    Parameters
    ----------
    action : Action
    inputs : Tensor of shape (n, ...)
    **options : object
        For `Action.transform`.

    Returns
    -------
    transformed : Tensor of shape (n, order, ...)

    Raises
    ------
    ValueError
        If the action gives something else.
    """
    transformed = action.transform(inputs, **options)
    expected = (len(inputs), action.group.order)
    if not isinstance(transformed, Tensor) or transformed.shape[:2] != expected:
        got = tuple(transformed.shape) if isinstance(transformed, Tensor) else type(transformed)
        raise ValueError(
            f"transform of {action!r} gives a tensor (n, order, ...) = "
            f"({expected[0]}, {expected[1]}, ...); got {got}."
        )
    return transformed


def check_representation(group: FiniteGroup, matrices: NDArray[np.float64]) -> None:
    """Check ``ρ(gh) = ρ(g) ρ(h)`` for matrices of shape (order, k, k).

    Raises
    ------
    ValueError
        Naming a pair of elements for which it does not hold.
    """
    tolerance = 1e-6 * max(1.0, float(np.abs(matrices).max()))
    for g in range(group.order):  # one row of the table at a time: order² matrices may be many
        wrong = np.abs(matrices[g] @ matrices - matrices[group.cayley_table[g]]).max(axis=(1, 2))
        if (wrong > tolerance).any():
            h = int(np.argmax(wrong))
            raise ValueError(
                f"The matrices do not represent {group!r}: matrices[{g}] @ matrices[{h}] differs "
                f"from matrices[{group.multiply(g, h)}], that of the product, by up to "
                f"{wrong[h]:.3g}.{_hint(group, matrices)}"
            )
    if np.abs(matrices[0] - np.eye(matrices.shape[1])).max() > tolerance:
        # a homomorphism all the same: a projection satisfies P P = P
        raise ValueError("The matrix of element 0, the identity, is not the identity matrix.")


def _hint(group: FiniteGroup, matrices: NDArray[np.float64]) -> str:
    table = group.cayley_table
    backwards = all(
        np.allclose(matrices[g] @ matrices, matrices[table[:, g]], atol=1e-6)
        for g in range(group.order)
    )
    return " They multiply in the opposite order: transpose each of them." if backwards else ""


def check_permutations(group: FiniteGroup, permutations: NDArray[np.int64]) -> None:
    """Check ``π(gh) = π(g) π(h)`` for permutations of shape (order, length).

    Raises
    ------
    ValueError
        Naming a row that is no permutation, or a pair of elements for which it does not hold.
    """
    points = np.arange(permutations.shape[1])
    wrong = (np.sort(permutations, axis=1) != points).any(axis=1)
    if wrong.any():
        g = int(np.argmax(wrong))
        raise ValueError(
            f"Row {g} is not a permutation of 0 to {len(points) - 1}: "
            f"{np.array2string(permutations[g], threshold=12)}."
        )
    table = group.cayley_table
    for g in range(group.order):
        wrong = (permutations[g][permutations] != permutations[table[g]]).any(axis=1)
        if wrong.any():
            h = int(np.argmax(wrong))
            # a frequent mistake, worth a hint
            backwards = all(
                np.array_equal(permutations[k][permutations], permutations[table[:, k]])
                for k in range(group.order)
            )
            hint = " They compose in the opposite order: give their inverses." if backwards else ""
            raise ValueError(
                f"The permutations do not represent {group!r}: permutation {g} after permutation "
                f"{h} is not permutation {group.multiply(g, h)}, that of the product.{hint}"
            )
