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


def cost_of_context_still(data, view, length, n_layer, d_model, d_state):
    """What the tokens read so far cost four kinds of layers; where attention's cost overtakes. Returns a BookFigure.

    data: what `mamba_edu.widgets.CostOfContext.data` gives. The rest are the figure's traits.
    """
    row = list(_TITLES).index(view)
    curves, now, crossing = (np.asarray(data[name]) for name in (view, "now", "crossing"))
    says = _bytes if view == "memory" else _operations
    costs = dict(zip(_LOOKS, map(says, now[row])))
    meets = f"{crossing[row]:,.0f} token{'' if round(crossing[row]) == 1 else 's'}"
    end = f"At {meets} attention's cache is as large as Mamba's state."
    if view != "memory":
        end = f"At {meets} attention's operations for the past are as many as those for its projections."
    alt = (
        f"{_TITLES[view].capitalize()}, {n_layer} layers of width {d_model:,}, d_state {d_state}, after {length:,} "
        f"token{'' if length == 1 else 's'}: {', '.join(f'{name} {cost}' for name, cost in costs.items())}. {end}"
    )
    figure, axes = new_figure(WIDTH, 3.4, alt)
    steps = np.arange(curves.shape[1])
    lengths = 2.0**steps
    for (name, (colour, dash)), curve in zip(_LOOKS.items(), curves):
        axes.loglog(lengths, curve, dash, color=LIGHT[colour], lw=2 if name in ("attention", "Mamba") else 1.4)
    axes.plot(np.full(4, length), now[row], "o", ls="", ms=3.5, color=LIGHT["ink"])
    axes.axvline(length, color=LIGHT["muted"], lw=0.8, ls=(0, (2, 3)))
    height = curves[3][0] if view == "memory" else np.exp(np.interp(np.log2(crossing[row]), steps, np.log(curves[0])))
    axes.plot(crossing[row], height, "o", ms=8, mfc="none", color=LIGHT["warn"])
    where, side = ((-8, 20), "right") if crossing[row] > 256 else ((0, 26), "center")
    write = {"textcoords": "offset points", "fontsize": _SMALL}
    axes.annotate(meets, (crossing[row], height), where, ha=side, color=LIGHT["warn"], **write)
    side, x = ("right", -7) if length > 4096 else ("left", 7)
    for (name, cost), value, y in zip(costs.items(), now[row], (7, 0, 0, -14)):
        if y:  # the two that are compared
            axes.annotate(
                cost,
                (length, value),
                (x if y < 0 else -7, y),
                ha=side if y < 0 else "right",
                color=LIGHT[_LOOKS[name][0]],
                **write,
            )
    ticks = [1000.0**k for k in range(1, 7) if curves.min() < 1000.0**k < curves.max()]
    _name_curves(axes, curves[:, -1])
    axes.set(xlim=(1, lengths[-1]), xticks=[1, 16, 256, 4096, 65536, 2**20])
    axes.set_xticklabels(["1", "16", "256", "4K", "64K", "1M"])
    axes.set_yticks(ticks, [_tick(value, view) for value in ticks])
    axes.minorticks_off()
    axes.set_xlabel("tokens read", fontsize=_SMALL)
    axes.set_title(_TITLES[view], loc="left", fontsize=_SMALL)
    axes.tick_params(labelsize=_SMALL)
    return figure


def _name_curves(axes, ends):
    """Each name at the right end of its curve, no two on one another."""
    low, high = axes.get_ylim()
    places, free = np.log(ends / low) / np.log(high / low), np.inf
    for i in np.argsort(-places):
        free = min(places[i], free)
        name = list(_LOOKS)[i]
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
