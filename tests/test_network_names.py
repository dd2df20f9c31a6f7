from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_groupcross import load_network
from sklearn_groupcross._network_names import (
    NAMED_NETWORKS,
    check_network_name,
    names_code,
    read_code,
)
from sklearn_groupcross.networks._zoo import _LOADERS

IDENTIFIERS = st.from_regex(r"[a-z_][a-z_0-9]*", fullmatch=True)


def test_the_names_are_those_of_networks_that_load():
    assert list(NAMED_NETWORKS) == list(_LOADERS)
    for name, network in NAMED_NETWORKS.items():
        check_network_name(name)
        assert not names_code(name)
        if network.needs_weights:
            with pytest.raises(ValueError, match="needs a weights file"):
                load_network(name)
    assert not NAMED_NETWORKS["bundled"].needs_weights


def test_others_are_refused_with_the_nearest():
    for check in (check_network_name, load_network):
        with pytest.raises(ValueError, match="Unknown network 'gogle': the known|; the known ones"):
            check("gogle")
        with pytest.raises(ValueError, match=r"FUNCTION.* Did you mean googlenet\?"):
            check("goglenet")


@given(st.lists(IDENTIFIERS, min_size=1), st.lists(IDENTIFIERS, min_size=1))
def test_modules_and_functions_have_dots(module, function):
    name = f"{'.'.join(module)}:{'.'.join(function)}"
    assert names_code(name)
    assert read_code(name) == (".".join(module), ".".join(function), False)


@pytest.mark.parametrize("place", ["net.py", "a b/net.py", "./net", r"C:\nets\net.py", "C:/net.py"])
def test_files_are_files_of_any_name(place):
    assert read_code(f"{place}:build") == (place, "build", True)


@pytest.mark.parametrize("name", [":", "net.py:", ":build", "a-b:build", "net.py:a-b", "a..b:f"])
def test_what_names_no_function_is_refused(name):
    with pytest.raises(ValueError, match=r"is named FILE\.py:FUNCTION or PACKAGE\.MODULE:FUNCTION"):
        read_code(name)
