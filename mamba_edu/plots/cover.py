"""The cover: the bytes of a sentence of enwik8, and what a state keeps of them with and without selection.

Each row of the map is the state of one channel, h_t = exp(delta_t A) h_{t-1} + delta_t B_t u_t with A = -1 (Mamba
eq. 2a, B by Mamba's delta B): the channel's input is 1 where its byte comes in, else 0. `states` computes both maps,
`cover_svg` draws them as they stand when byte `step` has come in. `mamba_edu/widgets/cover.js` draws the same on the
book's first page, where it moves.
"""

from dataclasses import dataclass
from xml.sax.saxutils import escape

import numpy as np

from .style import LIGHT

WIDE = "outspoken advocates of this strategy was [[Johann Most]], who said"  # enwik8 from byte 21434 on
NARROW = (37, 61)  # the bytes that a phone has room for: "was [[Johann Most]], who"
STEP = WIDE.index("]]")  # the picture stands where the link begins to close
KEEP, CLEAR = 0.01, 8.0  # the step inside a link, where exp(-0.01) = 0.99 is kept, and at its end, where 0.0003 is
FIXED = 0.8  # without selection: how much of the state is kept at every byte

CELL, ROW = 14, 4.5  # one byte is this wide, one state this high, in user units
TOP, BETWEEN = 58, 36  # above the first map, and between the two: the bytes, the words
_LEVELS = 12  # shades of the map
_TO_COME = 0.17  # opacity of what has not come in yet


def channels(text):
    """The bytes that get a channel: the bracket, the link's letters as they first come, then the other letters."""
    first = text[text.index("[[") : text.index("]]")]
    return ["[", *dict.fromkeys(c for c in first + text if c.isalpha())]


def one_hot(text, rows):
    """The input u: (l, d), 1 where the byte is the channel's own. A bracket counts when it is the second of a pair."""
    u = np.array([[float(c == row) for row in rows] for c in text])  # (l, d)
    for t, c in enumerate(text):
        if c == "[" and text[t - 1 : t] != "[":
            u[t, rows.index("[")] = 0.0
    return u


def selective_rule(text):
    """The rule set by hand: delta (l) and B (l) from the bytes.

    From `[[` on everything is written and kept; the second `]` clears; outside a link nothing is written.
    """
    delta, B, inside = np.full(len(text), KEEP), np.zeros(len(text)), False
    for t in range(len(text)):
        pair = text[t - 1 : t + 1] if t else ""
        if pair == "[[":
            inside = True
        if pair == "]]":
            inside, delta[t] = False, CLEAR
        B[t] = float(inside) / delta[t]  # so that delta B = 1: a byte enters at full height
    return delta, B


def fixed_rule(text, keep=FIXED):
    """The same for a layer that can't look: one delta and one B for every byte, again with delta B = 1.

    keep: how much of the state is left after each byte, exp(-delta), between 0 and 1.
    """
    delta = -np.log(keep)
    return np.full(len(text), delta), np.full(len(text), 1 / delta)


def outside(text):
    """1 where a byte is outside the link and its brackets, else 0: (l)."""
    place = np.arange(len(text))
    return ((place < text.index("[[")) | (place > text.index("]]") + 1)).astype(float)


@dataclass(frozen=True)
class Left:
    """What is left when a byte has come in: of the bracket, and of `letters` letters outside the link, summed."""

    bracket: float
    outside: float
    letters: int


def left(text, delta, B, step):
    """`Left` at byte `step`; every byte entered its state at height 1, so that 0.89 is 89 % of it."""
    u, mask = one_hot(text, channels(text)), outside(text)[:, None]
    strangers = states(u * mask, delta, B)[step].sum()  # the recurrence is linear: their own part of the state
    return Left(states(u, delta, B)[step, 0], strangers, int((u * mask)[: step + 1].sum()))


def states(u, delta, B):
    """u: (l, d); delta, B: (l). Returns h at every step, (l, d), from h = 0, with A = -1 in every channel."""
    h, history = np.zeros(u.shape[1]), []
    for t in range(len(u)):
        h = np.exp(-delta[t]) * h + delta[t] * B[t] * u[t]  # (d)
        history.append(h)
    return np.array(history)


def _map(history, top):
    """One path a shade: the cells of (l, d) states in that shade, rows downwards from `top`."""
    shade = np.ceil(np.clip(history, 0, 1) * _LEVELS - 0.35).astype(int)  # under 3 % of full height: paper
    paths = []
    for level in range(1, _LEVELS + 1):
        cells = []
        for row in range(shade.shape[1]):
            y = top + row * ROW
            hits = np.flatnonzero(shade[:, row] == level)
            for run in np.split(hits, np.flatnonzero(np.diff(hits) > 1) + 1) if len(hits) else []:
                width = len(run) * CELL
                cells.append(f"M{run[0] * CELL} {y:g}h{width}v{ROW - 0.8:g}h-{width}z")
        if cells:
            paths.append(f'<path fill-opacity="{level / _LEVELS:.2f}" d="{"".join(cells)}"/>')
    return "".join(paths)


def _maps(histories, tops, came):
    """Both maps, what has come in at full strength, the rest faint. came: how many of the columns have."""
    parts = []
    for opacity, shown in [("", slice(None, came)), (f' opacity="{_TO_COME}"', slice(came, None))]:
        cells = []
        for history, top in zip(histories, tops):
            part = np.zeros_like(history)
            part[shown] = history[shown]
            cells.append(_map(part, top))
        parts.append(f'<g fill="{LIGHT["h"]}"{opacity}>{"".join(cells)}</g>')
    return "".join(parts)


def _letters(text, inside, came):
    marks = []
    for t, c in enumerate(text):
        if c != " ":
            look = f'fill="{LIGHT["u"] if inside[t] else LIGHT["muted"]}"' + ("" if t < came else ' opacity=".5"')
            marks.append(f'<text x="{(t + 0.5) * CELL:g}" y="20" {look}>{escape(c)}</text>')
    return f'<g font-family="monospace" class="cover-bytes" font-size="20" text-anchor="middle">{"".join(marks)}</g>'


def _label(x, y, words, colour="ink", anchor="start", numbers=""):
    return (
        f'<text class="cover-label" x="{x:g}" y="{y:g}" font-size="11.5" text-anchor="{anchor}" '
        f'fill="{LIGHT[colour]}" stroke="{LIGHT["paper"]}" stroke-width="4" paint-order="stroke">{escape(words)}'
        f"{numbers}</text>"
    )


def _numbers(amount, came, narrow):
    """What is left, as the words behind a map's name. came: whether the bracket has."""

    def strong(words):
        return f'<tspan fill="{LIGHT["h"]}" font-weight="600">{words}</tspan>'

    bracket, others = strong(f"{amount.bracket:.2f}"), strong(f"{amount.outside:.1f}")
    letters = f"{amount.letters}" if narrow else f"the {amount.letters} letter{'' if amount.letters == 1 else 's'}"
    is_left, outside_it = ("left", "outside") if narrow else ("is left", "outside the link")
    said = f"{bracket} of [[ {is_left}, {others} of {letters} {outside_it}"
    if not came:
        said = f"[[ has not come, {others} of {letters} left"
    return f'<tspan dx="12" fill="{LIGHT["muted"]}">{said}</tspan>'


def _staff(rows, top, width):
    lines = "".join(f"M0 {top + row * ROW - 0.4:g}h{width}" for row in range(1, rows + 1))
    return f'<path d="{lines}" stroke="{LIGHT["hairline"]}" stroke-width=".4" stroke-opacity=".6" fill="none"/>'


def _lines(guides, playhead, bottom):
    """Where the link begins and ends; the playhead, with its knob: what is left of it has come in."""
    dashes = "".join(f"M{x} 30V{bottom:g}" for x in guides)
    return (
        f'<path d="{dashes}" stroke="{LIGHT["muted"]}" stroke-width=".7" stroke-dasharray="2 3" fill="none"/>'
        f'<path d="M{playhead} 28V{bottom:g}" stroke="{LIGHT["ink"]}" fill="none"/>'
        f'<circle cx="{playhead}" cy="31" r="5.5" fill="{LIGHT["ink"]}"/>'
    )


def _words(rules, step, tops, guides, narrow):
    """The name of each map with what is left, above it; the link's ends, where there is room."""
    marks = []
    for top, (name, rule) in zip(tops, rules.items()):
        numbers = _numbers(left(WIDE, *rule, step), step > WIDE.index("[["), narrow)
        marks.append(_label(0, top - 9, name, numbers=numbers))
    if not narrow:
        marks.append(_label(guides[0] - 10, tops[0] - 9, "a link opens", "muted", "end"))
        marks.append(_label(guides[1] + 10, tops[0] - 9, "and closes", "muted"))
    return "".join(marks)


def cover_alt(step=STEP, keep=FIXED):
    """The text alternative, with the numbers that the picture shows."""
    rows = channels(WIDE)
    chosen, fixed = (left(WIDE, *rule, step) for rule in (selective_rule(WIDE), fixed_rule(WIDE, keep)))
    return (
        f"The bytes {WIDE!r} over two maps of the same {len(rows)} states. With selection the state of the opening "
        f"bracket, and those of the link's letters, start when their byte comes, hold, and end together at the closing "
        f"brackets; other letters leave no trace. With a fixed step, which keeps {keep:.3g} at every byte, each letter "
        f"leaves a trace and each trace fades. When byte {step + 1} of {len(WIDE)} has come in, "
        f"{chosen.bracket:.2f} of the opening bracket is left with selection, {fixed.bracket:.2f} without; of the "
        f"{fixed.letters} letters outside the link {chosen.outside:.1f} and {fixed.outside:.1f}."
    )


def cover_svg(step=STEP, keep=FIXED, columns=None):
    """The cover as SVG text, in the book's light colours, its text alternative as title.

    step: the last byte that has come in, 0 to 65. keep: what the fixed step leaves of the state, between 0 and 1.
    columns: the bytes that are shown, (first, end), all if left out. A byte is 14 user units wide, a state 4.5 high.
    """
    first, end = columns or (0, len(WIDE))
    rules = {"With selection": selective_rule(WIDE), "With a fixed step": fixed_rule(WIDE, keep)}
    rows = channels(WIDE)
    width, height, came = (end - first) * CELL, len(rows) * ROW, int(np.clip(step + 1 - first, 0, end - first))
    tops = [TOP, TOP + height + BETWEEN]
    u, bottom = one_hot(WIDE, rows), tops[1] + height  # u: (l, d)
    guides = [(WIDE.index("[[") - first) * CELL, (WIDE.index("]]") + 2 - first) * CELL]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {bottom + 1:g}" role="img" '
        f'font-family="sans-serif"><title>{escape(cover_alt(step, keep))}</title>'
        f"{_letters(WIDE[first:end], 1 - outside(WIDE)[first:end], came)}"
        f"{''.join(_staff(len(rows), top, width) for top in tops)}"
        f"{_maps([states(u, *rule)[first:end] for rule in rules.values()], tops, came)}"
        f"{_lines(guides, came * CELL, bottom)}"
        f"{_words(rules, step, tops, guides, narrow=end - first < len(WIDE))}</svg>"
    )


class CoverPicture:
    """The cover where a `BookFigure` may stand: `svg()`, `alt`, and a notebook's output."""

    def __init__(self, step=STEP, keep=FIXED):
        self.step, self.keep = step, keep
        self.alt = cover_alt(step, keep)

    def svg(self):
        return cover_svg(self.step, self.keep)

    def get_size_inches(self):
        """Width and height, as a matplotlib figure says them: a user unit is a point."""
        return len(WIDE) * CELL / 72, (TOP + BETWEEN + 2 * ROW * len(channels(WIDE)) + 1) / 72

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"image/svg+xml": self.svg(), "text/plain": self.alt}


def standalone_svg():
    """The cover as a file of its own, on paper: what README shows (`python -m mamba_edu.plots.cover` prints it)."""
    head, tail = cover_svg().split("</title>", 1)
    return f'{head}</title><rect width="100%" height="100%" fill="{LIGHT["paper"]}"/>{tail}\n'


if __name__ == "__main__":
    print(standalone_svg(), end="")
