"""Features of a report that contradict themselves: a stated symmetry with a silent element.

    python benchmarks/report_rows.py REPORT.html GROUP [N]

For the first N features (default: all): the mean responses to their strongest inputs under every
element of the stated symmetry, relative to these. A feature contradicts its name if one of them is
below 0.05. Prints these and their number, which is the exit status. Read the pictures too.
"""

import sys
from pathlib import Path

from sklearn_groupcross.groups import parse_group
from tests.report.page import read_page

SILENT = 0.05


def main() -> int:
    report, group, *more = sys.argv[1:]
    group = parse_group(group)
    stabilizers = {subgroup.name: list(subgroup.elements) for subgroup in group.subgroups()}
    run = read_page(Path(report).read_text(encoding="utf-8"))["runs"][0]
    numbers = run["features"]["number"]
    n_rows = int(more[0]) if more else len(numbers)
    n_stated, n_wrong = 0, 0
    for row, number in enumerate(numbers[:n_rows]):
        name = run["words"][run["features"]["symmetry"][row]]
        stated = stabilizers[name]
        n_stated += len(stated) > 1
        silent = [g for g in stated if run["responses"]["mean"][row, g] < SILENT]
        if silent:
            n_wrong += 1
            words = ", ".join(group.describe_element(g) for g in silent)
            print(f"feature {number}, {name}: silent under {words}")
    n_shown = min(n_rows, len(numbers))
    print(f"{n_wrong} of {n_shown} features contradict their name; {n_stated} state a symmetry")
    return n_wrong


if __name__ == "__main__":
    sys.exit(main())
