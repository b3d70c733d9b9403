"""The pictures of chapter 3 draw what was measured, and nothing that was not."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from mamba_edu.plots import state_spaces
from mamba_edu.plots.still_discretisation import discretisation_still
from mamba_edu.widgets import Discretisation


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def words(axes):
    return [text.get_text() for text in axes.texts]


def test_a_rule_without_an_error_is_named_and_not_drawn():
    steps, errors = [0.25, 0.125], {"exact": [1e-17, 0.0], "Euler": [0.02, 0.01]}
    figure = state_spaces.error_against_step(steps, errors)
    (axes,) = figure.axes
    assert [line.get_ydata().tolist() for line in axes.lines] == [[0.02, 0.01]]
    assert words(axes) == ["Euler", "exact: below 1e-12"]
    assert "exact below 1e-12" in figure.alt and "Euler from 2e-02 to 1e-02" in figure.alt
    low, high = axes.get_ylim()
    assert low < 0.01 < 0.02 < high


def test_an_error_above_rounding_is_drawn_whatever_the_rule():
    figure = state_spaces.error_against_step([0.25, 0.125], {"exact": [1e-17, 2e-12]})
    assert len(figure.axes[0].lines) == 1 and "below" not in figure.alt


def test_the_exact_rule_is_dots_on_the_true_level():
    t = np.linspace(0, 2, 9)
    paths = {"exact": (t[::4], np.exp(-t[::4])), "Euler": (t[::4], 0 * t[::4])}
    figure = state_spaces.rules_over_time({"delta = 1 s": paths}, t, np.exp(-t), (-1, 1.2))
    (axes,) = figure.axes
    true, exact, euler, _ = axes.lines
    assert (true.get_marker(), exact.get_linestyle(), euler.get_linestyle()) == ("None", "None", "-")
    assert exact.get_zorder() > euler.get_zorder(), "the others hide it"
    assert words(axes) == ["true level", "exact", "Euler"]
    assert axes.texts[0].get_color() == true.get_color()


def test_no_line_crosses_a_step_of_the_held_input():
    figure = state_spaces.held_and_sampled([1, 0], [0.5, 0.8, 0.6, 0.4], [0.8, 0.4], 0.37)
    grids = [tick.gridline for axes in figure.axes for tick in axes.xaxis.get_minor_ticks()]
    assert grids and not any(grid.get_visible() for grid in grids)


@pytest.mark.parametrize("method", ["zoh", "bilinear", "euler"])
def test_the_still_says_what_is_shaded(method):
    figure = discretisation_still(Discretisation(method=method).data(), -0.5 + 2j, 0.3, method)
    assert "shaded where samples fade" in figure.axes[0].get_title(loc="left")
