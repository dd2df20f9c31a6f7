from __future__ import annotations

from pathlib import Path

import pytest

from sklearn_groupcross._urls import is_url


@pytest.mark.parametrize(
    "text", ["s3://bucket/name", "memory://x", "gs://a", "abfs+x://y", "S3://b"]
)
def test_urls(text):
    assert is_url(text)


@pytest.mark.parametrize(
    "path",
    ["C://images", "C:\\images", "s3:/bucket", "images", "", "://x", Path("s3://b"), None, 3],
)
def test_paths(path):
    assert not is_url(path)
