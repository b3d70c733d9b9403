"""The opening picture of the live figure `hippo-memory`."""

import numpy as np

from .style import LIGHT, new_figure

WIDTH = 4.4  # inches: on a phone it stands whole
_SMALL = 9.5  # points
_NAMES = {
    "legs": "LegS, A / t",
    "fixed": "LegS, A fixed",
    "real": "S4D-Real",
    "random": "random A",
}


def hippo_memory_still(data, signal, matrix, delta):
    """A signal and what a state of n numbers reads back of it; below, how far off, and how much of each sample is kept.

    data: what `mamba_edu.widgets.HippoMemory.data` gives. signal, matrix, delta: the figure's traits. Returns a
    BookFigure.
    """
    numbers = {name: np.asarray(value) for name, value in data.items()}
    u, history, kept = (numbers[name] for name in ("u", "history", "kept"))
    errors, shares, n = numbers["errors"], numbers["shares"], numbers["states"].shape[1]
    past, named = len(history), _NAMES[matrix] + ("" if matrix == "legs" else f" with delta = {delta:g}")
    alt = (
        f"{n} numbers of state stand for {past} samples of the signal {signal}, by {named}. Read back by least "
        f"squares, the four quarters of the past, oldest first, are off by {', '.join(f'{e:.2f}' for e in errors)} "
        f"(root mean square). That tells as much as {shares.sum():.2f} independent numbers could, "
        f"{', '.join(f'{share:.2f}' for share in shares)} for the quarters."
    )
    figure, (top, middle, bottom) = new_figure(WIDTH, 4.6, alt, 3, height_ratios=[2, 1, 1], sharex=True)
    s, edges = np.arange(past), [np.ceil(q * past / 4) - 0.5 for q in range(5)]
    top.plot(np.arange(past - 1, len(u)), u[past - 1 :], color=LIGHT["hairline"], ls=(0, (3, 3)), lw=1.2)
    top.plot(s, u[:past], color=LIGHT["u"], lw=4, alpha=0.4)
    top.plot(s, history, color=LIGHT["y"], lw=1.6)
    top.set_title(f"{named}: u (blue), and what {n} numbers read back", loc="left", fontsize=_SMALL)
    _quarters(middle, np.abs(history - u[:past]), errors, edges, "warn")
    middle.set_title("how far off; root mean square by quarter", loc="left", fontsize=_SMALL, pad=14)
    _quarters(bottom, kept, shares, edges, "y")
    bottom.set(ylim=(0, 1), xlabel="sample s")
    bottom.set_title("how much is kept; numbers of state it takes", loc="left", fontsize=_SMALL, pad=14)
    bottom.xaxis.label.set_fontsize(_SMALL)
    for axes in (top, middle, bottom):
        axes.set(xlim=(0, len(u) - 1), xticks=[0, 32, 64, 96, 127])
        axes.tick_params(labelsize=_SMALL)
    return figure


def _quarters(axes, values, sums, edges, colour):
    """A filled curve over the past; above each quarter its number."""
    axes.fill_between(np.arange(len(values)), values, color=LIGHT[colour], alpha=0.3, lw=0)
    axes.plot(values, color=LIGHT[colour], lw=1.2)
    axes.set_ylim(0, max(1, values.max()))
    for edge in edges[1:4]:
        axes.axvline(edge, color=LIGHT["muted"], lw=0.8, ls=(0, (2, 4)))
    for left, right, total in zip(edges, edges[1:], sums):
        where = (left + right) / 2, 1.03
        write = {"transform": axes.get_xaxis_transform(), "ha": "center", "fontsize": _SMALL}
        axes.text(*where, f"{total:.2f}", color=LIGHT[colour], **write)
