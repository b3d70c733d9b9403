"""Live figures in a built book: a notebook's and a page's, two alike on one page, and pages that have none."""

import base64
import functools
import html as entities
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mamba_edu import widgets

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "book" / "_ext"))

import book_live
import book_slim

ROOT = Path(__file__).resolve().parents[2]

_CONF = f"""
import os
import sys
os.chdir(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, {str(ROOT / "book" / "_ext")!r})
extensions = ["myst_nb", "book_maths", "book_figures", "book_live"]
html_math_renderer = "book"
exclude_patterns = ["node_modules"]
nb_execution_mode = "off"
nb_mime_priority_overrides = [["html", "text/html", 5]]

def slim(app):
    # the theme's pages go through `slim_page`; here the tags alone are set
    import book_live
    def tags(app, pagename, templatename, context, doctree):
        context["metatags"] = context.get("metatags", "") + book_live.live_tags(context.get("body", ""), "")
    app.connect("html-page-context", tags)

def setup(app):
    slim(app)
"""
PAGE = """# A page

```{live-figure} selection
```

```{live-figure} selection
:selective: true
:weight: 7.5
:text: 12]
```
"""


def build(folder, **pages):
    """Build a small book in its own process; returns (folder of the HTML, warnings)."""
    source, html = folder / "source", folder / "html"
    source.mkdir(exist_ok=True)
    if not (source / "node_modules").exists():
        (source / "node_modules").symlink_to(ROOT / "node_modules")
    (source / "conf.py").write_text(_CONF, encoding="utf-8")
    for name, text in pages.items():
        suffix = ".ipynb" if text.startswith("{") else ".md"
        (source / f"{name}{suffix}").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "sphinx", "-q", "-N", "-d", folder / "doctrees", source, html]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    return html, re.sub(r".*document isn't included in any toctree\n", "", done.stderr)


def notebook(*outputs):
    """A notebook's text whose cells have these HTML outputs, as `make chapters` would commit them."""
    code = [
        {"cell_type": "code", "execution_count": 1, "metadata": {}, "source": "fig", "outputs": [
            {"output_type": "execute_result", "execution_count": 1, "metadata": {},
             "data": {"text/html": output, "text/plain": "a figure"}}]}
        for output in outputs
    ]  # fmt: skip
    cells = [{"cell_type": "markdown", "metadata": {}, "source": "# Notebook"}, *code]
    metadata = {"language_info": {"name": "python", "pygments_lexer": "ipython3"}}
    return json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 4})


@functools.cache
def kept():
    return widgets.Selection().html()


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    folder = tmp_path_factory.mktemp("book")
    code = '```html\n<figure class="live-figure" data-figure="x">\n```'
    index = f"# Start\n\nNo figure; `data-figure` in words.\n\n{code}\n"
    html, warnings = build(folder, index=index, page=PAGE, notebook=notebook(kept(), kept()))
    assert warnings == ""
    return html


@pytest.mark.parametrize("name", ["page", "notebook"])
def test_the_picture_stands_in_the_page_and_turns_with_its_theme(book, name):
    page = (book / f"{name}.html").read_text(encoding="utf-8")
    assert page.count('<figure class="live-figure" data-figure="selection"') == 2
    assert page.count('<div class="live-still"><svg') == 2 and page.count("<title id=") == 2
    assert "var(--ss-delta)" in page and "color-mix(" in page and not re.search(r"fill: ?#[0-9a-f]{6}", page)


@pytest.mark.parametrize("name", ["page", "notebook"])
def test_two_figures_share_no_id(book, name):
    page = (book / f"{name}.html").read_text(encoding="utf-8")
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert {"live-1-title", "live-2-title"} < set(ids) and len([name for name in ids if name[:5] == "live-"]) > 6
    pointed = set(re.findall(r"""(?:href="|url\()#([^")]+)""", page)) | set(re.findall(r'labelledby="([^"]+)"', page))
    assert {place for place in pointed if place.startswith(("live", "p"))} <= set(ids)


def test_options_are_traits(book):
    page = (book / "page.html").read_text(encoding="utf-8")
    first, second = (json.loads(entities.unescape(s)) for s in re.findall(r'data-state="([^"]*)"', page))
    assert first == widgets.Selection().snapshot()
    assert second == {**first, "selective": True, "weight": 7.5, "text": "12]"}


def test_scripts_and_styles_only_where_a_figure_is(book):
    for name in ("page", "notebook"):
        page = (book / f"{name}.html").read_text(encoding="utf-8")
        scripts = re.findall(r'<script defer src="_static/live/(\w+\.js)"></script>', page)
        assert scripts == ["kit.js", "selection.js"] and page.count("_static/live/kit.css") == 1
        assert 'type="module"' not in page
    for path in book.glob("*.html"):
        if path.stem not in ("page", "notebook"):
            assert "_static/live" not in path.read_text(encoding="utf-8"), path.name
    written = {path.name for path in (book / "_static" / "live").iterdir()}
    assert written == {"kit.js", "selection.js", "kit.css"}


THEME_PAGE = "<html><head><title>T</title>{}</head><body>{}</body></html>"


def test_the_theme_keeps_the_tags_and_gives_them_to_no_other_page():
    slim = functools.partial(book_slim.slim_page, root="../")
    page = slim(THEME_PAGE.format("", '<figure class="live-figure" data-figure="selection" data-state="{}"></figure>'))
    tags = re.findall(r'(?:src|href)="\.\./_static/(live/[\w.]+)"', page)
    assert tags == ["live/kit.css", "live/kit.js", "live/selection.js"]
    assert page.index("book-all.css") < page.index("kit.css") < page.index("</head>")
    assert "live/" not in slim(THEME_PAGE.format("", "&lt;figure class=&quot;live-figure&quot; data-figure=..."))


def test_figures_come_to_life_from_the_disk(book, browser):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type in ("error", "warning") else None)
    for name in ("page", "notebook"):
        page.goto((book / f"{name}.html").as_uri())
        page.locator('figure.live-figure[data-ready="true"]').nth(1).wait_for(timeout=10_000)
        assert page.locator(".live-stage").count() == 2 and not page.locator(".live-still").first.is_visible()
        twice = page.evaluate("[...document.querySelectorAll('[id]')].map((e) => e.id)")
        assert len(twice) == len(set(twice)), "an id twice, once the scripts have run"
    page.goto((book / "page.html").as_uri())
    first, second = (page.locator("figure.live-figure").nth(i) for i in (0, 1))
    before = second.locator(".live-words").inner_text()
    bias = first.locator('input[type=range][data-trait="bias"]')
    words = first.locator(".live-words").inner_text()
    bias.press("End")
    page.wait_for_function("(w) => document.querySelector('.live-words').innerText !== w", arg=words)
    assert second.locator(".live-words").inner_text() == before, "one figure moved the other"
    page.close()
    assert errors == []


def test_without_scripts_the_picture_stays(book, browser):
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto((book / "page.html").as_uri())
    figure = page.locator("figure.live-figure").first
    assert figure.locator(".live-still svg").is_visible() and figure.locator(".live-note").is_visible()
    box = figure.locator(".live-still svg").bounding_box()
    context.close()
    assert 250 < box["width"] <= 390


def test_in_print_the_picture_is_back(book, browser):
    page = browser.new_page()
    page.goto((book / "page.html").as_uri())
    page.locator('figure.live-figure[data-ready="true"]').nth(1).wait_for(timeout=10_000)
    page.emulate_media(media="print")
    seen = [page.locator(what).first.is_visible() for what in (".live-still svg", ".live-stage")]
    page.close()
    assert seen == [True, False]


PLAIN = base64.b64encode(b'<svg viewBox="0 0 9 9"><path/></svg>').decode()
FAULTS = {
    "no still": (lambda text: re.sub(r"<img [^>]*>", "", text), "has no still picture"),
    "no title": (lambda text: re.sub('base64,[^"]*', f"base64,{PLAIN}", text), "has no <title>"),
    "no question": (lambda text: re.sub(r"(live-question\">)[^<]*", r"\1", text), "has no question"),
    "no state": (lambda text: text.replace("data-state=", "data-other="), "has no data-state"),
    "broken state": (lambda text: text.replace('data-state="{', 'data-state="'), "Expecting|Extra data"),
    "unknown figure": (lambda text: text.replace('"selection"', '"selektion"'), "got 'selektion'"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_figure_with_a_hole_is_refused(fault):
    spoil, expected = FAULTS[fault]
    assert spoil(kept()) != kept() and "var(--ss-" in book_live.themed_figure(kept(), "a-")
    with pytest.raises(ValueError, match=expected):
        book_live.themed_figure(spoil(kept()), "a-")


def test_what_is_wrong_on_a_page_is_a_warning_with_its_line(tmp_path):
    fences = ["selection\n:weight: 9", "selektion", "selection\n:wieght: 3"]
    text = "# Page\n\n" + "\n\n".join(f"```{{live-figure}} {fence}\n```" for fence in fences)
    _, warnings = build(tmp_path, index=text, notebook=notebook(FAULTS["no still"][0](kept())))
    expected = [
        r"index\.md:3: .*'weight' trait of a Selection.*-8 to 8, not the int 9",
        r"index\.md:7: .*one of 'selection'.*got 'selektion'",
        r"index\.md:10: .*Selection takes .*got 'wieght'",
        r"notebook\.ipynb:\d+: WARNING: .*has no still picture",
    ]
    for pattern in expected:
        assert re.search(pattern, warnings), (pattern, warnings)
