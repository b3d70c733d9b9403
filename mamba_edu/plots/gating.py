"""Pictures of chapter 6: what is left of each byte, what a step keeps and writes, scattered tokens, who copies them."""

import numpy as np

from .selection import _byte_ticks, _label_ends
from .style import LIGHT, new_figure


def left_at_the_end(panels, data, names):
    """What a state holds of each byte when the last one has come in: a bar a byte, a panel a rule.

    panels: {title: (l,) coefficients of u_s in the last state}. data: the l bytes. names: the positions s whose bars
    are marked, e.g. of a bracket. Each panel has its own height, written at its largest bar. Returns a figure.
    """
    most = {title: int(np.argmax(np.abs(left))) for title, left in panels.items()}
    words = ". ".join(
        f"{title}: most of s = {s}, {chr(data[s])!r}, {float(panels[title][s]):.3f}" for title, s in most.items()
    )
    alt = f"What is left of each byte of {data!r} at the end. {words}."
    figure, axes = new_figure(7.4, 1.35 * len(panels) + 0.2, alt, len(panels), 1, sharex=True, squeeze=False)
    where = np.arange(len(data)) + 0.5
    for ax, (title, left) in zip(axes[:, 0], panels.items()):
        left = np.asarray(left, dtype=float)
        ax.bar(where, left, width=0.72, color=[LIGHT["h" if s in names else "muted"] for s in range(len(data))])
        ax.set_title(title, fontsize=10, loc="left")
        top = left[most[title]]
        ax.text(where[most[title]], 1.03 * top, f"{top:.2g}", ha="center", va="bottom", fontsize=9, color=LIGHT["ink"])
        ax.set(ylim=(0, 1.3 * top), yticks=[])
        ax.spines["left"].set_visible(False)
    _byte_ticks(axes[-1, 0].xaxis, data)
    axes[-1, 0].set(xlabel="byte s", xlim=(-0.2, len(data) + 0.2))
    return figure


def keep_and_write(steps, kept, writes):
    """What a step keeps and what it writes, against its length on a log axis.

    steps: (m,) delta. kept: (m,) exp(delta A). writes: {label: (m,) B_bar}, dashed. Returns a figure.
    """
    ends = ", ".join(f"{label} {float(w[-1]):.2f}" for label, w in {"kept": kept, **writes}.items())
    alt = f"Kept and written against delta, {float(steps[0]):g} to {float(steps[-1]):g}. At the end: {ends}."
    figure, axes = new_figure(7.4, 2.9, alt)
    axes.plot(steps, kept, color=LIGHT["h"])
    colours = {"kept": LIGHT["h"], **dict(zip(writes, [LIGHT["u"], LIGHT["warn"]]))}
    for label, written in writes.items():
        axes.plot(steps, written, color=colours[label], ls=(0, (5, 2)))
    axes.set(xscale="log", xlabel="delta", ylabel="share", xlim=(steps[0], 6 * steps[-1]), ylim=(0, None))
    axes.set_xticks([t for t in (0.01, 0.1, 1, 10) if steps[0] <= t <= steps[-1]], minor=False)
    axes.set_xticklabels([f"{t:g}" for t in axes.get_xticks()])
    axes.minorticks_off()
    last = {label: float(values[-1]) for label, values in {"kept": kept, **writes}.items()}
    _label_ends(axes, 1.1 * float(steps[-1]), last, colours)
    axes.grid(axis="y")
    return figure


def token_rows(inputs, question):
    """A few sequences as rows: noise as dots, data as numbers, questions as question marks.

    inputs: (b, l) tokens, 0 is noise. question: the question's token. Returns a figure.
    """
    rows = [[int(token) for token in row] for row in inputs]
    words = " / ".join(" ".join(str(t) for t in row if t not in (0, question)) for row in rows)
    alt = f"{len(rows)} sequences of {len(rows[0])} tokens, data scattered among noise, then questions. Data: {words}."
    figure, axes = new_figure(7.4, 0.36 * len(rows) + 0.1, alt)
    for y, row in enumerate(rows):
        for x, token in enumerate(row):
            word = "·" if token == 0 else "?" if token == question else str(token)
            colour = LIGHT["muted"] if token == 0 else LIGHT["y"] if token == question else LIGHT["u"]
            axes.text(x, y, word, ha="center", va="center", color=colour, family="monospace", fontsize=10)
    axes.set(xlim=(-0.6, len(rows[0]) - 0.4), ylim=(len(rows) - 0.4, -0.6))
    axes.axis("off")
    return figure


def copied_by_length(curves, lengths, trained):
    """Share of sequences copied without a mistake, against their length on a log axis.

    curves: {label: one share a length}. trained: the lengths seen in training, (shortest, longest). Returns a figure.
    """
    inside = lengths.index(trained[1])
    words = "; ".join(
        f"{k} {v[inside]:.0%} at {lengths[inside]} steps, {v[-1]:.0%} at {lengths[-1]}" for k, v in curves.items()
    )
    alt = f"Share of sequences copied without a mistake against their length: {words}."
    figure, axes = new_figure(7.4, 3.0, alt)
    colours = dict(zip(curves, [LIGHT["delta"], LIGHT["muted"], LIGHT["u"]]))
    axes.axvspan(*trained, color=LIGHT["panel"], lw=0)
    axes.text(trained[0] * 1.06, 1.1, "lengths in training", fontsize=9, color=LIGHT["muted"], va="center")
    for label, shares in curves.items():
        axes.plot(lengths, shares, "o-", ms=4, color=colours[label])
    axes.set(xscale="log", xlabel="steps before the questions", ylabel="copied without a mistake", ylim=(-0.03, 1.17))
    axes.set_xticks(lengths, [str(length) for length in lengths])
    axes.minorticks_off()
    axes.set(xlim=(lengths[0] * 0.95, lengths[-1] * 3.2), yticks=[0, 0.5, 1], yticklabels=["0 %", "50 %", "100 %"])
    _label_ends(axes, lengths[-1] * 1.1, {label: shares[-1] for label, shares in curves.items()}, colours)
    axes.grid(axis="y")
    return figure


def share_of_time(layers, fixed):
    """Which share of a channel's time passes at data tokens: a dot a channel, sorted, a panel a layer.

    layers: {title: (d,) shares from 0 to 1}. fixed: the share where all steps are alike, drawn as a line. Returns a
    figure.
    """
    words = ". ".join(
        f"{title}: {int((np.asarray(share) > 0.5).sum())} of {len(share)} channels above one half, the middle one at "
        f"{float(np.median(np.asarray(share))):.2f}"
        for title, share in layers.items()
    )
    alt = f"Share of a channel's time that passes at data tokens, {fixed:.2f} where the step is fixed. {words}."
    figure, axes = new_figure(7.4, 2.7, alt, 1, len(layers), sharey=True, squeeze=False)
    for ax, (title, share) in zip(axes[0], layers.items()):
        share = np.sort(np.asarray(share, dtype=float))
        ax.axhline(fixed, color=LIGHT["muted"], lw=0.9, ls=(0, (4, 3)))
        ax.plot(np.arange(1, len(share) + 1), share, "o", ms=3.5, color=LIGHT["delta"], mew=0)
        ax.set_title(title, fontsize=10, loc="left")
        ax.set(xlabel="channels, sorted", ylim=(-0.03, 1.05), xlim=(0, len(share) + 1))
        ax.set(yticks=[0, 0.5, 1], yticklabels=["0 %", "50 %", "100 %"])
        ax.grid(axis="y")
    axes[0, 0].set_ylabel("time that passes at data")
    axes[0, -1].text(
        len(share), fixed + 0.02, "a fixed step", color=LIGHT["muted"], fontsize=9, ha="right", va="bottom"
    )
    return figure
