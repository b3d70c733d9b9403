"""The opening picture of the live figure `half-life`."""

import numpy as np

from .style import LIGHT, new_figure

WIDTH = 4.4  # inches: on a phone it stands whole
_SMALL = 9.5  # points


def half_life_still(data, delta, A):
    """What is left of a state after each step, its half-life marked. Returns a BookFigure.

    data: what `mamba_edu.widgets.HalfLife.data` gives. delta, A: the figure's traits.
    """
    h, half = np.asarray(data["h"]), float(data["half"])
    alt = (
        f"What is left of a state after each step, with delta = {delta:g} and A = {A:g}: 1 at the start, {h[1]:.2f} "
        f"after one step, half of it after {half:.2f} steps, {h[-1]:.2f} after {len(h) - 1}."
    )
    figure, axes = new_figure(WIDTH, 2.6, alt)
    axes.vlines(np.arange(len(h)), 0, h, color=LIGHT["h"], lw=1.2)
    axes.plot(h, "o", color=LIGHT["h"], ms=2.5, clip_on=False)
    axes.axhline(0.5, color=LIGHT["muted"], lw=0.8, ls=(0, (2, 4)))
    axes.vlines(half, 0, 0.5, color=LIGHT["delta"], lw=1.4)
    axes.plot(half, 0.5, "o", color=LIGHT["delta"], ms=7)
    right = half > len(h) / 2
    where = {"xytext": (-8 if right else 8, 8), "textcoords": "offset points", "ha": "right" if right else "left"}
    axes.annotate(f"half: {half:.3g} steps", (half, 0.5), color=LIGHT["delta"], fontsize=_SMALL, **where)
    axes.set(xlim=(0, len(h) - 1), ylim=(0, 1.04), yticks=[0, 0.5, 1], xlabel="step t")
    axes.set_title("h[t], what is left of the state", loc="left", fontsize=_SMALL)
    axes.tick_params(labelsize=_SMALL)
    axes.xaxis.label.set_fontsize(_SMALL)
    return figure
