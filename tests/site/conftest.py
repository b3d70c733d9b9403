"""The built book, a server for it and one browser. Nothing here builds: `make book` does."""

import functools
import http.server
import shutil
import threading

import pytest
from site_book import HTML, built_pages


def pytest_generate_tests(metafunc):
    if "page_name" in metafunc.fixturenames:
        metafunc.parametrize("page_name", built_pages() or ["the book is not built"])


@pytest.fixture(scope="session")
def html():
    """The folder of the built book."""
    if not (HTML / "index.html").is_file():
        pytest.fail(f"no book in {HTML.name}/: run `make book` first", pytrace=False)
    return HTML


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="session")
def address(html):
    """The book on localhost; ends with a slash."""
    handler = functools.partial(_Quiet, directory=str(html))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


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
