"""The opening picture of the live figure `bits-per-byte`."""

import math

import numpy as np

from .stills import byte_names
from .style import LIGHT, new_figure

WIDTH = 4.4  # inches: on a phone it stands whole
_SMALL = 9.5  # points
_MOST = 25  # bytes in a line
_BACK = ("no byte", "one byte", "two bytes", "three bytes")


def bits_per_byte_still(data, text, order, about):
    """The price of each byte, by frequency alone and by the bytes before it; the mean of every order. A BookFigure.

    data: what `mamba_edu.widgets.BitsPerByte.data` gives. text, order: the figure's traits. about: of the counts.
    """
    numbers = {name: np.asarray(values) for name, values in data.items()}
    names, l = byte_names(numbers["bytes"]), len(numbers["bytes"])
    lines = math.ceil(l / _MOST)
    each = math.ceil(l / lines)
    heights = [1] * lines + [1.3]
    figure, axes = new_figure(
        WIDTH, 1.1 * sum(heights) + 0.9, _alt(numbers, text, names, order), lines + 1, height_ratios=heights
    )
    for line, at in enumerate(range(0, l, each)):
        _prices(axes[line], numbers, names, range(at, min(at + each, l)), each, order)
        _characters(axes[line], text, at, at + each)
    axes[0].set_title(
        f"bits: grey by frequency, green after {_BACK[order]}" if order else "bits of each byte, by frequency",
        loc="left",
        fontsize=_SMALL,
    )
    _means(axes[-1], numbers["means"], order, about["bits_per_byte_kept"])
    return figure


def _prices(axes, numbers, names, places, each, order):
    where = np.arange(len(places)) + 0.5
    alone, bits = (numbers[name][places.start : places.stop] for name in ("alone", "bits"))
    axes.bar(where, alone, 0.9, color=LIGHT["hairline"])
    axes.bar(where, bits, 0.5, color=LIGHT["y"])
    top = max(8, numbers["alone"].max(), numbers["bits"].max())
    axes.axhline(8, color=LIGHT["muted"], lw=0.8, ls=(0, (1, 3)))
    axes.axhline(numbers["bits"].mean(), color=LIGHT["y"], lw=1, ls=(0, (5, 3)))
    axes.set(xlim=(0, each), ylim=(0, 1.15 * top), yticks=[0, 8])
    axes.tick_params(length=0, labelsize=_SMALL)
    axes.spines["left"].set_visible(False)
    dearest = int(numbers["bits"].argmax())
    if dearest in places:
        look = {"ha": "center", "va": "bottom", "color": LIGHT["y"], "fontsize": _SMALL}
        axes.text(dearest - places.start + 0.5, numbers["bits"][dearest], f"{numbers['bits'][dearest]:.1f}", **look)
    axes.set_xticks(where, [names[t] for t in places])
    for label in axes.get_xticklabels():
        one = len(label.get_text()) == 1
        label.set(fontfamily="monospace", fontsize=_SMALL if one else 0.75 * _SMALL, color=LIGHT["ink"])


def _characters(axes, text, start, stop):
    """Under the bytes of a character that has several, the character."""
    place = 0
    for character in text:
        size = len(character.encode("utf-8"))
        middle = place + size / 2
        if size > 1 and start <= middle < stop:
            look = {"ha": "center", "va": "top", "fontsize": _SMALL, "transform": axes.get_xaxis_transform()}
            axes.text(middle - start, -0.32, character, **look)
        place += size


def _means(axes, means, order, kept):
    rows = np.arange(len(means))
    axes.barh(rows, means, 0.6, color=[LIGHT["y"] if row == order else LIGHT["hairline"] for row in rows])
    look = {"va": "center", "fontsize": _SMALL, "color": LIGHT["ink"]}
    for row, mean in enumerate(means):
        axes.annotate(f"{mean:.2f}", (mean, row), (4, 0), textcoords="offset points", **look)
        test = f"enwik8: {kept[f'order {row}']:.2f}"
        axes.annotate(test, (1, row), xycoords=("axes fraction", "data"), ha="right", **look)
    axes.set(xlim=(0, 1.6 * max(8, means.max())), ylim=(len(means) - 0.5, -0.5), xticks=[])
    axes.set_yticks(rows, [f"{row} back" for row in rows], fontsize=_SMALL)
    axes.set_title("bits per byte of this text, by the bytes looked back on", loc="left", fontsize=_SMALL)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def _alt(numbers, text, names, order):
    bits, means = numbers["bits"], numbers["means"]
    dearest = int(bits.argmax())
    by_order = ", ".join(f"{mean:.2f} with {back}" for mean, back in zip(means, _BACK, strict=True))
    return (
        f"The price of each byte of {text!r} in bits, with {_BACK[order]} to look back on: from {bits.min():.2f} to "
        f"{bits.max():.2f}, the dearest is byte {dearest}, {names[dearest]!r}. Bits per byte of the whole: {by_order}."
    )
