"""Chapter 4's graders: right answers of several kinds pass, each likely mistake gets the hint meant for it."""

import math

import torch
from graders import test_each_mistake_gets_its_own_hint, test_right_answers_pass  # noqa: F401

from mamba_edu import checks, fft_convolution
from mamba_edu.checks.chapter04 import _kernels


def through_fft(u, K, size=None, flip=False, conj=False, cut=True):
    size = size or 2 * len(u)
    K = K.flip(0) if flip else K
    spectrum = torch.fft.rfft(K, n=size)
    y = torch.fft.irfft(torch.fft.rfft(u, n=size) * (spectrum.conj() if conj else spectrum), n=size)
    return y[: len(u)] if cut else y


def cascade(p, q, l):
    j = torch.arange(l).double()
    return (j + 1) * p**j if p == q else (p ** (j + 1) - q ** (j + 1)) / (p - q)


def poured(p, q, l):
    first = second = 0.0
    K = []
    for j in range(l):
        first = p * first + (j == 0)
        second = q * second + first
        K.append(second)
    return torch.tensor(K)


def powers(A_bar, l):
    return A_bar[:, None] ** torch.arange(l)  # (n, l)


def halves(u, h, A_bar, B_bar, C, shift=1, keep_h=True, order=-1, last_h=None):
    l = len(u)
    y = through_fft(u, (C * B_bar) @ powers(A_bar, l))
    if keep_h:
        y = y + (C * h * A_bar**shift) @ powers(A_bar, l)
    written = powers(A_bar, l) * B_bar[:, None]
    came = (written.flip(1) if order == -1 else written) @ u
    return y, came + (A_bar**l * h if last_h is None else last_h * h)


def loop(u, h, A_bar, B_bar, C):
    y = []
    for u_t in u:
        h = A_bar * h + B_bar * u_t
        y.append(C @ h)
    return [torch.stack(y), h]


def hankel(K, tolerance=1e-9):
    m = len(K) // 2
    rows = torch.stack([K[i : i + m] for i in range(m)])
    values = torch.linalg.svdvals(rows)
    return int((values > tolerance * values[0]).sum()) if values[0] > 0 else 0


def toeplitz(K):
    l = len(K)
    rows = torch.stack([torch.cat([K[: t + 1].flip(0), torch.zeros(l - 1 - t)]) for t in range(l)])
    return int(torch.linalg.matrix_rank(rows)) if K.abs().max() > 0 else 0


def prony(K, sign=1):
    a, b = torch.linalg.solve(torch.stack([K[1:3], K[:2]], 1), K[2:4]).tolist()
    root = (a * a + 4 * b) ** 0.5
    return sign * (a + root) / 2, sign * (a - root) / 2


def by_eigenvalues(K):
    m = len(K) // 2
    left = torch.stack([K[i : i + m] for i in range(2)], 1)
    right = torch.stack([K[i + 1 : i + 1 + m] for i in range(2)], 1)
    return torch.linalg.eigvals(torch.linalg.lstsq(left, right).solution)


def in_full(u, K, given=True):
    n = 2 * len(u) - 1
    spectrum = torch.fft.rfft(u, n=n) * torch.fft.rfft(K, n=n)
    return torch.fft.irfft(spectrum, n=n) if given or n == 1 else torch.fft.irfft(spectrum)


def factors(K):
    """a, b of K_{j+2} = a K_{j+1} + b K_j."""
    a, b = torch.linalg.solve(torch.stack([K[1:3], K[:2]], dim=1), K[2:4]).tolist()
    return a, b


def roots(a, b, root=lambda x: complex(x) ** 0.5):
    middle = root(a * a + 4 * b)
    return (a + middle) / 2, (a - middle) / 2


RIGHT = {
    "linear_convolution": [
        through_fft,
        fft_last := lambda u, K: fft_convolution(u[None], K)[0],
        lambda u, K: through_fft(u, K, size=2 * len(u) - 1),
        lambda u, K: fft_last(u.float(), K.float()),
    ],
    "cascade_kernel": [cascade, poured, lambda p, q, l: poured(q, p, l).double()],
    "second_half": [halves, loop],
    "state_size": [hankel, lambda K: torch.tensor(hankel(K)), lambda K: float(hankel(K))],
    "poles": [prony, by_eigenvalues, lambda K: list(reversed(prony(K)))],
}

WRONG = [
    ("linear_convolution", lambda u, K: through_fft(u, K, size=len(u)), "the end still leaks"),
    ("linear_convolution", lambda u, K: through_fft(u, K, size=len(u) + 3), "l + 3 places are not enough"),
    ("linear_convolution", lambda u, K: through_fft(u, K, size=2 * len(u) - 2 or 1), "l + 6 places are not enough"),
    ("linear_convolution", lambda u, K: through_fft(u, K, size=max(16, len(u))), "the circle has l places"),
    ("linear_convolution", lambda u, K: through_fft(u, K, conj=True), "a correlation"),
    ("linear_convolution", lambda u, K: through_fft(u, K, flip=True), "no flipped kernel"),
    ("linear_convolution", lambda u, K: through_fft(u, K, cut=False), "cut off what comes after the end"),
    ("linear_convolution", lambda u, K: torch.roll(through_fft(u, K, cut=False), 1)[: len(u)], "one step late"),
    ("linear_convolution", lambda u, K: through_fft(u, K, cut=False)[len(u) :], "off by"),
    ("linear_convolution", lambda u, K: through_fft(u, K) / len(u), "off by 87.5%"),
    ("linear_convolution", lambda u, K: through_fft(u, K) * 1.1, "off by 10.0%"),
    ("linear_convolution", lambda u, K: through_fft(u, K) + 0j, "irfft"),
    ("linear_convolution", lambda u, K: through_fft(u, K) * math.nan, "NaN"),
    ("linear_convolution", lambda u, K: through_fft(u, K).tolist(), "should be a tensor"),
    ("linear_convolution", lambda u, K: in_full(u, K)[-len(u) :], "those are the last l places"),
    ("linear_convolution", lambda u, K: in_full(u, K, given=False)[: len(u)], "tell it your n, too"),
    ("cascade_kernel", lambda p, q, l: (p * q) ** torch.arange(l).double(), "place by place"),
    ("cascade_kernel", lambda p, q, l: p ** torch.arange(l).double() + q ** torch.arange(l).double(), "side by side"),
    ("cascade_kernel", lambda p, q, l: torch.cat([torch.zeros(1), cascade(p, q, l)[:-1]]), "one step late"),
    ("cascade_kernel", lambda p, q, l: cascade(p, q, l) * (p - q), "divide by p - q"),
    (
        "cascade_kernel",
        lambda p, q, l: (
            (p ** torch.arange(1, l + 1).double() - q ** torch.arange(1, l + 1).double()) / torch.tensor(p - q)
        ),
        "for p = q you divide by zero",
    ),
    ("cascade_kernel", lambda p, q, l: cascade(p, q, l) * (-1 if p != q else 1), "K_0 should be 1, yours is -1"),
    (
        "cascade_kernel",
        lambda p, q, l: cascade(p, q if p != q else q + 1e-3, l),
        "for p = 0.9, q = 0.9 K_1 should be 1.8, yours is 1.801",
    ),
    (
        "cascade_kernel",
        lambda p, q, l: p ** torch.arange(l).double() if p == q else cascade(p, q, l),
        "for p = 0.9, q = 0.9 K_1 should be 1.8, yours is 0.9",
    ),
    ("cascade_kernel", lambda p, q, l: (1 - p) * (1 - q) * cascade(p, q, l), "K_0 should be 1, yours is 0.05"),
    ("cascade_kernel", lambda p, q, l: cascade(p, q, l) + 1, "K_0 should be 1, yours is 2"),
    ("cascade_kernel", lambda p, q, l: cascade(p, q, l)[1:], "shape"),
    ("second_half", lambda *a: halves(*a, keep_h=False), "as if nothing had come before"),
    ("second_half", lambda *a: halves(*a, shift=0), "the power is t + 1"),
    ("second_half", lambda u, h, A, B, C: (halves(u, 0 * h, A, B, C)[0] + C @ h, h), "h fades"),
    ("second_half", lambda u, h, A, B, C: halves(u, h, A, A * B, C), "y[0] should be 0.2215, yours is 0.2422"),
    (
        "second_half",
        lambda u, h, A, B, C: halves(u, h, A, torch.ones_like(B), C),
        "y[0] should be 0.2215, yours is 0.4661",
    ),
    ("second_half", lambda u, h, A, B, C: halves(u, B * h, A, B, C), "does not touch it"),
    ("second_half", lambda *a: halves(*a, shift=2), "y[0] should be 0.2215"),
    ("second_half", lambda *a: (halves(*a)[0] + 1, a[1]), "yours is"),
    ("second_half", lambda *a: (halves(*a)[0], a[1]), "the one before"),
    ("second_half", lambda *a: halves(*a, last_h=0), "forgets h"),
    ("second_half", lambda *a: halves(*a, last_h=1), "has h in full"),
    ("second_half", lambda *a: halves(*a, order=1), "the wrong way round"),
    (
        "second_half",
        lambda u, h, A, B, C: (halves(u, h, A, B, C)[0], halves(u, h, A, A * B, C)[1]),
        "the newest input is written",
    ),
    ("second_half", lambda *a: (halves(*a)[0], halves(*a)[1] * 1.01), "the last state is off by 1.0%"),
    (
        "second_half",
        lambda u, h, A, B, C: (halves(u, h, A, B, C)[0], halves(u, h / A, A, B, C)[1]),
        "kept l times, not l - 1",
    ),
    ("second_half", lambda *a: halves(*a)[0], "the pair"),
    ("second_half", lambda *a: (halves(*a)[0][:3], a[1]), "shape"),
    ("state_size", lambda K: hankel(K, 0.0), "are singular values dropped that are only rounding?"),
    ("state_size", toeplitz, "rows K_i, K_i+1"),
    ("state_size", lambda K: 2, "a bucket: 1 in all, you say 2"),
    ("state_size", lambda K: min(hankel(K), 4), "five buckets: 5 in all, you say 4"),
    ("state_size", lambda K: hankel(K) or 1, "nothing: 0 in all, you say 1"),
    ("state_size", lambda K: hankel(K[:4]), "3 in all, you say 2"),
    ("state_size", lambda K: hankel(K, 1e-4), "10,000 times fainter: 2 in all, you say 1"),
    ("state_size", lambda K: hankel(K) - 1, "a bucket: 1 in all, you say 0"),
    ("state_size", lambda K: hankel(K[:8]), "five buckets: 5 in all, you say 4"),
    ("state_size", lambda K: math.nan, "a whole number, yours is nan"),
    ("state_size", lambda K: 1.5, "a whole number"),
    ("poles", lambda K: prony(K, sign=-1), "the wrong sign"),
    ("poles", lambda K: tuple(1 / p for p in prony(K)), "1 / p and 1 / q"),
    ("poles", lambda K: tuple(complex(p).real for p in prony(K)), "its poles are complex"),
    ("poles", lambda K: (K[1] / K[0], K[2] / K[1]), "the best kernel is off by"),
    ("poles", lambda K: (prony(K)[0],) * 2, "the best kernel is off by"),
    ("poles", lambda K: tuple(2 * p for p in prony(K)), "divides by 2"),
    ("poles", lambda K: roots(*factors(K)[::-1]), "the two factors are swapped"),
    ("poles", lambda K: roots(factors(K)[0], -factors(K)[1]), "the second factor has the wrong sign"),
    ("poles", lambda K: roots(*factors(K), root=math.sqrt), "these poles are complex"),
    ("poles", lambda K: prony(K)[:1], "two numbers"),
    ("poles", lambda K: ("a", "b"), "should be numbers"),
    ("poles", lambda K: (math.nan, 1.0), "finite"),
]


def test_an_answer_may_change_what_it_is_given():
    def spoils(*given):
        answer = halves(*(x.clone() for x in given))
        for x in given:
            x.zero_()
        return answer

    assert checks.check_second_half(spoils)


def test_the_kernels_need_as_many_numbers_as_the_grader_says():
    """A recurrence of length n fits each kernel to the last digit, one of length n - 1 does not."""
    for name, (K, n) in _kernels().items():
        for order in (n, n - 1):
            if order < 1:
                assert (K.abs().max() == 0) == (n == 0), name
                continue
            past = torch.stack([K[i : i + 2 * n] for i in range(order)], 1)  # (2 n, order)
            future = K[order : order + 2 * n]
            fitted = past @ torch.linalg.lstsq(past, future[:, None], driver="gelsd").solution[:, 0]
            off = (fitted - future).abs().max() / K.abs().max()
            assert (off < 1e-9) == (order == n), (name, order, off)
