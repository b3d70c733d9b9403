"""Pictures of chapter 2: what is left of a change some steps later, and which gaps a network has learnt to bridge."""

import numpy as np

from .selection import _label_ends
from .style import LIGHT, new_figure

# One colour for a network, in every picture of the chapter; a spectral radius has one, too.
_COLOURS = {"fresh RNN": "h", "orthogonal": "u", "0.9": "u", "1.1": "delta", "1.5": "y"}
_COLOURS |= {"LSTM, bias 0": "muted", "LSTM, bias 1": "y", "LSTM, bias 3": "delta", "LSTM, bias 5": "ink"}


def _colour(name):
    return LIGHT[_COLOURS.get(name.removesuffix(", linear").removesuffix(", with tanh"), "ink")]


def norms_back(norms, marks=(), floor=1e-8):
    """What is left of a change of the state, against how many steps ago it was made, on a logarithmic axis.

    norms: {name: (l + 1,)}, what `gradient_through_time` gives: the last entry is no step ago. A name that ends in
    ", linear" is dashed and has the colour of its twin ", with tanh". marks: steps at which a line stands, {words:
    steps}. floor: the lower edge, where what is smaller leaves the picture. Returns a figure.
    """
    curves = {name: np.asarray(values, dtype=float)[::-1] for name, values in norms.items()}
    marks = dict(marks)
    steps = max(len(values) for values in curves.values()) - 1
    words = "; ".join(
        f"{name}: " + ", ".join(f"{values[at]:.2g} after {at} steps" for at in (*marks.values(), len(values) - 1))
        for name, values in curves.items()
    )
    figure, axes = new_figure(7.4, 3.4, f"What is left of a change of the state. {words}.")
    top = max(10 * max(values.max() for values in curves.values()), 10)
    for words, at in marks.items():
        axes.axvline(at, color=LIGHT["hairline"], lw=1, zorder=0)
        place = {"ha": "center", "va": "bottom", "transform": axes.get_xaxis_transform()}
        axes.text(at, 1.02, words, color=LIGHT["muted"], fontsize=9, **place)
    colours = {name: _colour(name) for name in curves}
    for name, values in curves.items():
        axes.plot(values, color=colours[name], ls=(0, (4, 2)) if name.endswith(", linear") else "-")
    axes.axhline(1, color=LIGHT["hairline"], lw=0.8, zorder=0)
    axes.set(yscale="log", ylim=(floor, top), xlim=(0, steps), xlabel="steps ago", ylabel="left of a change")
    _label_ends(axes, steps + 0.6, {name: max(v[-1], floor) for name, v in curves.items()}, colours, log=True)
    return figure


def bridged(right, guess):
    """Share of answers that are right against the gap between a token and the question for it.

    right: {network: {gap: share}}. guess: the share that guessing gets. Returns a figure.
    """
    words = "; ".join(
        f"{name}: " + ", ".join(f"{share:.0%} at {gap}" for gap, share in shares.items())
        for name, shares in right.items()
    )
    figure, axes = new_figure(7.4, 2.9, f"Right answers against the gap. {words}. A guess: {guess:.0%}.")
    gaps = list(next(iter(right.values())))
    width = 0.8 / len(right)
    for k, (name, shares) in enumerate(right.items()):
        at = np.arange(len(gaps)) + (k - (len(right) - 1) / 2) * width
        axes.bar(at, list(shares.values()), 0.9 * width, color=_colour(name), label=name)
    axes.axhline(guess, color=LIGHT["muted"], lw=1, ls=(0, (4, 3)))
    axes.text(len(gaps) - 0.35, guess, "a guess", fontsize=9, va="center", color=LIGHT["muted"])
    axes.set_xticks(np.arange(len(gaps)), [f"{gap} steps" for gap in gaps])
    axes.set(ylim=(0, 1.02), xlabel="gap", ylabel="share right", xlim=(-0.62, len(gaps) - 0.4))
    look = {"fontsize": 9, "handlelength": 1, "frameon": False, "labelcolor": LIGHT["ink"]}
    axes.legend(ncols=len(right), loc="lower left", bbox_to_anchor=(0, 1), **look)
    return figure
