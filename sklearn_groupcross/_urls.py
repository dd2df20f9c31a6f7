"""Which texts are URLs."""

from __future__ import annotations

import re


def is_url(path: object) -> bool:
    """Whether it is a URL such as ``s3://bucket/name``, and no path of this machine."""
    # a drive of Windows is one letter, and has one slash
    return isinstance(path, str) and re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", path) is not None
