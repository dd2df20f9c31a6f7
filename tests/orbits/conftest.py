from __future__ import annotations

import uuid
from dataclasses import dataclass

import numpy as np
import pytest
from fsspec.core import url_to_fs
from PIL import Image

from sklearn_groupcross import OrbitStore
from sklearn_groupcross.orbits import _store_locating
from tests.orbits.s3_server import ENVIRONMENT, serving
from tests.orbits.stores import create, expected, fill


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """A complete store of two layers, only to be read."""
    store = create(
        tmp_path_factory.mktemp("stores") / "small.orbits",
        metadata={"network": "abc", "layers": {"low": (0, 4), "high": (4, 10)}},
    )
    return fill(store)


@pytest.fixture(scope="session")
def array(store):
    return expected(store)[0]


@pytest.fixture
def folder(tmp_path):
    """Three images, one of them in a subfolder, and a note."""
    rng = np.random.default_rng(0)
    (tmp_path / "sub").mkdir()
    for name in ("b.png", "a.jpg", "sub/c.PNG"):
        Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not an image", encoding="utf-8")
    return tmp_path


@dataclass(frozen=True)
class Remote:
    """A bucket of a test's own."""

    url: str
    options: dict[str, object]

    def filesystem(self):
        return url_to_fs(self.url, **self.options)

    def create(self, name="a.orbits", **settings):
        return create(f"{self.url}/{name}", storage_options=self.options, **settings)

    def open(self, name="a.orbits", **settings):
        return OrbitStore(f"{self.url}/{name}", storage_options=self.options, **settings)

    def contents(self, name="a.orbits"):
        """Every object's bytes."""
        filesystem, root = self.filesystem()
        filesystem.invalidate_cache()
        paths = filesystem.find(f"{root}/{name}")
        return {path.rpartition("/")[2]: filesystem.cat_file(path) for path in paths}

    def put(self, file, data):
        filesystem, root = self.filesystem()
        filesystem.pipe_file(f"{root}/a.orbits/{file}", data)


@pytest.fixture(scope="session")
def s3_address():
    for package in ("moto.server", "s3fs"):
        pytest.importorskip(package, reason=f"{package} of the extra 'test' is not installed")
    with serving() as address:
        yield address


@pytest.fixture(params=["memory", "s3"])
def remote(request, monkeypatch, tmp_path):
    """Object storage without anything in it: in memory, and a server that speaks as S3 does."""
    monkeypatch.setattr(_store_locating, "default_cache_dir", lambda: tmp_path / "default-cache")
    name = f"bucket-{uuid.uuid4().hex}"
    if request.param == "memory":
        yield Remote(f"memory://{name}", {})
        return
    address = request.getfixturevalue("s3_address")
    for variable, value in ENVIRONMENT.items():
        monkeypatch.setenv(variable, value)
    remote = Remote(f"s3://{name}", {"endpoint_url": address})
    filesystem, root = remote.filesystem()
    filesystem.mkdir(root)
    yield remote
