"""The pocket corpus in the package, and the script that freezes it."""

import gzip
import hashlib
import json
import re
from importlib import resources
from xml.etree import ElementTree

import pocket
import pytest
from wikitext import Linker, from_markdown

from mamba_edu import data, load_enwiki8_dataset


@pytest.fixture(scope="module")
def packed():
    return (resources.files("mamba_edu") / "corpus" / "pocket.xml.gz").read_bytes()


@pytest.fixture(scope="module")
def text(packed):
    return gzip.decompress(packed)


def test_packed_file_matches_its_digest_and_is_small(packed, text):
    assert hashlib.sha256(text).hexdigest() == data.POCKET_SHA256
    assert 100_000 < len(text) < 300_000
    assert packed[3:8] == bytes(5)  # no file name, no time: the same text gives the same file


def test_loader_gives_the_pocket(text, capsys):
    splits = load_enwiki8_dataset(fallback="pocket")
    assert b"".join(splits) == text and splits.name == "pocket"
    assert f"{len(text):,} bytes" in capsys.readouterr().out


def test_damaged_pocket_is_an_error(packed, tmp_path, monkeypatch):
    (tmp_path / "corpus").mkdir()
    monkeypatch.setattr(data.resources, "files", lambda package: tmp_path)
    file = tmp_path / "corpus" / "pocket.xml.gz"
    with pytest.raises(data.DataError, match=r"pocket\.xml\.gz is missing or damaged: install"):
        load_enwiki8_dataset(fallback="pocket")
    changed = bytearray(packed)
    changed[len(packed) // 2] ^= 1
    for rotten in (packed[:-100], bytes(changed), b"rotten", gzip.compress(b"another text " * 20)):
        file.write_bytes(rotten)
        with pytest.raises(data.DataError, match="missing or damaged"):
            load_enwiki8_dataset(fallback="pocket")


def test_pocket_is_well_formed_pages_in_the_form_of_enwik8(text):
    root = ElementTree.fromstring(text)
    space = {"w": "http://www.mediawiki.org/xml/export-0.3/"}
    pages = root.findall("w:page", space)
    assert len(pages) > 50
    assert [int(page.find("w:id", space).text) for page in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        assert page.find("w:title", space).text and page.find("w:revision/w:text", space).text
    assert text.startswith(b"<mediawiki xmlns=") and text.endswith(b"</mediawiki>\n")
    for form in (
        rb"\[\[[^\[\]]+\]\]",
        rb"'''\w+'''",
        rb"\n== [^=]+ ==\n",
        rb"&lt;pre&gt;",
        rb'<text xml:space="preserve">',
    ):
        assert len(re.findall(form, text)) > 30, form


def test_pocket_tells_nothing_of_the_machine(text):
    assert not re.search(rb"/(work|root|home|tmp|Users)/", text)
    assert b"pypi" not in text.lower()


# The script


@pytest.fixture
def book(tmp_path):
    """A book of one chapter, one page and one module."""
    for folder in ("chapters", "book", "mamba_edu"):
        (tmp_path / folder).mkdir()
    cells = [
        {"cell_type": "markdown", "source": ["# The scan\n", "\n", "Nine bytes & `scan` <b>come</b> in.\n"]},
        {"cell_type": "code", "source": ["secret = 1"]},
    ]
    (tmp_path / "chapters" / "03_scan.ipynb").write_text(json.dumps({"cells": cells}))
    (tmp_path / "book" / "notation.md").write_text("# Notation\n\n| a | b |\n|---|---|\n| $h$ | state |\n")
    (tmp_path / "mamba_edu" / "data.py").write_text(
        f'"""Bytes."""\n\nPOCKET_SHA256 = "{"0" * 64}"  # written\n\n\n'
        'def scan(x):\n    """Sum. Twice.\n\n    x: a number, < 3.\n    """\n    return x and "y"  # why\n'
    )
    return tmp_path


def test_freeze_writes_the_file_and_its_digest(book):
    text, size = pocket.freeze(book)
    packed = (book / "mamba_edu" / "corpus" / "pocket.xml.gz").read_bytes()
    assert gzip.decompress(packed) == text and len(packed) == size
    digest = hashlib.sha256(text).hexdigest()
    assert f'\nPOCKET_SHA256 = "{digest}"  # written\n' in (book / "mamba_edu" / "data.py").read_text()
    assert pocket.freeze(book)[0] == text  # the digest is not part of what it is the digest of
    assert (book / "mamba_edu" / "corpus" / "pocket.xml.gz").read_bytes() == packed


def test_freeze_without_a_place_for_the_digest_writes_nothing(book):
    (book / "mamba_edu" / "data.py").write_text('"""Bytes."""\n')
    with pytest.raises(ValueError, match="one line POCKET_SHA256"):
        pocket.freeze(book)
    assert not (book / "mamba_edu" / "corpus" / "pocket.xml.gz").exists()


def test_pages_of_a_small_book(book):
    root = ElementTree.fromstring(pocket.build(book))
    space = "{http://www.mediawiki.org/xml/export-0.3/}"
    pages = root.findall(f"{space}page")
    pages = {page.find(f"{space}title").text: page.find(f"{space}revision/{space}text").text for page in pages}
    assert pages["The scan"] == "Nine bytes & [[scan]] come in.\n\n[[Category:Chapters]]"
    assert '{| border="1"\n! a !! b\n|-\n| <math>h</math> || state\n|}' in pages["Notation"]
    assert pages["mamba_edu.data"].startswith("Bytes.\n\n== Contents ==\n\n*[[scan]]: Sum.")
    assert pages["scan"].startswith(
        "'''scan''' is a function of [[mamba_edu.data]].\n\nSum. Twice.\n\nx: a number, < 3."
    )
    assert '<pre>\ndef scan(x):\n    """Sum. Twice.' in pages["scan"]
    assert "secret" not in "".join(pages.values())


def test_budget_is_kept_and_prose_goes_first(book):
    whole = pocket.build(book)
    small = pocket.build(book, len(whole) - 100)
    assert len(small) <= len(whole) - 100
    assert b"Nine bytes" in small and b"return x" not in small


def test_path_of_this_machine_is_refused(book):
    (book / "book" / "notation.md").write_text("# Notation\n\nSee `/home/me/notes.txt`.\n")
    with pytest.raises(ValueError, match="holds a path of this machine: '/home/me/notes"):
        pocket.freeze(book)
    assert "0" * 64 in (book / "mamba_edu" / "data.py").read_text()


@pytest.mark.parametrize(
    ("markdown", "wikitext"),
    [
        ("## Two\ntext", "== Two ==\n\ntext"),
        ("one line\nand *the* next, **bold**", "one line and ''the'' next, '''bold'''"),
        ("- a\n  goes on\n  - b\n1. c", "*a goes on\n**b\n#c"),
        ("[page](other.md), [site](https://example.org/x)", "[[page]], [https://example.org/x site]"),
        ("the scan, then the scan; `f(x)` and `g`", "the [[scan]], then the scan; [[F page|f(x)]] and <code>g</code>"),
        ("$a*b*c$ is 2*3*4", "<math>a*b*c</math> is 2*3*4"),
        ("$$h = a$$\n\nand $x$", "<math>h = a</math>\n\nand <math>x</math>"),
        ("costs 5 dollars, $ 6", "costs 5 dollars, $ 6"),
        ("$$\nh = a\n$$\nafter", ":<math>h = a</math>\n\nafter"),
        ("```python\nx = '*a*'\n\n# no heading\n```\nafter", "<pre>\nx = '*a*'\n\n# no heading\n</pre>\n\nafter"),
        (":::{note}\n:class: tip\nKeep **this**.\n:::\nafter", "Keep '''this'''.\n\nafter"),
        ("```{toctree}\na\nb\n```\nafter", "after"),
        ("---\ntitle: x\n---\n(label)=\n<!-- no\nno -->text", "text"),
        ("See {doc}`other page <other>` and <span class='u'>u</span>.", "See [[other page]] and u."),
        ("![a state](static/cover.svg)", "[[Image:cover.svg|a state]]"),
        ("> said", ":said"),
    ],
)
def test_markdown_to_wikitext(markdown, wikitext):
    assert from_markdown(markdown, Linker({"f": "F page"}, ["scan"], "Own")) == wikitext
