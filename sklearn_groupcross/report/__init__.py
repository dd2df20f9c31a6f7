"""The report: one static HTML file. Needs the extra ``report`` (matplotlib and jinja2)."""

from ._report import write_report

__all__ = ["write_report"]
