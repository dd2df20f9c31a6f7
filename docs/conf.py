"""How the documentation is built: ``python -m sphinx -W -b html docs docs/_build/html``."""

from __future__ import annotations

import os
import re
from typing import Any

import matplotlib as mpl

from sklearn_groupcross import __version__

mpl.use("Agg")
# Two numerical libraries that both spin while they wait slow one another down many times.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

project = "sklearn_groupcross"
author = "The sklearn_groupcross developers"
project_copyright = author
version = release = __version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    # MathJax is loaded from a CDN when a page with a formula is viewed; building needs no network.
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
rst_prolog = r".. |G| replace:: \|G\|"  # the order of the group, not a substitution
exclude_patterns = ["_build"]
templates_path = ["_templates"]
default_role = "py:obj"
add_module_names = False
python_maximum_signature_line_length = 88

autosummary_generate = True
autodoc_typehints = "none"  # numpydoc's sections state the types
autodoc_member_order = "groupwise"
numpydoc_show_class_members = False  # the template of class pages lists them
numpydoc_class_members_toctree = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"/plot_",
    "within_subsection_order": "FileNameSortKey",
    "matplotlib_animations": False,
    "show_memory": False,
    "show_signature": False,
    "write_computation_times": False,
    "download_all_examples": False,
    "abort_on_example_error": True,
    "capture_repr": (),
}

html_theme = "pydata_sphinx_theme"
html_title = "sklearn_groupcross"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_show_sourcelink = False
html_copy_source = False
html_sidebars = {"index": [], "install": [], "quickstart": [], "benchmarks": [], "development": []}
html_theme_options = {
    "logo": {"text": "sklearn_groupcross"},
    "header_links_before_dropdown": 7,
    "navbar_align": "left",
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "tango",
}


def link_short_names(app: Any, env: Any, node: Any, contnode: Any) -> Any:
    """Link `ImageSource` to the one class of that name, wherever it is documented.

    Docstrings use names as a reader of the code sees them, without the room they live in.
    """
    if node.get("refdomain") != "py":
        return None
    domain, target = env.domains.python_domain, node["reftarget"].rstrip("()")
    kinds = {"class", "function", "data"} | ({"method", "property"} if "." in target else set())
    found = [
        (name, entry)
        for name, entry in domain.objects.items()
        if name.endswith(f".{target}") and entry.objtype in kinds and not entry.aliased
    ]
    if len(found) != 1:
        return None
    from sphinx.util.nodes import make_refnode

    name, entry = found[0]
    docname = node.get("refdoc", env.docname)
    return make_refnode(app.builder, docname, entry.docname, entry.node_id, contnode, name)


def escape_docstring(app: Any, what: str, name: str, obj: Any, options: Any, lines: Any) -> None:
    """Let docstrings stay readable as text: numpydoc passes on what reST would misread."""
    for i, line in enumerate(lines):
        if not line.lstrip().startswith("..."):  # not the second line of a doctest
            # autosummary takes the first ". " for the end of the sentence
            line = line.replace(" ... ", " … ")
        if "of shape (" in line:
            # in "ndarray of shape (n_atoms, n_features_in_)" the last word is not a hyperlink
            line = re.sub(r"(?<![`*\w])(\w+)_(?=[),])", r"\1\\_", line)
        lines[i] = line


def skip_of_others(
    app: Any, what: str, name: str, obj: Any, skip: bool, options: Any
) -> bool | None:
    """Leave out members that are inherited from other packages, which document them.

    Those of the package's own bases are a class's own for a reader: the bases are private.
    """
    for wrapped in ("fget", "func", "__func__"):  # of a property, a cached one, a class method
        obj = getattr(obj, wrapped, None) or obj
    owner = obj if hasattr(obj, "__module__") else getattr(obj, "__objclass__", None)
    module = getattr(owner, "__module__", None)
    of_others = isinstance(module, str) and module.split(".")[0] != "sklearn_groupcross"
    return True if of_others else None  # as it would be


def setup(app: Any) -> None:
    """Register what this file adds to Sphinx."""
    app.connect("autodoc-process-docstring", escape_docstring, priority=900)  # after numpydoc
    app.connect("autodoc-skip-member", skip_of_others)
    app.connect("missing-reference", link_short_names)
