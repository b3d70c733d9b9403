"""Figures are part of the page: an SVG is set into the HTML, takes the page's font, and turns with its theme.

An SVG output of a notebook (made by `mamba_edu.plots.style`) or an SVG named by a page becomes `figure.plot`. The
colours of the palette become CSS variables, ids become unique on the page. `{cover}` is the landing page's figure.
"""

import re
import sys
from html import escape
from pathlib import Path

from _palette import follow_theme
from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

logger = logging.getLogger(__name__)

WIDE = 420  # user units; what is wider keeps 560 px on a phone and scrolls in its own box
_NO_MARKUP = re.compile(r"<\?xml.*?\?>|<!DOCTYPE.*?>|<!--.*?-->|<metadata>.*?</metadata>", re.DOTALL)
_ROOT = re.compile(r"<svg\b[^>]*>", re.DOTALL)
_VIEWBOX = re.compile(r'viewBox="([-\d. ]+)"')
_PLACES = re.compile(r'\s(?:d|x|y|x1|y1|x2|y2|cx|cy|points|transform|width|height)="[^"]*"')
_DECIMALS = re.compile(r"(\d*)(\.\d)(\d?)\d*")
_COVER_STILL = re.compile(r'(<div class="live-still">)(<svg\b.*?</svg>)', re.DOTALL)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.DOTALL)


def unique_ids(svg, prefix):
    """Every id of the SVG, and every reference to one, with `prefix` before it."""
    names = set(re.findall(r'\bid="([^"]+)"', svg))
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}\1"', svg)

    def renamed(match):
        return f"{match[1]}{prefix}{match[2]}" if match[2] in names else match[0]

    return re.sub(r"""((?:href=["']|url\(["']?)#)([^"')]+)""", renamed, svg)


def lean(svg):
    """Without names that nothing refers to, turns by nothing and blanks, of which matplotlib writes hundreds."""
    meant = set(re.findall(r"""(?:href=["']|url\(["']?)#([^"')]+)""", svg))
    svg = re.sub(r'(<g\b[^>]*?) id="([^"]+)"', lambda m: m[0] if m[2] in meant else m[1], svg)
    svg = re.sub(r' transform="rotate\(-?0 [^)]*\)"', "", svg)
    svg = re.sub(r'(?<= d=")[^"]*', lambda m: re.sub(r"\s*([A-Za-z])\s*", r"\1", m[0]).strip(), svg)
    return re.sub(r">\s*\n\s*<", "><", svg)


def rounded(svg):
    """Coordinates with one decimal where matplotlib writes six: a tenth of a point can't be seen. Below 10, in the
    shape of a small mark, a second one is kept."""

    def kept(number):
        whole, first, second = number.groups()
        return whole + first + (second if len(whole) < 2 else "")

    def shorter(attribute):
        return attribute[0] if "scale(" in attribute[0] else _DECIMALS.sub(kept, attribute[0])

    return _PLACES.sub(shorter, svg)


def themed_svg(svg, prefix):
    """One drawing ready for a page: (svg, label, width). Its colours follow the theme, its ids begin with `prefix`.

    label: its title, escaped for an attribute. width: in the drawing's own units. Raises ValueError where the drawing
    has no <title> or no viewBox.
    """
    svg = _NO_MARKUP.sub("", svg).strip()
    title, viewbox = _TITLE.search(svg), _VIEWBOX.search(svg)
    if not title or not title[1].strip():
        raise ValueError("the figure has no <title>: give it an alt text")
    if not viewbox:
        raise ValueError("the figure has no viewBox, so it cannot follow the page's width")
    width, height = (float(part) for part in viewbox[1].split()[2:])
    svg = rounded(unique_ids(follow_theme(lean(svg)), prefix))
    svg = _TITLE.sub(lambda _: f'<title id="{prefix}title">{title[1].strip()}</title>', svg, count=1)
    # matplotlib counts in points, 4/3 of a pixel: its 11 pt stay 11 pt where there is room
    style = f"width:{width * 4 / 3:.0f}px;aspect-ratio:{width:g}/{height:g}"
    root = f'<svg viewBox="{viewbox[1]}" role="img" aria-labelledby="{prefix}title" style="{style}">'
    label = escape(title[1].strip(), quote=True).replace("&amp;", "&")
    return _ROOT.sub(lambda _: root, svg, count=1), label, width


def inline_svg(svg, prefix):
    """The HTML of one figure: `<figure class="plot">` around the SVG of `themed_svg`, which says what it raises."""
    svg, label, width = themed_svg(svg, prefix)
    wide = " plot-wide" if width > WIDE else ""
    return f'<figure class="plot{wide}"><div class="plot-box" data-label="{label}">{svg}</div></figure>'


class InlineFigures(SphinxPostTransform):
    """Set the SVG files that a page shows into the page."""

    default_priority = 6  # after myst-nb has chosen among a cell's outputs, before Sphinx collects the pictures
    formats = ("html",)

    def run(self, **kwargs):
        images = [n for n in self.document.findall(nodes.image) if self._is_ours(n.get("uri", ""))]
        for number, node in enumerate(images, 1):
            svg = self._file(node["uri"]).read_text(encoding="utf-8")
            try:
                html = inline_svg(svg, f"plot-{number}-")
            except ValueError as error:
                logger.warning("%s (%s)", error, Path(node["uri"]).name, location=node, type="figures")
                continue
            node.replace_self(nodes.raw("", html, format="html"))

    def _is_ours(self, uri):
        return uri.endswith(".svg") and "://" not in uri

    def _file(self, uri):
        here = Path(self.env.srcdir) / Path(self.env.docname).parent
        places = [Path(uri), here / uri, Path(self.env.srcdir) / uri]
        return next((place for place in places if place.is_file()), places[-1])


class Cover(SphinxDirective):
    """`{cover}`: the live figure of the landing page; until it moves, a picture for a screen and one for a phone."""

    def run(self):
        from mamba_edu.plots import cover
        from mamba_edu.widgets import _figure, figure_class

        figure = figure_class("cover")
        for module in (cover, _figure, sys.modules[figure.__module__]):
            self.env.note_dependency(module.__file__)
        return [nodes.raw("", figure().html(), format="html")]


class CoverOnAPhone(SphinxPostTransform):
    """Beside the cover's picture the one for a phone; the stylesheet shows the one that fits."""

    default_priority = 8  # after book_live has set the picture into the page
    formats = ("html",)

    def run(self, **kwargs):
        for node in [n for n in self.document.findall(nodes.raw) if 'data-figure="cover"' in n.astext()]:
            html = _COVER_STILL.sub(self._both, node.astext())
            node.children = [nodes.Text(html)]
            node.rawsource = html

    def _both(self, wide):
        from mamba_edu.plots import cover

        narrow, _, _ = themed_svg(cover.cover_svg(columns=cover.NARROW), "cover-narrow-")
        return f'{wide[1]}<div class="cover-wide">{wide[2]}</div><div class="cover-narrow">{narrow}</div>'


def setup(app):
    app.add_post_transform(InlineFigures)
    app.add_post_transform(CoverOnAPhone)
    app.add_directive("cover", Cover)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
