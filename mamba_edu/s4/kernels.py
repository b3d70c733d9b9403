"""The kernels of S4D and S4: what a time-invariant layer needs to train, one function a step.

A state of n real numbers is kept as n / 2 complex ones. A real A has its complex eigenvalues in conjugate pairs, and
so have P, B and C in that basis; of each pair one is enough: y = C h + conj(C h) = 2 Re(C h). "Pairs" below means the
n / 2 that are kept. Lambda, P, B, C: (n / 2), or (d, n / 2) with a system per channel; delta: a number or (d).

The kernel is K_k = C A_bar^k B_bar. S4D's A is diagonal, and its kernel one product with a Vandermonde matrix,
`diagonal_kernel`. S4's is a diagonal and a correction of rank one, A = Lambda - P P*. Its oracle is `kernel_by_powers`,
the definition with explicit matrices, and `dplr_kernel` takes five steps:

1. `generating_function`: the kernel's Fourier transform, where l powers become one inverse per frequency; with
   `truncate`, C~ = C (1 - A_bar^l), which makes that transform end after l terms.
2. The bilinear rule put in: the inverse of A_bar becomes one of A.
3. `cauchy_kernel`: that inverse, where A is diagonal: sums of n fractions.
4. `woodbury`: the inverse once P P* is there, too, from four such sums.
5. `kernel_from_spectrum`: back from the transform.

Raises TypeError and ValueError, naming the argument.
"""

import math

import torch

from .._validate import check_choice, check_int, check_tensor
from ..discretize import discretize_bilinear, discretize_zoh


def diagonal_kernel(Lambda, B, C, delta, l, rule="zoh"):
    """The kernel of a diagonal system, K_k = C A_bar^k B_bar (S4D's Vandermonde product): (l) or (d, l), real.

    Lambda, B, C: pairs, or real tensors of the same layout whose n numbers have no conjugates. delta: the step.
    rule: "zoh" or "bilinear". Costs l n products a channel, in one array of that size.
    """
    delta = _check_system(delta, l, Lambda, B=B, C=C)
    A_bar, B_bar = discretize_pairs(rule, delta, Lambda, B)
    powers = powers_of(rule, delta, Lambda, A_bar, l)  # (d, n / 2, l): the Vandermonde matrix
    return read_pairs((C * B_bar)[..., None, :] @ powers)[..., 0, :]


def kernel_by_powers(A_bar, B_bar, C, l):
    """The kernel from its definition, K_k = C A_bar^k B_bar: (l) or (d, l). `lti_kernel`, for one full system or for d.

    A_bar (n, n), B_bar (n, 1), C (1, n), each with d in front or without. Costs l n^2 products a channel.
    """
    _check_dense(A_bar, B_bar, C, l)
    return (C @ krylov(A_bar, B_bar, l))[..., 0, :]


def roots_of_unity(l):
    """z_j = exp(-2 pi i j / l), j = 0 ... l // 2, complex128: the frequencies that a real kernel of length l needs."""
    check_int("l", l, 1)
    return torch.exp(-2j * math.pi * torch.arange(l // 2 + 1, dtype=torch.float64) / l)


def generating_function(A_bar, B_bar, C, l):
    """K^(z) = sum_k K_k z^k, k = 0 ... l - 1, at the roots of unity: (l // 2 + 1) or (d, l // 2 + 1), complex.

    The series is geometric: K^(z) = C (1 - A_bar^l z^l)(1 - A_bar z)^-1 B_bar, and z^l = 1 at these roots (S4
    appendix C.3). An FFT's worth of inverses of n x n matrices; `kernel_from_spectrum` is the way back. Shapes as in
    `kernel_by_powers`.
    """
    _check_dense(A_bar, B_bar, C, l)
    C_tilde = C - row_times_power(C, A_bar, l)
    dtype = torch.promote_types(A_bar.dtype, torch.complex64)
    z = roots_of_unity(l).to(A_bar.device, dtype)
    A_bar, B_bar, C_tilde = (matrix.to(dtype).unsqueeze(-3) for matrix in (A_bar, B_bar, C_tilde))
    one = torch.eye(A_bar.shape[-1], dtype=dtype, device=A_bar.device)
    return (C_tilde @ torch.linalg.solve(one - A_bar * z[:, None, None], B_bar))[..., 0, 0]


def kernel_from_spectrum(spectrum, l):
    """The inverse FFT: a spectrum (..., l // 2 + 1) at the roots of unity -> the real kernel (..., l)."""
    return torch.fft.irfft(spectrum, n=check_int("l", l, 1))


def real_system(Lambda, P, B, C):
    """Pairs as real matrices: A (..., n, n), B (..., n, 1), C (..., 1, n) for the state (Re h, Im h).

    h' = Lambda h - P (P* h + conj(P* h)) + B u: the correction takes the pair's other half with it, hence the 2 below.
    """
    rate, turn = torch.diag_embed(Lambda.real), torch.diag_embed(Lambda.imag)
    A = torch.cat([torch.cat([rate, -turn], -1), torch.cat([turn, rate], -1)], -2)  # (..., n, n)
    p = torch.cat([P.real, P.imag], -1)
    A = A - 2 * p[..., :, None] * p[..., None, :]
    B = torch.cat([B.real, B.imag], -1)[..., :, None]
    return A, B, 2 * torch.cat([C.real, -C.imag], -1)[..., None, :]


def truncate(Lambda, P, C, delta, l):
    """C~ = C (1 - A_bar^l), pairs: what is read after l steps is taken off, so that the kernel ends there.

    A_bar is the bilinear one of A = Lambda - P P*. S4 makes C~ the parameter and never forms A_bar^l; but then C
    depends on l and delta, and a layer trained at one length is another layer at the next. Here C is the parameter, and
    log2(l) products of real n x n matrices a channel are the price, n^3 log2(l) in all.
    """
    A, B, row = real_system(Lambda, P, C, C)
    row = row - row_times_power(row, bilinear_of_each(delta, A, B)[0], l)
    real, imag = row[..., 0, :].chunk(2, -1)
    return torch.complex(real, -imag) / 2


def cauchy_kernel(weights, Lambda, alpha, beta):
    """sum_i weights_i / (alpha - beta Lambda_i), for r lists of weights at once.

    weights: (..., r, n); Lambda: (..., n); alpha: (m); beta: (..., m). Returns (..., r, m). With beta = 1 these are the
    sums of 1 / (g - Lambda_i) that Cauchy's matrix is made of, at g = alpha. Two letters, because g = alpha / beta is
    infinite at z = -1, where beta is 0. All n m fractions are in memory.
    """
    fractions = 1 / (alpha[:, None] - beta[..., :, None] * Lambda[..., None, :])  # (..., m, n)
    return weights @ fractions.mT


def woodbury(CB, CP, PB, PP, beta):
    """C (R^-1 + beta P P*)^-1 B from the four numbers C R B, C R P, P* R B, P* R P (Woodbury's identity, rank one).

    All of one shape: one number per frequency.
    """
    return CB - CP * beta * PB / (1 + beta * PP)


def dplr_kernel(Lambda, P, B, C, delta, l):
    """The kernel of A = Lambda - P P* under the bilinear rule, through its transform: (l) or (d, l), real.

    Put A_bar and B_bar of `discretize_bilinear` into the generating function, and both inverses become one:
    C~ (1 - A_bar z)^-1 B_bar = delta C~ (alpha - beta A)^-1 B, alpha = 1 - z, beta = (1 + z) delta / 2.
    There alpha - beta A = (alpha - beta Lambda) + beta P P*: a diagonal, and Woodbury's rank one (S4 appendix C.3).
    Costs l n / 2 fractions a channel, in one array of that size, and `truncate`.
    """
    delta = _check_system(delta, l, Lambda, P=P, B=B, C=C, complex_only=True)
    C = truncate(Lambda, P, C, delta, l)
    Lambda, P, B, C = (torch.cat([x, x.conj()], -1) for x in (Lambda, P, B, C))  # (d, n): each pair is whole again
    z = roots_of_unity(l).to(Lambda.device)
    alpha, beta = (1 - z).to(Lambda.dtype), delta[..., None] / 2 * (1 + z).to(Lambda.dtype)  # (m), (d, m)
    weights = torch.stack([C * B, C * P, P.conj() * B, P.conj() * P], -2)  # (d, 4, n)
    CB, CP, PB, PP = cauchy_kernel(weights, Lambda, alpha, beta).unbind(-2)  # (d, m) each
    return kernel_from_spectrum(delta[..., None] * woodbury(CB, CP, PB, PP, beta), l)


def read_pairs(h):
    """2 Re(h) where h is of pairs; h itself where there are none."""
    return 2 * h.real if h.is_complex() else h


def discretize_pairs(rule, delta, Lambda, B):
    check_choice("rule", rule, ("zoh", "bilinear"))
    return (discretize_zoh if rule == "zoh" else discretize_bilinear)(delta, Lambda, B)


def bilinear_of_each(delta, A, B):
    """`discretize_bilinear` of one full system (n, n), or of d of them."""
    return discretize_bilinear(delta, A, B) if A.dim() == 2 else torch.vmap(discretize_bilinear)(delta, A, B)


def powers_of(rule, delta, Lambda, A_bar, l):
    """A_bar^0 ... A_bar^(l - 1): (..., n) -> (..., n, l)."""
    if rule == "zoh":
        steps = torch.arange(l, dtype=delta.dtype, device=delta.device)
        return torch.exp((delta[..., None] * Lambda)[..., None] * steps)
    columns = torch.ones_like(A_bar)[..., None]  # by doubling: a logarithm would fail where A_bar is 0
    while columns.shape[-1] < l:
        columns = torch.cat([columns, A_bar[..., None] * columns[..., : l - columns.shape[-1]]], -1)
        A_bar = A_bar * A_bar
    return columns


def krylov(A_bar, v, l):
    """v, A_bar v, ... A_bar^(l - 1) v: (..., n, 1) -> (..., n, l), by doubling."""
    columns = v
    while columns.shape[-1] < l:
        columns = torch.cat([columns, A_bar @ columns[..., : l - columns.shape[-1]]], -1)
        A_bar = A_bar @ A_bar
    return columns


def row_times_power(row, A_bar, l):
    """row A_bar^l: (..., 1, n), by the binary digits of l."""
    while l:
        if l % 2:
            row = row @ A_bar
        l //= 2
        A_bar = A_bar @ A_bar if l else A_bar
    return row


def _check_system(delta, l, Lambda, *, complex_only=False, **others):
    """Check the parts of a system against Lambda (n / 2) or (d, n / 2); return delta as a tensor () or (d)."""
    check_int("l", l, 1)
    for name, x in {"Lambda": Lambda, **others}.items():
        if not isinstance(x, torch.Tensor) or not (x.is_complex() or (x.is_floating_point() and not complex_only)):
            kind = str(x.dtype) if isinstance(x, torch.Tensor) else type(x).__name__
            raise TypeError(f"{name} must be a {'complex' if complex_only else 'complex or real'} tensor, got {kind}")
        if x.dim() not in (1, 2) or x.shape != Lambda.shape or x.dtype != Lambda.dtype:
            like = f"Lambda's {tuple(Lambda.shape)} and {Lambda.dtype}"
            raise ValueError(f"{name} must be (n) or (d, n), like {like}, got {tuple(x.shape)} and {x.dtype}")
    delta = torch.as_tensor(delta, dtype=Lambda.real.dtype, device=Lambda.device)
    if delta.shape not in ((), Lambda.shape[:-1]):
        raise ValueError(f"delta must be a number or {tuple(Lambda.shape[:-1])}, got {tuple(delta.shape)}")
    return delta.expand(Lambda.shape[:-1])


def _check_dense(A_bar, B_bar, C, l):
    check_int("l", l, 1)
    front = "(" if isinstance(A_bar, torch.Tensor) and A_bar.dim() == 2 else "(d, "
    *d, n, _ = check_tensor("A_bar", A_bar, front + "n, n)", dtype=None)
    sizes = {"n": n, "1": 1, **({"d": d[0]} if d else {})}
    check_tensor("A_bar", A_bar, front + "n, n)", sizes, dtype=None)
    check_tensor("B_bar", B_bar, front + "n, 1)", sizes, dtype=None)
    check_tensor("C", C, front + "1, n)", sizes, dtype=None)
