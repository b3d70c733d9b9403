"""The colours of the pages, made from the one table `mamba_edu.plots.style.PALETTE`."""

import re

from mamba_edu.plots.style import DIVERGING, PALETTE, SEQUENTIAL

SYMBOLS = ["u", "h", "y", "delta"]
_HEX = re.compile(r"#[0-9a-fA-F]{6}\b")
_RAMPS = [(DIVERGING, ["u", "panel", "h"]), (SEQUENTIAL, ["panel", "delta", "ink"])]


def palette_css():
    """CSS variables `--ss-NAME`, light and dark, and a class for each symbol's colour in prose."""
    light = "".join(f"--ss-{name}:{pair[0]};" for name, pair in PALETTE.items()) + "color-scheme:light;"
    dark = "".join(f"--ss-{name}:{pair[1]};" for name, pair in PALETTE.items()) + "color-scheme:dark;"
    symbols = "".join(f".ss-{name}{{color:var(--ss-{name})}}" for name in SYMBOLS)
    return (
        f":root{{{light}}}html[data-theme=dark]{{{dark}}}"
        # before the theme's script has run, and without scripts, the system decides
        f"@media (prefers-color-scheme:dark){{html:not([data-theme=light]):not([data-theme=dark]){{{dark}}}}}"
        f"{symbols}"
    )


def _ramp_colours():
    """Each colour of the two colour maps, as a mixture of the page's own: the ramps turn with the theme."""
    table = {}
    for ramp, (low, middle, high) in _RAMPS:
        for i in range(ramp.N):
            red, green, blue, _ = (round(255 * c) for c in ramp(i))
            place = i / (ramp.N - 1)
            first, second, share = (low, middle, 2 * place) if place < 0.5 else (middle, high, 2 * place - 1)
            mixed = f"color-mix(in oklab,var(--ss-{second}) {100 * share:.0f}%,var(--ss-{first}))"
            table[f"#{red:02x}{green:02x}{blue:02x}"] = mixed
    return table


_TABLE = _ramp_colours() | {pair[0].lower(): f"var(--ss-{name})" for name, pair in PALETTE.items()}


def follow_theme(svg):
    """An SVG drawn in the light colours with each of them replaced by its variable; other colours stay."""
    return _HEX.sub(lambda match: _TABLE.get(match[0].lower(), match[0]), svg)
