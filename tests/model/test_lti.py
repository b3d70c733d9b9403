"""Recurrence, kernel with FFT convolution, and step: one function of u, and what the definition says."""

import pytest
import torch

from mamba_edu import (
    discretize_bilinear,
    discretize_zoh,
    fft_convolution,
    hippo_legs,
    lti_kernel,
    lti_recurrence,
    lti_step,
)

LENGTHS = [0, 1, 2, 5, 64, 127, 129, 1000, 1025]
REAL, COMPLEX = torch.float64, torch.complex128
EXACT = 1e-9


def diagonal(dtype=REAL, d=3, n=4, longest=0.999):
    """Memories of a few steps to a thousand, negative and turning poles among them."""
    size = longest * torch.rand(d, n, dtype=REAL) ** 0.3
    size[0, 0] = longest
    poles = size * (torch.exp(1j * torch.randn(d, n, dtype=REAL)) if dtype.is_complex else torch.randn(d, n).sign())
    return poles.to(dtype), torch.randn(d, n, dtype=dtype), torch.randn(d, n, dtype=dtype)


def full(dtype=REAL, n=5, longest=0.999):
    A_bar = torch.randn(n, n, dtype=dtype)
    A_bar = A_bar * longest / torch.linalg.eigvals(A_bar).abs().max()
    return A_bar, torch.randn(n, 1, dtype=dtype), torch.randn(1, n, dtype=dtype)


def signal(make, l, b=2):
    return torch.randn(b, l, dtype=REAL) if make is full else torch.randn(b, l, 3, dtype=REAL)


def by_definition(u, A_bar, B_bar, C, D=0.0, h0=None):
    """y_t = C A_bar^(t+1) h0 + sum_k C A_bar^k B_bar u_{t-k} + D u_t by explicit powers; one full system, u (b, l)."""
    l, n = u.shape[1], len(A_bar)
    powers = [torch.eye(n, dtype=A_bar.dtype)]
    for _ in range(l):
        powers.append(A_bar @ powers[-1])
    K = torch.stack([(C @ p @ B_bar)[0, 0] for p in powers[:l]])
    toeplitz = torch.stack([torch.cat([K[: t + 1].flip(0), K.new_zeros(l - 1 - t)]) for t in range(l)])
    y = u.to(K.dtype) @ toeplitz.T + D * u
    if h0 is not None:
        y = y + torch.stack([h0 @ (C @ p)[0] for p in powers[1:]], dim=1)
    return K, y


MAKES = [full, diagonal]
DTYPES = [REAL, COMPLEX]
each_system = pytest.mark.parametrize("make, dtype", [(m, t) for m in MAKES for t in DTYPES])


@pytest.mark.parametrize("l", LENGTHS)
@each_system
def test_three_ways_one_function(make, dtype, l, close):
    system, u = make(dtype), signal(make, l)
    y, last = lti_recurrence(u, *system, return_last_state=True)
    K = lti_kernel(*system, l)
    assert y.dtype == K.dtype == last.dtype == dtype
    assert K.shape == y.shape[1:] and y.shape == u.shape
    close(fft_convolution(u, K), y, EXACT)
    h, stepped = torch.zeros_like(last), []
    for u_t in u.unbind(1):
        y_t, h = lti_step(u_t, h, *system)
        stepped.append(y_t)
    close(torch.stack(stepped, 1) if l else y, y, EXACT)
    close(h, last, EXACT)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_full_system_is_what_its_powers_say(dtype, close):
    system, u, h0 = full(dtype), signal(full, 150), torch.randn(2, 5, dtype=dtype)
    K, y = by_definition(u, *system, D=0.7, h0=h0)
    close(lti_kernel(*system, 150), K, EXACT)
    close(lti_recurrence(u, *system, D=0.7, h0=h0), y, EXACT)
    close(lti_recurrence(u, *system, D=torch.tensor([[0.7]], dtype=REAL), h0=h0), y, EXACT)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_diagonal_is_a_full_matrix_with_zeros(dtype, close):
    A_bar, B_bar, C = diagonal(dtype)
    u, h0, D = signal(diagonal, 60), torch.randn(2, 3, 4, dtype=dtype), torch.randn(3, dtype=REAL)
    y, last = lti_recurrence(u, A_bar, B_bar, C, D, h0, return_last_state=True)
    K = lti_kernel(A_bar, B_bar, C, 60)
    for c in range(3):
        own = torch.diag(A_bar[c]), B_bar[c][:, None], C[c][None]
        own_y, own_last = lti_recurrence(u[..., c], *own, D=D[c], h0=h0[:, c], return_last_state=True)
        close(own_y, y[..., c], EXACT)
        close(own_last, last[:, c], EXACT)
        close(lti_kernel(*own, 60), K[:, c], EXACT)


@each_system
def test_the_kernel_is_the_answer_to_a_single_one(make, dtype, close):
    system, impulse = make(dtype), torch.zeros_like(signal(make, 129))
    impulse[:, 0] = 1
    close(lti_recurrence(impulse, *system)[0], lti_kernel(*system, 129), EXACT)


@pytest.mark.parametrize("l", [5, 1000])
@each_system
def test_a_carried_state_goes_on_where_it_stopped(make, dtype, l, close):
    system, u, cut = make(dtype), signal(make, l), l // 3
    D = 0.3 if make is full else torch.randn(3, dtype=REAL)
    whole, last = lti_recurrence(u, *system, D, return_last_state=True)
    first, h = lti_recurrence(u[:, :cut], *system, D, return_last_state=True)
    kept = h.clone()
    rest, end = lti_recurrence(u[:, cut:], *system, D, h, return_last_state=True)
    close(torch.cat([first, rest], 1), whole, EXACT)
    close(end, last, EXACT)
    stepped = h
    for t in range(cut, l):
        y_t, stepped = lti_step(u[:, t], stepped, *system, D)
        close(y_t, whole[:, t], EXACT)
    close(stepped, last, EXACT)
    assert torch.equal(h, kept), "a state was changed in place"


def test_an_empty_sequence_hands_the_state_on():
    for make, h0 in ((full, torch.randn(2, 5, dtype=REAL)), (diagonal, torch.randn(2, 3, 4, dtype=REAL))):
        y, last = lti_recurrence(signal(make, 0), *make(), h0=h0, return_last_state=True)
        assert y.shape == signal(make, 0).shape and torch.equal(last, h0)


@pytest.mark.parametrize("l", LENGTHS[1:])
def test_nothing_wraps_around(l, close):
    """A kernel that never decays and an input that ends in a one: a circle would carry it to the front."""
    u, K = torch.zeros(1, l, 2, dtype=REAL), torch.ones(l, 2, dtype=REAL)
    u[:, -1] = 1
    close(fft_convolution(u, K), u, 1e-13)
    late = torch.zeros_like(u)
    late[:, l // 2 :] = 1
    y = fft_convolution(late, K)
    assert y[:, : l // 2].numel() == 0 or y[:, : l // 2].abs().max() < 1e-12 * l, "the end leaked into the beginning"
    close(y, late.cumsum(1), 1e-13)


@pytest.mark.parametrize("l, k", [(1, 9), (7, 3), (3, 7), (64, 1), (100, 100), (129, 40)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_convolution_is_its_sum_for_a_shorter_and_a_longer_kernel(l, k, dtype, close):
    u, K = torch.randn(2, l, 3, dtype=REAL), torch.randn(k, 3, dtype=dtype)
    want = torch.zeros(2, l, 3, dtype=dtype)
    for j in range(min(l, k)):
        want[:, j:] += K[j] * u[:, : l - j]
    close(fft_convolution(u, K), want, 1e-12)
    close(fft_convolution(u[..., 0], K[:, 0]), want[..., 0], 1e-12)
    close(fft_convolution(u.to(COMPLEX) * 1j, K), want.to(COMPLEX) * 1j, 1e-12)


def test_an_empty_kernel_gives_zeros():
    y = fft_convolution(torch.randn(2, 5, 3), torch.zeros(0, 3))
    assert y.shape == (2, 5, 3) and y.abs().max() == 0


@pytest.mark.parametrize("make", MAKES)
def test_both_ways_are_causal(make):
    system, u = make(), signal(make, 33)
    K = lti_kernel(*system, 33)
    for way in (lambda v: lti_recurrence(v, *system), lambda v: fft_convolution(v, K)):
        changed = u.clone()
        changed[:, 20:] += 1e3 * torch.randn_like(changed[:, 20:])
        before, after = way(u), way(changed)
        assert (before[:, :20] - after[:, :20]).abs().max() < 1e-9 * before.abs().max()
        assert (before[:, 20:] - after[:, 20:]).abs().min() > 0


@each_system
def test_gradients_of_both_ways_agree(make, dtype, close):
    system = [x.requires_grad_() for x in make(dtype, longest=0.9)]
    u = signal(make, 21).requires_grad_()
    K = lti_kernel(*system, 21)
    weights = torch.randn(*u.shape, dtype=dtype)
    inputs, grads = [u, *system], []
    for y in (lti_recurrence(u, *system), fft_convolution(u, K)):
        grads.append(torch.autograd.grad((y * weights).real.sum(), inputs))
    for x, slow, fast in zip(inputs, *grads):
        assert x.dtype == slow.dtype and slow.abs().max() > 0
        close(fast, slow, EXACT)


@each_system
def test_gradients_are_those_of_finite_differences(make, dtype):
    system = [x.requires_grad_() for x in make(dtype, longest=0.9)]
    u = signal(make, 6, b=1).requires_grad_()
    D = torch.randn(() if make is full else 3, dtype=REAL).requires_grad_()
    shape = (1, 5) if make is full else (1, 3, 4)
    h0 = torch.randn(*shape, dtype=dtype).requires_grad_()

    def recurrence(*args):
        return lti_recurrence(*args, return_last_state=True)

    assert torch.autograd.gradcheck(recurrence, (u, *system, D, h0))
    assert torch.autograd.gradcheck(
        lambda u_t, h, *s: lti_step(u_t, h, *s), (u[:, 0].detach().requires_grad_(), h0, *system, D)
    )
    assert torch.autograd.gradcheck(lambda *s: lti_kernel(*s, 6), system)
    assert torch.autograd.gradcheck(fft_convolution, (u, lti_kernel(*system, 6).detach().requires_grad_()))


@pytest.mark.parametrize("rule", [discretize_zoh, discretize_bilinear])
def test_systems_far_from_normal_and_stiff(rule, close):
    """LegS with 64 numbers, whose rates reach from 1 to 64: the doubled powers must not lose its digits."""
    A, B = hippo_legs(64)
    A_bar, B_bar = rule(1e-2, A.double(), B.double())
    C, u = torch.randn(1, 64, dtype=REAL), torch.randn(1, 1000, dtype=REAL)
    close(fft_convolution(u, lti_kernel(A_bar, B_bar, C, 1000)), lti_recurrence(u, A_bar, B_bar, C), EXACT)


def test_poles_of_zero_and_one(close):
    """A delay and an accumulator: no logarithm of a pole, nothing divided by 1 - pole."""
    A_bar, B_bar = torch.tensor([[0.0, 1.0]], dtype=REAL), torch.ones(1, 2, dtype=REAL)
    K = lti_kernel(A_bar, B_bar, torch.tensor([[2.0, 3.0]], dtype=REAL), 9)[:, 0]
    close(K, torch.tensor([5.0] + 8 * [3.0], dtype=REAL), 0)
    shift = torch.diag(torch.ones(3, dtype=REAL), -1)  # four numbers, each takes its neighbour's: nilpotent
    first, last = torch.eye(4, dtype=REAL)[:, :1], torch.eye(4, dtype=REAL)[3:]
    close(lti_kernel(shift, first, last, 8), torch.eye(8, dtype=REAL)[3], 0)


@pytest.mark.parametrize("make", MAKES)
def test_float32_stays_near_float64(make, close):
    system, u = make(), signal(make, 1000)
    y = lti_recurrence(u, *system)
    single = [x.float() for x in system]
    close(lti_recurrence(u.float(), *single).double(), y, 1e-4)
    close(fft_convolution(u.float(), lti_kernel(*single, 1000)).double(), y, 1e-4)


def test_types_are_joined_and_half_is_computed_in_float32():
    system = [x.float() for x in diagonal()]
    u = torch.randn(2, 9, 3)
    half, halved = u.bfloat16(), [x.bfloat16() for x in system]
    y, h = lti_recurrence(half, *halved, return_last_state=True)
    assert y.dtype == h.dtype == lti_kernel(*halved, 9).dtype == fft_convolution(half, u[0].bfloat16()).dtype
    assert y.dtype == torch.float32
    assert torch.equal(y, lti_recurrence(half.float(), *(x.float() for x in halved)))
    assert lti_recurrence(u, *diagonal()).dtype == REAL
    assert lti_recurrence(u, *diagonal(COMPLEX)).dtype == COMPLEX
    assert fft_convolution(u, torch.randn(9, 3).double()).dtype == REAL


A, B, C_ROW = full()
DIAG = diagonal()
SEQ, SEQ3 = torch.randn(2, 7, dtype=REAL), torch.randn(2, 7, 3, dtype=REAL)
BAD = [
    (lambda: lti_recurrence([1.0], A, B, C_ROW), TypeError, r"u must be a tensor \(b, l\), got list"),
    (
        lambda: lti_recurrence(SEQ.long(), A, B, C_ROW),
        TypeError,
        "u must be floating point or complex, got torch.int64",
    ),
    (lambda: lti_recurrence(SEQ3, A, B, C_ROW), ValueError, r"u must have shape \(b, l\), got \(2, 7, 3\)"),
    (lambda: lti_recurrence(SEQ, *DIAG), ValueError, r"u must have shape \(b, l, d\) with d=3, got \(2, 7\)"),
    (lambda: lti_recurrence(SEQ3[..., :2], *DIAG), ValueError, r"u must have shape \(b, l, d\) with d=3"),
    (lambda: lti_recurrence(SEQ, A, B[:, 0], C_ROW), ValueError, r"B_bar .* or \(n, 1\) for a full A_bar \(5, 5\)"),
    (lambda: lti_recurrence(SEQ, A, B, C_ROW.T), ValueError, r"C must have shape \(1, n\) with 1=1, n=5, got \(5, 1\)"),
    (lambda: lti_recurrence(SEQ3, DIAG[0], DIAG[1], DIAG[2][:2]), ValueError, r"C must have shape \(d, n\) with d=3"),
    (
        lambda: lti_recurrence(SEQ3, DIAG[0][0], *DIAG[1:]),
        ValueError,
        r"A_bar must have shape \(n, n\) or \(d, n\), got",
    ),
    (lambda: lti_recurrence(SEQ, A.tolist(), B, C_ROW), TypeError, "A_bar must be a tensor"),
    (lambda: lti_recurrence(SEQ, A, B, C_ROW, D=torch.ones(2)), ValueError, "D must be a number where A_bar is full"),
    (lambda: lti_recurrence(SEQ, A, B, C_ROW, D="1"), ValueError, "D must be a number where A_bar is full, got str"),
    (lambda: lti_recurrence(SEQ3, *DIAG, D=torch.ones(2)), ValueError, r"D must have shape \(d\) with d=3, got \(2,\)"),
    (lambda: lti_recurrence(SEQ3, *DIAG, D=1.0), TypeError, r"D must be a tensor \(d\), got float"),
    (lambda: lti_recurrence(SEQ, A, B, C_ROW, h0=SEQ), ValueError, r"h0 must have shape \(b, n\) with b=2, n=5"),
    (lambda: lti_recurrence(SEQ3, *DIAG, h0=SEQ), ValueError, r"h0 must have shape \(b, d, n\) with b=2, d=3, n=4"),
    (lambda: lti_recurrence(SEQ, A, B, C_ROW, return_last_state=1), TypeError, "return_last_state must be True or"),
    (lambda: lti_recurrence(SEQ.to("meta"), A, B, C_ROW), ValueError, "u is on meta, expected cpu"),
    (lambda: lti_step(SEQ, SEQ, A, B, C_ROW), ValueError, r"u_t must have shape \(b\), got \(2, 7\)"),
    (lambda: lti_step(SEQ[:, 0], None, A, B, C_ROW), TypeError, r"h must be a tensor \(b, n\), got NoneType"),
    (lambda: lti_step(SEQ3[:, 0], SEQ, *DIAG), ValueError, r"h must have shape \(b, d, n\)"),
    (lambda: lti_kernel(A, B, C_ROW, -1), ValueError, "l must be at least 0, got -1"),
    (lambda: lti_kernel(A, B, C_ROW, 2.0), TypeError, "l must be a whole number"),
    (lambda: lti_kernel(A, B, None, 2), TypeError, r"C must be a tensor \(1, n\), got NoneType"),
    (lambda: fft_convolution(SEQ[0], SEQ[0]), ValueError, r"u must have shape \(b, l\) or \(b, l, d\), got \(7,\)"),
    (lambda: fft_convolution(SEQ, SEQ3[0]), ValueError, r"K must have shape \(k\), got \(7, 3\)"),
    (lambda: fft_convolution(SEQ3, SEQ3[0, :, :2]), ValueError, r"K must have shape \(k, d\) with d=3, got \(7, 2\)"),
    (lambda: fft_convolution(SEQ3, SEQ3[0].long()), TypeError, "K must be floating point or complex, got torch.int64"),
    (lambda: fft_convolution(None, SEQ), TypeError, "u must be a tensor"),
]


@pytest.mark.parametrize("call, kind, text", [pytest.param(*row, id=f"{i}: {row[2]}") for i, row in enumerate(BAD)])
def test_bad_input_is_named(call, kind, text):
    with pytest.raises(kind, match=text):
        call()
