"""The book's colours for a figure that stands in somebody else's page: Jupyter Lab, Notebook, Colab, VS Code.

The book's own pages have the same variables from `book/_ext/_palette.py`. Here they are set on the figure alone, so
that the notebook around it keeps its look, and they follow that notebook's theme, whatever the system prefers.
"""

from ..plots.style import PALETTE

DARK = [  # how each home says that its theme is dark
    '[data-jp-theme-light="false"]',  # JupyterLab, Notebook 7
    "html[theme=dark]",  # Colab
    "body.vscode-dark",
]


def theme_css():
    """`--ss-NAME` for every colour of the palette, light and dark."""
    light, dark = ("".join(f"--ss-{name}:{pair[i]};" for name, pair in PALETTE.items()) for i in (0, 1))
    scopes = ",".join(f"{home} .live-figure" for home in DARK)
    edge = "figure.live-figure{padding-inline:18px}"  # here its paper is not the page's: words keep off its edge
    return f".live-figure{{{light}color-scheme:light}}\n{scopes}{{{dark}color-scheme:dark}}\n{edge}\n"
