"""The cover: the bytes of a sentence of enwik8, and what a state keeps of them with and without selection.

Each row of the map is the state of one channel, h_t = exp(delta_t A) h_{t-1} + delta_t B_t u_t with A = -1 (Mamba
eq. 2a, B by Mamba's delta B): the channel's input is 1 where its byte comes in, else 0. `states` computes both maps.
"""

from xml.sax.saxutils import escape

import numpy as np

from .style import LIGHT

WIDE = "outspoken advocates of this strategy was [[Johann Most]], who said"  # enwik8 from byte 21434 on
NARROW = "was [[Johann Most]], who"
KEEP, CLEAR = 0.01, 8.0  # the step inside a link, where exp(-0.01) = 0.99 is kept, and at its end, where 0.0003 is
FIXED = float(-np.log(0.8))  # the step without selection: 0.8 of the state is kept at every byte

_CELL = 14  # one byte is this wide, in user units
_LEVELS = 12  # shades of the map


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


def fixed_rule(text):
    """The same for a layer that can't look: one delta and one B for every byte, again with delta B = 1."""
    return np.full(len(text), FIXED), np.full(len(text), 1 / FIXED)


def states(u, delta, B):
    """u: (l, d); delta, B: (l). Returns h at every step, (l, d), from h = 0, with A = -1 in every channel."""
    h, history = np.zeros(u.shape[1]), []
    for t in range(len(u)):
        h = np.exp(-delta[t]) * h + delta[t] * B[t] * u[t]  # (d)
        history.append(h)
    return np.array(history)


def _map(history, top, row_height):
    """One path a shade: the cells of (l, d) states in that shade, rows downwards from `top`."""
    shade = np.ceil(np.clip(history, 0, 1) * _LEVELS - 0.35).astype(int)  # under 3 % of full height: paper
    paths = []
    for level in range(1, _LEVELS + 1):
        cells = []
        for row in range(shade.shape[1]):
            y = top + row * row_height
            hits = np.flatnonzero(shade[:, row] == level)
            for run in np.split(hits, np.flatnonzero(np.diff(hits) > 1) + 1) if len(hits) else []:
                width = len(run) * _CELL
                cells.append(f"M{run[0] * _CELL} {y}h{width}v{row_height - 1}h-{width}z")
        if cells:
            paths.append(f'<path fill-opacity="{level / _LEVELS:.2f}" d="{"".join(cells)}"/>')
    return f'<g fill="{LIGHT["h"]}">{"".join(paths)}</g>'


def _letters(text):
    inside = [False] * len(text)
    start, end = text.index("[["), text.index("]]") + 2
    inside[start:end] = [True] * (end - start)
    marks = []
    for t, c in enumerate(text):
        if c != " ":
            colour = LIGHT["u"] if inside[t] else LIGHT["muted"]
            marks.append(f'<text x="{(t + 0.5) * _CELL:g}" y="20" fill="{colour}">{escape(c)}</text>')
    return f'<g font-family="monospace" class="cover-bytes" font-size="20" text-anchor="middle">{"".join(marks)}</g>'


def _label(x, y, words, colour="ink", anchor="start"):
    return (
        f'<text class="cover-label" x="{x}" y="{y}" font-size="11.5" text-anchor="{anchor}" fill="{LIGHT[colour]}" '
        f'stroke="{LIGHT["paper"]}" stroke-width="4" paint-order="stroke">{escape(words)}</text>'
    )


def _staff(rows, top, width, row_height):
    lines = "".join(f"M0 {top + row * row_height - 0.5}h{width}" for row in range(1, rows + 1))
    return f'<path d="{lines}" stroke="{LIGHT["hairline"]}" stroke-width=".4" stroke-opacity=".6" fill="none"/>'


def cover_alt(text):
    """The text alternative, with the numbers that the picture shows."""
    rows = channels(text)
    u, end = one_hot(text, rows), text.index("]]")
    left = [states(u, *rule(text))[end, 0] for rule in (selective_rule, fixed_rule)]
    return (
        f"The bytes {text!r} over two maps of the same {len(rows)} states. With selection the state of the opening "
        f"bracket, and those of the link's letters, start when their byte comes, hold, and end together at the closing "
        f"brackets; other letters leave no trace. With a fixed step every letter leaves a trace and each trace fades. "
        f"At the first closing bracket {left[0]:.2f} of the opening one is left with selection, {left[1]:.2f} without."
    )


def cover_svg(text=WIDE, row_height=6):
    """The cover as SVG text, in the book's light colours, its text alternative as title.

    text: the bytes, with one `[[link]]` among them. row_height: of a state, in user units; a byte is 14 wide.
    """
    rows = channels(text)
    u, width, height = one_hot(text, rows), len(text) * _CELL, len(rows) * row_height  # u: (l, d)
    tops = [58, 58 + height + 36]
    body, names = [], []
    for top, name, rule in zip(tops, ["selection", "a fixed step"], [selective_rule, fixed_rule]):
        body += [_staff(len(rows), top, width, row_height), _map(states(u, *rule(text)), top, row_height)]
        names.append(_label(0, top - 9, f"With {name}"))
    ends = [text.index("[["), text.index("]]") + 2]
    guides = "".join(f"M{x * _CELL} 30V{tops[1] + height}" for x in ends)
    body.append(f'<path d="{guides}" stroke="{LIGHT["muted"]}" stroke-width=".7" stroke-dasharray="2 3" fill="none"/>')
    if ends[0] * _CELL > 300:  # room for words beside the link
        body.append(_label(ends[0] * _CELL - 10, tops[0] - 9, "a link opens", "muted", "end"))
        body.append(_label(ends[1] * _CELL + 10, tops[0] - 9, "and closes", "muted"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {tops[1] + height + 1}" role="img" '
        f'aria-labelledby="title" font-family="sans-serif"><title id="title">{escape(cover_alt(text))}</title>'
        f"{_letters(text)}{''.join(body + names)}</svg>"
    )


def standalone_svg():
    """The cover as a file of its own, on paper: what README shows (`python -m mamba_edu.plots.cover` prints it)."""
    head, tail = cover_svg().split("</title>", 1)
    return f'{head}</title><rect width="100%" height="100%" fill="{LIGHT["paper"]}"/>{tail}\n'


if __name__ == "__main__":
    print(standalone_svg(), end="")
