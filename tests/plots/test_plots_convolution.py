"""What chapter 4's plots compute beside drawing: a time, where two curves cross, which curve is whose."""

import math
import time

import numpy as np
import pytest

from mamba_edu.plots import convolution as plots


def test_the_fastest_run_counts_and_the_first_does_not(monkeypatch):
    now, lengths = [0.0], iter([1e-6, 0.030, 0.010, 0.020, 0.040, 0.015])
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def way(first, second):
        assert (first, second) == ("a", "b")
        now[0] += next(lengths)

    assert plots.fastest(way, ("a", "b")) == pytest.approx(10)
    assert next(lengths, None) is None, "five runs after the first"


def test_a_short_run_is_repeated_until_the_seconds_are_over(monkeypatch):
    now, calls = [0.0], []
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def way():
        calls.append(now[0])
        now[0] += 0.001

    assert plots.fastest(way, (), seconds=0.02) == pytest.approx(1)
    assert 20 <= len(calls) <= 22


def test_a_crossing_lies_where_two_power_laws_meet():
    sizes = np.array([2, 4, 8, 16, 32])
    assert plots.crossing(sizes, sizes**2, 11 * sizes) == pytest.approx(11)
    assert plots.crossing(sizes, sizes**2, 8 * sizes) == pytest.approx(8), "on a size that was timed"


def test_a_crossing_before_the_first_size_is_there_and_one_after_the_last_nowhere():
    sizes = [2, 4, 8]
    assert plots.crossing(sizes, [3, 3, 3], [2, 2, 2]) == 2
    assert plots.crossing(sizes, [1, 2, 3], [2, 3, 4]) == math.inf


def test_a_time_that_was_not_taken_is_slower_than_any():
    assert plots.crossing([2, 4, 8], [1, 3, math.inf], [2, 2, 2]) < 4


def test_each_answer_has_its_line_and_its_name():
    u, K = np.zeros(40), 0.9 ** np.arange(40)
    u[0], u[10], u[13] = 1, -2, 1.5
    y = np.convolve(u, K)[:40]
    figure = plots.sum_of_answers(u, K, y)
    top, axes = figure.axes
    lines = [line for line in axes.lines if line.get_color() == plots.LIGHT["u"]]
    assert len({line.get_linestyle() for line in lines}) == 3
    assert [line.get_ydata()[0] for line in lines] == [1, -2, 1.5]
    assert [text.get_text() for text in axes.texts] == [
        "answer to 1",
        "answer to −2",
        "answer to 1.5",
        "output: their sum",
    ]
    assert top.get_ylim()[0] < -2.3 and top.get_ylim()[1] > 1.8, "no dot is cut"
    assert "largest at step 10, -1.65" in figure.alt
