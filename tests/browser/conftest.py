"""A browser, and pages in it that may neither complain nor ask for anything outside."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sklearn_groupcross.report._page import assemble
from tests.browser.mock import mock_data

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
#: Where it is set, a browser that is missing is an error.
MUST_RUN = bool(os.environ.get("GROUPCROSS_BROWSER"))


def _missing(what: str) -> None:
    if MUST_RUN:
        pytest.fail(f"GROUPCROSS_BROWSER is set, but {what}")
    pytest.skip(what)


def find_browser() -> str | None:
    """Path of a browser; None if there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    executable = find_browser()
    if executable is None:
        _missing(f"none of {', '.join(NAMES)} is installed")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _missing("playwright is not installed: pip install 'sklearn-groupcross[browser]'")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("explorer")


@pytest.fixture(scope="package")
def mock() -> tuple[dict[str, Any], dict[str, list[bytes]]]:
    """Two made-up runs of 120 features, with everything that can be shown."""
    return mock_data(120, n_runs=2)


@pytest.fixture(scope="package")
def url(folder: Path, mock: tuple[dict[str, Any], dict[str, list[bytes]]]) -> str:
    return written(folder / "page.html", *mock)


def written(path: Path, data: dict[str, Any], atlases: dict[str, list[bytes]]) -> str:
    path.write_text(assemble(data, atlases, data["title"]), encoding="utf-8")
    return path.as_uri()


Opener = Callable[..., Any]


@pytest.fixture
def open_page(browser: Any) -> Iterator[Opener]:
    """Open an address; at the end there was no error and no request to any host."""
    complaints: list[str] = []
    contexts: list[Any] = []

    def on_request(request: Any) -> None:
        if request.url.split(":")[0] not in ("file", "data", "blob"):
            complaints.append(f"request: {request.url}")

    def on_console(message: Any) -> None:
        if message.type == "error":
            complaints.append(f"console: {message.text}")

    def opened(address: str, width: int = 1400, scheme: str = "light", **options: Any) -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, **options
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("console", on_console)
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on("request", on_request)
        page.goto(address)
        page.wait_for_selector("html[data-ready]", state="attached")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []
