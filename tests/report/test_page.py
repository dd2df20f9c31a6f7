"""The explorer's page as a file: what it holds, and what may not get out of its place."""

import base64
import hashlib
import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from sklearn_groupcross.report import _page
from sklearn_groupcross.report._page import assemble

EXPLORER = Path(_page.__file__).parent / "explorer"


class Elements(HTMLParser):
    """Every element as a browser would find it: scripts and styles with their text."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.found = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes), []))

    def handle_endtag(self, tag):
        self.found.append(("/" + tag, {}, []))

    def handle_data(self, data):
        if self.found:
            self.found[-1][2].append(data)

    def texts(self, tag, **attributes):
        return [
            "".join(parts)
            for name, given, parts in self.found
            if name == tag and attributes.items() <= given.items()
        ]


def _data(title="title", **more):
    return {"title": title, **more}


def _array(values):
    data = base64.b64encode(values.tobytes()).decode()
    return {"dtype": str(values.dtype), "shape": list(values.shape), "data": data}


def test_data_come_back_whole():
    data = _data(number=3, share=0.5, none=None, yes=True, rows=[["a", 1]], pair=(1, 2))
    (text,) = Elements(assemble(data, {}, "t")).texts("script", id="data")
    assert json.loads(text) == {**data, "pair": [1, 2]}


def test_what_is_not_finite_is_not_known():
    (text,) = Elements(assemble(_data(a=float("nan"), b=[float("inf")]), {}, "t")).texts(
        "script", id="data"
    )
    assert json.loads(text) == _data(a=None, b=[None])


@pytest.mark.parametrize(
    "name", ["</script><script>", "<!--<script>", "a & b", "\u202e\x00\ud800", "é"]
)
def test_no_text_leaves_its_place(name):
    page = assemble(_data(name, **{name: name}), {}, name)
    assert page.isascii()
    found = Elements(page)
    scripts = [given for tag, given, _ in found.found if tag == "script"]
    assert len(scripts) == 5  # data, three of others, our own
    told = json.loads(found.texts("script", id="data")[0])
    seen = name if name.isprintable() else "\\u202e\\u0000\\ud800"
    assert told == {"title": seen, seen: seen}
    assert found.texts("title") == [seen]
    assert html.escape(seen, quote=False).encode(
        "ascii", "xmlcharrefreplace"
    ).decode() in page.replace("&#34;", '"')


def test_long_arrays_lie_beside_the_data():
    short, long = np.arange(4, dtype="int32"), np.arange(9000, dtype="float32")
    found = Elements(assemble(_data(short=_array(short), long=_array(long)), {}, "t"))
    data = json.loads(found.texts("script", id="data")[0])
    assert data["short"] == _array(short)
    assert data["long"] == {"dtype": "float32", "shape": [9000], "at": "array-0"}
    (text,) = found.texts("script", id="array-0")
    assert text == _array(long)["data"]


def test_atlases_are_found_by_name_and_number():
    found = Elements(assemble(_data(), {"pictures": [b"one", b"two"], "blocks": [b"three"]}, "t"))
    texts = [
        found.texts("script", id=f"atlas-{name}")
        for name in ("pictures-0", "pictures-1", "blocks-0")
    ]
    assert [base64.b64decode(text) for (text,) in texts] == [b"one", b"two", b"three"]


def test_the_policy_names_what_is_there_and_nothing_else():
    found = Elements(assemble(_data(), {}, "t"))
    (policy,) = (given["content"] for tag, given, _ in found.found if given.get("http-equiv"))
    allowed = set(re.findall(r"'sha256-([^']+)'", policy))
    texts = [
        *found.texts("style"),
        *(
            t
            for tag, given, parts in found.found
            if tag == "script" and not given
            for t in ["".join(parts)]
        ),
    ]
    assert {
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts
    } == allowed
    assert policy.startswith("default-src 'none';")
    assert "connect-src" not in policy
    assert not re.search(r"https?:", policy)


def test_the_page_names_no_host():
    page = assemble(_data(), {}, "t")
    assert set(re.findall(r"https?://[\w./]+", page)) <= {
        "http://www.w3.org/1998/Math/MathML",
        "http://www.w3.org/1999/xhtml",
        "http://www.w3.org/1999/xlink",
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/XML/1998/namespace",
        "http://www.w3.org/2000/xmlns/",
    }
    assert "sourceMappingURL" not in page


def test_every_script_is_in_the_order_once_and_short():
    order = (EXPLORER / "order.txt").read_text(encoding="utf-8").split()
    assert sorted(order) == sorted(path.name for path in EXPLORER.glob("*.js"))
    for name in order:
        lines = (EXPLORER / name).read_text(encoding="utf-8").splitlines()
        assert len(lines) <= 300, name
        assert lines[0].startswith("// "), name


def test_other_data_are_refused():
    with pytest.raises(TypeError, match=r"got ndarray: \[0 1\]"):
        assemble(_data(values=np.arange(2)), {}, "t")
    with pytest.raises(ValueError, match="named by letters and digits; got 'a b'"):
        assemble(_data(), {"a b": [b""]}, "t")
