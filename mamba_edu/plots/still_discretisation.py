"""The opening picture of the live figure `discretisation`."""

import numpy as np
from matplotlib.patches import Circle

from .style import LIGHT, new_figure

WIDTH = 4.4  # inches: on a phone it stands whole
_SMALL = 9.5  # points
_EDGE, _RIM = 1.5, 1.7  # what is drawn of the samples, and of the plane of A_bar
_FAR = 4  # a wave that was so high is not followed any more
_NAMES = {"zoh": "the exact rule (ZOH)", "bilinear": "the bilinear rule", "euler": "Euler's rule"}


def _words(z):
    z = complex(z)
    return f"{z.real:.3g}" if abs(z.imag) < 1e-12 else f"{z.real:.3g} {'-' if z.imag < 0 else '+'} {abs(z.imag):.3g}i"


def _plane_of_rates(axes, rate, delta, method):
    x, y = np.meshgrid(np.linspace(-5, 0.9, 400), np.linspace(-0.5, 5.4, 400))
    fades = np.abs(1 + delta * (x + 1j * y)) if method == "euler" else 1 + x
    axes.contourf(x, y, fades, levels=[-9, 1], colors=[LIGHT["panel"]], zorder=0)
    axes.contour(x, y, fades, levels=[1], colors=[LIGHT["muted"]], linewidths=0.8, zorder=0)
    axes.axvline(0, color=LIGHT["muted"], lw=1.2, zorder=0)
    axes.axhline(0, color=LIGHT["hairline"], lw=0.8, zorder=0)
    axes.plot(rate.real, rate.imag, "o", color=LIGHT["ink"], ms=7)
    right = rate.real > -2.5
    where = {"xytext": (-8 if right else 8, 5), "textcoords": "offset points", "ha": "right" if right else "left"}
    axes.annotate("λ", (rate.real, rate.imag), color=LIGHT["ink"], fontsize=_SMALL, **where)
    axes.set(xlim=(-5, 0.9), ylim=(-0.5, 5.4), aspect="equal", xticks=[-4, -2, 0], yticks=[0, 2, 4])
    axes.set_title("λ, shaded where samples fade", loc="left", fontsize=_SMALL)


def _plane_of_factors(axes, pole, h, colour):
    axes.add_patch(Circle((0, 0), 1, facecolor=LIGHT["panel"], edgecolor=LIGHT["muted"], lw=1.2, zorder=0))
    axes.axvline(0, color=LIGHT["hairline"], lw=0.8, zorder=0)
    axes.axhline(0, color=LIGHT["hairline"], lw=0.8, zorder=0)
    inside = (np.abs(h) <= _RIM).all(axis=1)
    axes.plot(*np.where(inside[:, None], h, np.nan).T, "o-", color=colour, ms=2.2, lw=0.7)
    far = max(1, np.abs(pole).max() / (_RIM - 0.1))
    axes.plot(*(pole / far), "o", color=colour, ms=7, mfc=colour if far == 1 else "none")
    end = pole[0] > 0
    where = {"xytext": (-7 if end else 7, 5), "textcoords": "offset points", "ha": "right" if end else "left"}
    axes.annotate("Ā", pole / far, color=colour, fontsize=_SMALL, **where)
    axes.set(xlim=(-_RIM, _RIM), ylim=(-_RIM, _RIM), aspect="equal", xticks=[-1, 0, 1], yticks=[-1, 0, 1])
    axes.set_title("the factor Ā, its powers", loc="left", fontsize=_SMALL)


def _time(axes, numbers, delta, colour):
    s, h = np.linspace(0, 10, len(numbers["true"])), numbers["h"][:, 0]
    t, inside = delta * np.arange(len(h)), np.abs(h) <= _EDGE
    axes.plot(s, numbers["true"], color=LIGHT["ink"], lw=1)
    near = np.hypot(*numbers["pole"]) ** (s / delta) <= _FAR
    axes.plot(s[near], numbers["wave"][near], color=colour, lw=1, ls=(0, (4, 3)))
    axes.plot(t[inside], h[inside], "o", color=colour, ms=3.5 if len(h) < 70 else 1.8)
    for up, mark in ((1, "^"), (-1, "v")):
        out = t[~inside & (up * h > 0)]
        axes.plot(out, np.full_like(out, 0.96 * up * _EDGE), mark, color=LIGHT["warn"], ms=4)
    axes.axhline(0, color=LIGHT["hairline"], lw=0.8, zorder=0)
    axes.set(xlim=(0, 10), ylim=(-_EDGE, _EDGE), yticks=[-1, 0, 1], xlabel="seconds")
    axes.set_title("the true curve, the samples, the wave through them", loc="left", fontsize=_SMALL)


def discretisation_still(data, rate, delta, method):
    """Where a rule takes an eigenvalue, and what becomes of the samples. Returns a BookFigure.

    data: what `mamba_edu.widgets.Discretisation.data` gives. rate: re + i im; delta, method: the figure's traits.
    """
    numbers = {name: np.asarray(value, dtype=float) for name, value in data.items()}
    pole, h = numbers["pole"], numbers["h"]
    size, last = np.hypot(*pole), np.hypot(*h[-1])
    fate = "grow" if size > 1 + 1e-9 else "fade" if size < 1 - 1e-9 else "neither fade nor grow"
    alt = (
        f"The eigenvalue {_words(rate)} in the plane of rates; {_NAMES[method]} with a step of {delta:g} s takes it to "
        f"{_words(complex(*pole))} in the plane of factors, {size:.2f} from 0. Below, the true curve, which is "
        f"{np.exp(10 * rate.real):.2f} high after 10 s, and the samples, which {fate}: the last of {len(h)} is "
        f"{last:.2f} from 0. Euler's samples do not grow up to a step of {float(numbers['holds']):.2f} s."
    )
    colour = LIGHT["warn" if fate == "grow" else "h"]
    figure, axes = new_figure(WIDTH, 4.6, alt, 2, 2, height_ratios=[1.3, 1])
    bottom = axes[1, 0]
    bottom.set_subplotspec(bottom.get_gridspec()[1, :])
    axes[1, 1].remove()
    _plane_of_rates(axes[0, 0], rate, delta, method)
    _plane_of_factors(axes[0, 1], pole, h, colour)
    _time(bottom, numbers, delta, colour)
    for ax in (*axes[0], bottom):
        ax.tick_params(labelsize=_SMALL)
        ax.xaxis.label.set_fontsize(_SMALL)
    return figure
