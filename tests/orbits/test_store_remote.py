from __future__ import annotations

import pickle
import sys

import pytest

from sklearn_groupcross import OrbitStore
from sklearn_groupcross.orbits._store_remote import RemoteFolder
from tests.orbits.stores import fill

SECRET = "wJalrXUtnFEMI"


@pytest.mark.parametrize(
    "url",
    [
        f"ftp://user:{SECRET}@host/name",
        f"https://host/name?X-Amz-Signature={SECRET}",
        f"simplecache::s3://{SECRET}@bucket/x",
    ],
)
def test_urls_with_more_in_them_are_refused_without_repeating_it(url):
    with pytest.raises(ValueError, match="storage_options") as refusal:
        RemoteFolder(url)
    assert SECRET not in str(refusal.value)


def test_no_secret_is_pickled():
    options = {
        "endpoint_url": "http://127.0.0.1:9",
        "key": SECRET,
        "secret": SECRET,
        "client_kwargs": {"region_name": "here", "aws_secret_access_key": SECRET},
        "config_kwargs": {"proxies": {"http": f"http://user:{SECRET}@host"}},
    }
    pytest.importorskip("s3fs", reason="s3fs of the extra 'test' is not installed")
    folder = RemoteFolder("s3://bucket/name", options)
    data = pickle.dumps(folder)
    assert SECRET.encode() not in data
    assert folder._options == options
    again = pickle.loads(pickle.dumps(pickle.loads(data)))
    assert again._options == {
        "endpoint_url": "http://127.0.0.1:9",
        "client_kwargs": {"region_name": "here"},
        "config_kwargs": {},
    }
    assert again._left_out == ("key", "secret")


def test_no_secret_is_in_errors_and_what_was_left_out_is(monkeypatch):
    folder = RemoteFolder("memory://bucket/name", {"token": SECRET})

    def refused(path):
        raise RuntimeError(
            f"token {SECRET} is not known, https://x/y?X-Amz-Signature=abc&Expires=3"
        )

    for place in (folder, pickle.loads(pickle.dumps(folder))):
        filesystem = place._filesystem()[0]
        monkeypatch.setattr(filesystem, "cat_file", refused)
        with pytest.raises(OSError, match=r"memory://bucket/name/a: RuntimeError: token") as error:
            place.read("a")
        assert SECRET not in str(error.value) or place is not folder
        assert "abc" not in str(error.value)
        assert ("storage_options token were not pickled" in str(error.value)) == (
            place is not folder
        )


def test_without_fsspec_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(ImportError, match=r"pip install 'sklearn-groupcross\[remote\]'"):
        OrbitStore("s3://bucket/name")


def test_a_protocol_that_nobody_knows():
    with pytest.raises(ValueError, match="Protocol not known: s4"):
        OrbitStore("s4://bucket/name")


@pytest.mark.parametrize("remote", ["s3"], indirect=True)
def test_a_server_that_is_gone_is_an_error_of_the_system(remote, monkeypatch):
    fill(remote.create())
    away = {"endpoint_url": "http://127.0.0.1:9", "config_kwargs": {"retries": {"max_attempts": 0}}}
    with pytest.raises(OSError, match=rf"{remote.url}/a\.orbits/manifest\.json"):
        OrbitStore(f"{remote.url}/a.orbits", storage_options=away)


def test_objects(remote, tmp_path):
    folder = RemoteFolder(f"{remote.url}/folder/", remote.options)
    assert str(folder / "a") == f"{remote.url}/folder/a"
    assert folder.listing() == {}
    assert folder.entry("a") is None
    folder.write("a", b"0123456789")
    (tmp_path / "b").write_bytes(b"xy")
    folder.upload("b", tmp_path / "b")
    assert list(folder.read_all(["a", "none", "b"])) == [b"0123456789", None, b"xy"]
    assert folder.read_ranges("a", [8, 0], [10, 3]) == [b"89", b"012"]
    listing = folder.listing()
    assert {name: entry.size for name, entry in listing.items()} == {"a": 10, "b": 2}
    assert folder.entry("a") == listing["a"]
    folder.download("a", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"0123456789"
    folder.write("a", b"9876543210")
    assert folder.entry("a") != listing["a"]
    assert folder.listing()["a"] != listing["a"]
    with pytest.raises(FileNotFoundError, match=rf"no such object.*{remote.url}/folder/none"):
        folder.read("none")
