"""What all tests share: the same Hypothesis examples on every machine, the book's tools on the path, a browser."""

import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book" / "tools"))

# No deadline, because two busy cores are slow at times; derandomised, so that a red run is red again.
settings.register_profile("book", deadline=None, derandomize=True, database=None)
settings.load_profile("book")


@pytest.fixture(scope="module")  # ends with its module: Playwright's loop would be in the way of the notebooks' kernels
def browser():
    """Chromium: the machine's own, else Playwright's."""
    from playwright.sync_api import sync_playwright

    found = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def visit(browser):
    """visit(width, theme) -> a page of that width and colour scheme, one for each pair, used again and again."""
    pages = {}

    def page_for(width=1280, theme="light"):
        if (width, theme) not in pages:
            size = {"width": width, "height": 844 if width < 500 else 800}
            context = browser.new_context(viewport=size, color_scheme=theme, reduced_motion="reduce")
            pages[width, theme] = context.new_page()
        return pages[width, theme]

    yield page_for
    for page in pages.values():
        page.context.close()
