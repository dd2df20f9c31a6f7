"""Reading what objects show in a notebook."""

from __future__ import annotations

from html.parser import HTMLParser

#: The most that one object may show, in bytes.
MOST = 60_000
_VOID = {"img", "br", "input", "meta", "link", "hr"}


class _Reader(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.words, self.tags = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open, tag
        assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip():
            self.words.append(data.strip())


def read(html):
    """Words and tags of a piece of HTML, every tag of which must be closed in its turn."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return " ".join(reader.words), reader.tags


def read_small(html):
    """The same, of a piece that may not be large."""
    assert len(html.encode()) <= MOST
    return read(html)
