"""The book's visual language: one colour for each of u, h, y and delta, in prose, plots and live figures alike."""

import io
import warnings

from matplotlib import rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

# name: (light theme, dark theme). A figure is drawn in the light colours; the published page swaps each for its twin.
PALETTE = {
    "paper": ("#fdfcfa", "#14171c"),
    "panel": ("#f3f1ec", "#1d2128"),
    "ink": ("#1c2027", "#e9e6df"),
    "muted": ("#5c6370", "#a3aab6"),
    "hairline": ("#d3d0c8", "#3b414b"),
    "u": ("#1f66ad", "#74b3f5"),  # the input
    "h": ("#b0500c", "#f2a65a"),  # the state
    "y": ("#0c7566", "#5ad1bb"),  # the output
    "delta": ("#93358a", "#e293d8"),  # the step
    "warn": ("#b3261e", "#ff9a8d"),  # what goes wrong
}
LIGHT = {name: pair[0] for name, pair in PALETTE.items()}

# Signed values, centred on zero; magnitudes. Both monotone in lightness, readable by the colour-blind.
DIVERGING = LinearSegmentedColormap.from_list("book_diverging", ["#1f66ad", "#9cc3e6", "#f3f1ec", "#eeb38a", "#b0500c"])
SEQUENTIAL = LinearSegmentedColormap.from_list("book_sequential", ["#f3f1ec", "#d9a9d4", "#93358a", "#3a1437"])

_RC = {
    "svg.fonttype": "none",  # text stays text: the page's own font, selectable
    "svg.hashsalt": "the-selective-state",  # the same figure gives the same bytes
    "font.family": "sans-serif",
    "font.size": 11,
    "axes.edgecolor": LIGHT["hairline"],
    "axes.labelcolor": LIGHT["muted"],
    "axes.titlesize": 11,
    "axes.titlecolor": LIGHT["ink"],
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": LIGHT["paper"],
    "figure.facecolor": LIGHT["paper"],
    "text.color": LIGHT["ink"],
    "xtick.color": LIGHT["hairline"],
    "ytick.color": LIGHT["hairline"],
    "xtick.labelcolor": LIGHT["muted"],
    "ytick.labelcolor": LIGHT["muted"],
    "grid.color": LIGHT["hairline"],
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.8,
    "legend.frameon": False,
}


class BookFigure(Figure):
    """A matplotlib figure that shows itself as an SVG with its text alternative, the same bytes every time."""

    alt = ""

    def svg(self):
        """The figure as SVG text; `alt` becomes its accessible name."""
        out = io.StringIO()
        with rc_context(_RC), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing")  # text stays text: the reader's own fonts draw it
            self.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
        text = out.getvalue()
        head, tail = text[text.index("<svg") :].split(">", 1)
        title = self.alt.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return f'{head} role="img">\n <title>{title}</title>{tail}'

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"image/svg+xml": self.svg(), "text/plain": self.alt}


def new_figure(width, height, alt, nrows=1, ncols=1, **grid):
    """A figure in the book's style and its axes.

    width, height: inches (the page's text is 7.4 wide). alt: the text alternative, a sentence that says what it shows.
    grid: passed to `Figure.subplots`. Returns (figure, axes), axes as `subplots` gives them.
    """
    with rc_context(_RC):
        figure = BookFigure(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(figure)
        figure.alt = alt
        axes = figure.subplots(nrows, ncols, **grid)
    return figure, axes
