"""Live figures on the book's pages: a notebook's output or `{live-figure}` brings the picture, the build the scripts.

    ```{live-figure} selection
    :selective: true
    :weight: 8
    ```

What a notebook keeps of a figure is HTML without a script (`mamba_edu.widgets`): a question, a still picture, the
state. Here the picture is set into the page and takes its colours. A page that holds a figure gets the stylesheet and
the scripts of the kit and of that figure; other pages get neither.
"""

import base64
import json
import re
from html import unescape
from pathlib import Path

from book_figures import themed_svg
from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from traitlets import TraitError

from mamba_edu import widgets
from mamba_edu.widgets import _bundle

logger = logging.getLogger(__name__)

PLACE = "_static/live"
_FIGURE = re.compile(r'<figure class="live-figure"[^>]*>.*?</figure>', re.DOTALL)
_NAME = re.compile(r'<figure class="live-figure" data-figure="([^"]*)"')
_STATE = re.compile(r'^<figure [^>]*\bdata-state="([^"]*)"')
_STILL = re.compile(r'(?<=<div class="live-still">)<img src="data:image/svg\+xml;base64,([\w+/=]+)"[^>]*>(?=</div>)')
_QUESTION = re.compile(r'<figcaption class="live-question">\s*[^<\s]')


def figure_names(page):
    """The names of the live figures in a page's HTML, each once, in their order."""
    return list(dict.fromkeys(_NAME.findall(page)))


def themed_figure(html, prefix):
    """One figure's HTML with its still made ready for the page. prefix: of the still's ids, unique on the page.

    Raises ValueError for a figure that doesn't exist, a state that is no JSON, a missing question or a missing still.
    """
    name, state, still = _NAME.match(html), _STATE.match(html), _STILL.search(html)
    widgets.figure_class(name[1] if name else "")
    if not state or not isinstance(json.loads(unescape(state[1])), dict):
        raise ValueError(f"the live figure {name[1]!r} has no data-state, an object of JSON")
    if not _QUESTION.search(html):
        raise ValueError(f"the live figure {name[1]!r} has no question")
    if not still:
        raise ValueError(f"the live figure {name[1]!r} has no still picture: without scripts there would be a hole")
    svg, _, _ = themed_svg(base64.b64decode(still[1]).decode("utf-8"), prefix)
    return html[: still.start()] + svg + html[still.end() :]


class LiveFigures(SphinxPostTransform):
    """Make the figures of a page ready, wherever they come from."""

    default_priority = 7  # after myst-nb has chosen among a cell's outputs
    formats = ("html",)

    def run(self, **kwargs):
        self.number = 0
        for node in [n for n in self.document.findall(nodes.raw) if "html" in n.get("format", "")]:
            if 'class="live-figure"' in node.astext():
                html = _FIGURE.sub(lambda match, node=node: self._ready(match[0], node), node.astext())
                node.children = [nodes.Text(html)]
                node.rawsource = html

    def _ready(self, html, node):
        self.number += 1
        try:
            return themed_figure(html, f"live-{self.number}-")
        except ValueError as error:
            logger.warning("%s", error, location=node, type="live")
            return html


class _AnyOption(dict):
    """Every option is taken as text: which exist, and what they may be, the figure knows."""

    def __bool__(self):  # an empty dict would say that there are no options
        return True

    def __getitem__(self, name):
        return lambda text: text or ""


class LiveFigure(SphinxDirective):
    """`{live-figure} NAME`; its options are the figure's traits: text as it stands, the others as JSON writes them."""

    required_arguments = 1
    option_spec = _AnyOption()

    def run(self):
        try:
            cls = widgets.figure_class(self.arguments[0])
            figure = cls(**{name: self._value(cls, name, text) for name, text in self.options.items()})
        except (TypeError, ValueError, TraitError) as error:
            raise self.error(str(error)) from None
        for file in [*_bundle.FOLDER.glob("*.py"), *(_bundle.FOLDER.parent / "plots").glob("still*.py")]:
            self.env.note_dependency(str(file))
        return [nodes.raw("", figure.html(), format="html")]

    def _value(self, cls, name, text):
        if isinstance(getattr(cls.class_traits().get(name), "default_value", None), str):
            return text
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            return text  # and the figure says what it expected


def live_tags(page, root):
    """The tags for the head of a page: stylesheet and scripts if it holds a live figure, else nothing.

    page: its HTML. root: the way from the page to the site's root, e.g. "../".
    """
    names = figure_names(page)
    if not names:
        return ""
    scripts = "".join(f'<script defer src="{root}{PLACE}/{name}.js"></script>\n' for name in ["kit", *names])
    return f'<link rel="stylesheet" href="{root}{PLACE}/kit.css" />\n{scripts}'


def write_scripts(app, exception):
    """Write into `_static/live` what the pages ask for, whichever of them this build has written."""
    if exception or app.builder.format != "html":
        return
    folder = Path(app.outdir) / PLACE
    pages = [path.read_text(encoding="utf-8") for path in Path(app.outdir).rglob("*.html")]
    names = sorted({name for page in pages for name in figure_names(page)})
    if not names:
        return
    folder.mkdir(parents=True, exist_ok=True)
    try:
        texts = {"kit.js": _bundle.kit_script(), **{f"{name}.js": _bundle.figure_script(name) for name in names}}
    except _bundle.BundleError as error:
        raise ExtensionError(str(error)) from None
    for file in {widgets.figure_class(name).file for name in names} - {""}:
        texts[f"{file}.js"] = _bundle.data_script(file)
    texts["kit.css"] = (_bundle.FOLDER / "kit.css").read_text(encoding="utf-8")
    for file, text in texts.items():
        (folder / file).write_text(text, encoding="utf-8")


def setup(app):
    app.add_post_transform(LiveFigures)
    app.add_directive("live-figure", LiveFigure)
    app.connect("build-finished", write_scripts, priority=800)  # before book_slim cuts the fonts to what they draw
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
