"""The pictures of chapter 2: a network keeps its colour from one to the next, and their words say what is drawn."""

import numpy as np
from matplotlib.colors import to_hex

from mamba_edu.plots.gradients import bridged, norms_back
from mamba_edu.plots.style import LIGHT

LEFT = [0.25, 0.5, 1.0]  # after two steps, one and none
NETWORKS = ["fresh RNN", "orthogonal, with tanh", "LSTM, bias 0", "LSTM, bias 3"]


def lines(figure):
    """{name: curve}: the curves and the names at their ends come in one order here, as all end at one height."""
    (axes,) = figure.axes
    names = [text.get_text() for text in axes.texts]
    return dict(zip(names, [line for line in axes.lines if len(line.get_xdata()) == len(LEFT)], strict=True))


def test_a_network_has_one_colour_in_every_picture():
    (axes,) = bridged({name: {5: 1.0, 10: 0.25} for name in NETWORKS}, guess=0.25).axes
    bars = {bar.get_label(): to_hex(bar.patches[0].get_facecolor()) for bar in axes.containers}
    assert len(set(bars.values())) == len(NETWORKS)
    for shown in (NETWORKS, NETWORKS[::-1], NETWORKS[2:]):
        curves = lines(norms_back({name: LEFT for name in shown}))
        drawn = {name: to_hex(curve.get_color()) for name, curve in curves.items()}
        assert drawn == {name: bars[name] for name in shown}


def test_a_linear_network_is_the_dashed_twin_of_the_one_with_tanh():
    curves = lines(norms_back({f"{r}, {kind}": LEFT for r in (0.9, 1.1, 1.5) for kind in ("linear", "with tanh")}))
    pairs = [(curves[f"{r}, linear"], curves[f"{r}, with tanh"]) for r in (0.9, 1.1, 1.5)]
    assert all(linear.get_color() == bent.get_color() for linear, bent in pairs)
    assert all(linear.get_linestyle() == "--" and bent.get_linestyle() == "-" for linear, bent in pairs)
    assert len({bent.get_color() for _, bent in pairs}) == 3


def test_a_curve_of_the_readers_own_is_drawn_in_ink():
    assert lines(norms_back({"mine": LEFT}))["mine"].get_color() == LIGHT["ink"]


def test_the_curve_begins_with_no_step_ago_and_the_words_count_back_from_there():
    figure = norms_back({"fresh RNN": LEFT}, {"the bracket": 1}, floor=1e-3)
    (axes,) = figure.axes
    curve = next(line for line in axes.lines if len(line.get_xdata()) == len(LEFT))
    assert np.array_equal(curve.get_ydata(), LEFT[::-1]) and axes.get_ylim()[0] == 1e-3
    assert "fresh RNN: 0.5 after 1 steps, 0.25 after 2 steps" in figure.alt
    assert [text.get_text() for text in axes.texts] == ["the bracket", "fresh RNN"]
