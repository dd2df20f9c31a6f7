"""The table and the map: searched, filtered, sorted, selected, copied and downloaded."""

import copy
import csv
import io
from pathlib import Path

import numpy as np
import pytest

from tests.browser.conftest import written
from tests.browser.mock import array

COPIED = (
    "window.copied = ''; navigator.clipboard.writeText = async (text) => { window.copied = text; };"
)


def count(page):
    """How many features are listed, by the sentence above the table."""
    return int(
        page.locator(".listed").inner_text().split()[0].replace(",", "").replace("All", "120")
    )


def numbers(page, column="c-frequency"):
    texts = page.locator(f"td.{column}").all_inner_texts()
    return [float(text.split()[0]) for text in texts]


def test_search_by_number_words_and_list(open_page, url):
    page = open_page(f"{url}#features")
    search = page.get_by_label("Number or words")
    assert page.locator(".listed").inner_text() == "All 120 live features"
    search.fill("half turn")
    assert 0 < count(page) < 120
    assert set(page.locator("td.c-symmetry").all_inner_texts()) == {
        "D2: half turn and mirrors (axis 0°, 90°)"
    }
    shown = page.locator("td.c-name").all_inner_texts()[:2]
    search.fill(", ".join(shown))
    assert count(page) == 2
    assert set(page.locator("td.c-name").all_inner_texts()) == set(shown)
    search.fill("no such words")
    assert page.get_by_text("No feature passes these filters.").is_visible()


def test_filters_narrow_and_can_be_cleared(open_page, url):
    page = open_page(f"{url}#features")
    page.get_by_role("button", name="line").click()
    lines = count(page)
    assert set(page.locator("td.c-kind").all_inner_texts()) == {"line"}
    page.get_by_text("More filters").click()
    page.get_by_label("Fires on at least").fill("2")
    assert 0 < count(page) < lines
    assert min(numbers(page)) >= 2
    page.get_by_label("Family", exact=True).select_option("alone")
    assert set(page.locator("td.c-family").all_inner_texts()) == {"–"}
    page.get_by_role("button", name="Clear all filters").click()
    assert page.locator(".listed").inner_text() == "All 120 live features"


def test_headings_sort_and_say_so(open_page, url):
    page = open_page(f"{url}#features")
    heading = page.get_by_role("columnheader", name="Fires on")
    assert heading.get_attribute("aria-sort") == "descending"
    falling = numbers(page)
    assert falling == sorted(falling, reverse=True)
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    rising = numbers(page)
    assert rising == sorted(rising)
    other = page.get_by_role("columnheader", name="Confidence")
    other.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") is None
    assert other.get_attribute("aria-sort") == "descending"
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    page.wait_for_function("() => document.querySelector('td.c-name a') && scrollY > 1000")
    page.wait_for_timeout(100)
    # what is not known comes last either way
    assert page.locator("td.c-confidence").all_inner_texts()[-1] == "–"


def test_rows_exist_only_where_they_are_seen(open_page, url):
    page = open_page(f"{url}#features")
    first = page.locator("td.c-name a").first.inner_text()
    assert page.locator("tbody tr").count() < 30
    assert page.locator("table").get_attribute("aria-rowcount") == "121"
    page.mouse.wheel(0, 4000)
    page.wait_for_function(
        "text => !document.body.innerText.includes(`\\n${text}\\n`) && scrollY > 3000", arg=first
    )
    assert page.locator("tbody tr").count() < 30
    assert int(page.locator("tbody tr:not(.spacer)").first.get_attribute("aria-rowindex")) > 30


def test_selection_survives_reload_back_and_another_page(open_page, url):
    page = open_page(f"{url}#features?kind=line")
    boxes = page.locator("td.c-select input")
    boxes.nth(0).check()
    boxes.nth(2).check()
    assert page.get_by_text("2 selected").is_visible()
    page.locator("td.c-name a").nth(1).click()
    page.wait_for_selector("#heading:has-text('Feature')")
    page.go_back()
    assert page.get_by_text("2 selected").is_visible()
    assert page.get_by_role("button", name="line").get_attribute("aria-pressed") == "true"
    page.reload()
    assert page.get_by_text("2 selected").is_visible()
    assert page.locator("tr.selected").count() == 2


def test_the_selection_is_copied_as_a_python_list(open_page, url):
    page = open_page(f"{url}#features?q=1&sel=9,3-5")
    page.evaluate(COPIED)
    page.get_by_role("button", name="Copy as Python list").click()
    page.wait_for_function("() => window.copied")
    wanted = [n for n in (3, 4, 5, 9) if f"{n}" in page.evaluate("window.copied")]
    assert page.evaluate("window.copied") == str(wanted)
    assert page.get_by_text("Python list copied").is_visible()


def test_all_that_are_listed_are_selected(open_page, url):
    page = open_page(f"{url}#features?kind=grid")
    n = count(page)
    page.get_by_role("button", name="Select all").click()
    assert page.get_by_text(f"{n} selected").is_visible()
    page.get_by_role("button", name="Clear", exact=True).click()
    assert page.get_by_text("Nothing selected").is_visible()


@pytest.mark.parametrize("selected", [False, True])
def test_csv_holds_the_list_or_the_selection(open_page, url, selected):
    page = open_page(f"{url}#features?kind=line&sort=number")
    if selected:
        page.locator("td.c-select input").first.check()
    n = 1 if selected else count(page)
    with page.expect_download() as download:
        page.get_by_role(
            "button", name="CSV of the selection" if selected else "CSV of this list"
        ).click()
    text = Path(download.value.path()).read_bytes().decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == n
    assert {row["kind"] for row in rows} == {"line"}
    assert text.count("\r\n") == n + 1
    found = [int(row["feature"]) for row in rows]
    assert found == sorted(found)
    assert all(0 < float(row["frequency"]) <= 1 for row in rows)


def drag(page, start, *through, shift=False):
    box = page.locator("canvas.map").bounding_box()
    at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, *through)]
    if shift:
        page.keyboard.down("Shift")
    page.mouse.move(*at[0])
    page.mouse.down()
    for x, y in at[1:]:
        page.mouse.move(x, y, steps=4)
    page.mouse.up()
    if shift:
        page.keyboard.up("Shift")


def n_selected(page):
    return int(page.locator(".selection .count").inner_text().split()[0])


def test_lasso_and_rectangle_select_on_the_map(open_page, url):
    page = open_page(f"{url}#map")
    drag(page, (0.05, 0.02), (0.97, 0.98), shift=True)
    assert n_selected(page) == 120
    page.get_by_role("button", name="Clear", exact=True).click()
    page.get_by_role("button", name="Lasso").click()
    drag(page, (0.02, 0.02), (0.98, 0.02), (0.02, 0.98))
    half = n_selected(page)
    assert 0 < half < 120
    drag(page, (0.98, 0.01), (0.98, 0.99), (0.01, 0.99))
    assert n_selected(page) == 120


def test_only_listed_features_are_selected_on_the_map(open_page, url):
    page = open_page(f"{url}#map?kind=line")
    lines = int(page.get_by_role("button", name="line").inner_text().split()[-1])
    drag(page, (0.05, 0.02), (0.97, 0.98), shift=True)
    assert n_selected(page) == lines


def test_a_point_shows_its_feature_and_keeps_it(open_page, url, mock):
    number = 7 + int(mock[0]["runs"][0]["families"][0]["medoid"])
    page = open_page(f"{url}#map?at={mock[0]['runs'][0]['families'][0]['medoid']}")
    kept = page.locator(".card-title a").inner_text()
    assert kept == f"Feature {number - 7}"
    assert (
        page.locator(".map-card .tile")
        .evaluate("tile => getComputedStyle(tile).backgroundImage")
        .startswith('url("blob:')
    )
    page.locator(".card-title a").click()
    assert page.locator("#heading").inner_text().startswith(kept)


def test_colours_of_the_map_are_in_the_link(open_page, url):
    page = open_page(f"{url}#map")
    assert page.locator(".legend").first.inner_text().split("\n")[0].startswith("directed")
    page.get_by_label("Colour", exact=True).select_option("frequency")
    assert page.locator(".ramp-bar").is_visible()
    page.wait_for_function("() => location.hash.includes('color=frequency')")
    page.reload()
    assert page.locator(".ramp-bar").is_visible()
    page.get_by_label("Colour", exact=True).select_option("family")
    assert page.locator(".legend").first.inner_text().startswith("family 0")


def test_symmetries_differing_by_their_axes_have_one_colour(open_page, folder, mock):
    data, atlases = copy.deepcopy(mock)
    run = data["runs"][0]
    words = run["words"] = [*run["words"], "D1: mirror (axis 45°)", "D1: mirror (axis 90°)"]
    run["features"]["symmetry"] = array(len(words) - 1 - np.arange(120) % 2, "int32")
    page = open_page(f"{written(folder / 'axes.html', data, atlases)}#map?color=symmetry")
    assert page.locator(".legend").first.locator("li").all_inner_texts() == ["D1: mirror\n120"]


def test_shift_selects_what_lies_between(open_page, url):
    page = open_page(f"{url}#features?sort=number")
    boxes = page.locator("td.c-select input")
    boxes.nth(1).click()
    boxes.nth(5).click(modifiers=["Shift"])
    assert page.get_by_text("5 selected").is_visible()
    boxes.nth(3).click(modifiers=["Shift"])
    assert page.get_by_text("2 selected").is_visible()
    assert [boxes.nth(i).is_checked() for i in range(7)] == [0, 1, 1, 0, 0, 0, 0]
