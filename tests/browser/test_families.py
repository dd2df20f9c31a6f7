"""The families: said what they are, narrowed, sorted and unfolded."""

import copy

import pytest

from tests.browser.conftest import written


def labels(page):
    texts = page.locator("a.family strong").all_inner_texts()
    return [int(text.split()[1]) for text in texts]


@pytest.fixture(scope="module")
def many(folder, mock):
    """A run of 30 families; their numbers do not say which was found again."""
    data, atlases = copy.deepcopy(mock)
    data["runs"], data["comparison"] = data["runs"][:1], None
    made = data["runs"][0]["families"]
    families = [{**made[i % len(made)], "label": i} for i in range(30)]
    for i, family in enumerate(families):
        family["found_again"] = None if i == 3 else (7 * i % 30) / 30
        family["n_taken"] = max(1, family["n_taken"] - i % 4)
    families.sort(key=lambda family: -len(family["members"]))
    data["runs"][0]["families"] = families
    return written(folder / "many.html", data, atlases), families


def test_families_say_their_kind_and_are_narrowed_by_it(open_page, many):
    address, families = many
    page = open_page(f"{address}#families")
    lines = [family for family in families if family["main_kind"] == "line"]
    first = lines[0]
    card = page.locator("a.family", has_text=f"Family {first['label']}").first
    assert f"{len(first['members'])} lines" in card.inner_text()
    page.get_by_role("button", name="line").click()
    assert labels(page) == [family["label"] for family in lines]
    page.wait_for_function("() => location.hash === '#families?kind=line'")
    page.reload()
    assert labels(page) == [family["label"] for family in lines]
    page.goto(f"{address}#families?kind=nothing")
    page.get_by_role("button", name="Show all families").click()
    assert len(labels(page)) == 24


def test_families_are_sorted(open_page, many):
    address, families = many
    page = open_page(f"{address}#families?more=1")
    by_label = {family["label"]: family for family in families}
    order = page.get_by_label("Sorted by")
    order.select_option("coverage")
    shares = [by_label[i]["n_taken"] / by_label[i]["n_poses"] for i in labels(page)]
    assert len(shares) == 30
    assert shares == sorted(shares, reverse=True)
    order.select_option("found again")
    found = [by_label[i]["found_again"] for i in labels(page)]
    assert found[-1] is None
    assert found[:-1] == sorted(found[:-1], reverse=True)
    order.select_option("number")
    assert labels(page) == sorted(by_label)


def test_families_stay_unfolded(open_page, many):
    address, _ = many
    page = open_page(f"{address}#families")
    assert len(labels(page)) == 24
    page.get_by_role("button", name="Show 6 more").click()
    assert len(labels(page)) == 30
    page.locator("a.family").nth(28).click()
    page.wait_for_selector(".family-layout")
    page.go_back()
    page.wait_for_selector("a.family")
    assert len(labels(page)) == 30


def test_a_family_is_headed_by_its_kind_and_poses(open_page, many):
    address, families = many
    family = next(f for f in families if f["main_kind"] == "directed" and f["gaps"])
    page = open_page(f"{address}#family-{family['label']}")
    assert page.locator("#heading").inner_text() == (
        f"{len(family['members'])} directed features in {family['n_taken']} of "
        f"{family['n_poses']} poses"
    )
    said = page.locator("main").inner_text()
    assert family["description"].capitalize() in said
    assert f"Turned: {family['gap_words'][0][1]}" in said


def test_gaps_without_words_are_listed_by_element(open_page, folder, mock):
    data, atlases = copy.deepcopy(mock)
    family = data["runs"][0]["families"][0]
    del family["gap_words"], family["main_kind"]
    family["description"] = ""
    page = open_page(f"{written(folder / 'gaps.html', data, atlases)}#family-0")
    assert page.locator("#heading").inner_text().startswith(f"{len(family['members'])} features in")
    element = data["runs"][0]["group"]["elements"][family["gaps"][0]]
    assert f"carry the one in the middle: {element}" in page.locator("main").inner_text()
