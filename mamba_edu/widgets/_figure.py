"""`LiveFigure`: what every live figure is in Python. In a notebook a widget; in a file a picture with its state."""

import base64
import functools
import html
import json
import re

import traitlets

from ._bundle import FOLDER, data_text, esm
from ._theme import theme_css

try:
    import anywidget
except ImportError as missing:
    raise ImportError(
        'the live figures need anywidget: pip install "anywidget>=0.9.13" "ipywidgets>=7.7", then restart the kernel'
    ) from missing

NOTE = "This figure moves on the book's page and in a running notebook."
_PLACES = re.compile(r'\s(?:d|x|y|x1|y1|x2|y2|points|transform)="[^"]*"')
_DECIMALS = re.compile(r"(\.\d\d)\d+")  # a hundredth of a point can't be seen, and the last digits are the processor's
_FONTS = re.compile(r"(?<=font-family: )'[^;\"]*, (monospace|sans-serif)(?=[;\"])")  # ten names, of which one is there
_VIEW = "application/vnd.jupyter.widget-view+json"


@functools.cache
def _css():
    return theme_css() + (FOLDER / "kit.css").read_text(encoding="utf-8")


def _picture(still):
    """The still as an image in one piece: notebooks that nobody trusts yet, and GitHub, take an <svg> out of HTML."""
    svg = _PLACES.sub(lambda attribute: _DECIMALS.sub(r"\1", attribute[0]), _FONTS.sub(r"\1", still.svg()))
    data = base64.b64encode(svg.encode("utf-8")).decode("ascii")
    width = round(96 * still.get_size_inches()[0])  # CSS pixels
    return f'<img src="data:image/svg+xml;base64,{data}" width="{width}" alt="{html.escape(still.alt)}">'


class LiveFigure(anywidget.AnyWidget):
    """A figure that moves. Its traits read and write, and what is on the screen follows them, both ways.

    A figure sets `name`, the stem of its JavaScript file, and the default of `question`, its caption; declares its
    traits (of `_traits`); and defines `data()`, what is drawn as {name: float64 tensor}, and `still()`, the same state
    as a `BookFigure`. A wrong value raises TraitError, an unknown name TypeError; both name what came.

    file: the name of a figure's own data, `data/FILE.json`, if it has such. A page fetches it once the figure comes
    into sight; a notebook's widget brings it along.
    """

    name = ""
    file = ""
    question = traitlets.Unicode().tag(sync=True)
    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    _file = traitlets.Unicode().tag(sync=True)
    _ipython_display_ = None  # ipywidgets 7 shows itself by this alone, and `_repr_mimebundle_` would not be asked

    def __init__(self, **traits):
        known = [*self.figure_traits(), "layout"]
        unknown = next((name for name in traits if name not in known), None)
        if unknown is not None:
            raise TypeError(f"{type(self).__name__} takes {', '.join(known)}; got {unknown!r}")
        super().__init__(**traits)

    @traitlets.default("_esm")
    def _default_esm(self):
        return esm(self.name)

    @traitlets.default("_css")
    def _default_css(self):
        return _css()

    @traitlets.default("_file")
    def _default_file(self):
        return data_text(self.file) if self.file else ""

    @classmethod
    def figure_traits(cls):
        """The names of what can be set, in alphabetical order, `question` among them."""
        names = sorted(cls.class_trait_names(sync=True))
        return [name for name in names if not name.startswith("_") and name not in _ANYWIDGETS_OWN]

    def snapshot(self):
        """{trait: value}, the present state as JSON values; six digits are enough for what a hand has set."""
        values = {name: getattr(self, name) for name in self.figure_traits()}
        return {name: float(f"{v:.6g}") if isinstance(v, float) else v for name, v in values.items()}

    def data(self):
        """What is drawn, computed by the package from the present traits: {name: float64 tensor}."""
        raise NotImplementedError(f"{type(self).__name__} does not define data()")

    def still(self):
        """The present state as a picture, a `mamba_edu.plots.style.BookFigure`."""
        raise NotImplementedError(f"{type(self).__name__} does not define still()")

    def html(self):
        """The figure without its script: the question, the picture, the state. The book's pages bring it to life."""
        state = html.escape(json.dumps(self.snapshot(), ensure_ascii=False, sort_keys=True))
        return (
            f'<figure class="live-figure" data-figure="{self.name}" data-state="{state}">\n'
            f'<figcaption class="live-question">{html.escape(self.question)}</figcaption>\n'
            f'<div class="live-still">{_picture(self.still())}</div>\n'
            f'<p class="live-note">{NOTE}</p>\n</figure>'
        )

    def _repr_mimebundle_(self, **kwargs):
        """The widget for a running notebook, beside it what stays in the file: HTML with the picture, and its words."""
        data, metadata = super()._repr_mimebundle_(**kwargs)
        return {_VIEW: data[_VIEW], "text/html": self.html(), "text/plain": self.still().alt}, metadata


_ANYWIDGETS_OWN = set(anywidget.AnyWidget.class_trait_names())
