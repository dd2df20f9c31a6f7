"""Names in docstrings and pages: what they link to, and which of them must link to something.

Docstrings use names as a reader of the code sees them, without the room they live in. A name in
single backquotes may also be a parameter, which links to nothing; one that looks like a class, or
like something of the package or of a project in ``docs/_inventories``, has to lead somewhere.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

PACKAGE = "sklearn_groupcross"
CLASS = re.compile(r"[A-Z]\w*[a-z]\w*")


def link_short_names(app: Any, env: Any, node: Any, contnode: Any) -> Any:
    """Link `ImageSource` to the one class of that name, wherever it is documented.

    And `SymmetryAnalyzer.labels_`, an attribute that a page lists without an entry of its own, to
    the class.
    """
    if node.get("refdomain") != "py":
        return None
    domain, target = env.domains.python_domain, node["reftarget"].rstrip("()")
    kinds = {"class", "function", "data"} | ({"method", "property"} if "." in target else set())
    found = _entries(domain, target, kinds)
    if not found and CLASS.fullmatch(owner := target.rpartition(".")[0]):
        found = _entries(domain, owner, {"class"})
    if len(found) != 1:
        return None
    from sphinx.util.nodes import make_refnode

    name, entry = found[0]
    docname = node.get("refdoc", env.docname)
    return make_refnode(app.builder, docname, entry.docname, entry.node_id, contnode, name)


def _entries(domain: Any, target: str, kinds: set[str]) -> list[tuple[str, Any]]:
    return [
        (name, entry)
        for name, entry in domain.objects.items()
        if name.endswith(f".{target}") and entry.objtype in kinds and not entry.aliased
    ]


def what_may_be_missing(projects: list[str]) -> str:
    """Return what ``nitpick_ignore_regex`` takes: all that does not look like a known name."""
    known = "|".join(map(re.escape, [PACKAGE, *projects]))
    return rf"(?!(?:{CLASS.pattern}|(?:{known})\.)).*"


def be_strict(app: Any, config: Any) -> None:
    """Warn of names that lead nowhere, if they look as if they should."""
    projects = [path.stem for path in (Path(app.confdir) / "_inventories").glob("*.txt")]
    config.nitpicky = True
    config.nitpick_ignore_regex = [(r"py:.*", what_may_be_missing(sorted(projects)))]


def show_public_bases(app: Any, name: str, obj: Any, options: Any, bases: list[Any]) -> None:
    """Leave out bases that are private: what they give is listed as the class's own.

    Those of other packages are shown where they are documented.
    """
    shown: list[Any] = []
    for base in bases:
        private = any(part.startswith("_") for part in base.__module__.split("."))
        own = base.__module__.split(".")[0] == PACKAGE
        if not own or (not base.__name__.startswith("_") and (not private or _is_public(base))):
            shown.append(base)
    bases[:] = shown or [object]


def _is_public(base: Any) -> bool:
    """Whether a room exports a class, which then lives in a private module of it."""
    import importlib

    room = importlib.import_module(".".join(base.__module__.split(".")[:2]))
    return base.__name__ in getattr(room, "__all__", ())


def setup(app: Any) -> dict[str, bool]:
    """Register what looks names up."""
    app.connect("config-inited", be_strict)
    app.connect("missing-reference", link_short_names)
    app.connect("autodoc-process-bases", show_public_bases)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
