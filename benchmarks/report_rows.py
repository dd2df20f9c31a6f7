"""Rows of a report that contradict themselves: a stated symmetry with an element that is silent.

    python benchmarks/report_rows.py REPORT.html GROUP [N]

For the first N rows (default: 100): of the elements under which the strongest input is shown, those
that belong to the stated symmetry, and the feature's responses there, relative to the strongest. A
row contradicts its name if one of them is below 0.05. Prints these rows and their number, which is
the exit status. Read the pictures too: this looks at one input of each row.
"""

import sys
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

from sklearn_groupcross.groups import parse_group

SILENT = 0.05


class Rows(HTMLParser):
    """Texts of every row of the table of features."""

    def __init__(self, report: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._inside = False
        self.feed(report)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self._inside = (dict(attributes).get("id") or "").startswith("f")
            if self._inside:
                self.rows.append([])

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag != "tr"

    def handle_data(self, data: str) -> None:
        if self._inside and data.strip():
            self.rows[-1].append(data.strip())


def main() -> int:
    report, group, *more = sys.argv[1:]
    n_rows = int(more[0]) if more else 100
    group = parse_group(group)
    stabilizers = {subgroup.name: set(subgroup.elements) for subgroup in group.subgroups()}
    numbers = {group.describe_element(g): g for g in range(group.order)}
    rows = Rows(Path(report).read_text(encoding="utf-8")).rows[:n_rows]
    n_stated, n_wrong = 0, 0
    for texts in rows:
        stated = next((stabilizers[text] for text in texts if text in stabilizers), {0})
        n_stated += len(stated) > 1
        responses = {
            numbers[text]: float(before)
            for before, text in pairwise(texts)
            if text in numbers and before.replace(".", "").isdigit()
        }
        silent = [g for g in stated & responses.keys() if responses[g] < SILENT]
        if silent:
            n_wrong += 1
            names = ", ".join(group.describe_element(g) for g in silent)
            print(f"feature {texts[0]}, {texts[1]}, {texts[2]}: silent under {names}")
    print(f"{n_wrong} of {len(rows)} rows contradict their name; {n_stated} state a symmetry")
    return n_wrong


if __name__ == "__main__":
    sys.exit(main())
