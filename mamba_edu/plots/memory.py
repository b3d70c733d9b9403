"""Pictures of the part *Memory* (chapters 1 and 2): how long a fact is needed, what it costs to keep, what is lost."""

import numpy as np

from .style import LIGHT, new_figure

# who keeps what, in every picture of chapter 1 and in its live figure: all of the past blue, a state brown
_KEEPERS = {"attention": ("u", "-"), "RNN": ("h", ":"), "S4": ("h", "--"), "Mamba": ("h", "-")}


def _short(number):
    """4096 as 4,096, 16384 as 16K: for axes."""
    for unit, size in (("M", 2**20), ("K", 2**10)):
        if number >= 4 * size or number == size == 2**20:
            return f"{number / size:g}{unit}"
    return f"{number:,}"


def still_needed(spans):
    """The share of all cases that lasts longer than k bytes, against k.

    spans: {what: lengths in bytes, any order}, up to four. Returns a figure.
    """
    spans = {name: np.sort(np.maximum(lengths, 1)) for name, lengths in spans.items()}
    words = "; ".join(
        "{}: half are over within {:,}, nine in ten within {:,}".format(
            name, *np.quantile(lengths, [0.5, 0.9], method="lower")
        )
        for name, lengths in spans.items()
    )
    figure, axes = new_figure(7.4, 3.1, f"Share of cases that last longer than so many bytes. {words}.")
    colours = dict(zip(spans, [LIGHT["u"], LIGHT["y"], LIGHT["delta"], LIGHT["h"]]))
    at = np.geomspace(1, 1e5, 400)
    for row, (name, lengths) in enumerate(spans.items()):
        share = 1 - np.searchsorted(lengths, at, side="right") / len(lengths)
        axes.plot(at, 100 * share, color=colours[name])
        axes.text(
            0.985, 0.94 - 0.1 * row, name, color=colours[name], transform=axes.transAxes, ha="right", fontsize=9.5
        )
    axes.set(xscale="log", xlabel="bytes", ylabel="% that last longer", xlim=(1, 1e5), ylim=(0, 101))
    axes.set_xticks([1, 10, 100, 1000, 10_000, 100_000], ["1", "10", "100", "1,000", "10,000", "100,000"])
    axes.minorticks_off()
    axes.grid(axis="y")
    return figure


def _draw(axes, x, curves, labelled=True):
    for name, values in curves.items():
        colour, dash = _KEEPERS[name]
        axes.plot(x[: len(values)], values, dash, marker="o", ms=3.5, lw=1.6, color=LIGHT[colour])
    axes.set(xscale="log", yscale="log", xlim=(x[0] * 0.8, x[-1] * (9 if labelled else 1.3)))
    axes.set_xticks(x[:: max(1, len(x) // 4)], [_short(value) for value in x[:: max(1, len(x) // 4)]])
    axes.minorticks_off()
    axes.grid(axis="y")
    if labelled:
        _name_ends(axes, x[-1] * 1.35, {name: values[-1] for name, values in curves.items()})


def _decades(axes, words):
    """The powers of ten that fit, in words. words: {value: text}."""
    low, high = axes.get_ylim()
    seen = {value: text for value, text in words.items() if low <= value <= high}
    axes.set_yticks(list(seen), list(seen.values()))
    axes.minorticks_off()


def _name_ends(axes, x, ends, words=str):
    """Each curve's name at its end, no two on one another. ends: {keeper: last value}. words: what to write for it."""
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * (high / low) ** 0.05)
    names = sorted(ends, key=ends.get)
    places = _apart(np.log([ends[name] for name in names]), 0.075 * np.log(high / low))
    for name, place in zip(names, places):
        axes.text(x, np.exp(place), words(name), color=LIGHT[_KEEPERS[name][0]], va="center", fontsize=9)


def _apart(places, gap):
    """Rising places, moved as little as makes each `gap` higher than the one before: those that touch stay centred."""
    steps, groups = gap * np.arange(len(places)), []
    for place in places - steps:
        group = [place]
        while groups and np.mean(groups[-1]) > np.mean(group):
            group = groups.pop() + group
        groups.append(group)
    return steps + [np.mean(group) for group in groups for _ in group]


def bytes_kept(lengths, kept, crossing):
    """Bytes that a layer keeps of one sequence against its length, both logarithmic.

    lengths: (m). kept: {keeper: (m) bytes}. crossing: the first length at which attention keeps more than Mamba.
    Returns a figure.
    """
    words = ", ".join(f"{name} {values[0]:,} to {values[-1]:,}" for name, values in kept.items())
    alt = (
        f"Bytes kept by one layer after {lengths[0]} to {lengths[-1]:,} tokens: {words}. Attention passes Mamba at "
        f"{crossing} tokens."
    )
    figure, axes = new_figure(7.4, 3.1, alt)
    _draw(axes, lengths, kept)
    height = kept["Mamba"][0]
    axes.plot(crossing, height, "o", ms=9, mfc="none", mew=1.5, color=LIGHT["warn"])
    axes.annotate(f"{crossing} tokens", (crossing, height), (8, -17), textcoords="offset points", color=LIGHT["warn"])
    axes.set(xlabel="tokens read", ylabel="kept")
    _decades(axes, {1e3: "1 kB", 1e4: "10 kB", 1e5: "100 kB", 1e6: "1 MB"})
    return figure


def milliseconds(lengths, times, xlabel):
    """Measured times against length, both logarithmic. lengths: (m). times: {keeper: (m) ms}. Returns a figure."""
    words = ", ".join(f"{name} {_duration(values[0])} to {_duration(values[-1])}" for name, values in times.items())
    figure, axes = new_figure(7.4, 3.1, f"Time against {xlabel}, {lengths[0]} to {lengths[-1]:,}: {words}.")
    _draw(axes, lengths, times)
    axes.set(xlabel=xlabel, ylabel="ms")
    _decades(axes, {0.01: "0.01", 0.1: "0.1", 1: "1", 10: "10", 100: "100", 1000: "1,000"})
    return figure


def beyond_measurement(lengths, measured, further, predicted):
    """Measured times as dots, the formula's as lines beyond them, to where nobody has measured.

    lengths: (m). measured: {keeper: (m) ms}. further: (k), longer lengths. predicted: {keeper: (k) ms}.
    Returns a figure.
    """
    ends = ", ".join(f"{name} {_duration(values[-1])}" for name, values in predicted.items())
    alt = (
        f"Time to read a prompt, measured up to {lengths[-1]:,} tokens, by formula from there. At {further[-1]:,} "
        f"tokens: {ends}."
    )
    figure, axes = new_figure(7.4, 3.5, alt)
    axes.axvspan(lengths[0] * 0.8, lengths[-1] * 1.2, color=LIGHT["panel"], zorder=-1, lw=0)
    for name, values in measured.items():
        colour, dash = _KEEPERS[name]
        axes.plot(lengths, values, dash, marker="o", ms=3.5, lw=0.8, color=LIGHT[colour])
        axes.plot(further, predicted[name], dash, lw=1.4, color=LIGHT[colour])
    axes.set(xscale="log", yscale="log", xlim=(lengths[0] * 0.8, further[-1] * 22), xlabel="tokens read")
    axes.set_xticks([64, 1024, 8192, 65_536, 2**20], ["64", "1,024", "8,192", "64K", "1M"])
    units = {"1 ms": 1, "1 s": 1e3, "1 min": 6e4, "1 h": 3.6e6}
    axes.set_yticks(list(units.values()), list(units))
    axes.minorticks_off()
    axes.grid(axis="y")
    last = {name: values[-1] for name, values in predicted.items()}
    _name_ends(axes, further[-1] * 1.3, last, lambda name: f"{name} {_duration(last[name])}")
    axes.text(0.015, 0.93, "measured", transform=axes.transAxes, color=LIGHT["muted"], fontsize=9)
    return figure


def _duration(ms):
    for unit, size in (("h", 3.6e6), ("min", 6e4), ("s", 1e3)):
        if ms >= size:
            return f"{ms / size:.1f} {unit}"
    return f"{ms:.0f} ms" if ms >= 10 else f"{ms:.2g} ms"


def lost_of(lengths, lost, n):
    """What of a sequence can't be read back from n numbers, against its length; the line 1 - n / l behind.

    lengths: (m). lost: (m) shares. n: numbers of state. Returns a figure.
    """
    lengths, lost = np.asarray(lengths, dtype=float), np.asarray(lost, dtype=float)
    alt = (
        f"Share lost of l random numbers read back from a state of {n}: none up to {n}, {lost[-1]:.0%} at "
        f"{lengths[-1]:.0f}, along the line 1 - {n} / l."
    )
    figure, axes = new_figure(7.4, 2.7, alt)
    l = np.linspace(n, lengths[-1], 200)
    axes.plot(l, 100 * (1 - n / l), color=LIGHT["muted"], lw=1.2)
    axes.plot(lengths, 100 * lost, "o", ms=5, color=LIGHT["h"])
    axes.axvline(n, color=LIGHT["hairline"], lw=1, zorder=0)
    axes.text(n * 1.015, 46, f"{n} numbers", color=LIGHT["muted"], fontsize=9)
    axes.set(xlabel="numbers written", ylabel="% lost", xlim=(lengths[0] - 2, lengths[-1] + 2), ylim=(-3, 58))
    return figure
