"""The pages: opened by links, read by everyone, printed, framed, and with less to show."""

import copy
import csv
import html
import io
from pathlib import Path

import pytest

from tests.browser.conftest import written

ROUTES = ["overview", "map", "features", "families", "feature", "family-0", "run", "compare"]


def route_of(route, mock):
    return f"feature-{mock[0]['runs'][0]['families'][0]['medoid']}" if route == "feature" else route


@pytest.fixture(scope="package")
def medoid(mock):
    return mock[0]["runs"][0]["families"][0]["medoid"]


@pytest.mark.parametrize("width", [1400, 900, 390])
@pytest.mark.parametrize("route", ROUTES)
def test_nothing_is_wider_than_the_screen(open_page, url, mock, route, width):
    page = open_page(f"{url}#{route_of(route, mock)}", width=width)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    cut = "rows => rows.filter(td => td.scrollWidth > td.clientWidth + 1).map(td => td.innerText)"
    assert page.locator("table.virtual td").evaluate_all(cut) == []


# colours do not depend on the width
@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (390, "dark")])
@pytest.mark.parametrize("route", ROUTES)
def test_axe_finds_nothing_serious(open_page, url, mock, route, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = open_page(f"{url}#{route_of(route, mock)}", width=width, scheme=scheme)
    found = axe.run(page).response["violations"]
    grave = [
        (rule["id"], [node["html"][:160] for node in rule["nodes"][:3]])
        for rule in found
        if rule["impact"] in ("serious", "critical")
    ]
    assert grave == []


def test_a_feature_has_all_its_parts(open_page, url, medoid):
    page = open_page(f"{url}#feature-{medoid}")
    assert page.title() == f"Feature {medoid} · seed 0 · A made-up run"
    for heading in (
        "What excites it",
        "The strongest patch, transformed",
        "Under the group",
        "Transform block",
        "Spectrum",
        "Codes",
        "In family 0",
        "Nearest features",
    ):
        assert page.get_by_role("heading", name=heading, exact=True).is_visible(), heading
    assert page.locator(".slot.marked").count() >= 1
    assert page.locator(".chart > svg").count() == 3
    assert page.locator("canvas.firing").count() == 0
    page.get_by_label("Show where it fires").check()
    assert page.locator("canvas.firing").count() >= 4
    assert page.locator(".other-run").inner_text().startswith("In seed 1: ")


def test_a_family_has_its_wheel_and_members(open_page, url, mock):
    family = mock[0]["runs"][0]["families"][1]
    page = open_page(f"{url}#overview")
    page.locator("a.family").nth(1).click()
    assert page.title().startswith("Family 1 · ")
    assert page.locator(".wheel .gap").count() == len(family["gaps"])
    assert page.locator(".page-family-1 .card, .card").count() == min(60, len(family["members"]))
    page.locator("a.slot").first.click()
    assert page.locator("#heading").inner_text().startswith("Feature ")


def test_what_is_not_there_is_said(open_page, url, mock):
    numbers = {f["medoid"] for f in mock[0]["runs"][0]["families"]}
    page = open_page(f"{url}#feature-100000")
    assert page.locator("#heading").inner_text() == "No feature 100000"
    assert "features 0 to 134" in page.locator("main").inner_text()
    for address, heading in (
        ("#family-999", "No family 999"),
        ("#nowhere", "There is no such page"),
    ):
        page.evaluate("hash => { location.hash = hash; }", address)
        page.wait_for_function(
            "text => document.getElementById('heading').innerText === text", arg=heading
        )
    assert 100000 not in numbers


def test_keyboard_reaches_everything(open_page, url):
    page = open_page(f"{url}#features?sort=number")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.get_by_role("columnheader", name="Family").get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert page.get_by_role("columnheader", name="Family").get_attribute("aria-sort") == "ascending"
    page.locator("td.c-name a").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#heading:focus")
    first = page.locator("#heading").inner_text()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "text => document.getElementById('heading').innerText !== text", arg=first
    )
    page.keyboard.press("ArrowLeft")
    page.wait_for_function(
        "text => document.getElementById('heading').innerText === text", arg=first
    )
    page.evaluate("location.hash = 'map'")
    page.locator("canvas.map").focus()
    before = page.locator("canvas.map").evaluate("canvas => canvas.toDataURL()")
    page.keyboard.press("+")
    page.wait_for_function(
        "before => document.querySelector('canvas.map').toDataURL() !== before", arg=before
    )
    page.keyboard.press("Enter")
    page.wait_for_selector("#heading:has-text('Feature ')")


def test_back_brings_the_place_in_the_list(open_page, url):
    page = open_page(f"{url}#features")
    page.mouse.wheel(0, 3000)
    page.wait_for_function("() => scrollY > 2500")
    where = page.evaluate("scrollY")
    page.locator("td.c-name a").nth(5).click()
    page.wait_for_selector("#heading:focus")
    assert page.evaluate("scrollY") == 0
    page.go_back()
    page.wait_for_function("where => Math.abs(scrollY - where) < 2", arg=where)


def test_colours_can_be_switched(open_page, url):
    page = open_page(url)
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="Switch to the dark colours").click()
    assert page.evaluate(ground) != light
    page.reload()
    assert page.evaluate(ground) != light
    page.get_by_role("button", name="Switch to the light colours").click()
    assert page.evaluate(ground) == light


def test_print_holds_every_row_and_no_navigation(open_page, url):
    page = open_page(f"{url}#features")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.locator("tbody tr").count() == 120
    assert not page.locator("header.top").is_visible()
    assert not page.locator(".selection").is_visible()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.wait_for_function("() => document.querySelectorAll('tbody tr').length < 30")


def test_a_frame_without_storage_or_address_is_enough(open_page, folder, mock, url):
    text = (folder / "page.html").read_text(encoding="utf-8")
    outer = folder / "outer.html"
    outer.write_text(
        "<!doctype html><html data-ready><title>outer</title>"
        f'<iframe sandbox="allow-scripts" width="1300" height="850" '
        f'srcdoc="{html.escape(text)}"></iframe>',
        encoding="utf-8",
    )
    page = open_page(outer.as_uri())
    frame = page.frame_locator("iframe")
    frame.get_by_role("link", name="Features").first.click()
    frame.get_by_label("Number or words").fill("half turn")
    frame.locator("td.c-name a").first.click()
    frame.locator("#heading:has-text('Feature')").wait_for()
    frame.get_by_role("button", name="Switch to the dark colours").click()
    frame.get_by_role("link", name="Map").first.click()
    frame.locator("canvas.map").wait_for()
    assert page.url == outer.as_uri()


def test_what_is_unknown_is_not_shown(open_page, folder, mock):
    data, _ = copy.deepcopy(mock)
    run = data["runs"][0]
    for name in (
        "map",
        "neighbors",
        "codes",
        "pictures",
        "blocks",
        "shown",
        "views",
        "responses",
        "findings",
    ):
        run[name] = None
    run["commands"], run["families"] = [], run["families"][:1]
    data["runs"], data["comparison"] = [run], None
    address = written(folder / "bare.html", data, {})
    number = run["families"][0]["medoid"]
    page = open_page(f"{address}#feature-{number}")
    assert page.locator(".tile").count() == 0
    assert page.get_by_role("link", name="Map").count() == 0
    assert page.get_by_role("heading", name="Spectrum").is_visible()
    for route in ("overview", "features", "families", "family-0", "run", "map", "compare"):
        page.evaluate("hash => { location.hash = hash; }", route)
        page.wait_for_function("() => document.getElementById('heading')")
    assert page.evaluate("document.documentElement.scrollWidth") == 1400


HOSTILE = [
    "</script><script>window.broken = 1</script>",
    "<img src=x onerror='window.broken = 1'>",
    '"><b onmouseover="window.broken = 1">',
    "<!--<script>",
    "=HYPERLINK(\"http://x\", 'y')",
    "-1+1\r\n@SUM(A1)",
    "\u202egnp.exe \x00\x1b[31m \udcff",
    "constructor",
]


@pytest.fixture(scope="module")
def hostile(folder, mock):
    """Every text that comes from outside is one of those."""
    data, atlases = copy.deepcopy(mock)
    turn = iter(range(10**6))

    def replaced(value, key=""):
        if isinstance(value, dict):
            if "dtype" in value:
                return value
            return {name: replaced(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [replaced(item, key) for item in value]
        fixed = ("noun", "measure", "color", "marker", "css", "atlas")
        return (
            HOSTILE[next(turn) % len(HOSTILE)]
            if isinstance(value, str) and key not in fixed
            else value
        )

    data = replaced(data)
    for run in data["runs"]:
        run["words"] = [HOSTILE[i % len(HOSTILE)] for i in range(3, 3 + len(run["words"]))]
    return written(folder / "hostile.html", data, atlases), data


@pytest.mark.parametrize("width", [1400, 390])
def test_names_stay_text(open_page, hostile, width):
    address, data = hostile
    page = open_page(address, width=width)
    number = data["runs"][0]["families"][0]["medoid"]
    for route in (*ROUTES, f"feature-{number}"):
        page.evaluate(
            "hash => { location.hash = hash; }", "overview" if route == "feature" else route
        )
        page.wait_for_timeout(150)
        assert page.evaluate("window.broken") is None, route
        assert page.locator("main img, main b, main script").count() == 0, route
        assert page.evaluate("document.documentElement.scrollWidth") == width, route
        text = page.locator("body").inner_text()
        assert "\u202e" not in text, route
        assert "\x1b" not in text, route
    assert "\\u202egnp.exe" in page.content()


def test_cells_of_a_spreadsheet_stay_text(open_page, hostile):

    page = open_page(f"{hostile[0]}#features")
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV of all").click()
    text = Path(download.value.path()).read_bytes().decode()
    rows = list(csv.reader(io.StringIO(text)))
    assert {len(row) for row in rows} == {len(rows[0])}
    cells = [cell for row in rows[1:] for cell in row]
    assert any(cell.startswith("'=HYPERLINK") for cell in cells)
    assert not any(cell[:1] in "=@\t\r" for cell in cells if cell)
    assert all(float(cell) < 0 for cell in cells if cell.startswith("-"))
