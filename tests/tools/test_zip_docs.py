from __future__ import annotations

import zipfile

from tools.zip_docs import pack


def test_the_same_pages_make_the_same_file(tmp_path):
    made = []
    for order in (("b.html", "a.html"), ("a.html", "b.html")):
        folder = tmp_path / order[0] / "html"
        (folder / "_static").mkdir(parents=True)
        (folder / ".doctrees").mkdir()
        (folder / ".doctrees" / "a.doctree").write_text("not packed")
        (folder / ".buildinfo").write_text("not packed")
        for name in (*order, "_static/a.css"):
            (folder / name).write_text(name)
        made.append(pack(folder, "docs"))
    assert made[0].read_bytes() == made[1].read_bytes()
    with zipfile.ZipFile(made[0]) as archive:
        assert archive.namelist() == ["docs/_static/a.css", "docs/a.html", "docs/b.html"]
