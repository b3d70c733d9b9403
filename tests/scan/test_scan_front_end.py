"""What `selective_scan` promises whichever backend runs: sizes of 0, dtypes, errors, what autograd keeps."""

import subprocess
import sys

import pytest
import torch
from scan_oracle import NAMES, make

from mamba_edu import selective_scan
from mamba_edu.scan import backends, chunked, cpu

ALL = ("auto", "reference", "chunked", "cpu", "doubling", "blelloch")
every_backend = pytest.mark.parametrize("backend", ALL)


def scan(x, **options):
    return selective_scan(**x, **{"delta_softplus": True, "return_last_state": True, **options})


@every_backend
def test_an_empty_sequence_hands_the_state_on(backend):
    x = {name: t.requires_grad_() for name, t in make(2, 0, 3, 4).items()}
    y, last = scan(x, backend=backend)
    assert y.shape == (2, 0, 3) and torch.equal(last, x["h0"])
    weight = torch.arange(24.0).reshape(2, 3, 4)
    grads = dict(zip(x, torch.autograd.grad(y.sum() + (weight * last).sum(), list(x.values()))))
    assert torch.equal(grads.pop("h0"), weight)
    assert all((grad == 0).all() for grad in grads.values())
    fresh = {name: t for name, t in x.items() if name != "h0"}
    assert torch.equal(scan(fresh, backend=backend)[1], torch.zeros(2, 3, 4))


@every_backend
@pytest.mark.parametrize("shape", [(0, 3, 2, 2), (2, 3, 0, 2), (2, 3, 2, 0)])
def test_sizes_of_0(backend, shape):
    b, l, d, n = shape
    x = {name: t.requires_grad_() for name, t in make(*shape).items()}
    y, last = scan(x, backend=backend)
    assert y.shape == (b, l, d) and last.shape == (b, d, n)
    grads = torch.autograd.grad(y.sum() + last.sum(), list(x.values()))
    assert [g.shape for g in grads] == [t.shape for t in x.values()]
    if n == 0:  # only the skip and the gate are left
        torch.testing.assert_close(y, x["D"] * x["u"] * torch.nn.functional.silu(x["z"]))


@every_backend
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("l", [0, 3])
def test_dtypes_of_the_results(backend, dtype, l):
    y, last = scan(make(1, l, 2, 2, dtype=dtype), backend=backend)
    assert y.dtype == dtype
    assert last.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert isinstance(scan(make(1, l, 2, 2), return_last_state=False, backend=backend), torch.Tensor)


@every_backend
def test_without_gradients_nothing_is_kept(backend):
    x = {name: t.requires_grad_() for name, t in make(1, 70, 2, 2).items()}
    with torch.no_grad():
        y, last = scan(x, backend=backend)
    assert y.grad_fn is None and last.grad_fn is None and not y.requires_grad
    y, last = scan({name: t.detach() for name, t in x.items()}, backend=backend)
    assert y.grad_fn is None and last.grad_fn is None


@pytest.mark.parametrize("module", [chunked, cpu])
def test_states_are_only_kept_for_a_backward_pass(module, monkeypatch):
    kept, forward = [], module._forward

    def spy(*args, keep):
        kept.append(keep)
        return forward(*args, keep=keep)

    monkeypatch.setattr(module, "_forward", spy)
    x, name = make(1, 20, 2, 2), module.__name__.split(".")[-1]
    scan(x, backend=name)
    x["A"].requires_grad_()
    scan(x, backend=name)
    with torch.no_grad():
        scan(x, backend=name)
    assert kept == [False, True, False]


@pytest.mark.parametrize("backend", ["chunked", "cpu"])
@pytest.mark.parametrize("only", [("u", "delta", "A", "B", "C"), NAMES], ids=["bare", "all"])
def test_a_second_derivative_is_refused_not_wrong(backend, only):
    x = {name: t.requires_grad_() for name, t in make(1, 5, 2, 2, only=only).items()}
    with pytest.raises(RuntimeError, match=f"backend='{backend}' has no second derivative.*backend='reference' has"):
        torch.autograd.grad(scan(x, backend=backend)[0].sum(), x["A"], create_graph=True)
    (grad,) = torch.autograd.grad(scan(x, backend="reference")[0].sum(), x["A"], create_graph=True)
    assert grad.requires_grad


@every_backend
def test_inputs_are_left_alone(backend):
    x = make(2, 20, 3, 2)
    before = {name: t.clone() for name, t in x.items()}
    y, last = scan({name: t.requires_grad_() for name, t in x.items()}, backend=backend)
    (y.sum() + last.sum()).backward()
    assert all(torch.equal(x[name], t) for name, t in before.items())


@pytest.mark.parametrize("backend", ["chunked", "cpu"])
def test_a_tensor_changed_before_backward_is_noticed(backend):
    x = make(1, 5, 2, 2)
    A = x["A"].requires_grad_()
    y, _ = scan(x, backend=backend)
    with torch.no_grad():
        A.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


@every_backend
def test_autocast_does_not_touch_the_state(backend):
    x = {name: t.requires_grad_() for name, t in make(2, 70, 5, 3).items()}
    plain = scan(x, backend=backend)[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = scan(x, backend=backend)[0]
        grads = torch.autograd.grad(y.sum(), list(x.values()))
    assert torch.equal(y, plain)
    for grad, true in zip(grads, torch.autograd.grad(plain.sum(), list(x.values()))):
        assert torch.equal(grad, true)


# --- which backend ---


def test_auto_takes_the_compiled_scan_on_a_cpu_and_plain_pytorch_without_numba(monkeypatch):
    u = torch.zeros(1, 1, 1)
    assert backends.choose("auto", u) is cpu.scan
    assert backends.choose("auto", u.to("meta")) is chunked.scan
    monkeypatch.setattr(cpu, "_numba_missing", lambda: "numba can't be imported (no such thing)")
    assert backends.choose("auto", u) is chunked.scan
    with pytest.raises(
        ValueError,
        match=r"backend='cpu' can't take this input: numba can't.*'reference', 'chunked', 'doubling', 'blelloch'$",
    ):
        backends.choose("cpu", u)


def test_the_package_works_where_numba_is_not_installed():
    program = """
import sys
sys.modules["numba"] = None
import torch
from mamba_edu import selective_scan
one = torch.ones(1, 2, 1)
print(selective_scan(one, one, -one[0, :1], one, one).tolist())
try:
    selective_scan(one, one, -one[0, :1], one, one, backend="cpu")
except ValueError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "[[[1.0], [1.367" in done.stdout and "backend='cpu' can't take this input: numba" in done.stdout


def test_numba_is_imported_on_first_use_only():
    program = "import sys, mamba_edu.scan, mamba_edu; mamba_edu.selective_scan; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# --- bad input: one error, which names the argument ---


def meta(t):
    return t.to("meta")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "spoil, error, said",
    [
        (lambda t: 3, TypeError, "must be a tensor"),
        (lambda t: t.tolist(), TypeError, "must be a tensor"),
        (lambda t: t.long(), TypeError, "must be a floating-point tensor, got torch.int64"),
        (lambda t: t.to(torch.complex64), TypeError, "must be a floating-point tensor, got torch.complex64"),
        (lambda t: t.to(torch.float8_e4m3fn), TypeError, "must be float16, bfloat16, float32 or float64, got"),
        (lambda t: t[None], ValueError, "must have shape"),
        (lambda t: torch.cat([t, t], -1), ValueError, "must have shape"),
        (lambda t: torch.cat([t, t], 0), ValueError, "must have shape"),
    ],
)
def test_a_bad_tensor_is_named(name, spoil, error, said):
    x = make(2, 5, 3, 4)
    bad = {**x, name: spoil(x[name])}
    with pytest.raises(error, match=said) as raised:
        selective_scan(**bad)
    # a wrong u is only seen where the next tensor doesn't fit it, and so with A's number of states
    allowed = {"u": ("u ", "A ", "delta "), "A": ("A ", "B ")}.get(name, (f"{name} ",))
    assert str(raised.value).startswith(allowed)


@pytest.mark.parametrize("name", NAMES[1:])
def test_a_tensor_elsewhere_is_named(name):
    x = make(2, 5, 3, 4)
    with pytest.raises(ValueError, match=f"^{name} is on meta, expected cpu"):
        selective_scan(**{**x, name: meta(x[name])})


def test_a_backend_that_cannot_is_named_with_those_that_can():
    x = {name: meta(t) for name, t in make(2, 5, 3, 4).items()}
    with pytest.raises(
        ValueError,
        match=r"^backend='cpu' can't take this input: u is on meta.*'reference', 'chunked', 'doubling', 'blelloch'$",
    ):
        selective_scan(**x, backend="cpu")


@pytest.mark.parametrize(
    "bad, error", [("fast", ValueError), ("", ValueError), (None, TypeError), (["cpu"], TypeError)]
)
def test_a_bad_backend_is_named(bad, error):
    said = "^backend must be one of 'auto', 'reference', 'chunked', 'cpu', 'doubling', 'blelloch', got "
    with pytest.raises(error, match=said):
        selective_scan(**make(1, 2, 2, 2), backend=bad)


@pytest.mark.parametrize("flag", ["delta_softplus", "return_last_state"])
def test_a_flag_that_is_none_is_named(flag):
    with pytest.raises(TypeError, match=f"^{flag} must be True or False, got 'yes'"):
        selective_scan(**make(1, 2, 2, 2), **{flag: "yes"})
