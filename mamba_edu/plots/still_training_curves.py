"""The opening picture of the live figure `training-curves`."""

import numpy as np
from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

from .style import LIGHT, new_figure

WIDTH = 4.4  # inches: on a phone it stands whole
_SMALL = 9.5  # points
_COLOURS = ("delta", "y", "u", "warn", "h")  # of the changes, in their order; as in the figure's script
_STEPS, _LOSSES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000), (0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)

_DIFFERENCES = (-3, -1, -0.3, -0.1, -0.03, -0.01, 0, 0.01, 0.03, 0.1, 0.3, 1, 3)


def training_curves_still(data, runs, shown, settings):
    """Recorded runs, mean and seeds, and below what each change costs at the end. Returns a BookFigure.

    data: what `mamba_edu.widgets.TrainingCurves.data` gives. runs: what is kept of the record. shown: the names of the
    changes that are drawn. settings: whatever has the figure's traits as attributes.
    """
    numbers = {name: np.asarray(values, dtype=float) for name, values in data.items()}
    colours = {name: LIGHT[colour] for name, colour in zip(runs["changes"], _COLOURS, strict=True)}
    costs = _mean_costs(numbers["costs"], runs)  # (changes, rates)
    alt = _alt(numbers, costs, runs, shown, settings)
    figure, (top, bottom) = new_figure(WIDTH, 6.8, alt, 2, height_ratios=[1, 1.15])
    _curves(top, numbers, shown, {"none": LIGHT["ink"], **colours}, settings)
    _costs(bottom, costs, runs, colours, settings.lr)
    for axes in (top, bottom):
        axes.tick_params(labelsize=_SMALL, length=0)
        axes.xaxis.label.set_fontsize(_SMALL)
    return figure


def _mean_costs(rows, runs):
    """(changes, rates): the mean over the seeds, NaN where not all of them came to their end."""
    rates, seeds = len(runs["rates"]), len(runs["runs"]["none"][0])
    by_seed = np.full((len(runs["changes"]), rates, seeds), np.nan)
    for change, rate, seed, cost in rows:
        by_seed[int(change) - 1, int(rate), int(seed)] = cost
    return by_seed.mean(axis=2)


def _cost(value):
    return "diverged" if np.isnan(value) else f"{value:+.3f}".replace("-", "−")


def _alt(numbers, costs, runs, shown, settings):
    at = runs["rates"].index(settings.lr)
    what = "Validation" if settings.validation else "Training"
    kind = "difference from the run as it should be" if settings.against else "loss"
    ends = [("as it should be", numbers["none"]), *((runs["changes"][name], numbers[name]) for name in shown)]
    said = "; ".join(f"{words} {rows.mean(0)[-1]:.3f}" for words, rows in ends if rows.size)
    each = ", ".join(f"{words} {_cost(costs[i, at])}" for i, words in enumerate(runs["changes"].values()))
    return (
        f"{what} {kind} in bits per byte over the steps of recorded runs at learning rate {settings.lr:g}; "
        f"the last values: {said}. "
        f"What each change costs at the end: {each}. Recorded {runs['date']}, {runs['device']}."
    )


def _curves(axes, numbers, shown, colours, settings):
    for name in [*shown, "none"]:
        rows, steps = numbers[name], numbers["steps"][: numbers[name].shape[1]]
        axes.plot(steps, rows.T, color=colours[name], lw=0.6, alpha=0.5)
        axes.plot(steps, rows.mean(0), color=colours[name], lw=2 if name == "none" else 1.5)
    axes.set_xscale("log" if settings.log_step else "linear")
    if settings.log_loss:
        axes.set_yscale("symlog", linthresh=0.01) if settings.against else axes.set_yscale("log")
    losses = _DIFFERENCES if settings.against else _LOSSES
    for axis, log, places in ((axes.xaxis, settings.log_step, _STEPS), (axes.yaxis, settings.log_loss, losses)):
        if log:
            axis.set(major_locator=FixedLocator(places), minor_locator=NullLocator())
            axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.set(xlabel="step", xlim=(numbers["steps"][0], numbers["steps"][-1]))
    what = "validation" if settings.validation else "training"
    unit = "more bits per byte" if settings.against else "bits per byte"
    axes.set_title(f"{what}, {unit}, rate {settings.lr:g}; black: unchanged", loc="left", fontsize=_SMALL)
    axes.grid(axis="y")


def _costs(axes, costs, runs, colours, lr):
    """A group of bars for each change, one bar for each rate; the chosen rate in full colour."""
    rates, known = runs["rates"], costs[~np.isnan(costs)]
    low, high = min(known.min(initial=0), 0), max(known.max(initial=0), 0.001)
    for i, (name, words) in enumerate(runs["changes"].items()):
        top = i * (len(rates) + 1.6)
        axes.text(low, top, words, color=colours[name], fontsize=_SMALL, va="center")
        for k, rate in enumerate(rates):
            value, y, chosen = costs[i, k], top + k + 1, rate == lr
            axes.plot([0, 0], [y - 0.5, y + 0.5], color=LIGHT["muted"], lw=0.8)
            axes.barh(y, np.nan_to_num(value), 0.7, color=colours[name], alpha=1 if chosen else 0.4)
            end = max(np.nan_to_num(value), 0) + 0.02 * (high - low)
            look = {"color": LIGHT["ink" if chosen else "muted"], "fontsize": _SMALL, "va": "center"}
            axes.text(end, y, f"{_cost(value)} at {rate:g}", **look)
    axes.set(xlim=(low, high + 0.45 * (high - low)), ylim=(len(runs["changes"]) * (len(rates) + 1.6) - 0.6, -1))
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.set_title("what each change costs at the end, bits per byte", loc="left", fontsize=_SMALL)
    axes.set_xlabel(f"recorded {runs['date']}: {runs['device']}, {runs['threads']} threads", loc="left")
