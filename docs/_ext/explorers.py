"""Sphinx extension: explorers that examples of the gallery make are files, shown in frames.

Any page may show the same file: ``explorers/plot_NAME.html`` lies at the root of what is built.
(In a notebook an explorer is shown without this.)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

#: Folder in the sources whose content is copied to the root of what is built.
FOLDER = "_explorers"

FRAME = """.. raw:: html

    <iframe class="explorer" src="../explorers/{name}.html" title="Explorer"></iframe>

"""


def save_explorers(block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
    """Save the explorer that a block of an example has made: a scraper for ``image_scrapers``.

    Parameters
    ----------
    block : tuple
        Kind, source and line of the block.
    block_vars : dict
        What the block has left, and the file of the example.
    gallery_conf : dict
        Configuration of sphinx-gallery.

    Returns
    -------
    str
        reStructuredText of a frame that shows it; empty where there is none.
    """
    from sklearn_groupcross.report import Explorer

    variables = block_vars["example_globals"]
    explorer = variables.get("explorer")
    if not isinstance(explorer, Explorer) or variables.get("_saved_explorer") is explorer:
        return ""
    variables["_saved_explorer"] = explorer
    name = Path(block_vars["src_file"]).stem
    folder = Path(gallery_conf["src_dir"], FOLDER, "explorers")
    folder.mkdir(parents=True, exist_ok=True)
    explorer.save(folder / f"{name}.html")
    return FRAME.format(name=name)


def keep_folder(app: Any, config: Any) -> None:
    """Have the content of the folder copied, and nothing in it taken for a source."""
    Path(app.srcdir, FOLDER).mkdir(exist_ok=True)
    config.html_extra_path.append(FOLDER)
    config.exclude_patterns.append(FOLDER)


def setup(app: Any) -> dict[str, bool]:
    """Register the extension."""
    app.connect("config-inited", keep_folder)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
