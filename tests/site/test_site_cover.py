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

TEXTS = [cover.WIDE, cover.NARROW]


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


def test_the_caption_says_what_is_drawn():
    caption = (ROOT / "book" / "index.md").read_text(encoding="utf-8")
    text, rows = cover.WIDE, cover.channels(cover.WIDE)
    end, u = text.index("]]"), cover.one_hot(cover.WIDE, cover.channels(cover.WIDE))
    held, faded = (cover.states(u, *rule(text))[end, 0] for rule in (cover.selective_rule, cover.fixed_rule))
    assert len(text) == 66 and "Sixty-six bytes" in caption
    assert rows[0] == "["
    assert f"{held:.2f} of its" in re.sub(r"\s+", " ", caption) and f"above and {faded:.2f}" in re.sub(
        r"\s+", " ", caption
    )
    assert f"{np.exp(-cover.KEEP):.2f}" == "0.99" and f"{np.exp(-cover.FIXED):.1f}" == "0.8"


@pytest.mark.parametrize("text", TEXTS)
def test_the_drawing_is_well_formed_and_named(text):
    root = ElementTree.fromstring(cover.cover_svg(text))
    assert "fade" in root[0].text and root[0].tag.endswith("title")
    letters = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text") if len(node.text) == 1]
    assert "".join(letters) == text.replace(" ", "")
    assert not re.search(r"nan|inf\b", cover.cover_svg(text))


def test_the_readme_shows_the_same_picture():
    assert (ROOT / "book" / "static" / "cover.svg").read_text(encoding="utf-8") == cover.standalone_svg()


def test_the_bytes_are_in_enwik8():
    place = Path(os.environ.get("MAMBA_EDU_DATA", ""))
    files = [place] if place.is_file() else sorted(place.glob("enwik8*.gz")) if "MAMBA_EDU_DATA" in os.environ else []
    if not files or files[0].suffix != ".gz":
        pytest.skip("needs the real bytes: MAMBA_EDU_DATA")
    data = gzip.decompress(files[0].read_bytes())
    assert data[21434:].startswith(cover.WIDE.encode()) and cover.NARROW in cover.WIDE
