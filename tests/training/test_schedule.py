"""The learning rate: up in a line, down in half a cosine, whatever decides when the run ends."""

import itertools
import math

import pytest
import torch

from mamba_edu import training
from mamba_edu.training.schedule import learning_rate, planned_steps, set_learning_rate


def test_it_climbs_to_the_peak_and_falls_to_the_floor():
    rates = [learning_rate(step, 101, peak=1.0, floor=0.1, warmup=10) for step in range(101)]
    assert rates[:10] == pytest.approx([0.1 * k for k in range(1, 11)])
    assert rates[10] == 1.0 and rates[100] == pytest.approx(0.1)
    assert rates[55] == pytest.approx(0.55)  # halfway down the cosine
    assert all(a > b for a, b in itertools.pairwise(rates[10:]))


def test_no_warmup_short_runs_and_steps_past_the_end():
    assert learning_rate(0, 5, peak=2.0, floor=1.0) == 2.0
    assert learning_rate(4, 5, peak=2.0, floor=1.0) == pytest.approx(1.0)
    assert learning_rate(50, 5, peak=2.0, floor=1.0) == pytest.approx(1.0)
    assert learning_rate(0, 1, peak=2.0, floor=1.0) == 2.0
    assert learning_rate(2, 3, peak=2.0, warmup=10) == pytest.approx(0.6)  # the run ends during its warm-up


@pytest.mark.parametrize("slow_from", [0, 0.5])
def test_a_run_by_the_clock_has_its_whole_cosine(slow_from):
    """60 s at 0.1 s a step, and a machine that becomes three times slower halfway."""
    clock, step, rates = 0.0, 0, []
    while clock < 60:
        rates.append(learning_rate(step, planned_steps(step, clock, 60), peak=1.0, floor=0.1, warmup=20))
        clock += 0.1 * (3 if slow_from and clock > 60 * slow_from else 1)
        step += 1
    assert max(rates) == pytest.approx(1.0, abs=1e-3)
    assert rates[-1] == pytest.approx(0.1, abs=2e-3)
    assert all(math.isfinite(rate) for rate in rates)
    if not slow_from:
        assert rates[310] == pytest.approx(learning_rate(310, 600, peak=1.0, floor=0.1, warmup=20), abs=5e-3)


def test_before_the_first_step_the_number_of_steps_is_unknown():
    assert planned_steps(0, 0.0, 60) == math.inf
    assert learning_rate(0, math.inf, peak=1.0) == 1.0


def test_every_group_gets_the_rate():
    a, b = torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(2))
    optimizer = torch.optim.AdamW([{"params": [a]}, {"params": [b]}], lr=1.0)
    set_learning_rate(optimizer, 0.25)
    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 0.25]


def test_it_is_public():
    assert training.learning_rate is learning_rate
