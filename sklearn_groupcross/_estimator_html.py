"""What estimators show in a notebook: scikit-learn's diagram, and below it what was learned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sklearn import get_config
from sklearn.utils import estimator_html_repr


class ShowsWhatWasLearned:
    """A mixin, to stand before `BaseEstimator`, for estimators that say more once they are fitted.

    It heeds ``sklearn.set_config(display="text")``. Diagrams of pipelines show the steps as
    scikit-learn does.
    """

    def _learned_html(self) -> str:
        """What was learned; "" before `fit`. Nothing is computed for it."""
        raise NotImplementedError

    def _whole_html(self) -> str:
        return estimator_html_repr(self) + self._learned_html()

    @property
    def _repr_html_(self) -> Callable[[], str]:
        # a property, so that `hasattr` is as the setting says: scikit-learn's way
        if get_config()["display"] != "diagram":
            raise AttributeError("_repr_html_ is there where sklearn's display is 'diagram'")
        return self._whole_html

    def _repr_mimebundle_(self, **options: Any) -> dict[str, str]:
        bundle = {"text/plain": repr(self)}
        if get_config()["display"] == "diagram":
            bundle["text/html"] = self._whole_html()
        return bundle
