"""The search of the lists: titles, kinds and images by words."""

import base64
import copy

import numpy as np

from tests.browser.conftest import written
from tests.browser.mock import array
from tests.browser.test_lists import count


def test_search_finds_titles_plurals_and_what_is_called_directed(open_page, url):
    page = open_page(f"{url}#features")
    search = page.get_by_label("Number or words")
    search.fill("no symmetry")
    assert set(page.locator("td.c-symmetry").all_inner_texts()) == {"C1: none"}
    directed = count(page)
    for word in ("curve", "Edges"):
        search.fill(word)
        assert count(page) == directed
        assert set(page.locator("td.c-kind").all_inner_texts()) == {"directed"}
        assert page.get_by_text("Curves and edges are called directed here.").is_visible()
    search.fill("lines")
    assert "line" in page.locator("td.c-kind").all_inner_texts()
    assert page.get_by_text("Curves and edges").count() == 0
    search.fill("no such words")
    assert "search for a number such as" in page.locator(".nothing").inner_text()


def test_search_finds_the_images_of_the_pictures_shown(open_page, folder, mock):
    data, atlases = copy.deepcopy(mock)
    run = data["runs"][0]
    names = ["photographs/big_Hound.jpg", "photographs/hounds.jpg", "greyhound 1234.jpg"]
    start = len(run["words"])
    run["words"] = [*run["words"], *names]
    image = np.full((120, 8), -1)
    image[3, 7], image[5, 0], image[7, 0] = start, start + 1, start + 2
    run["shown"]["image"] = array(image, "int32")
    of_rows = np.frombuffer(base64.b64decode(run["features"]["number"]["data"]), "<i4")
    page = open_page(f"{written(folder / 'names.html', data, atlases)}#features?sort=number")
    search = page.get_by_label("Number or words")
    for words, rows in (("hound", [3, 5]), ("big_hound", [3]), ("greyhound", [7])):
        search.fill(words)
        assert page.locator("td.c-name").all_inner_texts() == [str(of_rows[row]) for row in rows]
    search.fill("1234")
    assert page.locator(".nothing").is_visible()
