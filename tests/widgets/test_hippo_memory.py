"""`hippo-memory` in Python: four memories, the past they stand for, and what the figure claims of them."""

import math
import re

import pytest
import torch

from mamba_edu.hippo import hippo_legs, legs_memory, legs_memory_fixed, legs_reconstruct
from mamba_edu.widgets import HippoMemory
from mamba_edu.widgets.hippo_memory import MATRICES, SAMPLES, SIGNALS, _draws, _system, read_back, signal

every = pytest.mark.parametrize("matrix", MATRICES)
sizes = pytest.mark.parametrize("n", [1, 2, 5, 16, 64])


def off(got, want):
    """The largest difference, relative to the largest true value; NaN and infinities are far off."""
    assert got.shape == want.shape and torch.isfinite(got).all() and torch.isfinite(want).all()
    return ((got - want).abs().max() / want.abs().max()).item()


def some_weights(m, n):
    generator = torch.Generator().manual_seed(m + n)
    return torch.randn(m, n, generator=generator, dtype=torch.float64)


# ---- the memories ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 5, 16, 64])
@pytest.mark.parametrize("name", SIGNALS)
def test_states_are_the_chapters_own(n, name):
    u = signal(name)
    assert off(HippoMemory(n=n, signal=name).data()["states"], legs_memory(u, n)) <= 1e-12
    fixed = HippoMemory(n=n, signal=name, matrix="fixed", delta=0.05).data()["states"]
    assert off(fixed, legs_memory_fixed(u, n, 0.05)) <= 1e-12


@every
@sizes
@pytest.mark.parametrize("time", [0, 1, 50, 127])
def test_a_state_is_its_weights_times_the_past(matrix, n, time):
    data = HippoMemory(matrix=matrix, n=n, time=time, signal="bumps").data()
    assert data["weights"].shape == (time + 1, n) and data["states"].shape == (SAMPLES, n)
    assert off(data["weights"].mT @ data["u"][: time + 1], data["states"][time]) <= 1e-12


def test_s4d_real_by_hand():
    data = HippoMemory(matrix="real", n=3, delta=0.05, time=9).data()
    true = [[0.05 / (1 + a) * ((1 - a) / (1 + a)) ** (9 - s) for a in (0.025, 0.05, 0.075)] for s in range(10)]
    assert off(data["weights"], torch.tensor(true, dtype=torch.float64)) <= 1e-13


def test_legs_of_one_number_is_the_mean_of_the_past():
    u = signal("chirp")
    data = HippoMemory(n=1).data()
    means = u.cumsum(0) / torch.arange(1, SAMPLES + 1)
    assert off(data["states"][:, 0], means) <= 1e-12


def test_the_random_draws_by_hand():
    x = 165
    for _ in range(9):
        x = x * 48271 % (2**31 - 1)
    assert _draws(5)[0].item() == pytest.approx(math.sqrt(3) * (2 * x / (2**31 - 1) - 1), abs=1e-15)
    many = _draws(4000)
    assert abs(many.mean()) < 0.05 and many.var().item() == pytest.approx(1, abs=0.05)
    assert many.abs().max() <= math.sqrt(3) and len(many.unique()) == 4000


@pytest.mark.parametrize("n", range(1, 65))
def test_every_random_matrix_is_stable(n):
    A, B = _system("random", n)
    assert A.shape == (n, n) and B.shape == (n, 1)
    slowest = torch.linalg.eigvals(A).real.max()
    assert -1.5 - 2 * math.sqrt(n) <= slowest <= -0.4


def test_signals():
    assert {name: signal(name).shape for name in SIGNALS} == dict.fromkeys(SIGNALS, (SAMPLES,))
    assert signal("bracket").nonzero().flatten().tolist() == [12, 13]
    assert signal("step").tolist() == [0.0] * 40 + [1.0] * 88
    crossings = (signal("chirp").sign().diff() != 0).nonzero().flatten()
    assert len(crossings) == 9 and (crossings.diff().diff() <= 0).all(), "ever faster"
    bumps = signal("bumps")
    assert [round(bumps[s].item(), 3) for s in (30, 38, 62, 95)] == [1, 0.607, 0, 0.7]


# ---- the past they stand for ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("m, n", [(1, 1), (1, 5), (3, 3), (4, 9), (40, 7), (128, 64)])
@pytest.mark.parametrize("precision", [1e-3, 0.3])
def test_the_past_read_back_is_the_smallest_that_fits(m, n, precision):
    """The same minimum, by another way: ordinary least squares on what is to be small, stacked."""
    weights, past = some_weights(m, n), some_weights(m, 1)[:, 0]
    size = weights.norm(dim=0)
    stacked = torch.cat([torch.eye(m).double(), (weights / size).mT / precision])
    wanted = torch.cat([torch.zeros(m).double(), weights.mT @ past / size / precision])
    true = torch.linalg.lstsq(stacked, wanted[:, None], driver="gelsd").solution[:, 0]
    history, kept = read_back(weights, weights.mT @ past, precision)
    assert off(history, true) <= 1e-9
    lone = torch.stack([read_back(weights, weights[s], precision)[0][s] for s in range(m)])
    assert off(kept, lone) <= 1e-9, "kept[s] is what comes back of a lone 1"
    assert 0 <= kept.min() and kept.max() <= 1 + 1e-12 and kept.sum() <= min(m, n) + 1e-9


def test_units_of_the_state_do_not_matter_and_silent_numbers_do_no_harm():
    weights, h = some_weights(20, 4), some_weights(4, 1)[:, 0]
    scale = torch.tensor([1, 1e-3, 300, -2], dtype=torch.float64)
    for one, other in zip(read_back(weights, h), read_back(weights * scale, h * scale), strict=True):
        assert off(one, other) <= 1e-9
    silent = torch.cat([weights, torch.zeros(20, 1).double()], dim=1)
    for one, other in zip(read_back(weights, h), read_back(silent, torch.cat([h, h[:1] * 0])), strict=True):
        assert off(one, other) <= 1e-9


def test_the_rounding_of_a_zero_is_no_knowledge():
    weights, h = some_weights(20, 4), some_weights(4, 1)[:, 0]
    noise = torch.cat([weights, 1e-16 * some_weights(20, 3)], dim=1)
    for one, other in zip(read_back(weights, h), read_back(noise, torch.cat([h, h[:3] * 0])), strict=True):
        assert off(one, other) <= 1e-9
    data = HippoMemory(n=64, time=2).data()
    assert data["shares"].sum() < 3.0 and (data["weights"].norm(dim=0) > 1e-9).sum() == 6, "58 of 64 are zero still"


def test_a_past_that_the_state_can_hold_comes_back():
    """As many numbers as samples, all different: nothing but the thousandth part is lost."""
    weights, past = torch.linalg.qr(some_weights(12, 12))[0], some_weights(12, 1)[:, 0]
    history, kept = read_back(weights, weights.mT @ past)
    assert off(history, past) <= 1.1e-6 and (kept - 1).abs().max() <= 1.1e-6
    assert off(read_back(weights, weights.mT @ past, precision=1.0)[0], past / 2) <= 1e-12


@pytest.mark.parametrize("name", ["chirp", "step", "bumps"])
@pytest.mark.parametrize("n", [4, 8, 16])
def test_of_legs_it_is_the_legendre_series(name, n):
    """HiPPO's own reconstruction knows nothing of samples or least squares: they agree, to what 128 samples allow."""
    data = HippoMemory(n=n, signal=name).data()
    x = (torch.arange(SAMPLES).double() + 0.5) / SAMPLES
    series = legs_reconstruct(data["states"][-1], positions=x)
    apart = (data["history"] - series).square().mean().sqrt() / series.square().mean().sqrt()
    assert apart <= {4: 0.002, 8: 0.02, 16: 0.08}[n]


def test_with_more_samples_it_comes_ever_closer_to_the_series():
    apart = []
    for l in (128, 256, 512):
        A, B = hippo_legs(12)
        x = (torch.arange(l).double() + 0.5) / l
        past = torch.cos(8 * x) + x
        weights, one = torch.zeros(12, 0).double(), torch.eye(12).double()
        for k in range(l):
            half = A / (2 * k + 1)
            weights = torch.linalg.solve(one - half, torch.cat([(one + half) @ weights, B / (k + 0.5)], dim=1))
        h = weights @ past
        apart.append(off(read_back(weights.mT, h)[0], legs_reconstruct(h, positions=x)))
    assert apart[0] < 0.08 and apart[1] < apart[0] / 1.8 and apart[2] < apart[1] / 1.8, apart


# ---- what the figure claims -----------------------------------------------------------------------------------------


def test_legs_over_t_is_even_and_the_fixed_one_is_warped():
    even, warped = (HippoMemory(matrix=matrix).data() for matrix in ("legs", "fixed"))
    assert even["shares"].sum().item() == pytest.approx(16, abs=0.01) == warped["shares"].sum().item()
    assert off(even["shares"], even["shares"].flip(0)) <= 1e-3, "both ends alike"
    assert (warped["shares"].diff() > 0).all() and warped["shares"][3] > 5 * warped["shares"][0]
    assert even["errors"].argmax() == 3 and warped["errors"].argmax() == 0, "the fast end, and the old one"


@pytest.mark.parametrize("time", [31, 63, 95])
def test_legs_over_t_needs_no_time_scale(time):
    """Half the past, half the width of each quarter: as many numbers for each."""
    shares = HippoMemory(n=8, time=time).data()["shares"]
    assert off(shares, HippoMemory(n=8).data()["shares"]) <= 0.02


def test_s4d_real_knows_what_the_fixed_one_knows_were_it_not_for_digits():
    weights = [HippoMemory(matrix=matrix, n=6).data()["weights"] for matrix in ("fixed", "real")]
    exact = [read_back(w, w[0], precision=1e-11)[1] for w in weights]
    assert off(*exact) <= 1e-4, "the same rates: with enough digits the same past"
    three_digits = [read_back(w, w[0])[1].sum() for w in weights]
    assert three_digits[0] > 5.99 and three_digits[1] < 5.5
    totals = {matrix: HippoMemory(matrix=matrix).data()["shares"].sum().item() for matrix in MATRICES}
    assert totals["real"] < 8 and totals["random"] < 10 and totals["fixed"] > 15.9


def test_quarters_by_hand():
    for time in (0, 2, 9, 127):
        data = HippoMemory(time=time, signal="step", matrix="fixed").data()
        error, quarter = data["history"] - data["u"][: time + 1], torch.arange(time + 1) * 4 // (time + 1)
        for q in range(4):
            own = error[quarter == q]
            rms = own.square().mean().sqrt() if len(own) else torch.tensor(0.0)
            assert data["errors"][q].item() == pytest.approx(rms.item(), abs=1e-12)
            assert data["shares"][q].item() == pytest.approx(data["kept"][quarter == q].sum().item(), abs=1e-12)


@every
def test_the_still_shows_the_numbers(matrix):
    figure = HippoMemory(matrix=matrix, signal="bumps", n=12, time=99)
    still, data = figure.still(), figure.data()
    words = re.findall(r">([^<>\n]+)</text>", still.svg())
    for values in (data["errors"], data["shares"]):
        assert {f"{value:.2f}" for value in values} <= set(words)
        assert ", ".join(f"{value:.2f}" for value in values) in still.alt
    assert "12 numbers of state stand for 100 samples of the signal bumps" in still.alt
    assert ("delta = 0.03" in still.alt) == (matrix != "legs")
    lines = {len(line.get_xdata()): line.get_ydata() for line in still.axes[0].lines[1:]}
    assert set(lines) == {100} and (lines[100] == data["history"].numpy()).all()
