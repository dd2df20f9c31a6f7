"""Two runs beside each other: their pairs, partners and selections."""

import base64
import copy
import csv
import io
from pathlib import Path

import numpy as np
import pytest

from tests.browser.conftest import written


def decoded(column):
    return np.frombuffer(base64.b64decode(column["data"]), np.dtype(column["dtype"]))


def test_what_stands_in_the_other_run_leads_there(open_page, url, mock):
    page = open_page(f"{url}#compare")
    link = page.locator(".compared").nth(1)
    number = link.locator(".card-name").inner_text()
    link.click()
    assert page.locator("#heading").inner_text().startswith(f"Feature {number}")
    assert page.locator(".eyebrow").inner_text() == "seed 1"
    assert "In seed 0: feature" in page.locator(".other-run").inner_text()


def test_comparison_lists_what_only_one_has(open_page, url):
    page = open_page(f"{url}#compare")
    similar = [float(text) for text in page.locator("td.c-similarity").all_inner_texts()]
    assert similar == sorted(similar, reverse=True)
    assert min(similar) >= 0.7
    page.get_by_role("button", name="Only in seed 1").click()
    texts = page.locator("td.c-similarity").all_inner_texts()
    near = [float(text) for text in texts if text != "–"]
    assert near == sorted(near, reverse=True)
    assert near[0] > near[-1]
    assert max(near) <= 0.7
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    page.get_by_text("none", exact=True).last.wait_for()
    assert page.locator("td.c-similarity").all_inner_texts()[-1] == "–"


def test_comparison_is_searched_by_number(open_page, url):
    page = open_page(f"{url}#compare")
    name = page.locator("tbody tr").nth(3).locator(".card-name").first.inner_text()
    page.get_by_label("Number in either").fill(name)
    for row in page.locator("tbody tr").all():
        assert any(text.startswith(name) for text in row.locator(".card-name").all_inner_texts())
    page.wait_for_function("text => location.hash === `#compare?pair=${text}`", arg=name)
    page.get_by_label("Number in either").fill("999")
    assert "Clear the search" in page.locator(".nothing").inner_text()


def test_comparison_on_a_narrow_screen_says_what_lies_between(open_page, url):
    page = open_page(f"{url}#compare", width=390)
    between = page.locator(".between-below").first
    assert between.is_visible()
    row = page.locator("tbody tr").first
    assert between.bounding_box()["y"] > row.locator(".compared").first.bounding_box()["y"] + 40
    lower = between.bounding_box()["y"] + between.bounding_box()["height"]
    assert lower <= row.bounding_box()["y"] + row.bounding_box()["height"]
    assert page.get_by_role("columnheader", name="Between them").count() == 0


def test_the_other_run_shows_the_partner_or_its_list(open_page, url, mock):
    comparison, run = mock[0]["comparison"], mock[0]["runs"][0]
    first, second, number = (
        np.frombuffer(base64.b64decode(column["data"]), "<i4")
        for column in (comparison["first"], comparison["second"], run["features"]["number"])
    )
    similarity = np.frombuffer(base64.b64decode(comparison["similarity"]["data"]), "<f4")
    i = int(similarity.argmin())  # however little they are alike
    page = open_page(f"{url}#feature-{first[i]}")
    page.get_by_label("Shown").select_option("seed 1")
    page.wait_for_selector(f"#heading:has-text('Feature {second[i]}:')")
    assert page.locator(".eyebrow").inner_text() == "seed 1"
    page.get_by_label("Shown").select_option("seed 0")
    page.wait_for_selector(f"#heading:has-text('Feature {first[i]}:')")
    alone = next(n for n in number if n not in first)
    page.goto(f"{url}#feature-{alone}")
    page.wait_for_selector(f"#heading:has-text('Feature {alone}:')")
    page.get_by_label("Shown").select_option("seed 1")
    page.wait_for_selector("#heading:has-text('Features')")
    assert page.locator("#status").inner_text().startswith(f"Feature {alone} has no partner")


def test_a_run_with_fewer_pictures_says_so(open_page, folder, mock):
    data, atlases = copy.deepcopy(mock)
    data["runs"][1]["shown"]["firing"] = None
    address = written(folder / "fewer.html", data, atlases)
    said = "The other dictionary is shown with fewer pictures."
    page = open_page(f"{address}#features?run=1")
    assert page.get_by_text(said).is_visible()
    page.get_by_label("Shown").select_option("seed 0")
    page.wait_for_selector(".run-switch")
    assert page.get_by_text(said).count() == 0


def test_each_run_has_its_own_selection(open_page, url):
    page = open_page(f"{url}#features")
    page.locator("td.c-select input").nth(1).check()
    page.locator("td.c-select input").nth(2).check()
    shown = page.get_by_label("Shown")
    shown.select_option("seed 1")
    assert page.get_by_text("Nothing selected").is_visible()
    page.locator("td.c-select input").nth(0).check()
    assert page.get_by_text("1 selected").is_visible()
    page.get_by_role("link", name="Map").first.click()
    assert page.get_by_text("1 selected").is_visible()
    shown.select_option("seed 0")
    assert page.get_by_text("2 selected").is_visible()
    shown.select_option("seed 1")
    assert page.get_by_text("1 selected").is_visible()


@pytest.mark.parametrize("index", [0, 1])
def test_csv_tells_of_the_nearest_and_of_the_partner(open_page, url, mock, index):
    page = open_page(f"{url}#features?sort=number{'&run=1' * index}")
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV of all").click()
    text = Path(download.value.path()).read_bytes().decode()
    rows = {int(row["feature"]): row for row in csv.DictReader(io.StringIO(text))}
    run, comparison = mock[0]["runs"][index], mock[0]["comparison"]
    number = decoded(run["features"]["number"])
    nearest = number[decoded(run["neighbors"]["row"]).reshape(120, -1)[:, 0]]
    assert [int(rows[n]["nearest"]) for n in number] == nearest.tolist()
    similarity = decoded(run["neighbors"]["similarity"]).reshape(120, -1)[:, 0] / 127
    found = [float(rows[n]["nearest_similarity"]) for n in number]
    np.testing.assert_allclose(found, similarity, atol=5e-4)
    sides = [decoded(comparison[name]).tolist() for name in ("first", "second")]
    partners = dict(zip(sides[index], sides[1 - index], strict=True))
    similar = dict(zip(sides[index], decoded(comparison["similarity"]), strict=True))
    assert 0 < len(partners) < 120
    for n in number.tolist():
        assert rows[n]["partner"] == str(partners.get(n, ""))
        if n in partners:
            assert float(rows[n]["partner_similarity"]) == pytest.approx(similar[n], rel=1e-6)
        else:
            assert rows[n]["partner_similarity"] == ""
