"""The opening picture of the live figure `cost-of-context`."""

import numpy as np

from .style import LIGHT, new_figure

WIDTH = 4.4  # inches: on a phone it stands whole
_SMALL = 9.5  # points
_LOOKS = {"attention": ("u", "-"), "RNN": ("h", ":"), "S4": ("h", "--"), "Mamba": ("h", "-")}
_TITLES = {
    "memory": "bytes kept for one sequence",
    "token": "operations for one token",
    "prompt": "operations for all tokens",
}
_UNITS = (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3), ("", 1))


def cost_of_context_still(data, view, length, n_layer, d_model, d_state, guess):
    """What the tokens read so far cost four kinds of layers; where attention's cost overtakes. Returns a BookFigure.

    data: what `mamba_edu.widgets.CostOfContext.data` gives. The rest are the figure's traits. Before there is a guess,
    of the growing cache only its first token is drawn, as in the live figure.
    """
    row = list(_TITLES).index(view)
    curves, now, crossing = (np.asarray(data[name]) for name in (view, "now", "crossing"))
    now, crossing = now[row], crossing[row]
    says = _bytes if view == "memory" else _operations
    hidden = view == "memory" and guess < 0
    known = {name: i for i, name in enumerate(_LOOKS) if i or not hidden}
    costs = {name: says(now[i]) for name, i in known.items()}
    meets = f"{crossing:,.0f} token{'' if round(crossing) == 1 else 's'}"
    end = f"At {meets} attention's cache is as large as Mamba's state."
    if hidden:
        end = f"Attention keeps {says(curves[0][0])} more with each token; from how many on is that more than Mamba?"
    elif view != "memory":
        end = f"At {meets} attention's operations for the past are as many as those for its projections."
    alt = (
        f"{_TITLES[view].capitalize()}, {n_layer} layers of width {d_model:,}, d_state {d_state}, after {length:,} "
        f"token{'' if length == 1 else 's'}: {', '.join(f'{name} {cost}' for name, cost in costs.items())}. {end}"
    )
    figure, axes = new_figure(WIDTH, 3.4, alt)
    lengths = 2.0 ** np.arange(curves.shape[1])
    for name, i in known.items():
        colour, dash = _LOOKS[name]
        axes.loglog(lengths, curves[i], dash, color=LIGHT[colour], lw=1.4 if i % 3 else 2)
    axes.plot([length] * len(known), now[list(known.values())], "o", ms=3.5, color=LIGHT["ink"])
    axes.axvline(length, color=LIGHT["muted"], lw=0.8, ls=(0, (2, 3)))
    write = {"textcoords": "offset points", "fontsize": _SMALL}
    if hidden:
        axes.plot(1, curves[0][0], "o", ms=6, color=LIGHT["u"], clip_on=False)
        axes.annotate("a token in the cache", (1, curves[0][0]), (9, -3), color=LIGHT["u"], **write)
    else:
        along = np.exp(np.interp(np.log(crossing), np.log(lengths), np.log(curves[0])))
        height = curves[3][0] if view == "memory" else along
        axes.plot(crossing, height, "o", ms=8, mfc="none", color=LIGHT["warn"])
        where, side = ((-8, 20), "right") if crossing > 256 else ((0, 26), "center")
        axes.annotate(meets, (crossing, height), where, ha=side, color=LIGHT["warn"], **write)
        axes.annotate(costs["attention"], (length, now[0]), (-7, 7), ha="right", color=LIGHT["u"], **write)
    side, x = ("right", -7) if length > 4096 else ("left", 7)
    axes.annotate(costs["Mamba"], (length, now[3]), (x, -14), ha=side, color=LIGHT["h"], **write)
    axes.set_ylim(curves.min() / 3, curves.max() * 3)
    ticks = [1000.0**k for k in range(1, 7) if curves.min() < 1000.0**k < curves.max()]
    _name_curves(axes, {name: curves[i][-1] for name, i in known.items()})
    axes.set(xlim=(1, lengths[-1]), xticks=[1, 16, 256, 4096, 65536, 2**20])
    axes.set_xticklabels(["1", "16", "256", "4K", "64K", "1M"])
    axes.set_yticks(ticks, [_tick(value, view) for value in ticks])
    axes.minorticks_off()
    axes.set_xlabel("tokens read", fontsize=_SMALL)
    axes.set_title(_TITLES[view], loc="left", fontsize=_SMALL)
    axes.tick_params(labelsize=_SMALL)
    return figure


def _name_curves(axes, ends):
    """Each name at the right end of its curve, no two on one another. ends: {name: last value}."""
    low, high = axes.get_ylim()
    free = np.inf
    for name in sorted(ends, key=ends.get, reverse=True):
        free = min(np.log(ends[name] / low) / np.log(high / low), free)
        look = {"color": LIGHT[_LOOKS[name][0]], "fontsize": _SMALL, "va": "center"}
        axes.text(1.02, free, name, transform=axes.transAxes, **look)
        free -= 0.07


def _tick(value, view):
    return f"1 {_bytes(value).split()[1]}" if view == "memory" else _operations(value).split(" · ")[1]


def _bytes(value):
    """1.23 MB"""
    unit, size = next((unit, size) for unit, size in _UNITS if value >= size or not unit)
    return f"{value / size:.2f} {unit}B"


def _operations(value):
    """1.23e9 as 1.23 · 10⁹"""
    digits, power = f"{value:.2e}".split("e")
    return f"{digits} · 10{''.join('⁰¹²³⁴⁵⁶⁷⁸⁹'[int(digit)] for digit in str(int(power)))}"
