"""Every page of the built book in a real browser: wide and narrow, light and dark, by http and from the disk."""

import pytest
import yaml
from site_book import ROOT
from site_inspection import BUDGET, inspect_page, listening, strangers, weight


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_page(html, address, visit, page_name, width, theme):
    page = visit(width, theme)
    with listening(page) as (findings, asked):
        page.goto(f"{address}{page_name}.html", wait_until="load")
        assert page.evaluate("document.documentElement.dataset.theme") == theme
        findings += inspect_page(page)
    findings += strangers(asked, address)
    size = weight(asked, address, html)
    if not 20_000 < size < BUDGET:
        findings.append(f"the cold page weighs {size / 1000:.0f} KB gzipped, at most {BUDGET // 1000} are allowed")
    assert findings == []


SHEETS = """[...document.querySelectorAll("article .live-figure")].map((figure) => {
  const around = [];
  for (let e = figure.parentElement; e.tagName !== "ARTICLE"; e = e.parentElement) around.push(e);
  return around.map((e) => getComputedStyle(e).backgroundColor).filter((colour) => colour !== "rgba(0, 0, 0, 0)");
})"""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("chapter", ["06_selection", "12_enwik8"])
def test_a_live_figure_lies_on_the_page_itself(address, visit, chapter, theme):
    page = visit(1280, theme)
    page.goto(f"{address}chapters/{chapter}.html", wait_until="load")
    sheets = page.evaluate(SHEETS)
    assert sheets and not any(sheets)


def test_page_from_disk(html, visit, page_name):
    page = visit()
    with listening(page) as (findings, asked):
        page.goto((html / f"{page_name}.html").as_uri(), wait_until="load")
        page.evaluate("document.fonts.ready.then(() => true)")
        assert page.evaluate("getComputedStyle(document.body).fontFamily").startswith("Newsreader")
        assert page.evaluate("[...document.fonts].some(f => f.family === 'Newsreader' && f.status === 'loaded')")
    assert findings + strangers(asked, html.as_uri()) == []


FAULTS = {
    "asks for https://fonts.invalid": "document.head.insertAdjacentHTML('beforeend', "
    "'<link rel=stylesheet href=https://fonts.invalid/a.css>')",
    "scrolls sideways": "document.querySelector('article').insertAdjacentHTML('beforeend', "
    "'<div style=\"width:1500px\">wide</div>')",
    "no alt": "document.querySelector('article').insertAdjacentHTML('beforeend', '<img src=\"data:,\">')",
    "without title": "document.querySelector('article').insertAdjacentHTML('beforeend', '<svg role=img></svg>')",
    "headings: h": "document.querySelector('h1').insertAdjacentHTML('afterend', '<h4>too deep</h4>')",
    "raw TeX": "document.querySelector('article').insertAdjacentHTML('beforeend', '<p>the state $h_t$</p>')",
    "console: planted": "console.error('planted')",
    "color-contrast": "document.querySelector('article').insertAdjacentHTML('beforeend', "
    "'<p style=\"color:#cbc8c0\">pale</p>')",
    "id used twice": "document.querySelector('article').insertAdjacentHTML('beforeend', '<p id=main-content>x</p>')",
}


@pytest.mark.parametrize("expected", FAULTS)
def test_the_inspection_notices(html, address, browser, expected):
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    with listening(page) as (findings, asked):
        page.goto(f"{address}book/index.html")
        page.evaluate(FAULTS[expected])
        findings += inspect_page(page)
    findings += strangers(asked, address)
    context.close()
    assert any(expected in finding for finding in findings), findings


def test_first_screen_of_the_cover(html, address, visit):
    for width, height in [(1280, 800), (390, 844)]:
        page = visit(width)
        page.goto(f"{address}book/index.html")
        header = page.locator(".bd-header-article").bounding_box()
        ink = page.locator("h1").bounding_box()["y"] - (header["y"] + header["height"])
        assert ink > 6, "the title stands under the header"  # its capitals rise above their line
        for what in ["h1", ".cover-subtitle p", ".cover-line p", ".cover-start a"]:
            box = page.locator(what).first.bounding_box()
            assert box and box["y"] >= 0 and box["y"] + box["height"] <= height, (what, box)
        page.locator('figure.live-figure[data-ready="true"]').wait_for(timeout=10_000)
        assert page.locator(".live-still").is_hidden()
        controls = [".live-player button", ".live-player input", ".live-slider input", ".live-reset", ".live-handle"]
        for what in [".live-canvas svg", *controls]:
            box = page.locator(f"{what}:visible").first.bounding_box()
            assert box and box["y"] + box["height"] <= height, (what, box)
        assert page.locator(".live-canvas svg").bounding_box()["width"] > 0.85 * width


def test_theme_switch(html, address, visit):
    page = visit()
    page.goto(f"{address}book/index.html")
    colours = set()
    for _ in range(3):
        page.locator("button.theme-switch-button:visible").first.click()
        mode = page.evaluate("document.documentElement.dataset.mode")
        colours.add((mode, page.evaluate("getComputedStyle(document.body).backgroundColor")))
    page.evaluate("localStorage.clear()")
    assert {mode for mode, _ in colours} == {"light", "dark", "auto"}
    assert len({colour for _, colour in colours}) == 2, colours


def test_search_finds_and_formulas_stay_out(html, address, visit):
    page = visit()
    with listening(page) as (findings, _):
        page.goto(f"{address}search.html?q=bracket")
        page.locator("#search-results li a").first.wait_for(timeout=10_000)
    assert findings == []
    assert "mathbf" not in (html / "searchindex.js").read_text(encoding="utf-8")


def test_sidebar_opens_on_a_phone(html, address, visit):
    page = visit(390)
    page.goto(f"{address}search.html")
    link = page.locator("nav.bd-links a").first
    assert not link.is_visible()
    page.get_by_role("button", name="Contents of the book").click()
    link.wait_for(state="visible", timeout=5_000)
    page.keyboard.press("Escape")
    link.wait_for(state="hidden", timeout=5_000)


def test_what_scrolls_is_reached_by_keyboard(html, address, visit, page_name):
    page = visit(390)
    page.goto(f"{address}{page_name}.html")
    page.evaluate("document.fonts.ready.then(() => true)")
    unreachable = page.evaluate(
        """() => [...document.querySelectorAll(".math-body, .plot-box, pre, .pst-scrollable-table-container")]
        .filter((e) => e.getClientRects().length && e.scrollWidth > e.clientWidth + 1)
        .filter((e) => e.tabIndex !== 0 || !e.getAttribute("aria-label")).map((e) => e.outerHTML.slice(0, 90))"""
    )
    assert unreachable == []


@pytest.mark.parametrize("width", [1280, 390])
def test_a_number_stands_beside_its_formula(html, address, visit, page_name, width):
    """The number at the right edge covers no part of the formula, where the formula is as wide as a phone, too."""
    page = visit(width)
    page.goto(f"{address}{page_name}.html")
    covered = page.evaluate(
        """() => [...document.querySelectorAll('.katex-tag')].filter((tag) => {
            const left = tag.getBoundingClientRect().left;
            const bases = [...tag.parentElement.querySelectorAll(':scope > .katex-base')];
            return bases.some((base) => base.getBoundingClientRect().right > left);
        }).map((tag) => tag.textContent)"""
    )
    assert covered == []


def test_focus_is_visible(html, address, visit):
    page = visit()
    page.goto(f"{address}book/index.html")
    page.locator(".cover-start a").focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    outline = "(({outlineStyle: s, outlineWidth: w}) => [s, w])(getComputedStyle(document.activeElement))"
    assert page.evaluate(outline) == ["solid", "2px"]


def test_print_leaves_the_text(html, address, browser):
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{address}book/index.html")
    page.emulate_media(media="print")
    seen = [page.locator(what).first.is_visible() for what in ["h1", "#pst-primary-sidebar", ".book-buttons"]]
    page.close()
    assert seen == [True, False, False]


def test_colab_button_follows_the_setting(html, address, visit, page_name):
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    place = config["repository"]["url"].removeprefix("https://github.com/")
    page = visit()
    page.goto(f"{address}{page_name}.html")
    links = page.locator("a.book-colab")
    if (ROOT / f"{page_name}.ipynb").is_file():
        wanted = (
            f"https://colab.research.google.com/github/{place}/blob/{config['repository']['branch']}/{page_name}.ipynb"
        )
        assert links.get_attribute("href") == wanted
        assert links.is_visible()
    else:
        assert links.count() == 0
