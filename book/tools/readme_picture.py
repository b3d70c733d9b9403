"""Write book/static/cover.svg, the README's picture: the site's cover on paper of its own.

The page turns the cover's colours with its theme; where the README is shown nobody does, so the light colours need the
light ground behind them. `python book/tools/readme_picture.py` after a change of the cover; a test compares the two.
"""

from pathlib import Path

from mamba_edu.plots.cover import cover_svg
from mamba_edu.plots.style import LIGHT

PICTURE = Path(__file__).resolve().parents[1] / "static" / "cover.svg"


def picture():
    """The cover as SVG text, with a ground."""
    before, after = cover_svg().split("</title>", 1)
    return f'{before}</title><rect width="100%" height="100%" fill="{LIGHT["paper"]}"/>{after.rstrip()}\n'


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
