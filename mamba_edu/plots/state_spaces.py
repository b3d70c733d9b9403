"""Pictures of the part *State spaces* (chapters 3 to 5): levels and their samples, rules against the truth, paths."""

import numpy as np

from .selection import _label_ends
from .style import LIGHT, new_figure

# one colour a rule, in every picture of the part
_RULES = {"exact": LIGHT["h"], "bilinear": LIGHT["y"], "Euler": LIGHT["warn"], "Mamba": LIGHT["delta"]}
_ROUNDING = 1e-12  # an error below it is the computer's


def held_and_sampled(u, levels, sampled, delta):
    """An input that stands still within each step, the level it makes, and the samples of a recurrence on it.

    u: (l,). levels: (l k,), the level at k equal times within each step. sampled: (l,), the recurrence's states. delta:
    the step in seconds. Returns a figure.
    """
    u, levels, sampled = (np.asarray(x, dtype=float) for x in (u, levels, sampled))
    k, ends = len(levels) // len(u), delta * np.arange(1, len(u) + 1)
    alt = (
        f"An input of {len(u)} steps, each held for {delta:g} s, and the level it makes, at most {levels.max():.2f}, "
        f"at the end {levels[-1]:.2f}. The recurrence's {len(sampled)} states lie on it."
    )
    figure, (top, axes) = new_figure(7.4, 3.3, alt, 2, 1, sharex=True, height_ratios=[1, 2])
    top.stairs(u, np.concatenate([[0], ends]), color=LIGHT["u"], lw=1.8, baseline=None)
    top.set(ylabel="u", ylim=(-0.12, 1.15 * u.max()))
    axes.plot(np.concatenate([[0], delta * (np.arange(len(levels)) + 1) / k]), np.concatenate([[0], levels]), lw=1.4)
    axes.lines[0].set_color(LIGHT["muted"])
    axes.plot(ends, sampled, "o", ms=5, color=LIGHT["h"])
    axes.set(xlabel="seconds", ylabel="level h", xlim=(0, ends[-1] * 1.01), ylim=(0, None))
    axes.set_xticks(ends, minor=True)  # a mark a sample; lines would cut the steps
    return figure


def rules_over_time(panels, t, exact, ylim):
    """What each rule makes of the same system, a panel a step; the true curve behind, the exact rule as dots on it.

    panels: {title: {rule: (times, values)}}. t, exact: (m,), the true curve. ylim: (low, high), what leaves it is cut
    off. Returns a figure.
    """
    words = "; ".join(
        f"{title}: " + ", ".join(f"{rule} ends at {float(values[-1]):.3g}" for rule, (_, values) in rules.items())
        for title, rules in panels.items()
    )
    alt = (
        f"The level of a leaking bucket and what the rules make of it. {words}. The true level ends at {exact[-1]:.2g}."
    )
    figure, axes = new_figure(7.4, 2.7, alt, 1, len(panels), sharey=True, squeeze=False)
    for ax, (title, rules) in zip(axes[0], panels.items()):
        ax.plot(t, exact, color=LIGHT["muted"], lw=1.2)
        for rule, (times, values) in rules.items():
            look = {"ls": "", "ms": 5, "zorder": 3} if rule == "exact" else {"ms": 4}
            ax.plot(times, values, marker="o", lw=1.3, color=_RULES[rule], **look)
        ax.set_title(title, fontsize=10, loc="left")
        ax.set(xlabel="seconds", ylim=ylim, xlim=(0, t[-1]))
        ax.axhline(0, color=LIGHT["hairline"], lw=0.8, zorder=0)
    axes[0, 0].set_ylabel("level h")
    low, high = ylim
    for row, name in enumerate(["true level", *next(iter(panels.values()))]):
        at = low + (0.06 + 0.1 * row) * (high - low)
        axes[0, 0].text(0.06 * float(t[-1]), at, name, color=_RULES.get(name, LIGHT["muted"]), fontsize=9)
    return figure


def error_against_step(steps, errors):
    """Error after a fixed time against the step, both axes logarithmic; a rule that stays below 1e-12 is only named.

    steps: (m,), the longest first. errors: {rule: (m,)}. Returns a figure.
    """
    drawn = {rule: np.asarray(error) for rule, error in errors.items() if max(error) > _ROUNDING}
    exact = [rule for rule in errors if rule not in drawn]
    words = ", ".join(f"{rule} from {e[0]:.0e} to {e[-1]:.0e}" for rule, e in drawn.items())
    words += "".join(f", {rule} below 1e-12 at all of them" for rule in exact)
    alt = f"Error against the step, from {steps[0]:g} s to {steps[-1]:g} s: {words}."
    figure, axes = new_figure(7.4, 2.7, alt)
    for rule, error in drawn.items():
        axes.plot(steps, error, "o-", ms=4, color=_RULES[rule])
    axes.set(xscale="log", yscale="log", xlabel="step delta, seconds", ylabel="error")
    axes.set(xlim=(min(steps) * 0.85, max(steps) * 2.2), ylim=(0.1 * min(e.min() for e in drawn.values()), 1))
    axes.set_xticks(steps, [f"1/{round(1 / step)}" for step in steps])
    axes.minorticks_off()
    _label_ends(axes, max(steps) * 1.12, {rule: float(e[0]) for rule, e in drawn.items()}, _RULES, log=True)
    for row, rule in enumerate(exact):
        at = {"xy": (0.985, 0.06 + 0.1 * row), "xycoords": "axes fraction", "ha": "right", "fontsize": 9}
        axes.annotate(f"{rule}: below 1e-12", color=_RULES[rule], **at)
    axes.grid(axis="y")
    return figure


def paths_in_the_plane(true, paths, limit):
    """Two numbers of state as a point that moves: a panel a rule, the true path behind.

    true: (m, 2). paths: {rule: (l + 1, 2)}, the first point is the start. limit: half the side of a panel; what leaves
    it is cut off. Returns a figure.
    """
    ends = {rule: float(np.hypot(*np.asarray(path)[-1])) for rule, path in paths.items()}
    words = ", ".join(f"{rule} ends {end:.2f} from the middle" for rule, end in ends.items())
    alt = f"Paths from the point (1, 0): {words}; the true path {np.hypot(*np.asarray(true)[-1]):.2f}."
    figure, axes = new_figure(7.4, 2.75, alt, 1, len(paths), sharey=True, squeeze=False)
    for ax, (rule, path) in zip(axes[0], paths.items()):
        path = np.asarray(path, dtype=float)
        ax.plot(*np.asarray(true, dtype=float).T, color=LIGHT["muted"], lw=1.1)
        ax.plot(*path.T, "o-", ms=3.5, lw=1.2, color=_RULES[rule])
        ax.plot(*path[0], "o", ms=7, mfc="none", color=LIGHT["ink"])
        ax.text(0.03, 0.93, rule, transform=ax.transAxes, fontsize=10, va="center", color=LIGHT["ink"])
        ax.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", xlabel="first number")
        ax.axhline(0, color=LIGHT["hairline"], lw=0.8, zorder=0)
        ax.axvline(0, color=LIGHT["hairline"], lw=0.8, zorder=0)
    axes[0, 0].set_ylabel("second number")
    return figure


def share_that_holds(shares, title):
    """A bar for each number of state: in which share of the channels it holds long enough. shares: (n,). A figure."""
    shares = np.asarray(shares, dtype=float)
    alt = f"{title}: {shares[0]:.0%} for the first number of a channel, {shares[-1]:.0%} for number {len(shares)}."
    figure, axes = new_figure(7.4, 2.1, alt)
    axes.bar(np.arange(1, len(shares) + 1), shares, width=0.72, color=LIGHT["h"])
    for n, share in enumerate(shares, start=1):
        axes.text(n, share + 0.015, f"{share:.0%}".replace("%", ""), ha="center", fontsize=8.5, color=LIGHT["muted"])
    axes.set(xlabel="number of the state, A = -1 to -16", xlim=(0.3, len(shares) + 0.7), ylim=(0, 1.25 * shares.max()))
    axes.set(xticks=np.arange(1, len(shares) + 1), yticks=[], ylabel="% of channels")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="x", length=0)
    return figure
