"""One HTML file of the explorer's data, pictures, scripts and styles."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any

from .._printable import escaped, printable

_EXPLORER = files("sklearn_groupcross.report").joinpath("explorer")
# In the order in which they need one another; each makes one global.
_VENDORED = ("preact.umd.js", "hooks.umd.js", "htm.umd.js")
# Longer arrays are elements of their own: a browser reads those faster than strings in JSON, and
# decodes what is looked at alone.
_LONGEST_WITHIN = 4096


def assemble(data: Mapping[str, Any], atlases: Mapping[str, Sequence[bytes]], title: str) -> str:
    """Put the explorer's page together.

    Parameters
    ----------
    data : mapping
        Of strings, numbers, lists, mappings and None. Arrays are mappings with ``dtype``, ``shape``
        and, in base64, ``data``. What cannot be seen in strings is escaped; numbers that are not
        finite become None.
    atlases : mapping of str to sequence of bytes
        WebP files, by the names that `data` calls them by.
    title : str

    Returns
    -------
    html : str
        Without a server and without any request: a policy within forbids them. In ASCII, so that a
        frame of whatever encoding may hold it.

    Raises
    ------
    ImportError
        If jinja2 is missing.
    TypeError
        If `data` holds something else, such as an array of numpy.
    ValueError
        If the name of an atlas is none that an element can have.
    """
    try:
        from jinja2 import Environment, select_autoescape
    except ImportError as error:
        raise ImportError(
            "The report needs jinja2: pip install 'sklearn-groupcross[report]'."
        ) from error
    arrays: list[tuple[str, str]] = []
    plain = _plain(data, arrays)
    style = _text("explorer.css")
    scripts = [_script(name) for name in _VENDORED] + [_own_script()]
    environment = Environment(
        autoescape=select_autoescape(default=True), trim_blocks=True, lstrip_blocks=True
    )
    page = environment.from_string(_text("page.html.jinja")).render(
        title=printable(title),
        policy=_policy(style, scripts),
        style=style,
        scripts=scripts,
        data=_json(plain),
        arrays=arrays,
        atlases=list(_encoded(atlases)),
    )
    # all but the title is already
    return page.encode("ascii", "xmlcharrefreplace").decode()


def _text(name: str) -> str:
    return _EXPLORER.joinpath(name).read_text(encoding="utf-8")


def _script(name: str) -> str:
    """A vendored script without the line that names a map of its source, which is not there."""
    text = _EXPLORER.joinpath("vendor", name).read_text(encoding="utf-8")
    return text.split("\n//# sourceMappingURL=")[0]


def _own_script() -> str:
    names = _text("order.txt").split()
    parts = [f"// {name}\n{_text(name)}" for name in names]
    script = "(() => {\n'use strict';\n" + "\n".join(parts) + "})();\n"
    return "".join(c if c.isascii() else escaped(c) for c in script)


def _policy(style: str, scripts: Sequence[str]) -> str:
    """Allow what the page was written with; nothing from outside, and no request."""

    def allowed(text: str) -> str:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        return f"'sha256-{digest}'"

    return "; ".join(
        [
            "default-src 'none'",
            "script-src " + " ".join(map(allowed, scripts)),
            # places and sizes are set as attributes
            "style-src " + allowed(style),
            "style-src-attr 'unsafe-inline'",
            "img-src data: blob:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _encoded(atlases: Mapping[str, Sequence[bytes]]) -> Iterator[tuple[str, str]]:
    for name, parts in atlases.items():
        if not name.isidentifier():
            raise ValueError(f"Atlases are named by letters and digits; got {name!r}.")
        for number, content in enumerate(parts):
            yield f"atlas-{name}-{number}", base64.b64encode(content).decode()


def _plain(value: Any, arrays: list[tuple[str, str]]) -> Any:
    """Copy of the data that JSON can hold; long arrays are put among the `arrays`."""
    if isinstance(value, Mapping):
        if value.keys() == {"dtype", "shape", "data"}:
            return _array(value, arrays)
        return {printable(str(key)): _plain(item, arrays) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, arrays) for item in value]
    if isinstance(value, str):
        return printable(value, keep="\n\t")
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    raise TypeError(
        "The page is given strings, numbers, lists, mappings and None; got "
        f"{type(value).__name__}: {str(value)[:60]}."
    )


def _array(value: Mapping[str, Any], arrays: list[tuple[str, str]]) -> dict[str, Any]:
    described = {"dtype": value["dtype"], "shape": list(value["shape"])}
    if len(value["data"]) <= _LONGEST_WITHIN:
        return {**described, "data": value["data"]}
    name = f"array-{len(arrays)}"
    arrays.append((name, value["data"]))
    return {**described, "at": name}


def _json(value: Any) -> str:
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    # so that no string ends the element, or opens a comment in it
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
