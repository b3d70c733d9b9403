"""The book's typefaces: cut from the npm packages to the letters that the pages use, kept between builds."""

import hashlib
import io
import logging
from dataclasses import dataclass, field
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont
from fontTools.varLib import instancer

ALWAYS = "".join(map(chr, range(32, 127))) + "–—‘’“”…·×©§−→←≤≥≈éöü"  # a new page rarely needs a new cut
FEATURES = ["kern", "liga", "pnum", "tnum", "mark", "mkmk", "ccmp"]

_SERIF = "@fontsource-variable/newsreader/files/newsreader-latin-opsz-{}.woff2"
_SANS = "@fontsource/ibm-plex-sans/files/ibm-plex-sans-latin-{}-normal.woff2"
_MONO = "@fontsource/ibm-plex-mono/files/ibm-plex-mono-latin-{}-normal.woff2"


logging.getLogger("fontTools").setLevel(logging.WARNING)  # it tells of every table


@dataclass(frozen=True)
class Face:
    """One face: its CSS family, weight and style, the file in node_modules, and where on the axes it is taken from."""

    name: str
    family: str
    source: str
    weight: int = 400
    style: str = "normal"
    axes: dict = field(default_factory=dict, hash=False)

    def css(self):
        """The @font-face rule, for a stylesheet beside the folder `fonts`."""
        return (
            f"@font-face{{font-family:'{self.family}';font-weight:{self.weight};font-style:{self.style};"
            f"font-display:swap;src:url(fonts/{self.name}.woff2) format('woff2')}}"
        )


FACES = [
    Face("display", "Newsreader Display", _SERIF.format("normal"), 500, axes={"wght": 480, "opsz": 60}),
    Face("text", "Newsreader", _SERIF.format("normal"), axes={"wght": 400, "opsz": 16}),
    Face("text-italic", "Newsreader", _SERIF.format("italic"), style="italic", axes={"wght": 400, "opsz": 16}),
    Face("text-bold", "Newsreader", _SERIF.format("normal"), 600, axes={"wght": 600, "opsz": 16}),
    Face("sans", "IBM Plex Sans", _SANS.format(400)),
    Face("sans-bold", "IBM Plex Sans", _SANS.format(600), 600),
    Face("mono", "IBM Plex Mono", _MONO.format(400)),
]
PRELOADED = ["display", "text", "sans"]


def cut_font(source, characters, axes=None, features=()):
    """The font file `source` with these characters only, as woff2 bytes; b"" where it has none of them.

    axes: positions of a variable font's axes, e.g. {"wght": 400}; it becomes a static one there.
    """
    font = TTFont(source)
    wanted = {ord(c) for c in characters} & set(font.getBestCmap())
    if not wanted:
        return b""
    # glyph names and hints are of no use on a page; the rest of the tables stays as it was
    options = subset.Options(layout_features=list(features), hinting=False, notdef_outline=True)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=wanted)
    subsetter.subset(font)
    if axes:
        font = instancer.instantiateVariableFont(font, axes)
    font.flavor = "woff2"
    font.recalcTimestamp = False  # the same letters give the same bytes
    out = io.BytesIO()
    font.save(out)
    return out.getvalue()


def cached_cut(cache, source, characters, axes=None, features=()):
    """`cut_font`, looked up in the folder `cache` first."""
    recipe = repr((sorted(set(characters)), axes, sorted(features)))
    digest = hashlib.sha256(Path(source).read_bytes() + recipe.encode()).hexdigest()[:24]
    kept = Path(cache) / f"{digest}.woff2"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(".part")
        part.write_bytes(cut_font(source, characters, axes, features))
        part.replace(kept)  # an interrupted build leaves no half font behind
    return kept.read_bytes()


def write_faces(modules, folder, cache, characters):
    """Write the book's faces into `folder` and return their @font-face rules."""
    folder.mkdir(parents=True, exist_ok=True)
    rules = []
    for face in FACES:
        data = cached_cut(cache, modules / face.source, characters | set(ALWAYS), face.axes, FEATURES)
        (folder / f"{face.name}.woff2").write_bytes(data)
        rules.append(face.css())
    return "\n".join(rules)
