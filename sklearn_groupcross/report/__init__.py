"""The report: one HTML file, an explorer. Needs the extra ``report`` (matplotlib and jinja2)."""

from ._explore import Explorer, explore
from ._report import write_report
from ._subject import ReportSubject
from ._visualizations import picture_features

__all__ = ["Explorer", "ReportSubject", "explore", "picture_features", "write_report"]
