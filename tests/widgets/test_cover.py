"""The figure of the first page: the package's numbers, the still's picture, the playhead on a screen and on a phone."""

import random
import re
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from core_page import difference

from mamba_edu import widgets
from mamba_edu.plots import cover
from mamba_edu.plots.style import LIGHT
from mamba_edu.widgets import _bundle, _theme

CLOSING = cover.WIDE.index("]]")
DRAWN = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def figure(browser):
    """figure(width) -> a page of that width with the figure alone, from its opening state."""
    pages = []

    def open_page(width=1280):
        page = browser.new_page(viewport={"width": width, "height": 900})
        css = _theme.theme_css() + (_bundle.FOLDER / "kit.css").read_text(encoding="utf-8")
        scripts = "".join(f"<script>{text}</script>" for text in (_bundle.kit_script(), _bundle.figure_script("cover")))
        body = f'<body style="margin:0 20px">{widgets.Cover().html()}{scripts}'
        page.set_content(f"<!doctype html><style>{css} .live-figure {{ max-width: none }}</style>{body}")
        page.locator('figure[data-ready="true"]').wait_for(timeout=10_000)
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()


def turn(page, trait, value):
    """Set a range as a hand does, and wait until it is drawn."""
    page.evaluate(
        """async ([trait, value]) => {
          const input = document.querySelector(`input[data-trait="${trait}"]`);
          input.value = value;
          input.dispatchEvent(new Event("input", { bubbles: true }));
          await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
        }""",
        [trait, value],
    )


def step(page):
    return int(page.locator('input[data-trait="step"]').input_value())


def playhead(page):
    """The middle of the knob, in pixels of the page."""
    box = page.locator(".live-handle .live-knob").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def letters(page):
    """The bytes that are seen, those that have come in first: two strings without spaces."""
    texts = page.locator(".live-canvas text.live-mono").evaluate_all(
        "(all) => all.map((e) => [e.textContent, e.hasAttribute('opacity')])"
    )
    return tuple("".join(c for c, faint in texts if faint == side) for side in (False, True))


# ---- numbers -------------------------------------------------------------------------------------------------------


def test_the_browser_computes_what_the_package_does(figure, record_property):
    drawn = random.Random(0)
    states = [(t, keep) for t in (-1, 0, CLOSING, 65) for keep in (0.5, 0.8, 0.999)]
    states += [(drawn.randrange(66), round(drawn.uniform(0.5, 0.999), 3)) for _ in range(60)]
    compute = "(all) => all.map(([step, keep]) => SelectiveState.figures.cover.spec.compute({ step, keep }))"
    worst = {}
    for (t, keep), got in zip(states, figure().evaluate(compute, states), strict=True):
        assert got.pop("t") == t % 66
        want = widgets.Cover(step=t, keep=keep).data()
        assert set(got) == set(want)
        for name, true in want.items():
            worst[name] = max(worst.get(name, 0.0), difference(got[name], true))
    record_property("largest differences", worst)
    assert max(worst.values()) <= 1e-9, worst


@pytest.mark.parametrize("keep", [0.5, 0.8, 0.99, 0.999])
def test_the_still_has_the_numbers_of_data(keep):
    data = widgets.Cover(keep=keep).data()
    u = cover.one_hot(cover.WIDE, cover.channels(cover.WIDE))
    for layer, rule in enumerate([cover.selective_rule(cover.WIDE), cover.fixed_rule(cover.WIDE, keep)]):
        torch.testing.assert_close(data["h"][layer], torch.from_numpy(cover.states(u, *rule)), rtol=1e-9, atol=1e-12)
        for t in (0, 41, 42, CLOSING, 65):
            left = cover.left(cover.WIDE, *rule, t)
            got = [data[name][layer, t].item() for name in ("bracket", "outside")] + [data["letters"][t].item()]
            np.testing.assert_allclose(got, [left.bracket, left.outside, left.letters], rtol=1e-9, atol=1e-12)


def test_data_by_hand():
    data = widgets.Cover(keep=0.9).data()
    assert bytes(data["bytes"].int().tolist()).decode() == cover.WIDE
    assert data["u"].shape == (66, 22) and data["u"].sum(0)[0] == 1  # of two brackets one counts
    assert (data["delta"] * data["B"])[1].tolist() == pytest.approx([1.0] * 66, rel=1e-12)  # all enter at height 1
    torch.testing.assert_close(torch.exp(-data["delta"][1]), torch.full((66,), 0.9, dtype=torch.float64))
    assert data["bracket"][1, 42:].tolist() == pytest.approx([0.9**k for k in range(24)], rel=1e-9)
    assert data["bracket"][0, CLOSING].item() == pytest.approx(np.exp(-0.12), rel=1e-9)
    assert data["bracket"][0, CLOSING + 1] < 4e-4 and (data["outside"][0] == 0).all()


# ---- drawing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width, columns", [(1280, None), (390, cover.NARROW)])
def test_the_opening_is_the_still(figure, width, columns):
    """Words, bytes, playhead and shape are those of the picture that stood there before the script had run."""
    page = figure(width)
    still = ElementTree.fromstring(cover.cover_svg(columns=columns))
    texts = ["".join(node.itertext()) for node in still.iter(f"{SVG}text")]
    live = page.locator(".live-canvas text").evaluate_all("(all) => all.map((e) => e.textContent)")
    assert live == texts
    came, to_come = letters(page)
    assert f"{came}|{to_come}" == cover.WIDE[slice(*(columns or (0, 66)))].replace("]]", "]|]").replace(" ", "")
    blue = page.locator(".live-canvas text.live-mono").evaluate_all(
        "(all) => all.filter((e) => e.style.fill === 'var(--ss-u)').map((e) => e.textContent)"
    )
    assert "".join(blue) == "[[JohannMost]]"
    assert [node.text for node in still.iter(f"{SVG}text") if node.get("fill") == LIGHT["u"]] == blue
    box = page.locator(".live-canvas svg").bounding_box()
    units = [float(number) for number in still.get("viewBox").split()[2:]]
    assert box["height"] == pytest.approx(box["width"] * units[1] / units[0], abs=1)
    knob = float(still.find(f".//{SVG}circle").get("cx")) / units[0]
    assert playhead(page)[0] - box["x"] == pytest.approx(knob * box["width"], abs=1)


@pytest.mark.parametrize("width", [1280, 390])
def test_what_is_inked_has_come_in(figure, width):
    """No state to the right of the playhead is drawn at full strength, and the faint ones are all there."""
    page = figure(width)
    edges = """() => { const full = [], faint = [];
      for (const e of document.querySelectorAll('.live-canvas path[opacity]')) {
        const box = e.getBoundingClientRect();
        (+e.getAttribute('opacity') > 0.17 ? full : faint).push(box.left, box.right); }
      return [Math.max(...full), Math.max(...faint)]; }"""
    for keep in (0.8, 0.999):
        turn(page, "keep", keep)
        for t in (0, 20, CLOSING, 64):
            turn(page, "step", t)
            full, faint = page.evaluate(edges)
            assert full <= playhead(page)[0] + 1 and (t == 64 or faint > playhead(page)[0] + 5), (keep, t)


@pytest.mark.parametrize("width", [1280, 390])
def test_the_numbers_follow(figure, width):
    page = figure(width)
    for t, keep in [(CLOSING, 0.99), (30, 0.95), (65, 0.5), (0, 0.999)]:
        turn(page, "step", t)
        turn(page, "keep", keep)
        data = widgets.Cover(step=t, keep=keep).data()
        said = [text for text in page.locator(".live-canvas text").all_text_contents() if text.startswith("With")]
        words = page.locator(".live-words").inner_text()
        for layer in (0, 1):
            bracket, outside = (f"{data[name][layer, t]:.{n}f}" for name, n in (("bracket", 2), ("outside", 1)))
            numbers = re.findall(r"\d+\.\d+", said[layer])
            assert numbers == ([bracket, outside] if t > 41 else [outside])
            assert f" {int(data['letters'][t])} " in said[layer]
            assert all(number in words for number in numbers)


# ---- motion --------------------------------------------------------------------------------------------------------


def test_on_a_phone_the_bytes_pass_and_the_playhead_never_goes_back(figure):
    page = figure(390)
    turn(page, "step", 0)
    xs, seen = [], []
    page.locator(".live-handle").focus()
    for t in range(66):
        assert step(page) == t
        came, _ = letters(page)
        assert cover.WIDE[: t + 1].replace(" ", "").endswith(came), t  # what stands left of the playhead ends with t
        xs.append(playhead(page)[0])
        seen.append(page.locator(".live-canvas svg").inner_html())
        page.keyboard.press("ArrowRight")
        page.evaluate(DRAWN)
    box = page.locator(".live-canvas svg").bounding_box()
    shares = [(x - box["x"]) / box["width"] for x in xs]
    assert shares == sorted(shares) and shares[0] < 0.05 and shares[-1] > 0.99
    assert len(set(seen)) == 66, "a step that changes nothing"


@pytest.mark.parametrize("width", [1280, 390])
def test_the_playhead_stays_under_the_hand(figure, width):
    page = figure(width)
    box = page.locator(".live-canvas svg").bounding_box()
    cell = box["width"] / (66 if width == 1280 else 24)
    page.mouse.move(*playhead(page))
    page.mouse.down()
    steps = []
    for share in (0.9, 0.75, 0.5, 0.3, 0.1, 0.0, 0.4, 1.0):
        x = box["x"] + share * box["width"]
        page.mouse.move(x, playhead(page)[1], steps=3)
        page.evaluate(DRAWN)
        steps.append(step(page))
        assert abs(playhead(page)[0] - x) <= cell + 1, share
    page.mouse.up()
    assert steps[:6] == sorted(steps[:6], reverse=True) and steps[5] == 0 and steps[-1] == 65


@pytest.mark.parametrize("width", [1280, 390])
def test_a_click_takes_the_byte(figure, width):
    page = figure(width)
    box = page.locator(".live-canvas svg").bounding_box()
    columns = 66 if width == 1280 else 24
    page.mouse.click(box["x"] + 5.5 / columns * box["width"], box["y"] + box["height"] - 20)
    page.evaluate(DRAWN)
    assert step(page) == (5 if width == 1280 else cover.NARROW[0] + 5)


def test_play_begins_at_the_beginning_and_ends_at_the_end(figure):
    page = figure()
    page.evaluate(
        """() => { const input = document.querySelector('input[data-trait="step"]');
        window.seen = [];
        new MutationObserver(() => seen.push(+input.value)).observe(input, { attributes: true }); }"""
    )
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("seen.includes(65)", timeout=30_000)
    seen = page.evaluate("seen")
    assert min(seen[:3]) == 0 and seen == sorted(seen) and len(set(seen)) > 40
    page.get_by_role("button", name="Play").wait_for()  # it has stopped by itself
    turn(page, "step", 30)
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("seen.at(-1) > 31", timeout=30_000)
    assert 31 in page.evaluate("seen"), "from where the reader has put it"
    page.get_by_role("button", name="Reset").click()
    page.wait_for_timeout(400)
    assert step(page) == CLOSING, "Reset stops it"


def test_it_stands_still_until_asked(figure):
    page = figure()
    before = page.locator(".live-stage").inner_html()
    page.wait_for_timeout(700)
    assert page.locator(".live-stage").inner_html() == before
