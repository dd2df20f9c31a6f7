"""What this package takes of scikit-learn that scikit-learn does not call public, in one place.

All of it is there from the oldest release that the package asks for to the newest, under the same
names. A release that moves a name is mended here, and `tests/test_sklearn.py` sees to it that no
other module imports such names. What would be public instead:

`fit_context`
    ``sklearn.base._fit_context``, the decorator of `fit`. Without it: `fit` calls the checks of its
    parameters itself, and heeds ``sklearn.config_context(skip_parameter_validation=True)``.
`Interval`, `StrOptions`
    ``sklearn.utils._param_validation``, the values of ``_parameter_constraints``. Without them:
    `sklearn.utils.check_scalar` for each number, and a comparison for each word, with messages of
    our own.
`validate_parameter_constraints`
    The same for functions. Without it: as for the classes.
`InvalidParameterError`
    What the checks raise, both a `ValueError` and a `TypeError`. Without it: a class of our own
    that inherits from both.
"""

from __future__ import annotations

from sklearn.base import _fit_context as fit_context
from sklearn.utils._param_validation import (
    Interval,
    InvalidParameterError,
    StrOptions,
    validate_parameter_constraints,
)

__all__ = [
    "Interval",
    "InvalidParameterError",
    "StrOptions",
    "fit_context",
    "validate_parameter_constraints",
]
