from __future__ import annotations

import numpy as np
import pytest

from sklearn_groupcross import Cyclic, Dihedral
from sklearn_groupcross._html import MOST_PLACES, card, cayley_table, curve, text, wheel
from sklearn_groupcross.groups import Symmetric
from tests.notebook import read_small

HOSTILE = "<script>alert('&\"')</script>\x1b[31m\u202e"


def circles(html):
    _, tags = read_small(html)
    return [attributes for tag, attributes in tags if tag == "circle"]


def test_text_is_escaped_in_sight_and_cut():
    assert text(HOSTILE) == (
        "&lt;script&gt;alert(&#x27;&amp;&quot;&#x27;)&lt;/script&gt;\\u001b[31m\\u202e"
    )
    assert text("a" * 1000) == "a" * 299 + "…"
    assert len(text("&" * 1000)) < 1600


def test_a_card_has_its_facts_and_runs_nothing():
    words, tags = read_small(card(HOSTILE, {HOSTILE: HOSTILE, "order": 8}, "<svg></svg>", ""))
    assert words.count("<script>alert") == 3
    assert "order 8" in words
    names = [tag for tag, _ in tags]
    assert "script" not in names
    assert names.count("svg") == 1


def test_turns_stand_around_a_circle_and_mirrored_ones_within():
    places = circles(wheel(Dihedral(4), {0: "medoid", 1: "member", 4: "gap"}))
    at = [(round(float(p["cx"]), 2) + 0.0, round(float(p["cy"]), 2) + 0.0) for p in places]
    assert at[:4] == [(0, -1), (-1, 0), (0, 1), (1, 0)]  # counter-clockwise, y is down
    assert at[4] == (0, -0.55)
    looks = [p["fill"] for p in places]
    assert looks == ["#F58A2E", "#3597F0", "currentColor", "currentColor", "none"] + 3 * [
        "currentColor"
    ]
    assert "stroke-dasharray" in places[4]


@pytest.mark.parametrize("group", [Cyclic(2), Dihedral(3), Dihedral(64), Symmetric(4)], ids=repr)
def test_places_do_not_lie_on_one_another(group):
    places = circles(wheel(group, {}))
    at = np.array([(float(p["cx"]), float(p["cy"])) for p in places])
    radius = float(places[0]["r"])
    apart = np.linalg.norm(at[:, None] - at, axis=2) + 9 * np.eye(len(at))
    assert len(at) == group.order
    assert apart.min() >= 2 * radius - 2e-3
    assert np.abs(at).max() + radius <= 1.2 + 1e-3


def test_names_are_escaped_and_too_many_elements_are_not_drawn():
    named = Cyclic(3).named(["identity", "<b>x</b>", "y"])
    words, tags = read_small(wheel(named, {1: "member"}, "<i>caption"))
    assert "<b>x</b>" in words
    assert {tag for tag, _ in tags} == {"svg", "circle", "title", "div", "small"}
    assert len(circles(wheel(Cyclic(MOST_PLACES), {}))) == MOST_PLACES
    assert wheel(Cyclic(MOST_PLACES + 1), {}) == ""


def test_a_cayley_table_has_a_color_an_element():
    _, tags = read_small(cayley_table(Dihedral(32).cayley_table))
    (image,) = [attributes for tag, attributes in tags if tag == "img"]
    assert image["src"].startswith("data:image/png;base64,")
    assert cayley_table(Cyclic(65).cayley_table) == ""


def test_curves_of_any_length_are_small():
    values = np.linspace(3, 1, 100_000)
    values[7] = np.nan
    words, tags = read_small(curve(values, "loss"))
    (line,) = [attributes for tag, attributes in tags if tag == "polyline"]
    points = [tuple(map(float, point.split(","))) for point in line["points"].split()]
    assert len(points) <= 240
    assert (points[0], points[-1]) == ((2, 2), (198, 58))
    assert words == "loss"
    assert curve([1.0], "loss") == curve([np.nan, 2.0], "loss") == ""
    assert "nan" not in curve([1.0, 1.0], "flat")
