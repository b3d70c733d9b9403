"""Formulas are rendered when the book is built, by KaTeX: no page carries JavaScript for them.

A formula that KaTeX refuses becomes a Sphinx warning with file and line, so that `-W` fails there. TeX stays out of the
search index.
"""

import re
from html import escape
from pathlib import Path

from _katex import Katex, modules_folder
from docutils import nodes
from sphinx.search import IndexBuilder
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

logger = logging.getLogger(__name__)

_ENVIRONMENT = re.compile(r"\\(begin|end)\{(equation|align|alignat|gather|multline|eqnarray)\}")


def star_environments(app, docname, source):
    """An amsmath environment is numbered by Sphinx unless it is starred; here `\\tag` numbers, and nothing else.

    Works on the text of the file, Markdown or notebook: in a notebook's JSON the backslash is doubled, which the
    pattern allows, as it begins at the last one.
    """
    source[0] = _ENVIRONMENT.sub(r"\\\1{\2*}", source[0])


def _cell(node):
    """Where in a notebook: myst-nb counts 10,000 lines to the cell, and the cell's first line as 2."""
    cell, line = divmod(node.line or 0, 10_000)
    return f" (cell {cell}, line {line - 1})" if cell else ""


def _render(translator, node, display):
    tex = node.astext().strip()
    app = translator.builder.app
    try:
        return app.book_katex.render(tex, display)
    except ValueError as error:
        first = tex.splitlines()[0] if tex else "(empty)"
        logger.warning("KaTeX%s: %s, in %s", _cell(node), error, first, location=node, type="maths")
        return f"<code>{escape(tex)}</code>"


def visit_inline(self, node):
    self.body.append(f'<span class="math">{_render(self, node, False)}</span>')
    raise nodes.SkipNode


def visit_display(self, node):
    ids = "".join(f' id="{name}"' for name in node.get("ids", [])[:1])
    self.body.append(f'<div class="math"{ids}><div class="math-body">{_render(self, node, True)}</div>')
    if node.get("number"):
        number = get_node_equation_number(self, node)
        self.body.append(f'<span class="eqno">({number})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append("</div>\n")
    raise nodes.SkipNode


def without_maths(collect_words):
    """IndexBuilder._word_collector, but blind to formulas."""

    def collect(self, doctree):
        readable = doctree.deepcopy()
        for node in list(readable.findall(lambda n: isinstance(n, nodes.math | nodes.math_block))):
            node.parent.remove(node)
        return collect_words(self, readable)

    collect.blind_to_formulas = True
    return collect


def start(app):
    app.book_katex = None
    if app.builder.format != "html":
        return
    app.book_katex = Katex(modules_folder(app.srcdir), Path(app.doctreedir).parent / ".book" / "katex.json")


def finish(app, exception):
    if app.book_katex is not None:
        app.book_katex.close()
    if app._warncount:
        # Sphinx would keep the page and say nothing the next time; without its memory it warns, and fails, again
        (Path(app.doctreedir) / "environment.pickle").unlink(missing_ok=True)


def setup(app):
    if not hasattr(IndexBuilder._word_collector, "blind_to_formulas"):
        IndexBuilder._word_collector = without_maths(IndexBuilder._word_collector)
    app.add_html_math_renderer("book", (visit_inline, None), (visit_display, None))
    app.connect("source-read", star_environments)
    app.connect("builder-inited", start)
    app.connect("build-finished", finish)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": False}
