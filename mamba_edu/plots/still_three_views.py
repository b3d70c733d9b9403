"""The opening picture of the live figure `three-views`."""

import numpy as np

from .style import LIGHT, new_figure

WIDTH = 4.4  # inches: on a phone it stands whole
_SMALL = 9.5  # points


def _stems(axes, values, colour):
    axes.vlines(np.arange(len(values)), 0, values, color=colour, lw=1.5)
    axes.plot(values, "o", color=colour, ms=3.5)


def three_views_still(data, t):
    """An input, the kernel laid backwards over it at step t, and the output by both ways. Returns a BookFigure.

    data: what `mamba_edu.widgets.ThreeViews.data` gives. t: the figure's marked step.
    """
    numbers = {name: np.asarray(value, dtype=float) for name, value in data.items()}
    y, other = numbers["recurrence"], numbers["convolution"]
    sent = np.flatnonzero(numbers["heard"])
    peak = int(np.abs(y).argmax())
    apart = np.abs(y - other).max() / max(np.abs(y).max(), 1e-300)
    alt = (
        f"An input of {len(y)} steps, {len(sent)} of them not zero; the kernel laid backwards over it, its newest "
        f"weight on step {t}, and the products, whose sum is {numbers['products'].sum():.2f}; the output, by a "
        f"recurrence and by a convolution, furthest from zero at step {peak} with {y[peak]:.2f}. The two "
        f"{'are the same to twelve digits' if apart < 1e-12 else f'differ by {apart:.0e} of that'}."
    )
    figure, axes = new_figure(WIDTH, 4.8, alt, 3, 1)
    top, middle, bottom = np.ravel(axes)
    _stems(top, numbers["heard"], LIGHT["u"])
    top.set_title("the input u", loc="left", fontsize=_SMALL)
    middle.plot(np.arange(t + 1), numbers["kernel"][: t + 1][::-1], "o-", color=LIGHT["delta"], ms=2.5, lw=1)
    middle.bar(np.arange(len(y)), numbers["products"], 0.6, color=LIGHT["y"], alpha=0.75)
    middle.set_title(f"looked back from step {t}: kernel and products", loc="left", fontsize=_SMALL)
    _stems(bottom, y, LIGHT["y"])
    bottom.plot(other, "o", color=LIGHT["delta"], ms=7, mfc="none")
    bottom.set_title("the output: dots carried, rings looked back", loc="left", fontsize=_SMALL)
    bottom.set_xlabel("step t", fontsize=_SMALL)
    for ax in (top, middle, bottom):
        ax.axhline(0, color=LIGHT["hairline"], lw=0.8, zorder=0)
        ax.axvspan(t - 0.5, t + 0.5, color=LIGHT["panel"], zorder=0)
        ax.set(xlim=(-0.7, len(y) - 0.3))
        ax.tick_params(labelsize=_SMALL)
    return figure
