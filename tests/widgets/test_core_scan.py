"""core.js's recurrences against the package in float64, extremes included. 1e-9 of the largest value."""

import math
import random

import pytest
import torch
from core_page import LENGTHS
from test_core import toeplitz

from mamba_edu import discretize_bilinear, discretize_zoh, selective_scan

OPTIONS = ("D", "z", "delta_bias", "h0")
inf, nan = math.inf, math.nan


# A and B fixed


def fixed_systems(draw):
    """(A_bar, B_bar, C) diagonal and stable: real and complex, quick and slow, poles on the circle, at and below 0."""
    for n in (1, 2, 4):
        for rule in (discretize_zoh, discretize_bilinear):
            for delta in (1e-8, 0.01, 50.0):
                yield *rule(delta, -draw.between(1e-6, 1e4, n), draw(n)), draw(n)
                A = torch.complex(-draw.between(1e-6, 1e4, n), draw.between(1e-3, 30, n))
                yield *rule(delta, A, torch.complex(draw(n), draw(n))), torch.complex(draw(n), draw(n))
    yield torch.tensor([1.0, 0.0, -0.9]), draw(3), draw(3)
    yield torch.exp(1j * draw(4)), draw(4), draw(4)
    yield torch.tensor([0.5, -0.2]), torch.complex(draw(2), draw(2)), draw(2)
    yield torch.tensor([0.5, -0.2]), draw(2), torch.complex(draw(2), draw(2))
    yield (torch.zeros(0, dtype=torch.float64),) * 3


def closed_form(A_bar, B_bar, C, u, D=0.0, h0=None):
    """Without a recurrence: h_t = sum_s A_bar^(t - s) B_bar u_s + A_bar^(t + 1) h0, a Toeplitz matrix per state."""
    l, n = len(u), len(A_bar)
    h0 = u.new_zeros(n) if h0 is None else h0
    real_state = not any(x.is_complex() for x in (A_bar, B_bar, h0))
    A, B, c, start, u = (x.to(torch.complex128) for x in (A_bar, B_bar, C, h0, u))
    # a running product: PyTorch's complex power of 0 is NaN
    power = torch.cat([torch.ones_like(A)[None], A.expand(l, n).cumprod(0)])  # (l + 1, n)
    h = torch.zeros(l, n, dtype=torch.complex128)
    for i in range(n):
        h[:, i] = toeplitz(power[:l, i], l) @ (B[i] * u) + power[1:, i] * start[i]
    y = h @ c + D * u
    last = h[-1] if l else start
    h, last = (h.real, last.real) if real_state else (h, last)
    return {"y": y.real if real_state and not C.is_complex() else y, "h": h, "lastState": last}


def test_a_fixed_system_is_its_closed_form(draw, hold):
    cases, wants = [], []
    for A_bar, B_bar, C in fixed_systems(draw):
        for l in LENGTHS:
            u, n = draw(l), len(A_bar)
            h0 = draw(n) if l % 2 else torch.complex(draw(n), draw(n))
            cases += [[A_bar, B_bar, C, u], [A_bar, B_bar, C, u, {"D": 0.7, "h0": h0}]]
            wants += [closed_form(A_bar, B_bar, C, u), closed_form(A_bar, B_bar, C, u, 0.7, h0)]
    assert len(cases) > 200
    hold("ltiScan", cases, wants)


def test_its_kernel(draw, hold):
    cases, wants = [], []
    for A_bar, B_bar, C in fixed_systems(draw):
        for l in LENGTHS:
            impulse = torch.zeros(l, dtype=torch.float64)
            impulse[:1] = 1
            cases.append([A_bar, B_bar, C, l])
            wants.append(closed_form(A_bar, B_bar, C, impulse)["y"])
    hold("ltiKernel", cases, wants)


def test_convolving_with_the_kernel_is_the_recurrence(draw, hold, core):
    systems = [system for system in fixed_systems(draw) if not any(x.is_complex() for x in system)]
    kernels = core.call("ltiKernel", [[*system, 100] for system in systems])
    inputs = [draw(100) for _ in systems]
    wants = [closed_form(*system, u)["y"] for system, u in zip(systems, inputs)]
    hold("conv1dFull", list(zip(kernels, inputs)), wants)


def test_a_fixed_system_that_explodes_goes_to_infinity(core):
    """As in PyTorch: inf, not NaN."""
    for A_bar in (2.0, 3.0):
        h, true = torch.zeros(1, dtype=torch.float64), []
        for _ in range(1100):
            h = A_bar * h + 1.0
            true.append(h.item())
        (got,) = core.call("ltiScan", [[[A_bar], [1.0], [1.0], [1.0] * 1100]])
        assert got["y"] == true and true[-1] == inf


# The selective scan


def scan_case(draw, dice, l):
    """Arguments of `selective_scan` for a batch of one, by name; some optional, some extreme."""
    d, n = dice.choice([1, 2, 4]), dice.choice([1, 3, 16 if l < 64 else 4])
    extreme = dice.random() < 0.5
    x = {
        "u": dice.choice([1e-6, 1, 1e6]) * draw(1, l, d),
        "delta": draw.between(1e-8, 50, 1, l, d) if extreme else draw.between(1e-3, 1, 1, l, d),
        "A": -draw.between(1e-6, 1e4, d, n) if extreme else -draw.between(0.5, 16, d, n),
        "B": draw(1, l, n),
        "C": draw(1, l, n),
    }
    optional = {"D": draw(d), "z": 5 * draw(1, l, d), "delta_bias": draw(d).abs(), "h0": draw(1, d, n)}
    x |= {name: value for name, value in optional.items() if dice.random() < 0.5}
    if dice.random() < 0.4:
        x |= {"delta_softplus": True, "delta": dice.choice([1, 30]) * draw(1, l, d)}
    if dice.random() < 0.1:
        x |= {"u": torch.zeros_like(x["u"])}
    return x


def every_state(x):
    """h after each step: (l, d, n). C picks one state at a time, and D and z stay out of it: y is that state."""
    n = x["A"].shape[1]
    l = x["u"].shape[1]
    picked = {name: value for name, value in x.items() if name not in ("D", "z", "C")}
    rows = {name: value.repeat(n, *[1] * (value.dim() - 1)) for name, value in picked.items() if name in BATCHED}
    one_each = torch.eye(n, dtype=torch.float64)[:, None, :].expand(n, l, n)
    return selective_scan(**{**picked, **rows, "C": one_each}, backend="reference").permute(1, 2, 0)


BATCHED = ("u", "delta", "B", "h0")
SPELLED = {"delta_bias": "deltaBias", "delta_softplus": "deltaSoftplus"}


def as_call(x):
    """The same arguments for core.js: without the batch, the optional ones in an object."""
    x = {name: value[0] if name in (*BATCHED, "C", "z") else value for name, value in x.items()}
    options = {SPELLED.get(name, name): value for name, value in x.items() if name in (*OPTIONS, "delta_softplus")}
    return [x[name] for name in ("u", "delta", "A", "B", "C")] + [options]


def scan_cases(draw, each=40):
    dice = random.Random(0)
    return [scan_case(draw, dice, l) for l in LENGTHS for _ in range(each)]


def test_the_selective_scan_is_the_packages(draw, hold):
    xs = scan_cases(draw)
    wants = []
    for x in xs:
        y, last = selective_scan(**x, backend="reference", return_last_state=True)
        wants.append({"y": y[0], "h": every_state(x), "lastState": last[0]})
    hold("selectiveScan", [as_call(x) for x in xs], wants)


def test_a_step_of_it_is_the_packages(draw, hold):
    """From a state in the middle of a sequence, which the package has carried there."""
    cases, wants = [], []
    for x in scan_cases(draw, 30):
        l = x["u"].shape[1]
        if l == 0:
            continue
        along = [name for name in ("u", "delta", "B", "C", "z") if name in x]
        before = selective_scan(**x | {name: x[name][:, : l // 2] for name in along}, return_last_state=True)[1]
        here = x | {name: x[name][:, l // 2 : l // 2 + 1] for name in along}
        y, last = selective_scan(**here | {"h0": before}, backend="reference", return_last_state=True)
        *head, options = as_call(here)
        ut, deltat, A, Bt, Ct = (value if name == "A" else value[0] for name, value in zip("udABC", head))
        options = {"zt" if name == "z" else name: value for name, value in options.items() if name != "h0"}
        options |= {"zt": options["zt"][0]} if "zt" in options else {}
        cases.append([ut, deltat, A, Bt, Ct, before[0], options])
        wants.append({"y": y[0, 0], "h": last[0]})
    hold("selectiveScanStep", cases, wants)


def test_what_is_not_finite_goes_through_as_in_pytorch(draw, core):
    for name, value in [("u", inf), ("u", -inf), ("delta", nan), ("delta", inf), ("B", inf), ("h0", inf), ("C", nan)]:
        x = scan_case(draw, random.Random(1), 5) | {"D": None, "z": None, "h0": draw(1, 1, 1)}
        x |= {"A": -torch.ones(1, 1, dtype=torch.float64), "u": draw(1, 5, 1), "delta": draw(1, 5, 1).abs()}
        x |= {"B": draw(1, 5, 1), "C": draw(1, 5, 1), "delta_bias": None, "delta_softplus": False}
        x[name] = x[name].clone()
        x[name].view(-1)[0] = value
        y, last = selective_scan(**x, backend="reference", return_last_state=True)
        (got,) = core.call("selectiveScan", [as_call({k: v for k, v in x.items() if v is not None})])
        for mine, true in ((got["y"], y[0]), (got["lastState"], last[0])):
            mine = torch.tensor(mine, dtype=torch.float64)
            torch.testing.assert_close(mine, true, rtol=1e-12, atol=0, equal_nan=True)


# What is left


def impulses(delta, a):
    """left by the package: the scan of an impulse at each s, (l, l)."""
    l = len(delta)
    one = torch.ones(l, l, 1, dtype=torch.float64)
    u = torch.eye(l, dtype=torch.float64)[:, :, None]
    A = torch.tensor([[a]], dtype=torch.float64)
    return selective_scan(u, delta[None, :, None].expand(l, l, 1), A, one, one, backend="reference")[:, :, 0].T


def test_what_is_left_is_the_scan_of_each_impulse(draw, hold):
    cases = []
    for l in LENGTHS:
        for a in (0.0, -1e-6, -0.3, -1.0, -4.0, -1e4):
            cases += [[delta, a] for delta in (draw.between(1e-8, 50, l), draw.between(1e-3, 1, l), torch.zeros(l))]
    cases += [[draw.between(0.01, 0.1, 129), 0.5]]  # what grows, grows
    cases = [[delta.double(), a] for delta, a in cases]
    hold("howMuchIsLeft", cases, [impulses(*case) for case in cases])


def test_each_column_of_what_is_left_has_its_digits(core):
    """Small steps behind large ones: a running sum from the start would have lost them."""
    delta = torch.cat([torch.full((60,), 1e5), torch.full((60,), 1e-8)]).double()
    (got,) = core.call("howMuchIsLeft", [[delta, -1e4]])
    got, true = torch.tensor(got, dtype=torch.float64), impulses(delta, -1e4)
    late = slice(60, 120)
    assert ((got - true).abs() <= 1e-11 * true)[late, late].all() and (true[late, late].tril() >= 0).all()
    assert (true[late, late].diagonal() > 0).all() and true[119, 60] > 0.99 * 1e-8


def test_a_thousand_steps_neither_overflow_nor_divide_zero_by_zero(core):
    delta = torch.full((400,), 5.0, dtype=torch.float64)
    (got,) = core.call("howMuchIsLeft", [[delta, -2.0]])
    got = torch.tensor(got, dtype=torch.float64)
    assert torch.isfinite(got).all()
    assert got[399, 398].item() == pytest.approx(5 * math.exp(-10), rel=1e-12)
    assert got[399, 0] == 0 and got.triu(1).abs().max() == 0
