"""JSON of outsiders becomes declared types, or an error that names its file."""

from typing import Annotated

import msgspec
import pytest

from sklearn_groupcross._schema import read_json


class Record(msgspec.Struct, forbid_unknown_fields=True):
    """For the tests."""

    count: Annotated[int, msgspec.Meta(ge=0)]
    shares: list[float]


def test_right_content_is_read():
    assert read_json(b'{"count": 3, "shares": [0.5, 1]}', Record, "a.json") == Record(3, [0.5, 1.0])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b'{"count": 3}',
        b'{"count": -1, "shares": []}',
        b'{"count": true, "shares": []}',
        b'{"count": 3, "shares": [NaN]}',
        b'{"count": 3, "shares": [], "more": 0}',
        b'{"count": 3, "shares": ' + b"[" * 100_000,
    ],
)
def test_anything_else_is_refused_with_the_name_of_the_file(content):
    with pytest.raises(ValueError, match=r"folder/a\.json"):
        read_json(content, Record, "folder/a.json")


def test_deep_nesting_where_anything_is_allowed():
    with pytest.raises(ValueError, match=r"a\.json.*depth"):
        read_json("[" * 100_000 + "]" * 100_000, object, "a.json")
