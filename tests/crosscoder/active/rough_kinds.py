"""The kinds of rough products that this machine can make."""

from __future__ import annotations

import pytest

from sklearn_groupcross.crosscoder._active._rough_encoders import Bfloat16Encoder, Int16Encoder
from sklearn_groupcross.crosscoder._active._short_products import has_short_products

#: bfloat16 numbers can be multiplied everywhere, if slowly.
KINDS = [Bfloat16Encoder, *([Int16Encoder] if has_short_products() else [])]

of_all_kinds = pytest.mark.parametrize("kind", KINDS)
