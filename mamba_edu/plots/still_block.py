"""The opening picture of the live figure `block-dataflow`."""

import numpy as np
from matplotlib.patches import Rectangle

from .style import LIGHT, new_figure

WIDTH = 4.4  # inches: on a phone it stands whole
_SMALL = 9.5  # points
_COLOURS = {"conv": "u", "δ, B, C": "delta", "scan": "h", "× SiLU(z)": "y"}
_BYTES = "[[Johann"
_THROUGH = "#aac5dd"  # what a box sees through those before it
_BARS, _CELLS, _END = 2.3, 5.55, 10.0  # where the columns begin, and where the last one ends


def _row(axes, row, stage, weights, own, reach, kept, largest):
    colour = LIGHT[_COLOURS.get(stage, "ink")]
    write = {"va": "center", "fontsize": _SMALL}
    axes.add_patch(Rectangle((0, row - 0.36), 2.05, 0.72, facecolor=LIGHT["paper"], edgecolor=colour, lw=1.1))
    axes.text(1.02, row, stage, ha="center", color=LIGHT["ink"], **write)
    long = 1.1 * weights / largest
    axes.add_patch(Rectangle((_BARS, row - 0.16), long, 0.32, facecolor=LIGHT["ink"]))
    axes.text(_BARS + long + 0.1, row, f"{int(weights):,}", color=LIGHT["ink"] if weights else LIGHT["muted"], **write)
    for t in range(len(own)):
        fill = LIGHT["u"] if own[t] else _THROUGH if reach[t] else LIGHT["paper"]
        edge = LIGHT["hairline"] if not reach[t] and not own[t] else fill
        place = _CELLS + 0.34 * t, row - 0.16
        axes.add_patch(Rectangle(place, 0.28, 0.32, facecolor=fill, edgecolor=edge, lw=0.8))
    axes.text(_END, row, f"{int(4 * kept):,}", ha="right", color=LIGHT["h"] if kept else LIGHT["muted"], **write)


def _heads(axes, rows):
    small = {"va": "center", "fontsize": _SMALL, "color": LIGHT["muted"]}
    for place, words in ((0, "box"), (_BARS, "weights"), (_CELLS, "the last n sees")):
        axes.text(place, -1.5, words, **small)
    axes.text(_END, -1.5, "bytes kept", ha="right", **small)
    for t, byte in enumerate(_BYTES):
        axes.text(
            _CELLS + 0.34 * t + 0.14, -0.85, byte, ha="center", fontsize=_SMALL, family="monospace", color=LIGHT["u"]
        )
    x = 0
    for words, fill, wide in (("by the box itself", LIGHT["u"], 3.4), ("by boxes before it", _THROUGH, 0)):
        axes.add_patch(Rectangle((x, rows + 0.35), 0.28, 0.32, facecolor=fill))
        axes.text(x + 0.4, rows + 0.51, words, **small)
        x += wide


def block_still(data, stages, d_model, expand, d_conv, d_state, stage):
    """The boxes of a Mamba block, one a row: weights, which of eight bytes its output sees, what it keeps.

    data: what `mamba_edu.widgets.BlockDataflow.data` gives; stages: their names; the rest are the figure's traits.
    Returns a BookFigure.
    """
    numbers = {name: np.asarray(value, dtype=float) for name, value in data.items()}
    weights, own, reach, kept = (numbers[name] for name in ("weights", "own", "reach", "state"))
    total, most = weights[1:8].sum(), int(weights.argmax())
    back = [i for i in range(len(stages)) if own[i].sum() > 1]
    past = " and ".join(stages[i] for i in back)
    alt = (
        f"The Mamba block with d_model {d_model}, expand {expand}, d_conv {d_conv}, d_state {d_state}, from RMSNorm to "
        f"the residual. {stages[most]} has {int(weights[most]):,} of {int(total):,} weights, a share of "
        f"{weights[most] / total:.2f}. Earlier inputs are read by {past} alone, "
        f"with a share of {weights[back].sum() / total:.2f}; they keep {int(4 * kept.sum()):,} bytes for the next "
        f"one. Marked is {stages[stage]}, which reads {int(own[stage].sum())} of the last {own.shape[1]} bytes."
    )
    figure, axes = new_figure(WIDTH, 3.9, alt)
    axes.set(xlim=(-0.9, _END + 0.1), ylim=(len(stages) + 0.35, -1.8))
    axes.axis("off")
    here = {"facecolor": LIGHT["panel"], "edgecolor": "none", "zorder": 0}
    axes.add_patch(Rectangle((-0.1, stage - 0.5), _END + 0.2, 1, **here))
    axes.vlines(1.02, -0.75, len(stages) - 0.5, color=LIGHT["muted"], lw=1, zorder=0.5)
    for lane, first, last, colour in ((-0.75, -0.62, 8, "muted"), (-0.45, 1, 6, "y"), (-0.2, 3.5, 5, "u")):
        start = 0 if first == 1 else 1.02  # z leaves the box, the others its wire
        axes.plot([start, lane, lane, 0], [first, first, last, last], color=LIGHT[colour], lw=1, zorder=0.5)
    for row, name in enumerate(stages):
        _row(axes, row, name, weights[row], own[row], reach[row], kept[row], weights.max())
    _heads(axes, len(stages) - 0.5)
    return figure
