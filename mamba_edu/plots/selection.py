"""Pictures of the part *Selection*: the block as a diagram, who influences whom, size against depth."""

from itertools import pairwise

import numpy as np
from matplotlib.patches import FancyBboxPatch

from .style import LIGHT, SEQUENTIAL, new_figure

# stage: (x, y, width, label); the way of a tensor through the block, left to right
_STAGES = {
    "norm": (0.95, 0, 1.2, "RMSNorm"),
    "in_proj": (2.4, 0, 0.86, "in_proj"),
    "conv": (3.9, 0, 0.8, "conv"),
    "silu": (5.3, 0, 0.6, "SiLU"),
    "scan": (6.6, 0, 0.8, "S6"),
    "gate": (8.0, 0, 0.36, "×"),
    "out_proj": (9.4, 0, 1.02, "out_proj"),
    "residual": (10.75, 0, 0.36, "+"),
    "gate_silu": (5.3, -1.05, 0.6, "SiLU"),
}
_COLOUR = {"scan": "h", "conv": "u", "gate": "y", "gate_silu": "y"}


def _box(axes, stage, built, here):
    x, y, width, label = _STAGES[stage]
    colour = LIGHT[_COLOUR.get(stage, "ink")] if stage in built else LIGHT["hairline"]
    axes.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - 0.22),
            width,
            0.44,
            boxstyle="round,pad=0.04,rounding_size=0.12",
            facecolor=LIGHT["panel"] if stage in here else LIGHT["paper"],
            edgecolor=colour,
            linewidth=2.4 if stage in here else 1.2,
        )
    )
    ink = LIGHT["ink"] if stage in built else LIGHT["muted"]
    axes.text(x, y, label, ha="center", va="center", color=ink, fontsize=10)


def _arrow(axes, points, live, shape=None, at=None):
    colour = LIGHT["muted"] if live else LIGHT["hairline"]
    xs, ys = zip(*points)
    axes.plot(xs[:-1] + xs[-1:], ys[:-1] + ys[-1:], color=colour, lw=1.2, solid_capstyle="butt", zorder=0)
    axes.annotate("", xy=points[-1], xytext=points[-2], arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 1.2})
    if shape and at:
        axes.text(*at, shape, ha="center", va="center", fontsize=8, color=LIGHT["muted"])


def block_diagram(built=tuple(_STAGES), here=(), shapes=None):
    """The block from left to right, its two lanes and its residual.

    built: names of the stages that exist by now (the others are drawn pale). here: the stages to mark. shapes: the
    tensor's shape after a stage, {stage: (b, l, d)}, e.g. as recorded in a real forward pass. Returns a figure.
    """
    shapes = {stage: "×".join(map(str, shape)) for stage, shape in (shapes or {}).items()}
    marked = ", ".join(_STAGES[s][3] for s in here) or "none"
    alt = (
        "The Mamba block, left to right: RMSNorm, in_proj, which splits into x and z; x goes through the convolution, "
        "SiLU and S6; z through SiLU; both are multiplied, out_proj follows, and the input is added. "
        f"Built so far: {', '.join(_STAGES[s][3] for s in _STAGES if s in built) or 'nothing'}. Marked: {marked}."
    )
    figure, axes = new_figure(7.4, 2.3, alt)
    axes.set(xlim=(-0.8, 11.75), ylim=(-1.55, 1.25), aspect="auto")
    axes.axis("off")
    path = ["norm", "in_proj", "conv", "silu", "scan", "gate", "out_proj", "residual"]
    edges = {s: (_STAGES[s][0] - _STAGES[s][2] / 2 - 0.06, _STAGES[s][0] + _STAGES[s][2] / 2 + 0.06) for s in _STAGES}
    _arrow(axes, [(-0.6, 0), (edges["norm"][0], 0)], "norm" in built)
    axes.text(-0.1, 0.36, shapes.get("input", "x"), ha="center", va="center", fontsize=8, color=LIGHT["muted"])
    for a, b in pairwise(path):
        middle = (edges[a][1] + edges[b][0]) / 2
        shape = "" if a == "in_proj" else shapes.get(a)
        _arrow(axes, [(edges[a][1], 0), (edges[b][0], 0)], a in built and b in built, shape, (middle, 0.36))
    _arrow(axes, [(edges["residual"][1], 0), (11.6, 0)], "residual" in built)
    _arrow(
        axes, [(-0.5, 0), (-0.5, 0.85), (10.75, 0.85), (10.75, 0.28)], "residual" in built, "the residual", (5.4, 1.02)
    )
    _arrow(axes, [(3.05, 0), (3.05, -1.05), (edges["gate_silu"][0], -1.05)], "gate" in built)
    _arrow(axes, [(edges["gate_silu"][1], -1.05), (8.0, -1.05), (8.0, -0.28)], "gate" in built)
    axes.text(3.2, -0.16, "x", color=LIGHT["u"], fontsize=10, va="top")
    axes.text(3.2, -0.9, "z", color=LIGHT["y"], fontsize=10)
    if "in_proj" in shapes:
        axes.text(3.05, 0.36, shapes["in_proj"], ha="center", va="center", fontsize=8, color=LIGHT["muted"])
    for stage in _STAGES:
        _box(axes, stage, built, here)
    return figure


def _label_ends(axes, x, ends, colours, log=False):
    """Write each curve's name at its end; names that would touch are moved apart. ends: {label: last value}."""
    low, high = axes.get_ylim()
    scale = (lambda v: np.log10(max(v, low))) if log else float
    gap = 0.075 * (scale(high) - scale(low))
    below = -np.inf
    for label in sorted(ends, key=ends.get):
        at = max(scale(ends[label]), below + gap)
        below = at
        axes.text(x, 10**at if log else at, label, color=colours[label], va="center", fontsize=9)


def _byte_ticks(axis, data):
    labels = [chr(byte) if 33 <= byte < 127 else "␣" if byte == 32 else "·" for byte in data]
    axis.set_ticks(np.arange(len(data)) + 0.5, labels)
    for label in axis.get_ticklabels():
        label.set_fontfamily("monospace")
    axis.set_tick_params(length=0)


def influence_map(panels, data):
    """How much the output at step t moves when the input at step s moves, one square a pair.

    panels: {title: (l, l) magnitudes, row t, column s}. data: the l bytes, written along both axes. Rows are scaled to
    their own largest value, so that a late step's small influence still shows. Returns a figure.
    """
    width = 7.4 if len(panels) > 1 else 4.4
    leak = {title: bool(np.triu(np.abs(m), 1).max() > 0) for title, m in panels.items()}
    alt = f"Influence of step s (columns) on output t (rows) for the bytes {data!r}. " + " ".join(
        f"{title}: {'some influence from the future.' if leaks else 'nothing above the diagonal.'}"
        for title, leaks in leak.items()
    )
    figure, axes = new_figure(width, 3.9 if len(panels) > 1 else 4.4, alt, 1, len(panels), squeeze=False)
    for ax, (title, matrix) in zip(axes[0], panels.items()):
        magnitude = np.abs(np.asarray(matrix, dtype=float))
        scaled = magnitude / np.maximum(magnitude.max(axis=1, keepdims=True), 1e-30)
        ax.pcolormesh(scaled, cmap=SEQUENTIAL, vmin=0, vmax=1, edgecolors=LIGHT["paper"], linewidth=0.5)
        ax.plot([0, len(data)], [0, len(data)], color=LIGHT["muted"], lw=0.8)
        ax.set_title(title, loc="left")
        ax.set(xlabel="input at step s", ylabel="output at step t", aspect="equal")
        ax.invert_yaxis()
        _byte_ticks(ax.xaxis, data)
        _byte_ticks(ax.yaxis, data)
        ax.spines[:].set_visible(False)
    return figure


def per_byte(curves, data, ylabel, log=False):
    """One value for each byte of `data`. curves: {label: (l,) values}; the first is drawn in delta's colour."""
    figure, axes = new_figure(7.4, 2.4, f"{ylabel} for each byte of {data!r}: {', '.join(curves)}.")
    colours = [LIGHT["delta"], LIGHT["muted"], LIGHT["u"]]
    for (label, values), colour in zip(curves.items(), colours):
        where = np.arange(len(data)) + 0.5
        axes.plot(where, values, "o-", ms=4, color=colour)
        axes.text(len(data) + 0.2, values[-1], label, color=colour, va="center", fontsize=9)
    axes.set(ylabel=ylabel, xlim=(0, len(data) + 4))
    if log:
        axes.set_yscale("log")
    _byte_ticks(axes.xaxis, data)
    return figure


def size_by_depth(profiles, ylabel):
    """A size after each layer, on a log axis. profiles: {label: values, one a layer}. Returns a figure."""
    ends = ", ".join(f"{label} ends at {values[-1]:.1e}" for label, values in profiles.items())
    figure, axes = new_figure(7.4, 3.0, f"{ylabel}, layer by layer: {ends}.")
    colours = [LIGHT["warn"], LIGHT["u"], LIGHT["delta"], LIGHT["y"]]
    colours = dict(zip(profiles, colours))
    for label, values in profiles.items():
        axes.plot(range(1, len(values) + 1), [v or np.nan for v in values], color=colours[label])
    axes.set(xlabel="block", ylabel=ylabel, yscale="log", xlim=(0.5, 1.25 * len(values)))
    axes.set_xticks(range(2, len(values) + 1, 2))
    last = {label: next(v for v in reversed(values) if v) for label, values in profiles.items()}
    _label_ends(axes, len(values) + 0.3, last, colours, log=True)
    axes.grid(axis="y")
    return figure


def losses(curves):
    """Training losses in nats against steps, labelled at their ends. curves: {label: losses}. Returns a figure."""
    ends = ", ".join(f"{label} from {values[0]:.2f} to {values[-1]:.2f}" for label, values in curves.items())
    figure, axes = new_figure(7.4, 3.0, f"Loss in nats per byte against training steps: {ends}.")
    colours = [LIGHT["warn"], LIGHT["u"], LIGHT["delta"], LIGHT["y"]]
    colours = dict(zip(curves, colours))
    for label, values in curves.items():
        axes.plot(values, color=colours[label])
    axes.set(xlabel="step", ylabel="loss, nats per byte", xlim=(0, 1.2 * len(values)), ylim=(0, None))
    axes.set_xticks(range(0, len(values) + 1, 10))
    _label_ends(axes, len(values), {label: values[-1] for label, values in curves.items()}, colours)
    axes.grid(axis="y")
    return figure
