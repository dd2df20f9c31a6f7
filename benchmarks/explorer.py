"""Size and speed of the explorer, and pictures of it.

    python benchmarks/explorer.py [REPORT.html ...] [--features N ...] [--repeats N]
    python benchmarks/explorer.py REPORT.html --screenshots FOLDER [--routes ROUTE ...]

For every report, and for made-up ones of N features (with as many pictures as `write_report` gives
each, of noise, which no format makes small): size of the file; seconds from opening it to its first
page, to the table of all features, and for a search and a sort there, each the median of some
repeats in a headless Chromium with one window of 1400 px. With --screenshots: the routes at 1400,
900 and 390 px, as WebP files.
"""

from __future__ import annotations

import argparse
import io
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

from sklearn_groupcross.cli._record import processor
from sklearn_groupcross.report._packing import Atlas
from sklearn_groupcross.report._page import assemble
from tests.browser.conftest import ARGUMENTS, find_browser
from tests.browser.mock import mock_data

WIDTHS = (1400, 900, 390)
#: What `write_report` shows of each feature: all of it up to 2048 features.
PICTURES = {True: 8, False: 4}


def made_up(n_features: int, folder: Path) -> Path:
    """A page of so many features, whose pictures take as many bytes as patches of photographs."""
    data, atlases = mock_data(n_features)
    rng = np.random.default_rng(0)
    run, atlas = data["runs"][0], Atlas("pictures", 64)
    for _ in range(n_features * PICTURES[n_features <= 2048]):
        coarse = rng.integers(0, 255, (9, 9, 3), dtype=np.uint8)
        fine = np.asarray(Image.fromarray(coarse).resize((64, 64), Image.Resampling.BICUBIC))
        noise = rng.normal(0, 6, fine.shape)
        atlas.add(np.clip(fine + noise, 0, 255).astype(np.uint8))
    run["pictures"] = {**atlas.describe(), "round": True}
    path = folder / f"made-up-{n_features}.html"
    path.write_text(assemble(data, {**atlases, "pictures": atlas.files()}, "Made up"))
    return path


def measure(browser, path: Path, repeats: int) -> list[str]:
    """Seconds to the first page, to the table, and for a search and a sort there."""
    taken = {"first page": [], "table": [], "search": [], "sort": []}
    for _ in range(repeats):
        context = browser.new_context(viewport={"width": 1400, "height": 900})
        page = context.new_page()
        for name, route in (("first page", ""), ("table", "#features")):
            started = time.perf_counter()
            page.goto("about:blank")
            # what can be used is there before the last picture is read
            page.goto(path.as_uri() + route, wait_until="commit")
            page.wait_for_selector("html[data-ready]", state="attached")
            page.evaluate("() => new Promise(done => requestAnimationFrame(done))")
            taken[name].append(time.perf_counter() - started)
        for name in ("search", "sort"):
            started = time.perf_counter()
            if name == "search":
                page.get_by_label("Number or words").fill("7")
            else:
                page.locator("thead button").nth(1).click()
            page.evaluate("() => new Promise(done => requestAnimationFrame(done))")
            taken[name].append(time.perf_counter() - started)
        context.close()
    return [f"{statistics.median(times):.2f}" for times in taken.values()]


def picture(browser, path: Path, routes: list[str], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for width in WIDTHS:
        size = {"width": width, "height": 844 if width == 390 else 900}
        page = browser.new_context(viewport=size).new_page()
        for route in routes:
            page.goto("about:blank")
            page.goto(f"{path.as_uri()}#{route}")
            page.wait_for_selector("html[data-ready]", state="attached")
            page.wait_for_timeout(400)
            image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            image.save(folder / f"explorer-{route.split('?')[0]}-{width}.webp", quality=70)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("reports", nargs="*", type=Path)
    parser.add_argument("--features", nargs="*", type=int, default=[])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--screenshots", type=Path)
    parser.add_argument("--routes", nargs="+", default=["overview", "map", "features", "families"])
    options = parser.parse_args()
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=ARGUMENTS)
        if options.screenshots is not None:
            picture(browser, options.reports[0].resolve(), options.routes, options.screenshots)
            return
        print(processor())
        print("| page | MB | first page | table | search | sort |\n|---|---|---|---|---|---|")
        pages = [report.resolve() for report in options.reports]
        pages += [made_up(n, Path(folder)) for n in options.features]
        for path in pages:
            size = path.stat().st_size / 1e6
            cells = [path.name, f"{size:.1f}", *measure(browser, path, options.repeats)]
            print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
