"""The opening pictures of the live figures, for print, for files and for pages without scripts.

A still is 4.4 inches wide at most: on a phone it stands whole, its letters still 10 pixels high.
"""

import numpy as np
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from .style import DIVERGING, LIGHT, SEQUENTIAL, new_figure

WIDTH = 4.4  # inches
_SMALL = 9.5  # points
_SHADES = 40  # more can't be told apart, and each is a path of its own


def byte_names(data):
    """One sign for each byte: itself where ASCII shows it, ␣ for a space, two hex digits for any other."""
    return [chr(byte) if 33 <= byte < 127 else "␣" if byte == 32 else f"{byte:02x}" for byte in map(int, data)]


def _cells(axes, values, colours, low, high, shown):
    """A square for each entry of `values` (rows, columns) where `shown`, rows downwards; one path for each shade."""
    level = np.round((values - low) / (high - low) * _SHADES).astype(int)
    for shade in np.unique(level[shown]):
        squares = [_square(row, column) for row, column in np.argwhere(shown & (level == shade))]
        path = Path.make_compound_path(*squares)
        axes.add_patch(PathPatch(path, facecolor=colours(shade / _SHADES), edgecolor="none"))
    axes.set(xlim=(0, values.shape[1]), ylim=(values.shape[0], 0))
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def _square(row, column, gap=0.03):
    left, right, top, bottom = column + gap, column + 1 - gap, row + gap, row + 1 - gap
    return Path([(left, top), (right, top), (right, bottom), (left, bottom), (left, top)], closed=True)


def _name_bytes(axis, names):
    axis.set_ticks(np.arange(len(names)) + 0.5, names)
    for label in axis.get_ticklabels():
        label.set(fontfamily="monospace", fontsize=_SMALL if len(label.get_text()) == 1 else 0.75 * _SMALL)


def _stems(axes, names, delta):
    where = np.arange(len(delta)) + 0.5
    axes.vlines(where, 0, delta, color=LIGHT["delta"], lw=1.6)
    axes.plot(where, delta, "o", color=LIGHT["delta"], ms=4, clip_on=False)
    top = int(delta.argmax())
    axes.annotate(
        f"{delta[top]:.2f}",
        (where[top], delta[top]),
        (0, 5),
        textcoords="offset points",
        ha="center",
        color=LIGHT["delta"],
        fontsize=_SMALL,
    )
    axes.set(xlim=(0, len(delta)), ylim=(0, 1.25 * delta.max()), ylabel="delta")
    axes.set_title("the step delta at each byte", loc="left", fontsize=_SMALL)
    axes.spines["left"].set_visible(False)
    axes.set_yticks([])
    axes.tick_params(length=0)
    _name_bytes(axes.xaxis, names)


def _matrix(axes, names, left, marked, state):
    l = len(names)
    _cells(axes, left, SEQUENTIAL, 0, max(left.max(), 1e-12), np.tri(l, dtype=bool))
    axes.plot(
        [0, marked + 1, marked + 1, 0, 0], np.array([0, 0, 1, 1, 0]) + marked, color=LIGHT["ink"], lw=1.2, clip_on=False
    )
    axes.set(xlabel="byte that came in at step s", ylabel="step t", aspect="equal")
    axes.set_title(
        f"how much of byte s is left at step t, n = {state}: 0 to {left.max():.2f}", loc="left", fontsize=_SMALL
    )
    _name_bytes(axes.xaxis, names)
    _name_bytes(axes.yaxis, names)


def _selection_alt(numbers, text, names, setting, state, marked):
    delta, h, row = numbers["delta"], numbers["h"], numbers["left"][marked]
    most = int(row.argmax())
    return (
        f"The bytes of {text!r} in a scan with four states, {setting}. Delta runs from {delta.min():.2f} to "
        f"{delta.max():.2f}; the states from {h.min():.2f} to {h.max():.2f}. At step {marked}, {names[marked]!r}, "
        f"state {state} is made of {row[most]:.2f} times byte {most}, {names[most]!r}, and of "
        f"{row.sum() - row[most]:.2f} times all the others together."
    )


def selection_still(data, text, selective, weight, bias, state, step):
    """The figure `selection` as it stands: the step at each byte, the four states, how much is left of each byte.

    data: what `mamba_edu.widgets.Selection.data` gives; the rest are the figure's traits. Returns a BookFigure.
    """
    numbers = {name: np.asarray(value, dtype=float) for name, value in data.items()}
    names, l = byte_names(numbers["bytes"]), len(numbers["bytes"])
    marked = step if step >= 0 else l - 1
    setting = f"selective, weight {weight:g}, bias {bias:g}" if selective else f"its delta fixed, bias {bias:g}"
    alt = _selection_alt(numbers, text, names, setting, state, marked)
    figure, (top, middle, bottom) = new_figure(WIDTH, 6.9, alt, 3, height_ratios=[1.1, 1, 4.2])
    _stems(top, names, numbers["delta"])
    h = numbers["h"].T  # (4, l)
    size = max(np.abs(h).max(), 1e-12)
    _cells(middle, h, DIVERGING, -size, size, np.ones_like(h, dtype=bool))
    middle.set(ylabel="state n")
    middle.set_title(f"the states h[t, n], blue to orange: {-size:.2f} to {size:.2f}", loc="left", fontsize=_SMALL)
    middle.set_yticks(np.arange(len(h)) + 0.5, [str(n + 1) for n in range(len(h))])
    _name_bytes(middle.xaxis, names)
    _matrix(bottom, names, numbers["left"], marked, state)
    for axes in (top, middle, bottom):
        axes.xaxis.label.set_fontsize(_SMALL)
        axes.yaxis.label.set_fontsize(_SMALL)
    return figure
