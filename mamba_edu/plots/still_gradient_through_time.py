"""The opening picture of the live figure `gradient-through-time`."""

import numpy as np

from .style import LIGHT, new_figure

WIDTH = 4.4  # inches: on a phone it stands whole
_SMALL = 9.5  # points
_LOW, _HIGH = 1e-8, 1e8
_MARKS = {"the bracket": 11, "one link in ten": 32}  # the chapter's
_NAMES = {"linear": "a linear network", "tanh": "a network with tanh", "lstm": "an LSTM"}


def gradient_through_time_still(data, network, radius, bias, guess):
    """What is left of a change of the state, against how long ago it was made. Returns a BookFigure.

    data: what `mamba_edu.widgets.GradientThroughTime.data` gives. network, radius, bias, guess: the figure's traits. As
    long as there is no guess only the last two steps are drawn, as in the live figure.
    """
    back, reach = np.asarray(data["norms"])[::-1], int(data["reach"])
    steps = len(back) - 1
    knob = f"forget bias {bias:g}" if network == "lstm" else f"spectral radius {radius:g}"
    told = "after one step {:.2f}, after two {:.2f}; how far back is more than 1 % left?".format(*back[1:3])
    if guess >= 0:
        last = f"over all {steps} steps more than 1 % is left" if reach == steps else f"1 % is left for {reach} steps"
        told = f"{last}, {back[-1]:.2e} after {steps}."
    alt = f"What is left of a change of the state of {_NAMES[network]}, {knob}: {told}"
    figure, axes = new_figure(WIDTH, 2.8, alt)
    for words, at in _MARKS.items():
        if at <= steps:
            axes.axvline(at, color=LIGHT["hairline"], lw=0.8, zorder=0)
            end = words == "the bracket" or at > 0.85 * steps  # so that the two never meet
            place = {"ha": "right" if end else "center", "transform": axes.get_xaxis_transform()}
            axes.text(at, 1.04, words, color=LIGHT["muted"], fontsize=8, **place)
    axes.axhline(1, color=LIGHT["hairline"], lw=0.8, zorder=0)
    axes.axhline(0.01, color=LIGHT["muted"], lw=0.8, ls=(0, (2, 4)))
    axes.plot(back if guess >= 0 else back[:3], color=LIGHT["h"], lw=1.6)
    words = {"color": LIGHT["warn"], "fontsize": _SMALL, "textcoords": "offset points"}
    if guess < 0:
        axes.annotate("1 %: how many steps?", (0.77 * steps, 0.01), xytext=(0, 8), ha="center", **words)
    else:
        axes.plot(reach, 0.01, "|", color=LIGHT["warn"], ms=12, mew=2)
        right = reach > steps / 2
        where = {"xytext": (-6 if right else 6, 8), "ha": "right" if right else "left"}
        far = f"all {steps} steps" if reach == steps else f"{reach} steps"
        axes.annotate(f"1 %: {far}", (reach, 0.01), **words, **where)
    axes.set(yscale="log", ylim=(_LOW, _HIGH), xlim=(0, steps), xlabel="steps ago")
    axes.set_yticks([1e-8, 1e-4, 1, 1e4, 1e8], ["1e−8", "1e−4", "1", "1e4", "1e8"])
    axes.minorticks_off()
    axes.set_title("left of a change of the state", loc="left", fontsize=_SMALL, pad=20)
    axes.tick_params(labelsize=_SMALL)
    axes.xaxis.label.set_fontsize(_SMALL)
    return figure
