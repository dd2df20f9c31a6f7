"""Weights files: what is read, what is refused, and that nothing in them runs."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import socket
import threading
import tracemalloc

import pytest
import torch

from sklearn_groupcross import load_network
from sklearn_groupcross.networks import _weights
from tests.networks.test_weights_file import Runs


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_damaged_weights_are_refused(tmp_path, suffix):
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(b"no weights at all")
    with pytest.raises(ValueError, match="weights file"):
        load_network("bundled", path)
    with pytest.raises(FileNotFoundError, match="No weights file"):
        load_network("bundled", tmp_path / f"absent{suffix}")


@pytest.fixture
def server():
    """A server on this machine, with the contents that `server.contents` names."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            content = self.server.contents.get(self.path)
            if content is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content) + self.server.missing))
            self.end_headers()
            with contextlib.suppress(OSError):  # who was told enough hangs up
                self.wfile.write(content)

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as opened:
        opened.contents, opened.missing = {}, 0
        thread = threading.Thread(target=opened.serve_forever, args=(0.01,))
        thread.start()
        yield opened
        opened.shutdown()
        thread.join()


class TestFetch:
    content = b"weights" * 1000

    @pytest.fixture(autouse=True)
    def cache(self, server, tmp_path, monkeypatch):
        monkeypatch.setattr(_weights, "cache_folder", lambda: tmp_path / "cache")
        self.url = f"http://127.0.0.1:{server.server_port}/source.pth"
        self.server = server
        server.contents["/source.pth"] = self.content
        self.target = tmp_path / "cache" / "file.pth"

    def fetch(self, blob=None):
        blob = _weights.git_blob_id(self.content) if blob is None else blob
        return _weights.fetch(self.url, "file.pth", blob_id=blob)

    def test_downloads_once(self):
        assert self.fetch() == (self.target, self.content)
        self.server.contents.clear()
        assert self.fetch() == (self.target, self.content)
        assert self.target.read_bytes() == self.content

    def test_wrong_content_is_not_kept(self):
        with pytest.raises(ValueError, match="not the file it should be"):
            self.fetch("0" * 40)
        assert list(self.target.parent.iterdir()) == []

    def test_a_damaged_cache_is_noticed(self):
        self.fetch()
        self.target.write_bytes(b"damaged")
        with pytest.raises(ValueError, match="Delete it to download it again"):
            self.fetch()

    def test_how_a_sha_256_begins_will_do(self):
        sha256 = hashlib.sha256(self.content).hexdigest()
        for wanted in (sha256[:8], sha256):
            file = _weights.fetch(self.url, "file.pth", sha256=wanted)
            assert file.content == self.content
        with pytest.raises(ValueError, match=r"The cached file .*file\.pth is not .*SHA-256"):
            _weights.fetch(self.url, "file.pth", sha256="00000000")

    def test_what_nothing_is_known_of_is_not_downloaded(self):
        with pytest.raises(ValueError, match="nothing says what its content has to be"):
            _weights.fetch(self.url, "file.pth")
        assert not self.target.exists()

    @pytest.mark.parametrize("kind", ["blob_id", "sha256"])
    def test_only_the_digest_that_is_known_is_taken(self, kind, monkeypatch):
        wanted = {"blob_id": _weights.git_blob_id(self.content)}
        wanted["sha256"] = hashlib.sha256(self.content).hexdigest()

        def refuse(*args, **kwargs):
            raise AssertionError("not asked for")

        monkeypatch.setattr(hashlib, "sha256" if kind == "blob_id" else "sha1", refuse)
        for _ in range(2):
            file = _weights.fetch(self.url, "file.pth", **{kind: wanted[kind]})
            assert file.content == self.content

    def test_a_folder_in_the_place_of_the_file_is_named(self):
        self.target.mkdir(parents=True)
        with pytest.raises(OSError, match=r"No weights file at .*file\.pth: this is a folder"):
            self.fetch()

    def test_a_download_that_does_not_end_is_not_kept(self, monkeypatch):
        monkeypatch.setattr(_weights, "LARGEST", 100)
        with pytest.raises(OSError, match=r"Could not download .*\(it does not end\)"):
            self.fetch()
        assert list(self.target.parent.iterdir()) == []

    def test_a_download_that_breaks_off_is_not_kept(self):
        self.server.missing = 10
        # the connection says so, and the content where an old urllib3 does not
        with pytest.raises((OSError, ValueError), match=r"Could not download|not the file"):
            self.fetch()
        assert list(self.target.parent.iterdir()) == []

    def test_how_far_a_download_is_can_be_seen(self, capsys):
        self.fetch()
        shown = capsys.readouterr().err
        assert "100%" in shown
        assert "7.00k/7.00k" in shown

    def test_a_file_that_is_gone_names_the_one_to_put_where(self):
        self.server.contents.clear()
        with pytest.raises(
            OSError, match=r"Could not download .*404.*put that file at .*file\.pth"
        ):
            self.fetch()
        assert list(self.target.parent.iterdir()) == []

    def test_offline_names_the_file_to_put_where(self):
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))  # and does not listen
            self.url = f"http://127.0.0.1:{nobody.getsockname()[1]}/source.pth"
            with pytest.raises(OSError, match=r"put that file at .*file\.pth"):
                self.fetch()
        assert list(self.target.parent.iterdir()) == []


def test_git_blob_id_is_gits():
    # git hash-object of an empty file, known to everyone
    assert _weights.git_blob_id(b"") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    assert hashlib.sha1(b"blob 1\0a").hexdigest() == _weights.git_blob_id(b"a")
    # nor is a content copied, which may be as large as memory allows
    content = bytes(2**22)
    tracemalloc.start()
    try:
        _weights.git_blob_id(content)
        assert tracemalloc.get_traced_memory()[1] < len(content) / 4
    finally:
        tracemalloc.stop()


STATE = load_network("bundled").module.state_dict()


def test_a_cached_googlenet_is_checked_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(_weights, "cache_folder", lambda: tmp_path)
    path, mark = tmp_path / "googlenet-1378be20.pth", tmp_path / "ran"
    for content in (Runs(mark), STATE):
        torch.save(content, path)
        with pytest.raises(ValueError, match=r"The cached file .*1378be20.pth is not the file it"):
            load_network("googlenet")
    assert not mark.exists()
