"""Which A remembers: HiPPO-LegS, the matrix behind S4, and the diagonal ones that came after it.

LegS keeps the n best Legendre coefficients of everything seen so far. There are two memories with the same A and B:

====================  =====================  =======================================================================
function              the state obeys        what the state holds at time t
====================  =====================  =======================================================================
`legs_memory`,        h' = (A h + B u) / t   the past on [0, t], every moment with the same weight 1 / t
HiPPO's own
`legs_memory_fixed`,  h' = A h + B u         the past up to t, weighted by exp(-(t - s)): sharp for what is recent,
where S4 starts                              blurred and fading for what is old
====================  =====================  =======================================================================

They are one memory on two clocks. Write the first with the clock log t, whose tick is dt / t, and it is the second; so
a moment s, which HiPPO finds at the fraction s / t of its past, stands in the fixed one at exp(-(t - s)). Everything
here is made in float64 or complex128; cast it where it is used. Raises TypeError and ValueError, naming the argument.
"""

import math

import torch

from ._validate import check_choice, check_int, check_number, check_tensor
from .discretize import discretize_bilinear, discretize_zoh

_RULES = {"bilinear": discretize_bilinear, "zoh": discretize_zoh}


def hippo_legs(n):
    """HiPPO-LegS for n coefficients: A (n, n), lower triangular, and B (n, 1), float64.

    A_ik = -sqrt((2i + 1)(2k + 1)) below the diagonal, -(i + 1) on it, 0 above; B_i = sqrt(2i + 1). (HiPPO's theorem
    on LegS, which writes c' = -A c / t + B u / t; S4 eq. 2.)
    """
    check_int("n", n, 1)
    i = torch.arange(n, dtype=torch.float64)
    root = torch.sqrt(2 * i + 1)  # (n)
    A = -torch.outer(root, root).tril(-1) - torch.diag(i + 1)
    return A, root[:, None]


def legs_basis(n, positions):
    """The first n scaled Legendre polynomials, L_i(x) = sqrt(2i + 1) P_i(2x - 1), orthonormal on [0, 1].

    positions: (...) in [0, 1], 0 the far end of the past and 1 now. Returns (..., n) in the dtype of positions.
    """
    check_int("n", n, 1)
    if not isinstance(positions, torch.Tensor) or not positions.is_floating_point():
        raise TypeError(f"positions must be a floating-point tensor, got {_kind(positions)}")
    if not ((positions >= 0) & (positions <= 1)).all():
        raise ValueError("positions must lie in [0, 1], got values outside")
    z = 2 * positions - 1
    before, now, columns = torch.zeros_like(z), torch.ones_like(z), []
    for i in range(n):
        columns.append(math.sqrt(2 * i + 1) * now)
        before, now = now, ((2 * i + 1) * z * now - i * before) / (i + 1)  # Bonnet's recursion
    return torch.stack(columns, dim=-1)


def legs_memory(u, n, rule="bilinear"):
    """HiPPO's own memory, read sample by sample: h' = (A h + B u) / t from an empty past at t = 0.

    u: (l), one sample per unit of time; u[k] stands from t = k to t = k + 1. Returns (l, n) in u's dtype: row k holds
    the coefficients of the whole past at t = k + 1, c_i = (1 / t) int_0^t u(s) L_i(s / t) ds, as far as the rule is
    exact. There is no step size to choose: stretch the signal in time and the coefficients stay what they are.

    rule: "bilinear", the trapezoid rule with 1 / t taken in the middle of the step, delta_k = 1 / (k + 1/2) (HiPPO's
    appendix on discretisation takes 1 / t at either end, each for its half); or "zoh", exact for held samples: on the
    clock log t a step lasts delta_k = log((k + 1) / k), and the first, which lasts forever, leaves the coefficients of
    a constant.
    """
    A, B, (l,) = *hippo_legs(n), check_tensor("u", u, "(l)")
    check_choice("rule", rule, tuple(_RULES))
    k = torch.arange(l, dtype=torch.float64)
    if rule == "bilinear":
        return _run(u, A, B, 1 / (k + 0.5), rule)
    first = u[:1, None] * torch.eye(1, n, dtype=u.dtype, device=u.device)  # (1, n): u[0] times L_0 = 1
    rest = _run(u[1:], A, B, torch.log((k[1:] + 1) / k[1:]), rule, first.double().sum(0))
    return torch.cat([first, rest])


def legs_memory_fixed(u, n, delta, rule="bilinear"):
    """The memory that S4 starts from: h' = A h + B u with the A of LegS as it is, not divided by t.

    u: (l); delta: the step from one sample to the next, positive, in A's unit of time: a memory of about 1 / delta
    samples. Returns (l, n) in u's dtype: row k holds, for the past of sample k,
    c_i = int_0^inf u(t - a) exp(-a) L_i(exp(-a)) da, as far as the rule ("bilinear" or "zoh") is exact.
    """
    A, B, (l,) = *hippo_legs(n), check_tensor("u", u, "(l)")
    check_choice("rule", rule, tuple(_RULES))
    check_number("delta", delta, above=0)
    return _run(u, A, B, torch.full((l,), float(delta), dtype=torch.float64), rule)


def _run(u, A, B, steps, rule, h=None):
    """The recurrence with a step of its own for every sample: u, steps: (l) -> states (l, n)."""
    A, B, steps = (t.to(u.device) for t in (A, B, steps))
    h = A.new_zeros(len(A)) if h is None else h
    states = []
    for samples, deltas in zip(u.double().split(128), steps.split(128)):  # 128 matrices at a time fit in the cache
        if len(A) == 1:  # read as a diagonal system: a (1, 1) A would be that of one channel
            A_bar, B_bar = (x[..., None] for x in _RULES[rule](deltas, A[0], B[0]))
        else:
            A_bar, B_bar = _RULES[rule](deltas, A, B)  # (128, n, n), (128, n, 1)
        for sample, keep, write in zip(samples, A_bar, B_bar):
            h = keep @ h + write[:, 0] * sample  # (n)
            states.append(h)
    return torch.stack(states).to(u.dtype) if states else u.new_zeros(0, len(A))


def legs_reconstruct(coefficients, *, positions=None, ages=None):
    """The past that coefficients of LegS stand for: sum_i c_i L_i(x), the best polynomial of degree n - 1 in x.

    coefficients: (..., n). Exactly one of
    positions: (m) in [0, 1], for HiPPO's own memory: the moment s of a past [0, t] is at x = s / t;
    ages: (m), 0 or more, for the fixed A: what was a = t - s ago is at x = exp(-a), in A's unit of time (a step of
    delta per sample: a = delta times the number of samples).
    Returns (..., m).
    """
    if not isinstance(coefficients, torch.Tensor) or not coefficients.is_floating_point():
        raise TypeError(f"coefficients must be a floating-point tensor (..., n), got {_kind(coefficients)}")
    if coefficients.dim() == 0 or coefficients.shape[-1] == 0:
        raise ValueError(f"coefficients must have shape (..., n), n at least 1, got {tuple(coefficients.shape)}")
    if (positions is None) == (ages is None):
        raise ValueError("give either positions (HiPPO's own memory) or ages (the fixed A), not both or neither")
    if positions is None:
        check_tensor("ages", ages, "(m)")
        if not (ages >= 0).all():
            raise ValueError("ages must be 0 or more, got values below")
        positions = torch.exp(-ages)
    check_tensor("positions", positions, "(m)")
    basis = legs_basis(coefficients.shape[-1], positions.to(coefficients))  # (m, n)
    return coefficients @ basis.mT


def legs_nplr(n):
    """A of LegS as a normal matrix minus a correction of rank one: A = N - P P^T (S4 theorem 1).

    N = -1/2 + a skew-symmetric matrix (n, n); P_i = sqrt(i + 1/2) (n), which is B / sqrt(2). float64. Why P: adding
    P P^T to A adds sqrt((2i + 1)(2k + 1)) / 2 everywhere, which leaves +half of that above the diagonal, -half below,
    and -1/2 on it.
    """
    A, B = hippo_legs(n)
    P = B[:, 0] / math.sqrt(2)
    return A + torch.outer(P, P), P


def legs_dplr(n):
    """LegS in the basis where its normal part is diagonal: Lambda, P, B (n), and the basis V (n, n), complex128.

    A = V (diag(Lambda) - P P*) V*, and V* times the B of `hippo_legs` is this B; V is unitary, so nothing is lost or
    magnified on the way (S4 section 3.1; A itself has eigenvectors, too, but their matrix has entries of size
    2^(4n/3): S4 lemma 3.2). The real parts of Lambda are all -1/2.

    Order: the first n // 2 have positive imaginary parts, largest first; the next n // 2 are their conjugates in the
    same order; for odd n a real one comes last. An eigenvector is free up to a phase; here it is such that P and B are
    real and positive, so the answer is unique.
    """
    N, P = legs_nplr(n)
    skew = (N - N.mT) / 2
    frequency, vectors = torch.linalg.eigh(-1j * skew)  # Hermitian: real frequencies, ascending, in pairs of +-
    half = n // 2
    frequency, vectors = frequency[n - half :].flip(0), vectors[:, n - half :].flip(1)
    inner = P.to(vectors) @ vectors
    vectors = vectors * (inner.conj() / inner.abs())  # now P is real and positive in this basis
    V = torch.cat([vectors, vectors.conj()], dim=1)  # (n, n or n - 1)
    frequency = torch.cat([frequency, -frequency, frequency.new_zeros(n % 2)])
    if n % 2:  # the eigenvector of frequency 0 is real, and is what the others leave over
        left = P.to(V) - V @ (V.mH @ P.to(V))
        V = torch.cat([V, (left.real / left.real.norm())[:, None]], dim=1)
    P = V.mH @ P.to(V)
    return torch.complex(torch.full_like(frequency, -0.5), frequency), P, math.sqrt(2) * P, V


def s4d_lin(n):
    """S4D-Lin: -1/2 + i pi k, a Fourier series under a decaying envelope (S4D, on initialisation).

    n even; k = 0 ... n/2 - 1 first, then their conjugates. Returns (n) complex128.
    """
    k = _pair_index(n)
    return _with_conjugates(math.pi * k)


def s4d_inv(n):
    """S4D-Inv: -1/2 + i (n / pi)(n / (2k + 1) - 1), the law that Lambda of LegS approaches (S4D, likewise).

    For a fixed k both grow as n^2 / (pi (2k + 1)) and their ratio tends to 1: S4D-Inv is 1.5 percent below LegS at
    n = 64, k = 0. Elsewhere the law is a rough one: at k = n / 4 it is 22 percent low however large n is, and the
    lowest frequency comes out 1.2 times too high at n = 64, 1.5 times at n = 256.
    n even; k = 0 ... n/2 - 1 first, then their conjugates. Returns (n) complex128.
    """
    k = _pair_index(n)
    return _with_conjugates(n / math.pi * (n / (2 * k + 1) - 1))


def s4d_real(n):
    """S4D-Real: -1, -2, ... -n: the eigenvalues of LegS itself, real. Returns (n) float64.

    Mamba starts from it (Mamba section 3.6).
    """
    check_int("n", n, 1)
    return -torch.arange(1, n + 1, dtype=torch.float64)


def _pair_index(n):
    check_int("n", n, 2)
    if n % 2:
        raise ValueError(f"n must be even, for conjugate pairs, got {n}")
    return torch.arange(n // 2, dtype=torch.float64)


def _with_conjugates(frequency):
    """-1/2 + i frequency, followed by the conjugates: (n/2) -> (n)."""
    frequency = torch.cat([frequency, -frequency])
    return torch.complex(torch.full_like(frequency, -0.5), frequency)


def _kind(x):
    return str(x.dtype) if isinstance(x, torch.Tensor) else type(x).__name__
