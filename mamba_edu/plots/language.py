"""Pictures of the part *Language*: windows, the schedule, curves beside what they must beat, bits for each byte."""

import numpy as np

from .style import LIGHT, new_figure


def _printable(byte):
    return chr(byte) if 33 <= byte < 127 else "␣" if byte == 32 else "↵" if byte == 10 else "·"


def shifted_windows(pairs):
    """Windows as two rows of bytes, what is read above what is to be predicted.

    pairs: a few (inputs, targets), each a sequence of byte values of equal length. Returns a figure.
    """
    words = [(bytes(map(int, inputs)), bytes(map(int, targets))) for inputs, targets in pairs]
    alt = "Windows of bytes, read above predicted. " + " ".join(f"{a!r} predicts {b!r}." for a, b in words)
    figure, axes = new_figure(7.4, 0.85 * len(pairs) + 0.1, alt)
    longest = max(len(inputs) for inputs, _ in words)
    for row, (inputs, targets) in enumerate(words):
        for name, text, y, colour in [("read", inputs, 0.0, LIGHT["u"]), ("predict", targets, 0.42, LIGHT["y"])]:
            axes.text(-0.6, row + y, name, ha="right", va="center", fontsize=9, color=colour)
            for t, byte in enumerate(text):
                place = {"ha": "center", "va": "center", "family": "monospace", "fontsize": 11}
                axes.text(t, row + y, _printable(byte), color=colour, **place)
    axes.set(xlim=(-3.5, longest), ylim=(len(pairs) - 0.3, -0.3))
    axes.axis("off")
    return figure


def schedule(rates):
    """Learning rate against step. rates: one a step. Returns a figure."""
    peak = int(np.argmax(rates))
    alt = f"The learning rate climbs in a line to {max(rates):.0e} at step {peak}, then falls to {rates[-1]:.0e}."
    figure, axes = new_figure(7.4, 2.2, alt)
    axes.plot(rates, color=LIGHT["delta"])
    axes.set(xlabel="step", ylabel="learning rate", ylim=(0, 1.08 * max(rates)), xlim=(0, len(rates)))
    axes.grid(axis="y")
    return figure


def _levels(axes, levels, x):
    """Horizontal lines with their names above them."""
    for label, value in levels.items():
        axes.axhline(value, color=LIGHT["muted"], lw=0.9, ls=(0, (4, 3)))
        axes.text(x, value, f"{label} {value:.2f}", color=LIGHT["muted"], fontsize=8.5, va="bottom", ha="right")


def training_curve(train, valid, levels, xlabel="step"):
    """Bits per byte while a model trains, beside scores that don't train.

    train, valid: (x, bits) pairs of sequences. levels: {name: bits per byte}, drawn as lines. Returns a figure.
    """
    (x, bits), (vx, vbits) = train, valid
    alt = f"Training falls from {bits[0]:.2f} to {bits[-1]:.2f} bits per byte, validation ends at {vbits[-1]:.2f}; "
    figure, axes = new_figure(7.4, 3.4, alt + ", ".join(f"{k} stands at {v:.2f}" for k, v in levels.items()) + ".")
    axes.plot(x, bits, color=LIGHT["u"], lw=1.2)
    axes.plot(vx, vbits, "o-", color=LIGHT["h"], ms=4)
    end = x[-1]
    axes.text(1.01 * end, bits[-1], "training", color=LIGHT["u"], va="top", fontsize=9)
    under = any(0 <= level - vbits[-1] < 0.3 for level in levels.values())  # that level's name stands above
    va = "top" if under else "bottom"
    axes.text(1.01 * end, vbits[-1], f"validation {vbits[-1]:.2f}", color=LIGHT["h"], va=va, fontsize=9)
    _levels(axes, levels, end)
    low = min([*bits, *vbits, *levels.values()])
    high = min(8.2, max([bits[0], *levels.values()]) + 0.2)
    axes.set(xlabel=xlabel, ylabel="bits per byte", xlim=(0, 1.2 * end), ylim=(low - 0.25, high))
    axes.set_xticks([tick for tick in axes.get_xticks() if 0 <= tick <= end])
    return figure


def cost_per_byte(text, costs):
    """What each byte of a text costs: bars a byte, a panel a model.

    text: n bytes. costs: {name: n - 1 bits, the first byte has no cost}. Returns a figure.
    """
    sums = ", ".join(f"{name} {sum(bits):.0f} bits in all" for name, bits in costs.items())
    figure, axes = new_figure(
        7.4,
        1.5 * len(costs) + 0.3,
        f"Bits for each byte of {text!r}: {sums}.",
        len(costs),
        1,
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    where = np.arange(1, len(text))
    for ax, (name, bits), colour in zip(axes[:, 0], costs.items(), [LIGHT["muted"], LIGHT["y"], LIGHT["u"]]):
        ax.bar(where, bits, color=colour, width=0.72)
        ax.set_title(f"{name}: {np.mean(bits):.2f} bits a byte", fontsize=10, loc="left")
        ax.set_ylabel("bits")
    axes[-1, 0].set_xticks(range(len(text)), [_printable(byte) for byte in text], family="monospace", fontsize=9)
    axes[-1, 0].set_xlim(-0.6, len(text) - 0.4)
    axes[-1, 0].tick_params(axis="x", length=0)
    return figure


def scores(bits, ours):
    """Bits per byte as bars, lowest last. bits: {name: bits per byte}; the bars named in `ours` are marked."""
    names = sorted(bits, key=bits.get, reverse=True)
    alt = "Bits per byte on the same test bytes: " + ", ".join(f"{name} {bits[name]:.2f}" for name in names) + "."
    figure, axes = new_figure(7.4, 0.34 * len(names) + 0.5, alt)
    axes.barh(range(len(names)), [bits[n] for n in names], color=[LIGHT["h" if n in ours else "muted"] for n in names])
    for row, name in enumerate(names):
        axes.text(bits[name] + 0.04, row, f"{bits[name]:.3f}", va="center", fontsize=9, color=LIGHT["ink"])
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(length=0)
    axes.invert_yaxis()
    axes.set(xticks=[], xlim=(0, 1.12 * max(bits.values())))
    axes.spines["bottom"].set_visible(False)
    return figure
