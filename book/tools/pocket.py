"""Freeze the pocket corpus: this book's own text in enwik8's XML form, for readers without the real bytes.

    python book/tools/pocket.py

reads the chapters, the book's pages, README.md and the package, writes mamba_edu/corpus/pocket.xml.gz, and puts its
sha256 into mamba_edu/data.py. What was trained or printed on the old pocket is out of date afterwards.
"""

import argparse
import ast
import gzip
import hashlib
import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from wikitext import Linker, from_markdown

ROOT = Path(__file__).resolve().parents[2]
LARGEST = 290_000  # bytes; the contract says under 300 KB
FIRST_EDIT = datetime(2025, 1, 6, 9, 0)  # page times are made up from the page's number: the same text, the same file

TERMS = (
    "state space model, recurrent network, hidden state, vanishing gradient, exploding gradient, backpropagation, "
    "convolution, causal convolution, depthwise convolution, Fourier transform, impulse response, linear time- "
    "invariant, discretisation, zero-order hold, bilinear transform, selective scan, selection, prefix sum, "
    "associative, parallel scan, attention, Transformer, KV cache, softplus, SiLU, gate, residual, RMSNorm, "
    "embedding, language model, cross-entropy, entropy, bits per byte, perplexity, nat, Witten-Bell, gradient "
    "clipping, weight decay, AdamW, warm-up, learning rate, gradient descent, dropout, checkpoint, safetensors, "
    "byte, UTF-8, token, Wikipedia, enwik8, Mamba, matrix, eigenvalue, exponential, float32, bfloat16, PyTorch, "
    "NumPy, Numba, CUDA, GPU, roofline, shared memory, kernel, warp, recomputation, padding, mask, overfitting, "
    "initialisation, causality, batch, broadcasting"
).split(", ")

_HEAD = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.3/" version="0.3" xml:lang="en">
  <siteinfo>
    <sitename>The Selective State</sitename>
    <generator>pocket</generator>
    <case>first-letter</case>
  </siteinfo>
"""
_PAGE = """  <page>
    <title>{title}</title>
    <id>{id}</id>
    <revision>
      <id>{revision}</id>
      <timestamp>{time}</timestamp>
      <contributor>
        <username>{author}</username>
        <id>{author_id}</id>
      </contributor>
      <text xml:space="preserve">{text}</text>
    </revision>
  </page>
"""


class Page(NamedTuple):
    """title; text in Markdown; category; code: source that follows where there is room; names: what else links here."""

    title: str
    text: str
    category: str
    code: str = ""
    names: tuple = ()


def prose_pages(root):
    """Chapters, pages of the book and README."""
    pages = []
    for notebook in sorted((root / "chapters").glob("*.ipynb")):
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        text = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
        pages.append(_titled(text, notebook.stem, "Chapters"))
    for page in [root / "README.md", *sorted((root / "book").glob("*.md"))]:
        if page.exists() and page.read_text(encoding="utf-8").strip():
            pages.append(_titled(page.read_text(encoding="utf-8"), page.stem, "Pages"))
    return pages


def _titled(text, name, category):
    """The first top heading becomes the title, and leaves the text."""
    heading = re.search(r"^# +(.+)$", text, flags=re.M)
    if heading:
        text = text[: heading.start()] + text[heading.end() :]
    title = re.sub(r"[`*$\[\]|{}<>]", "", heading[1] if heading else name.replace("_", " ")).strip()
    return Page(title[:1].upper() + title[1:], text, category)


def code_pages(root):
    """A page for each module of the package, and for each public function and class in it."""
    pages = []
    for file in sorted((root / "mamba_edu").rglob("*.py")):
        name = ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        source = file.read_text(encoding="utf-8")
        tree = ast.parse(source)
        members = [node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
        public = [node for node in members if node.name[0] != "_" and ast.get_docstring(node)]
        contents = "\n".join(f"- `{node.name}`: {_first_sentence(node)}" for node in public)
        if ast.get_docstring(tree):
            text = f"{ast.get_docstring(tree)}\n\n## Contents\n\n{contents}" if public else ast.get_docstring(tree)
            hidden = [node for node in members if node not in public]
            code = "\n\n\n".join(ast.get_source_segment(source, node) for node in hidden)
            pages.append(Page(name, text, "Modules", code, (name, f"{name.replace('.', '/')}.py", file.name)))
        pages += [_member_page(node, name, source) for node in public]
    return pages


def _first_sentence(node):
    return re.split(r"(?<=[.:;])\s", " ".join(ast.get_docstring(node).split()), maxsplit=1)[0].rstrip(":;")


def _member_page(node, module, source):
    kind = "class" if isinstance(node, ast.ClassDef) else "function"
    text = f"**{node.name}** is a {kind} of `{module}`.\n\n{ast.get_docstring(node)}"
    for method in node.body if kind == "class" else []:
        if isinstance(method, ast.FunctionDef) and method.name[0] != "_" and ast.get_docstring(method):
            text += f"\n\n## {method.name}\n\n{ast.get_docstring(method)}"
    return Page(node.name, text, "Functions and classes", ast.get_source_segment(source, node), (node.name,))


def _redirects(pages):
    """CamelCase names lead to the same words apart, or the other way round, as in the oldest pages of Wikipedia."""
    for page in pages:
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|_", " ", page.title)
        if words != page.title and "." not in words:
            yield (
                words[:1].upper() + words[1:].lower(),
                f"#REDIRECT [[{page.title}]]{{{{R from other capitalisation}}}}",
            )


def build(root, largest=LARGEST):
    """The pocket corpus of the book at `root`: bytes, at most `largest`, the same for the same book.

    Prose comes first, then docstrings, then source, as far as there is room; the order in the file is by title.
    """
    pages = list({page.title: page for page in [*code_pages(root), *prose_pages(root)]}.values())
    titles = {name: page.title for page in pages for name in page.names}
    rank = {"Chapters": 0, "Pages": 1, "Modules": 2, "Functions and classes": 2}
    chosen, room = {}, largest - len(_HEAD) - 100
    for page in sorted(pages, key=lambda page: (rank[page.category], page.title)):
        text = from_markdown(page.text, Linker(titles, TERMS, page.title)) + f"\n\n[[Category:{page.category}]]"
        room -= _add(chosen, page.title, text, room)
    for title, text in _redirects(pages):
        room -= _add(chosen, title, text, room) if title not in chosen else 0
    for page in sorted(pages, key=lambda page: page.title):
        if page.code and page.title in chosen:
            body, category = chosen[page.title].rsplit("\n\n", 1)
            text = f"{body}\n\n== Source ==\n\n<pre>\n{page.code}\n</pre>\n\n{category}"
            room += _size(page.title, chosen[page.title])
            room -= _add(chosen, page.title, text, room) or _size(page.title, chosen[page.title])
    ordered = sorted(chosen.items(), key=lambda item: (item[0].lower(), item[0]))
    text = _HEAD + "".join(_page_xml(i, title, text) for i, (title, text) in enumerate(ordered, 1)) + "</mediawiki>\n"
    return _inspected(text).encode()


def _add(chosen, title, text, room):
    """Put the page in if it fits; returns the bytes it takes, 0 if it does not."""
    size = _size(title, text)
    if size > room:
        return 0
    chosen[title] = text
    return size


def _size(title, text):
    return len(_page_xml(9999, title, text).encode())


def _page_xml(number, title, text):
    code = int.from_bytes(hashlib.sha256(title.encode()).digest()[:2], "big")  # 0 to 65535, the page's own
    time = (FIRST_EDIT + timedelta(minutes=7 * code)).strftime("%Y-%m-%dT%H:%M:%SZ")
    author = ("Reader", "Writer", "Proofreader", "Editor")[code % 4]
    return _PAGE.format(
        title=_escape(title),
        id=number,
        revision=10_000 + code,
        time=time,
        author=author,
        author_id=100 + code % 4,
        text=_escape(text),
    )


def _escape(text):
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        text = text.replace(character, entity)
    return text


def _inspected(text):
    """What must not get into the package: somebody's folders."""
    found = re.search(r"(?<![\w.])/(?:work|root|home|tmp|Users)/.{0,30}", text)
    if found:
        raise ValueError(f"the book's text holds a path of this machine: {found[0]!r}")
    return text


def freeze(root):
    """Write the packed corpus and its digest into the package at `root`. Returns (text, packed size)."""
    text = build(root)
    packed = gzip.compress(text, 9, mtime=0)
    folder = root / "mamba_edu" / "corpus"
    folder.mkdir(exist_ok=True)
    home = root / "mamba_edu" / "data.py"
    source, count = re.subn(
        r'(?m)^POCKET_SHA256 = "[0-9a-f]{64}"',
        f'POCKET_SHA256 = "{hashlib.sha256(text).hexdigest()}"',
        home.read_text(encoding="utf-8"),
    )
    if count != 1:
        raise ValueError(f"{home.name} must have one line POCKET_SHA256 = ..., has {count}")
    (folder / "pocket.xml.gz").write_bytes(packed)
    home.write_text(source, encoding="utf-8")
    return text, len(packed)


def main():
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    text, packed = freeze(ROOT)
    print(f"{text.count(b'<page>')} pages, {len(text):,} bytes, {packed:,} packed")
    print(f"sha256 {hashlib.sha256(text).hexdigest()}")


if __name__ == "__main__":
    main()
