"""What groups, subgroups and stabilizers show in a notebook.

They are `Any` here: these modules import this one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._html import MOST_PLACES, card, cayley_table, wheel
from ._validation import element_orders

# Counts and elements that a line holds.
_MOST_LISTED = 12


def group_html(group: Any) -> str:
    """Order, orders of elements, dimensions of irreps if they are known, and the Cayley table."""
    facts: dict[str, object] = {"elements": group.order}
    if group.order <= MOST_PLACES:
        table = group.cayley_table
        facts["abelian"] = "yes" if np.array_equal(table, table.T) else "no"
        orders, counts = np.unique(element_orders(table), return_counts=True)
        of_orders = zip(orders.tolist(), counts.tolist(), strict=True)
        facts["of them"] = _listed([f"{count} of order {order}" for order, count in of_orders])
    if "irreps" in vars(group):
        dimensions = [str(irrep.dimension) for irrep in group.irreps]
        facts["irreps of dimension"] = _listed(dimensions)
    return card(repr(group), facts, cayley_table(group.cayley_table))


def subgroup_html(subgroup: Any) -> str:
    """Elements among those of the group."""
    return card(f"{subgroup.name} in {subgroup.group!r}", _facts(subgroup), _wheel(subgroup))


def stabilizer_html(stabilizer: Any) -> str:
    """Elements that leave a feature as it is, and the evidence."""
    subgroup, runner_up = stabilizer.subgroup, stabilizer.runner_up
    facts = {
        **_facts(subgroup),
        "energy that they leave": f"{stabilizer.energy:.3f}",
        "smallest cosine": f"{stabilizer.minimum:.3f}",
        "above the threshold by": f"{stabilizer.margin:.3f}",
    }
    if runner_up is not None:
        facts["runner-up"] = f"{runner_up.name} ({stabilizer.runner_up_score:.3f})"
    title = f"Stabilizer {subgroup.name} in {subgroup.group!r}"
    return card(title, facts, _wheel(subgroup))


def _facts(subgroup: Any) -> dict[str, object]:
    names = [subgroup.group.describe_element(g) for g in subgroup.elements[: _MOST_LISTED + 1]]
    return {"order": f"{subgroup.order} of {subgroup.group.order}", "elements": _listed(names)}


def _wheel(subgroup: Any) -> str:
    return wheel(subgroup.group, dict.fromkeys(subgroup.elements, "member"), "blue: elements")


def _listed(words: list[str]) -> str:
    return ", ".join(words[:_MOST_LISTED]) + (", …" if len(words) > _MOST_LISTED else "")
