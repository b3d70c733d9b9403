"""Pictures of chapter 5: what a state still holds, the curves that it stands for, the past it gives back."""

import numpy as np

from .selection import _label_ends
from .style import LIGHT, SEQUENTIAL, new_figure

_COLOURS = [LIGHT["muted"], LIGHT["u"], LIGHT["h"], LIGHT["delta"], LIGHT["y"]]


def share_by_age(shares):
    """How much of a sample can be read back, against how many steps ago it came, on a logarithmic axis.

    shares: {name: (l,)}, newest first, 0 to 1. Returns a figure.
    """
    shares = {name: np.asarray(share, dtype=float) for name, share in shares.items()}
    l = max(len(share) for share in shares.values())
    words = "; ".join(
        f"{name}: {share[:10].mean():.0%} of the last ten, {share[-100:].mean():.1%} of the oldest hundred"
        for name, share in shares.items()
    )
    figure, axes = new_figure(7.4, 2.8, f"Share of a sample that comes back, by its age, for {l:,} samples. {words}.")
    for (name, share), colour in zip(shares.items(), _COLOURS):
        axes.plot(np.arange(1, len(share) + 1), share, color=colour, label=name)
    axes.set(xscale="log", xlabel="steps ago", ylabel="share read back", xlim=(1, l), ylim=(0, 1.03))
    axes.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1,000"])
    axes.minorticks_off()
    axes.legend(loc="upper right", frameon=False, fontsize=9)
    return figure


def curves_side_by_side(x, panels):
    """Families of curves on [0, 1], a panel each: {title: (m, n)}. x: (m,). Returns a figure."""
    panels = {title: np.asarray(curves, dtype=float) for title, curves in panels.items()}
    words = "; ".join(
        f"{title}: {c.shape[1]} curves, between {c.min():.1f} and {c.max():.1f}" for title, c in panels.items()
    )
    figure, axes = new_figure(7.4, 2.7, f"Curves over the past, 0 its start, 1 now. {words}.", 1, len(panels))
    for ax, (title, curves) in zip(np.ravel(axes), panels.items()):
        for i, curve in enumerate(curves.T):
            ax.plot(x, curve, lw=1.4, color=SEQUENTIAL(0.25 + 0.7 * i / max(1, curves.shape[1] - 1)))
        ax.axhline(0, color=LIGHT["hairline"], lw=0.8, zorder=0)
        ax.set_title(title, loc="left")
        ax.set(xlabel="place in the past, s / t", xlim=(0, 1))
    return figure


def read_back(u, histories, xlabel="sample"):
    """A signal, wide and pale, and what a memory makes of it, a panel a memory.

    u: (l,). histories: {title: (l,)}. Returns a figure.
    """
    u = np.asarray(u, dtype=float)
    histories = {title: np.asarray(history, dtype=float) for title, history in histories.items()}
    off = {title: np.sqrt(np.mean((history - u) ** 2) / np.mean(u**2)) for title, history in histories.items()}
    words = "; ".join(f"{title}: off by {share:.2%}" for title, share in off.items())
    figure, axes = new_figure(
        7.4, 2.5, f"A signal of {len(u):,} samples and what is read back. {words}.", 1, len(histories), sharey=True
    )
    limit = 1.25 * np.abs(u).max()
    at = np.unique(np.linspace(0, len(u) - 1, 120).round().astype(int))  # a panel has no more pixels
    for ax, (title, history) in zip(np.ravel(axes), histories.items()):
        ax.plot(at, u[at], color=LIGHT["u"], lw=2.6, alpha=0.45)
        ax.plot(at, history[at], color=LIGHT["h"], lw=1.3)
        ax.set_title(title, loc="left")
        ax.set(xlabel=xlabel, ylim=(-limit, limit), xlim=(0, len(u)))
        ax.set_xticks([0, len(u) // 2, len(u)])
    np.ravel(axes)[0].set_ylabel("u")
    return figure


def digits_as_sequences(images, labels):
    """Images above, each as the signal that is read below. images: (k, 64) in [0, 1]. labels: (k,). A figure."""
    images = np.asarray(images, dtype=float)
    words = ", ".join(str(int(label)) for label in labels)
    alt = f"Handwritten digits, {words}, of 8 by 8 pixels, and under each its 64 pixels in a row as a signal."
    figure, axes = new_figure(7.4, 2.9, alt, 2, len(images), height_ratios=[1.5, 1])
    for (top, low), image in zip(axes.T, images):
        top.pcolormesh(np.ma.masked_equal(image.reshape(8, 8), 0), cmap=SEQUENTIAL.resampled(9), vmin=0, vmax=1)
        top.set(aspect="equal", ylim=(8, 0), xticks=[], yticks=[])
        low.plot(image, color=LIGHT["u"], lw=1.2)
        low.set(ylim=(0, 1.05), xlim=(0, 63), xticks=[0, 63], yticks=[], xlabel="pixel")
    axes[1, 0].set_ylabel("u")
    return figure


def losses_by_start(curves):
    """Training loss against step, smoothed over 20, on a logarithmic axis: {name: (steps,)}. Returns a figure."""
    smooth = {name: np.convolve(np.asarray(c, float), np.ones(20) / 20, "valid") for name, c in curves.items()}
    words = ", ".join(f"{name} from {c[0]:.2f} to {c[-1]:.3f}" for name, c in smooth.items())
    figure, axes = new_figure(7.4, 2.8, f"Training loss in nats over the steps: {words}.")
    colours = dict(zip(smooth, [LIGHT["h"], LIGHT["y"], LIGHT["delta"], LIGHT["u"]]))
    for name, curve in smooth.items():
        axes.plot(np.arange(len(curve))[::16] + 19, curve[::16], color=colours[name], lw=1.5)
    steps = max(len(curve) for curve in smooth.values()) + 19
    axes.set(yscale="log", xlabel="step", ylabel="loss, nats", xlim=(0, 1.16 * steps))
    axes.set_xticks(range(0, steps + 1, 100))
    _label_ends(axes, 1.01 * steps, {name: curve[-1] for name, curve in smooth.items()}, colours, log=True)
    axes.grid(axis="y")
    return figure


def right_by_model(tasks):
    """Share of test examples answered right: a row a model, a dot a seed, a panel a task, the guess as a line.

    tasks: {title: (guess, {model: [shares]})}. Returns a figure.
    """
    words = "; ".join(
        f"{title}: " + ", ".join(f"{model} {min(s):.0%} to {max(s):.0%}" for model, s in models.items())
        for title, (_, models) in tasks.items()
    )
    figure, axes = new_figure(7.4, 2.3, f"Answered right on test data. {words}.", 1, len(tasks), sharey=True)
    for ax, (title, (guess, models)) in zip(np.ravel(axes), tasks.items()):
        for row, (model, shares) in enumerate(models.items()):
            colour = LIGHT["h"] if model.startswith("S4") else LIGHT["muted"]
            ax.plot(shares, [row] * len(shares), "o", ms=7, color=colour, alpha=0.7)
            ax.text(1.08, row, f"{np.mean(shares):.0%}", va="center", fontsize=9.5, color=colour)
        ax.axvline(guess, color=LIGHT["warn"], lw=1, ls=(0, (4, 3)))
        ax.set_title(title, loc="left")
        ax.set(xlabel="share right", xlim=(0, 1.25), ylim=(len(models) - 0.5, -0.5))
        ax.set(yticks=range(len(models)), yticklabels=list(models), xticks=[0, 0.5, 1])
    return figure
