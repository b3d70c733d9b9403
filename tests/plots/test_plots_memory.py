"""What the pictures of chapter 1 say in words is what the chapter's cells print, and their names do not touch."""

import re

import numpy as np
import pytest

from mamba_edu.plots import memory


def test_the_quantiles_are_lengths_that_occurred():
    """An even number of cases: the lower of the two in the middle, as the chapter counts."""
    figure = memory.still_needed({"a link": [40, 10, 20, 30], "a page": [1, 2000]})
    assert "a link: half are over within 20, nine in ten within 30; a page: half are over within 1," in figure.alt


def test_times_are_said_with_their_unit():
    times = {"attention": [0.2058, 225.6], "RNN": [0.3901, 51.59], "Mamba": [0.412, 1234.0]}
    words = "attention 0.21 ms to 226 ms, RNN 0.39 ms to 52 ms, Mamba 0.41 ms to 1.2 s."
    assert memory.milliseconds([64, 8192], times, "tokens").alt.endswith(words)


@pytest.mark.parametrize("places", [[0, 1, 2, 30], [5, 5, 5], [0, 10, 20], [0, 9, 10, 11]])
def test_names_keep_apart_and_stay_in_their_middle(places):
    moved = memory._apart(np.array(places, dtype=float), gap=4)
    assert (np.diff(moved) > 4 - 1e-9).all() and np.mean(moved) == pytest.approx(np.mean(places))
    assert np.abs(moved - places).max() <= 6


def test_the_names_beyond_measurement_carry_their_values():
    lengths, further = [64, 4096, 8192], [4096, 8192, 2**20]
    measured = {"attention": [0.2, 61, 226], "RNN": [0.4, 25.5, 51], "S4": [0.1, 5, 12], "Mamba": [0.4, 16, 33]}
    predicted = {"attention": [61, 232, 3.6e6], "RNN": [25.5, 51, 6500], "S4": [5, 11, 2300], "Mamba": [16, 32, 4100]}
    figure = memory.beyond_measurement(lengths, measured, further, predicted)
    names = re.findall(r">((?:attention|RNN|S4|Mamba) [^<]*)<", figure.svg())
    assert sorted(names) == ["Mamba 4.1 s", "RNN 6.5 s", "S4 2.3 s", "attention 1.0 h"]
    heights = {text.get_text(): text.get_position()[1] for text in figure.axes[0].texts}
    for name, value in (("Mamba 4.1 s", 4100), ("RNN 6.5 s", 6500), ("S4 2.3 s", 2300)):
        assert 0.3 < heights[name] / value < 3, f"{name} stands far from its line"
    lines = [line.get_linestyle() for line in figure.axes[0].lines]
    assert lines == ["-", "-", ":", ":", "--", "--", "-", "-"], "a measured line has another dash than its formula"
