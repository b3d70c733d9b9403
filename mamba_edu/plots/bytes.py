"""Pictures of chapter 12: what a probability costs, what a bracket does, windows, padding, compressors."""

import numpy as np

from .selection import _label_ends
from .stills import byte_names
from .style import LIGHT, new_figure

_SMALL = 9  # points
_KINDS = ("muted", "u", "h", "y")


def price_of_probability(paid):
    """-log2 p against p, with some probabilities marked.

    paid: {what is marked: its probability, above 0}. Returns a figure.
    """
    marks = ", ".join(f"{name} pays {_bits(p)} at p = {p:.3g}" for name, p in paid.items())
    figure, axes = new_figure(7.4, 2.7, f"Bits against probability: a curve that falls from 8 to 0; {marks}.")
    p = np.linspace(1 / 300, 1, 600)
    axes.plot(p, -np.log2(p), color=LIGHT["y"])
    for name, at in paid.items():
        axes.plot(at, -np.log2(at), "o", color=LIGHT["h"], ms=5)
        where = {"textcoords": "offset points", "fontsize": _SMALL, "color": LIGHT["ink"], "va": "center"}
        axes.annotate(f"{name}: p = {at:.3g}, {_bits(at)}", (at, -np.log2(at)), (9, 4), **where)
    axes.set(xlabel="probability of the byte that came", ylabel="bits", xlim=(-0.02, 1.02), ylim=(-0.2, 8.6))
    axes.set_yticks([0, 2, 4, 6, 8])
    axes.grid(axis="y")
    return figure


def _bits(p):
    return "1 bit" if p == 0.5 else f"{-np.log2(p):.0f} bits"


def bracket_prices(prices, informed):
    """What the brackets of a link cost by the number of bytes that are known, and what one more fact saves.

    prices: {byte in words: bits by order 0, 1, ...}. informed: {words: bits}, at the highest order, for a model that
    knows more than the bytes before. Returns a figure.
    """
    orders = len(next(iter(prices.values())))
    lines = ". ".join(f"{name}: " + ", ".join(f"{b:.2f}" for b in bits) for name, bits in prices.items())
    facts = ". ".join(f"{name}: {b:.2f}" for name, b in informed.items())
    figure, axes = new_figure(7.4, 3.4, f"Mean bits by order 0 to {orders - 1}. {lines}. {facts}.")
    colours = {}
    for (name, bits), kind in zip(prices.items(), _KINDS):
        axes.plot(range(orders), bits, "o-", color=LIGHT[kind], ms=4.5)
        colours[f"{name} {bits[-1]:.2f}"] = LIGHT[kind]
    for name, bits in informed.items():
        axes.plot(orders - 1, bits, "D", color=LIGHT["warn"], ms=6)
        colours[f"{name} {bits:.2f}"] = LIGHT["warn"]
    axes.set(xlabel="bytes that are looked back on", ylabel="bits", xlim=(-0.2, orders + 0.2), xticks=range(orders))
    axes.set_ylim(-0.4, 1.08 * max(max(bits) for bits in prices.values()))
    last = [bits[-1] for bits in prices.values()] + list(informed.values())
    _label_ends(axes, orders - 1 + 0.1, dict(zip(colours, last)), colours)
    axes.grid(axis="y")
    return figure


def window_cost(lengths, bits, whole):
    """Bits per byte when each window begins knowing nothing, against the window's length.

    lengths: bytes in a window, rising. bits: one score each. whole: the score without windows. Returns a figure.
    """
    points = ", ".join(f"{b:.2f} at {w}" for w, b in zip(lengths, bits))
    alt = f"Bits per byte by the length of a window: {points}; without windows {whole:.2f}."
    figure, axes = new_figure(7.4, 2.7, alt)
    axes.axhline(whole, color=LIGHT["muted"], lw=0.9, ls=(0, (4, 3)))
    axes.plot(lengths, bits, "o-", color=LIGHT["y"], ms=4.5)
    axes.set_xscale("log", base=2)
    axes.set_xticks(lengths, [str(w) for w in lengths])
    axes.minorticks_off()
    note = {"fontsize": _SMALL, "color": LIGHT["muted"], "va": "top"}
    axes.text(lengths[0], whole - 0.03, f"one text, no windows: {whole:.2f}", **note)
    room = 0.2 * (max(bits) - whole)
    axes.set(xlabel="bytes in a window", ylabel="bits per byte", ylim=(whole - 1.2 * room, max(bits) + room))
    axes.grid(axis="y")
    return figure


def padded_batch(rows, mask):
    """A batch of short texts, a line each: bytes where the mask says real, dots where it says padding.

    rows: (b, l) byte values. mask: (b, l), true where real. Returns a figure.
    """
    rows, mask = np.asarray(rows), np.asarray(mask)
    b, l = mask.shape
    words = ["".join(byte_names(row[real])) for row, real in zip(rows, mask)]
    alt = f"A batch of {b} texts, {l} places each, {mask.mean():.0%} of them real: " + ", ".join(words) + "."
    figure, axes = new_figure(7.4, 0.23 * b + 0.25, alt)
    place = {"ha": "center", "va": "center", "family": "monospace", "fontsize": min(10.5, 360 / l)}
    for row, names in enumerate(map(byte_names, rows)):
        for t in np.flatnonzero(mask[row]):
            axes.text(t, row, names[t], color=LIGHT["u"], **place)
    row, t = np.nonzero(~mask)
    axes.plot(t, row, ".", color=LIGHT["muted"], ms=2.5)
    axes.set(xlim=(-0.8, l - 0.2), ylim=(b - 0.4, -0.6))
    axes.axis("off")
    return figure


def three_ways(bits, ways, bar):
    """Compressors and what they were asked, in bits per byte, beside one score that counts.

    bits: {compressor: one number for each way}. ways: what was asked, in words. bar: (name, bits). Returns a figure.
    """
    said = "; ".join(f"{name}: " + ", ".join(f"{w} {b:.2f}" for w, b in zip(ways, row)) for name, row in bits.items())
    figure, axes = new_figure(7.4, 2.5, f"Bits per byte. {said}. {bar[0]} {bar[1]:.2f}.")
    axes.plot([bar[1]] * 2, [-0.45, len(ways) - 0.5], color=LIGHT["muted"], lw=0.9, ls=(0, (4, 3)))
    axes.text(bar[1], -0.62, f"{bar[0]} {bar[1]:.2f}", ha="center", fontsize=_SMALL, color=LIGHT["muted"])
    for (name, row), kind in zip(bits.items(), ("h", "u")):
        axes.plot(row, range(len(ways)), "o", color=LIGHT[kind], ms=6)
        for y, b in enumerate(row):
            other = max(r[y] for r in bits.values()) > b
            place = {
                "xytext": (-8 if other else 8, 0),
                "textcoords": "offset points",
                "va": "center",
                "color": LIGHT[kind],
            }
            axes.annotate(f"{name} {b:.2f}", (b, y), ha="right" if other else "left", fontsize=_SMALL, **place)
    every = [b for row in bits.values() for b in row]
    room = 0.45 * (max(every) - min(every))
    axes.set(xlabel="bits per byte", ylim=(len(ways) - 0.5, -1.1), xlim=(min(every) - room, max(every) + room))
    axes.set_yticks(range(len(ways)), ways)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    return figure
