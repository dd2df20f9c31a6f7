"""How the documentation is built: ``python -m sphinx -W -b html docs docs/_build/html``."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

from sklearn_groupcross import __version__

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))
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
    "sphinx.ext.intersphinx",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    # of docs/_ext
    "explorers",
    "glossary_links",
    "inventories",
    "mathml",
    "references",
    "results",
]
html_math_renderer = "mathml"
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
# Types of parameters link to what is documented here and by others.
numpydoc_xref_param_type = True
numpydoc_xref_ignore = "all"  # words that are no names
_listed = re.findall(r"^   ([A-Z]\w+)$", (HERE / "api" / "index.rst").read_text("utf-8"), re.M)
numpydoc_xref_aliases = {
    **{name: f":obj:`{name}`" for name in _listed},
    "Axes": "matplotlib.axes.Axes",
    "DataFrame": "pandas.DataFrame",
    "Figure": "matplotlib.figure.Figure",
    "Namespace": "argparse.Namespace",
    "Path": "pathlib.Path",
    "Pipeline": "sklearn.pipeline.Pipeline",
    "Series": "pandas.Series",
    "Tensor": "torch.Tensor",
    "csr_array": "scipy.sparse.csr_array",
    "mapping": ":term:`python:mapping`",
    "numpy.random.Generator": ":class:`numpy.random.Generator`",
    "range": ":class:`python:range`",
    "scalar": "scalar",  # a tensor without axes, not numpy's
    "set": ":class:`python:set`",
    "torch.device": ":class:`torch.device`",
    "torch.nn.Module": ":class:`torch.nn.Module`",
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

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
    "parallel": 2,  # examples at a time
    "capture_repr": (),
    "image_scrapers": ("matplotlib", "explorers.save_explorers"),
}

html_theme = "pydata_sphinx_theme"
html_title = "sklearn_groupcross"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_js_files = ["offline.js"]
html_context = {"default_mode": "auto"}
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
