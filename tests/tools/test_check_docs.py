from __future__ import annotations

import pytest

from tools.check_docs import check, read_page

GOOD = """<html><head><link rel="stylesheet" href="_static/a.css?v=1">
<link rel="next" href="b.html"></head><body><p>Menu</p><article><h1 id="first">First</h1>
<p>After this page you can <em>read</em>.</p><img src="_static/a.png">
<a href="b.html#second">b</a> <a href="#first">up</a>
<a href="https://example.org/">elsewhere</a> <a href="mailto:a@b.c">write</a></article></body>
</html>"""
OTHER = '<article><p id="second">Second</p><img src="data:image/png;base64,AA"></article>'


@pytest.fixture
def built(tmp_path):
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "a.css").write_text("a { background: url(a.png) }")
    (tmp_path / "_static" / "a.png").write_bytes(b"")
    (tmp_path / "index.html").write_text(GOOD)
    (tmp_path / "b.html").write_text(OTHER)
    return tmp_path


def test_what_is_whole_passes(built):
    found = check(built)
    assert (found.requests, found.broken, found.guide) == ([], [], [])
    assert dict(found.external) == {"https://example.org/": {"index.html"}}
    assert found.n_pages == 2


@pytest.mark.parametrize(
    "part",
    [
        '<script src="https://cdn.org/a.js"></script>',
        '<link rel="stylesheet" href="//cdn.org/a.css">',
        '<link rel="preconnect" href="https://cdn.org">',
        '<img src="_static/a.png" srcset="_static/a.png 1x, http://cdn.org/a.png 2x">',
        '<p style="background: url(https://cdn.org/a.png)">',
        "<style>@import 'https://cdn.org/a.css';</style>",
        '<iframe src="http://cdn.org/"></iframe>',
    ],
)
def test_whatever_asks_a_network_is_found(built, part):
    (built / "c.html").write_text(part)
    assert [name for name, _ in check(built).requests] == ["c.html"]


def test_style_sheets_are_read(built):
    (built / "_static" / "a.css").write_text("@font-face { src: url('https://cdn.org/a.woff2') }")
    assert check(built).requests == [("_static/a.css", "https://cdn.org/a.woff2")]


@pytest.mark.parametrize(
    "address", ["d.html", "b.html#third", "#third", "_static/b.png", "_static", "b.html?x=1#third"]
)
def test_links_that_lead_nowhere_are_found(built, address):
    (built / "c.html").write_text(f'<a href="{address}">c</a>')
    assert check(built).broken == [("c.html", address)]


def test_pages_of_the_guide_say_what_one_can_do_and_show_it(built):
    (built / "guide").mkdir()
    (built / "guide" / "index.html").write_text(OTHER)
    (built / "guide" / "good.html").write_text(
        '<article><p>After this page you can.</p><img src="../_static/a.png"></article>'
    )
    (built / "guide" / "bad.html").write_text("<img src='../_static/a.png'><p>After this page</p>")
    said = [what for name, what in check(built).guide if name == "guide/bad.html"]
    assert len(said) == len(check(built).guide) == 2


def test_the_first_paragraph_is_that_of_the_article():
    page = read_page(
        "<p>Menu</p><article><p>After <a href='#'>this</a>\npage</p><p>b</p></article>"
    )
    assert page.first_paragraph == "After this page"


def test_without_pages_it_stops(tmp_path):
    with pytest.raises(SystemExit, match="build them first"):
        check(tmp_path)
