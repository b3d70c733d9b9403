"""The loop that defines the scan, against what it must equal on paper."""

import torch
from scan_oracle import error, make, run
from torch.autograd import gradcheck, gradgradcheck

from mamba_edu import selective_scan

F64 = torch.float64


def on_paper(u, delta, A, B, C, D, z, delta_bias, h0):
    """y and the last state without a recurrence: h_t = sum_s exp(A (delta_{s+1} + ... + delta_t)) delta_s B_s u_s.

    Every pair (t, s) has its own weight, from its own sum of steps; softplus and silu by their formulas.
    """
    step = torch.log(1 + torch.exp(delta + delta_bias))  # (b, l, d)
    l = u.shape[1]
    states = []
    for t in range(l):
        h = torch.exp(step[:, : t + 1].sum(1)[..., None] * A) * h0  # (b, d, n)
        for s in range(t + 1):
            weight = torch.exp(step[:, s + 1 : t + 1].sum(1)[..., None] * A)  # (b, d, n)
            h = h + weight * (step[:, s] * u[:, s])[..., None] * B[:, s, None, :]
        states.append(h)
    h = torch.stack(states, 1)  # (b, l, d, n)
    y = torch.einsum("bldn,bln->bld", h, C) + D * u
    return y * z / (1 + torch.exp(-z)), states[-1]


def test_it_equals_the_sum_over_all_pairs():
    x = make(2, 9, 3, 4, dtype=F64)
    y, last = selective_scan(**x, delta_softplus=True, return_last_state=True, backend="reference")
    true_y, true_last = on_paper(**x)
    assert error(y, true_y) < 1e-13 and error(last, true_last) < 1e-13


def test_its_gradients_are_those_of_the_sum_over_all_pairs():
    x = make(2, 6, 3, 2, dtype=F64)
    got = run(x, "reference", delta_softplus=True)
    leaves = {name: t.requires_grad_() for name, t in x.items()}
    g = torch.Generator().manual_seed(1)
    outputs = on_paper(**leaves)
    total = sum((t * torch.randn(t.shape, generator=g, dtype=F64)).sum() for t in outputs)
    for name, true in zip(x, torch.autograd.grad(total, list(leaves.values()))):
        assert error(got[f"d_{name}"], true) < 1e-12, name


def test_its_gradients_are_finite_differences_twice_over():
    x = make(1, 3, 2, 2, dtype=F64)
    names = list(x)

    def function(*values):
        given = dict(zip(names, values))
        return selective_scan(**given, delta_softplus=True, return_last_state=True, backend="reference")

    leaves = [t.requires_grad_() for t in x.values()]
    assert gradcheck(function, leaves)
    assert gradgradcheck(function, leaves)


def test_mambas_discretisation_by_hand():
    """One channel, one state, numbers for the head: delta B, not the exact hold, and exp(delta A)."""
    u, delta = torch.tensor([[[2.0], [3.0]]]), torch.tensor([[[0.5], [1.0]]])
    B, C = torch.tensor([[[4.0], [1.0]]]), torch.tensor([[[1.0], [10.0]]])
    y, last = selective_scan(u, delta, torch.tensor([[-1.0]]), B, C, backend="reference", return_last_state=True)
    h1 = 0.5 * 4.0 * 2.0
    h2 = 0.36787944117 * h1 + 1.0 * 1.0 * 3.0
    torch.testing.assert_close(y.flatten(), torch.tensor([h1, 10 * h2]))
    torch.testing.assert_close(last.flatten(), torch.tensor([h2]))
