"""The explorer in a notebook."""

from __future__ import annotations

import html
import os
from typing import Any

from .._ambient import own_state
from .._files import written_whole
from .._integers import check_integer
from ..analysis import SymmetryAnalyzer
from ..crosscoder import GroupCrosscoder
from ._pictures import HasPatches
from ._report import make_page
from ._subject import ReportSubject


class Explorer:
    """The page of `write_report`, shown where it is the value of a notebook's cell.

    Parameters
    ----------
    page : str
        HTML.
    height : int
        In pixels.
    """

    def __init__(self, page: str, height: int) -> None:
        self._page, self._height = page, height

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the page to a file, which appears when it is complete.

        Parameters
        ----------
        path : path

        Raises
        ------
        OSError
            If it cannot be written.
        """
        with written_whole(path) as temporary:
            temporary.write_bytes(self._page.encode())

    def __repr__(self) -> str:
        size = len(self._page) / 1e6
        return f"<Explorer, {size:.1f} MB: a notebook shows it, save(path) writes it to a file>"

    def _repr_html_(self) -> str:
        # a frame of its own: neither styles nor scripts mix with those of the notebook
        return (
            f'<iframe srcdoc="{html.escape(self._page)}" title="Explorer" width="100%" '
            f'height="{self._height}" style="border:0" allow="clipboard-write" '
            'sandbox="allow-scripts allow-downloads allow-popups"></iframe>'
        )


@own_state()
def explore(
    analysis: SymmetryAnalyzer,
    crosscoder: GroupCrosscoder | None = None,
    dataset: HasPatches | None = None,
    orbits: Any = None,
    *,
    other: ReportSubject | None = None,
    height: int = 800,
    title: str = "Explorer",
    progress: bool = False,
    **details: Any,
) -> Explorer:
    """Make the explorer of a dictionary for a notebook; also `SymmetryAnalyzer.explore`.

    Parameters
    ----------
    analysis : SymmetryAnalyzer
        Fitted.
    crosscoder : GroupCrosscoder, optional
        This and what follows as `write_report` takes it. Of the analysis alone there are families,
        profiles and neighbours; with orbits what excites features, with a dataset patches.
    dataset : OrbitDataset, optional
    orbits : array or StoredOrbits of shape (n_samples, order, n_channels), optional
    other : ReportSubject, optional
    height : int, default=800
        Of the frame in pixels.
    title : str, default="Explorer"
    progress : bool, default=False
    **details
        Other attributes of `ReportSubject`.

    Returns
    -------
    explorer : Explorer
        A notebook shows it; ``explorer.save("explorer.html")`` writes it to a file.

    Raises
    ------
    ImportError, TypeError, ValueError
        As `write_report`.
    """
    first = ReportSubject(analysis, crosscoder, dataset, orbits, **details)
    subjects = [first] if other is None else [first, other]
    page, _ = make_page(subjects, title=title, progress=progress)
    return Explorer(page, check_integer("height", height, 1))
