"""The pictures of chapter 5: what is drawn is what the memories hold, in the colour of its role, and said in words."""

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb

from mamba_edu import legs_basis, legs_memory, legs_reconstruct
from mamba_edu.plots import hippo as plots
from mamba_edu.plots.style import LIGHT

L = 200
X = (torch.arange(L, dtype=torch.float64) + 0.5) / L
U = torch.sin(9 * X) + 0.3 * X


def curves(axes):
    """The lines of an axes, without those that run across all of it."""
    return [line for line in axes.lines if line.get_transform() == axes.transData]


def texts(axes):
    return {text.get_text(): text for text in axes.texts}


def said_above(axes):
    return axes.get_title(loc="left")


def history(n):
    return legs_reconstruct(legs_memory(U, n)[-1], positions=X)


def error(n):
    return ((history(n) - U).norm() / U.norm()).item()


# ---- what a state still holds ---------------------------------------------------------------------------------------


def test_shares_are_drawn_from_one_step_ago_on():
    shares = {"all of it": torch.ones(1000), "half, then none": 0.5 * (torch.arange(1000) < 950)}
    figure = plots.share_by_age(shares)
    (axes,) = figure.axes
    for line, share in zip(axes.lines, shares.values(), strict=True):
        assert line.get_xdata().tolist() == list(range(1, 1001))
        assert line.get_ydata().tolist() == share.tolist()
    assert axes.get_xscale() == "log" and axes.get_xlim() == (1, 1000)
    low, high = axes.get_ylim()
    assert low == 0 and 1 < high < 1.1, "a share of 1 is seen to be one"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == list(shares)
    assert len({line.get_color() for line in axes.lines}) == 2
    assert "for 1,000 samples" in figure.alt
    assert "all of it: 100% of the last ten, 100.0% of the oldest hundred" in figure.alt
    assert "half, then none: 50% of the last ten, 25.0% of the oldest hundred" in figure.alt


# ---- curves and the past --------------------------------------------------------------------------------------------


def test_each_family_has_its_panel_and_its_curves_darken():
    x = torch.linspace(0, 1, 50, dtype=torch.float64)
    panels = {"powers": x[:, None] ** torch.arange(4), "at right angles": legs_basis(6, x)}
    figure = plots.curves_side_by_side(x, panels)
    for axes, (title, family) in zip(figure.axes, panels.items(), strict=True):
        assert said_above(axes) == title and axes.get_xlim() == (0, 1)
        drawn = curves(axes)
        assert np.array_equal([line.get_ydata() for line in drawn], family.T)
        assert all(np.array_equal(line.get_xdata(), x) for line in drawn)
        light = [sum(to_rgb(line.get_color())) for line in drawn]
        assert light == sorted(light, reverse=True) and len(set(light)) == len(light)
    assert "powers: 4 curves, between 0.0 and 1.0" in figure.alt
    assert "at right angles: 6 curves, between -3.3 and 3.3" in figure.alt, "sqrt(11) at the ends"


def test_the_past_that_is_read_back_lies_on_the_signal():
    histories = {f"n = {n}": history(n) for n in (2, 16)}
    figure = plots.read_back(U, histories, xlabel="byte")
    limits = set()
    for axes, (title, read) in zip(figure.axes, histories.items(), strict=True):
        signal, memory = curves(axes)
        at = signal.get_xdata()
        assert (at[0], at[-1]) == (0, L - 1) and np.diff(at).max() <= 4, "from end to end, without a gap"
        assert np.array_equal(signal.get_ydata(), U[at]) and signal.get_color() == LIGHT["u"]
        assert np.array_equal(memory.get_ydata(), read[at]) and memory.get_color() == LIGHT["h"]
        assert np.array_equal(memory.get_xdata(), at)
        assert said_above(axes) == title and axes.get_xlabel() == "byte" and axes.get_xlim() == (0, L)
        assert axes.get_xticks().tolist() == [0, 100, 200]
        limits.add(axes.get_ylim())
    ((low, high),) = limits
    assert low == -high and U.abs().max() < high
    assert [axes.get_ylabel() for axes in figure.axes] == ["u", ""]


def test_the_alternative_says_how_far_off_it_is():
    figure = plots.read_back(U, {"n = 2": history(2)})
    assert f"A signal of 200 samples and what is read back. n = 2: off by {error(2):.2%}." in figure.alt


# ---- what was trained -----------------------------------------------------------------------------------------------


def test_a_digit_stands_above_its_signal():
    images = torch.arange(128, dtype=torch.float64).view(2, 64) / 127
    figure = plots.digits_as_sequences(images, torch.tensor([3, 7]))
    above, below = figure.axes[:2], figure.axes[2:]
    for top, low, image in zip(above, below, images, strict=True):
        (mesh,), (line,) = top.collections, low.lines
        assert np.array_equal(np.ma.filled(mesh.get_array(), 0).reshape(8, 8), image.view(8, 8))
        assert mesh.get_clim() == (0, 1), "as dark in every panel"
        assert top.get_ylim() == (8, 0), "the first row of pixels is on top"
        assert np.array_equal(line.get_ydata(), image) and line.get_color() == LIGHT["u"]
        assert low.get_xlim() == (0, 63) and low.get_ylim()[1] > 1
    assert figure.alt.startswith("Handwritten digits, 3, 7, of 8 by 8 pixels")


def test_a_loss_is_the_mean_of_twenty_steps_at_the_last_of_them():
    losses = {"lin": np.linspace(2, 0.5, 300), "real": np.linspace(2, 1, 300) ** 2}
    figure = plots.losses_by_start(losses)
    (axes,) = figure.axes
    drawn = curves(axes)
    for line, curve in zip(drawn, losses.values(), strict=True):
        at = line.get_xdata()
        assert at[0] == 19 and np.diff(at).max() <= 16 and 283 < at[-1] < 300
        assert line.get_ydata() == pytest.approx([curve[t - 19 : t + 1].mean() for t in at])
    named = texts(axes)
    assert [named[name].get_color() for name in losses] == [line.get_color() for line in drawn]
    assert len({line.get_color() for line in drawn}) == 2
    assert all(300 < text.get_position()[0] < axes.get_xlim()[1] for text in named.values())
    assert axes.get_yscale() == "log" and axes.get_xlim()[0] == 0
    ends = [f"{curve[:20].mean():.2f} to {curve[-20:].mean():.3f}" for curve in losses.values()]
    assert figure.alt == f"Training loss in nats over the steps: lin from {ends[0]}, real from {ends[1]}."


def test_each_seed_is_a_dot_in_its_models_row():
    tasks = {
        "digits": (0.1, {"S4D": [0.9, 0.96], "GRU": [0.5, 0.7]}),
        "lists": (0.25, {"S4D": [1.0, 0.8], "GRU": [0.3, 0.2]}),
    }
    figure = plots.right_by_model(tasks)
    for axes, (title, (guess, models)) in zip(figure.axes, tasks.items(), strict=True):
        assert said_above(axes) == title
        for row, (dots, colour) in enumerate(zip(curves(axes), (LIGHT["h"], LIGHT["muted"]), strict=True)):
            shares = list(models.values())[row]
            assert list(dots.get_xdata()) == shares and list(dots.get_ydata()) == [row, row]
            mean = texts(axes)[f"{np.mean(shares):.0%}"]
            assert dots.get_color() == mean.get_color() == colour and mean.get_position()[1] == row
            assert 1 < mean.get_position()[0] < axes.get_xlim()[1]
        (line,) = [line for line in axes.lines if line not in curves(axes)]
        assert set(line.get_xdata()) == {guess} and line.get_color() == LIGHT["warn"]
        assert axes.get_ylim() == (1.5, -0.5), "the first model is on top"
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["S4D", "GRU"]
    assert "digits: S4D 90% to 96%, GRU 50% to 70%; lists: S4D 80% to 100%, GRU 20% to 30%." in figure.alt
