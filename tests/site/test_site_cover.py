"""The cover shows what the package computes, of bytes that are in enwik8; the page's numbers are the picture's."""

import gzip
import os
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from site_book import ROOT

from mamba_edu import selective_scan
from mamba_edu.plots import cover

TEXTS = [cover.WIDE, cover.WIDE[slice(*cover.NARROW)]]
CLOSING = cover.WIDE.index("]]")


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("rule", [cover.selective_rule, cover.fixed_rule])
def test_states_are_those_of_the_scan(text, rule):
    rows = cover.channels(text)
    u, (delta, B) = cover.one_hot(text, rows), rule(text)
    drawn = cover.states(u, delta, B)
    n = torch.tensor(u)[None]  # (1, l, d)
    steps = torch.tensor(delta)[None, :, None].expand_as(n)
    A = -torch.ones(n.shape[-1], 1, dtype=n.dtype)
    true = selective_scan(n, steps, A, torch.tensor(B)[None, :, None], torch.ones_like(n[..., :1]), backend="reference")
    assert np.isfinite(drawn).all() and drawn.max() > 0.9
    np.testing.assert_allclose(drawn, true[0].numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("text", TEXTS)
def test_selection_holds_the_link_and_clears_it(text):
    rows = cover.channels(text)
    start, end = text.index("[[") + 1, text.index("]]")
    h = cover.states(cover.one_hot(text, rows), *cover.selective_rule(text))
    assert h[:start].max() == 0  # nothing of what came before the link
    assert (h[start : end + 1, 0] > 0.85).all()  # the bracket's state, to the first closing bracket
    assert h[end + 1 :].max() < 1e-3  # and gone with the second
    fixed = cover.states(cover.one_hot(text, rows), *cover.fixed_rule(text))
    assert fixed[end, 0] < 0.1 and fixed[end + 2 :].max() > 0.5


def test_what_is_left_by_hand():
    """0.8 to the power of the bytes that have passed, for the bracket and for each letter outside the link."""
    place, keep = CLOSING + 4, 0.8
    link = range(cover.WIDE.index("[["), CLOSING + 2)
    strangers = [t for t in range(place + 1) if t not in link and cover.WIDE[t].isalpha()]
    left = cover.left(cover.WIDE, *cover.fixed_rule(cover.WIDE, keep), place)
    assert left.bracket == pytest.approx(keep ** (place - link[0] - 1), rel=1e-9)
    assert left.outside == pytest.approx(sum(keep ** (place - t) for t in strangers), rel=1e-9)
    assert left.letters == len(strangers) > 35
    for t in range(len(cover.WIDE)):
        assert cover.left(cover.WIDE, *cover.selective_rule(cover.WIDE), t).outside == 0


def test_no_fixed_step_keeps_the_bracket_alone():
    """The page's question: what keeps as much of the bracket as selection does keeps most of the rest with it."""
    chosen = cover.left(cover.WIDE, *cover.selective_rule(cover.WIDE), CLOSING)
    lefts = [
        cover.left(cover.WIDE, *cover.fixed_rule(cover.WIDE, keep), CLOSING) for keep in np.linspace(0.5, 0.999, 500)
    ]
    equal = [left for left in lefts if round(left.bracket, 2) == round(chosen.bracket, 2)]
    assert equal and all(left.outside > 24 for left in equal)
    assert all(left.bracket < 0.7 for left in lefts if left.outside < 12)


def test_the_caption_says_what_is_drawn():
    caption = re.sub(r"\s+", " ", (ROOT / "book" / "index.md").read_text(encoding="utf-8"))
    text = cover.WIDE
    rules = (cover.selective_rule(text), cover.fixed_rule(text))
    held, faded = (cover.left(text, *rule, cover.STEP).bracket for rule in rules)
    assert len(text) == 66 and "Sixty-six bytes" in caption
    assert cover.channels(text)[0] == "[" and cover.STEP == CLOSING
    assert f"begins to close, {held:.2f} of its bracket is left above and {faded:.2f} below" in caption
    assert f"Raise the {cover.FIXED:g} until {held:.2f} is left there" in caption
    assert f"{np.exp(-cover.KEEP):.2f}" == "0.99" and f"Below, {cover.FIXED:g} is kept at every byte" in caption


@pytest.mark.parametrize("columns", [None, cover.NARROW])
@pytest.mark.parametrize("step, keep", [(cover.STEP, 0.8), (0, 0.5), (65, 0.999)])
def test_the_drawing_is_well_formed_and_named(columns, step, keep):
    svg = cover.cover_svg(step, keep, columns)
    root = ElementTree.fromstring(svg)
    assert "fade" in root[0].text and root[0].tag.endswith("title")
    texts = list(root.iter("{http://www.w3.org/2000/svg}text"))
    shown = cover.WIDE[slice(*(columns or (0, 66)))]
    letters = [node.text for node in texts if "cover-label" not in node.get("class", "")]
    assert "".join(letters) == shown.replace(" ", "")
    assert not re.search(r"nan|inf\b", svg)
    left = [
        cover.left(cover.WIDE, *rule(cover.WIDE), step)
        for rule in (cover.selective_rule, lambda t: cover.fixed_rule(t, keep))
    ]
    words = [" ".join(node.itertext()) for node in texts if "With" in "".join(node.itertext())]
    for amount, said in zip(left, words, strict=True):
        assert f"{amount.outside:.1f}" in said and f"{amount.letters} " in said
        assert (f"{amount.bracket:.2f}" if step > 42 else "[[ has not come") in said
    faint = [node for node in root.iter("{http://www.w3.org/2000/svg}g") if node.get("opacity")]
    assert len(faint) == 1 and (len(faint[0]) == 0) == (step == 65)


WIDTHS = (320, 390, 500, 596, 597, 640, 700, 760, 761, 991, 992, 1280, 1400)


def test_nothing_jumps_when_the_script_takes_over(html, browser):
    """Picture and moving figure are as high as each other at every width, and nothing reaches over the edge."""
    sizes = {}
    for scripts in (False, True):
        context = browser.new_context(java_script_enabled=scripts, reduced_motion="reduce")
        page = context.new_page()
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            page.goto((html / "book" / "index.html").as_uri())
            if scripts:
                page.locator('figure.live-figure[data-ready="true"]').wait_for(timeout=10_000)
                over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                assert over == 0, f"{over} pixels wider than {width}"
            figure = page.locator("figure.live-figure").bounding_box()
            picture = page.locator(".live-canvas svg" if scripts else ".live-still svg:visible").bounding_box()
            sizes.setdefault(width, []).append((figure["height"], picture["height"], picture["width"]))
        context.close()
    for width, (before, after) in sizes.items():
        for one, other in zip(before, after, strict=True):
            assert abs(one - other) < 1, (width, before, after)


@pytest.mark.parametrize("width, columns", [(1280, None), (390, cover.NARROW)])
def test_without_scripts_and_in_print_the_picture_stands(html, browser, width, columns):
    shown = cover.WIDE[slice(*(columns or (0, 66)))].replace(" ", "")
    for scripts, media in [(False, "screen"), (True, "print")]:
        context = browser.new_context(java_script_enabled=scripts, viewport={"width": width, "height": 800})
        page = context.new_page()
        page.goto((html / "book" / "index.html").as_uri())
        if scripts:
            page.locator('figure.live-figure[data-ready="true"]').wait_for(timeout=10_000)
        page.emulate_media(media=media)
        stills = page.locator(".live-still svg:visible")
        letters = stills.locator(".cover-bytes text").all_text_contents()
        seen = [stills.count(), "".join(letters), page.locator(".live-stage:visible").count()]
        note = page.locator(".live-note").is_visible()
        context.close()
        assert seen == [1, shown, 0], (scripts, media)
        assert note or scripts


def test_the_readme_shows_the_same_picture():
    assert (ROOT / "book" / "static" / "cover.svg").read_text(encoding="utf-8") == cover.standalone_svg()


def test_the_bytes_are_in_enwik8():
    place = Path(os.environ.get("MAMBA_EDU_DATA", ""))
    files = [place] if place.is_file() else sorted(place.glob("enwik8*.gz")) if "MAMBA_EDU_DATA" in os.environ else []
    if not files or files[0].suffix != ".gz":
        pytest.skip("needs the real bytes: MAMBA_EDU_DATA")
    data = gzip.decompress(files[0].read_bytes())
    assert data[21434:].startswith(cover.WIDE.encode())
