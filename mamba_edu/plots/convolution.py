"""Pictures of chapter 4: answers that add up, what each output weighs, times against length, errors over time."""

import time
from itertools import cycle, pairwise

import numpy as np

from .selection import _byte_ticks, _label_ends
from .style import DIVERGING, LIGHT, new_figure


def sum_of_answers(u, K, y):
    """The inputs above; below, each input's own answer as a labelled line and the output, their sum, as dots.

    u, y: (l,). K: (l,), the answer to a single 1. Returns a figure.
    """
    u, K, y = (np.asarray(x, dtype=float) for x in (u, K, y))
    struck = np.flatnonzero(u)
    words = ", ".join(f"{u[s]:g} at step {s}" for s in struck)
    top_of = int(np.abs(y).argmax())
    alt = (
        f"Inputs {words}; each sets off the same answer, as large as itself. The output is their sum at every step, "
        f"largest at step {top_of}, {y[top_of]:.2f}."
    )
    figure, (top, axes) = new_figure(7.4, 3.5, alt, 2, 1, sharex=True, height_ratios=[1, 2.2])
    top.vlines(struck, 0, u[struck], color=LIGHT["u"], lw=1.8)
    top.plot(struck, u[struck], "o", ms=5, color=LIGHT["u"])
    top.margins(y=0.2)
    top.set(ylabel="u")
    for s, style in zip(struck, cycle(["-", "--", ":"])):
        answer = u[s] * K[: len(u) - s]
        axes.plot(np.arange(s, len(u)), answer, style, lw=1.6, color=LIGHT["u"])
        peak = int(np.abs(answer).argmax())
        side = ("left", (6, 8)) if s < len(u) / 8 else ("right", (-9, 0))
        _name(axes, f"answer to {u[s]:g}".replace("-", "−"), (s + peak, answer[peak]), *side, LIGHT["u"])
    axes.plot(y, "o", ms=5, color=LIGHT["y"])
    _name(axes, "output: their sum", (top_of, y[top_of]), "left", (9, 0), LIGHT["y"])
    axes.set(xlabel="step", ylabel="y", xlim=(-0.5, len(u) - 0.5))
    for ax in (top, axes):
        ax.axhline(0, color=LIGHT["hairline"], lw=0.8, zorder=0)
    return figure


def _name(axes, text, at, ha, shift, color):
    """Write beside `at`, a place in the data, so many points to its right and above."""
    axes.annotate(text, at, shift, textcoords="offset points", ha=ha, va="center", fontsize=9, color=color)


def weight_maps(panels, data=None):
    """What output t takes of input s, a square a pair, one map a panel. Signed, one scale for all.

    panels: {title: (l, l)}, row t, column s. data: l bytes that name the steps, or None for numbers. Returns a figure.
    """
    panels = {title: np.asarray(weights, dtype=float) for title, weights in panels.items()}
    limit = max(np.abs(weights).max() for weights in panels.values())
    words = []
    for title, weights in panels.items():
        future = np.abs(np.triu(weights, 1)).max()
        diagonals = max(np.ptp(np.diag(weights, -k)) for k in range(len(weights)))
        same = "the same along each diagonal" if diagonals < 1e-9 * limit else "different along a diagonal"
        above = "nothing" if future < 1e-9 * limit else f"up to {future:.2f}"
        words.append(f"{title}: {same}, {above} from the future")
    alt = f"What each output takes of each input, squares of {len(weights)} by {len(weights)}. {'; '.join(words)}."
    figure, axes = new_figure(7.4, 7.0 / len(panels) + 0.75, alt, 1, len(panels), squeeze=False)
    for ax, (title, weights) in zip(axes[0], panels.items()):
        l = len(weights)
        ax.pcolormesh(np.arange(l + 1), np.arange(l + 1), weights, cmap=DIVERGING, vmin=-limit, vmax=limit)
        ax.set_title(title, loc="left")
        ax.set(aspect="equal", ylim=(l, 0), xlabel="input")
        for axis in (ax.xaxis, ax.yaxis):
            if data is None:
                axis.set_ticks(np.arange(0, l, 4) + 0.5, np.arange(0, l, 4))
            else:
                _byte_ticks(axis, data)
    axes[0, 0].set_ylabel("output")
    return figure


def fastest(way, case, seconds=0.04):
    """Milliseconds that `way(*case)` takes: the shortest of five runs or more, since others only add to a time."""
    took, end = [], time.perf_counter() + seconds
    way(*case)  # not timed: a first call may compile
    while len(took) < 5 or time.perf_counter() < end:
        start = time.perf_counter()
        way(*case)
        took.append(1e3 * (time.perf_counter() - start))
    return min(took)


def crossing(sizes, slow, fast):
    """The size from which on `fast` takes less time than `slow`, inf where it never does.

    sizes: rising. slow, fast: a time each. Between two sizes both are straight lines on logarithmic axes.
    """
    ratios = np.log(slow) - np.log(fast)
    if ratios[0] >= 0:
        return sizes[0]
    for (x, r), (x_next, r_next) in pairwise(zip(sizes, ratios)):
        if r_next >= 0:
            return x * (x_next / x) ** (r / (r - r_next))
    return float("inf")


def times_against(panels):
    """Milliseconds against a size, both logarithmic, where two curves cross a line down.

    panels: {title: (x label, sizes, {name: times in ms}, crossing)}, infinite where there is none; a curve may be
    shorter than the sizes.
    Returns a figure.
    """
    colours = {}  # by name, the same in all panels
    for name in (name for _, _, curves, _ in panels.values() for name in curves):
        colours.setdefault(name, [LIGHT["h"], LIGHT["y"], LIGHT["muted"]][len(colours) % 3])
    words = []
    for title, (_, sizes, curves, crossing) in panels.items():
        ends = ", ".join(f"{name} {times[-1]:.2g} ms at {sizes[len(times) - 1]}" for name, times in curves.items())
        where = "no crossing" if not np.isfinite(crossing) else f"a crossing near {crossing:.0f}"
        words.append(f"{title}: {ends}; {where}")
    figure, axes = new_figure(7.4, 3.2, f"Times. {'. '.join(words)}.", 1, len(panels), squeeze=False, sharey=True)
    for ax, (title, (label, sizes, curves, crossing)) in zip(axes[0], panels.items()):
        for name, times in curves.items():
            ax.plot(sizes[: len(times)], times, "o-", ms=3.5, lw=1.4, color=colours[name])
        ax.set_title(title, loc="left")
        ax.set(xscale="log", yscale="log", xlabel=label, xlim=(sizes[0] * 0.8, sizes[-1] * 14))
        ax.set_xticks(sizes[::2], [f"{size:,}" for size in sizes[::2]])
        ax.minorticks_off()
        _label_ends(ax, sizes[-1] * 1.3, {name: times[-1] for name, times in curves.items()}, colours, log=True)
        if np.isfinite(crossing):
            ax.axvline(crossing, color=LIGHT["delta"], lw=1.1, ls=(0, (4, 3)), zorder=0)
            ax.text(crossing * 1.12, 0.02, f"{crossing:.0f}", color=LIGHT["delta"], transform=ax.get_xaxis_transform())
        ax.grid(axis="y")
    axes[0, 0].set_ylabel("milliseconds")
    return figure


def errors_over_time(size, errors):
    """The size of an output and the errors of its computations at each step, on a logarithmic axis.

    size: (l,), |y|. errors: {name: (l,)}; zeros are drawn at the floor. Returns a figure.
    """
    size = np.asarray(size, dtype=float)
    errors = {name: np.asarray(error, dtype=float) for name, error in errors.items()}
    floor = 0.3 * min(np.median(error[error > 0]) for error in errors.values())
    words = ", ".join(f"{name} {np.median(error):.0e}" for name, error in errors.items())
    alt = f"|y| is {np.median(size):.0e} in the middle, {size[-1]:.0e} at the end. Errors in the middle: {words}."
    figure, axes = new_figure(7.4, 3.0, alt)
    colours = dict(zip(["|y|", *errors], [LIGHT["y"], LIGHT["warn"], LIGHT["h"]]))
    ends = {}
    for name, values in {"|y|": size, **errors}.items():
        values = np.maximum(values, floor)
        shown = np.arange(len(values) - 1, -1, -4)  # every fourth, the last one too: a page has to stay light
        axes.plot(shown, values[shown], ".", ms=2.5, color=colours[name])
        ends[name] = float(np.median(values))
    axes.set(yscale="log", xlabel="step", xlim=(0, 1.2 * len(size)))
    axes.set_xticks(range(0, len(size) + 1, len(size) // 4))
    _label_ends(axes, 1.02 * len(size), ends, colours, log=True)
    axes.grid(axis="y")
    return figure
