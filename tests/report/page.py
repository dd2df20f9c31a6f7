"""Reading back what a page was written with."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import numpy as np

_ELEMENT = r'<script type="[^"]*" id="{}">(.*?)</script>'


def unpacked(array):
    """An array as the page reads it, from its text in base64."""
    data = base64.b64decode(array["data"])
    return np.frombuffer(data, np.dtype(array["dtype"]).newbyteorder("<")).reshape(array["shape"])


def read_page(text: str) -> Any:
    """The content of a page: what `assemble` was given, with arrays as arrays."""

    def element(name: str) -> str:
        (content,) = re.findall(_ELEMENT.format(re.escape(name)), text, re.DOTALL)
        return content

    def read(value: Any) -> Any:
        if isinstance(value, dict):
            if "dtype" in value:
                data = value["data"] if "data" in value else element(value["at"])
                return unpacked({**value, "data": data})
            return {name: read(item) for name, item in value.items()}
        return [read(item) for item in value] if isinstance(value, list) else value

    return read(json.loads(element("data")))


def strings_in(content: Any) -> list[str]:
    """All texts of a content."""
    if isinstance(content, dict):
        return [text for item in content.values() for text in strings_in(item)]
    if isinstance(content, list):
        return [text for item in content for text in strings_in(item)]
    return [content] if isinstance(content, str) else []
