"""Graders of chapter 4: off the circle, two buckets in a row, a carried state, the size of a system, its poles."""

import math

import torch

from ._answers import expect_values
from ._result import expect, grader


def _expect_values(got, shape, what):
    turned = isinstance(got, torch.Tensor) and got.is_complex()
    expect(not turned, f"{what} should be real: after an inverse FFT take irfft, or the real part")
    return expect_values(got, shape, what)


def _same(got, wanted, tolerance=1e-6):
    return bool((got - wanted).abs().max() <= tolerance * wanted.abs().max().clamp(min=1e-12))


def _random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def _sums(u, K, size=None):
    """The convolution by its sum, cut to l; on a circle of `size` places where that is given."""
    l = len(u)
    y = torch.zeros(size or 2 * l, dtype=torch.float64)
    for t in range(l):
        for j in range(l):
            y[(t + j) % len(y)] += K[j] * u[t]
    return y[:l]


@grader
def check_linear_convolution(convolve):
    """`convolve(u, K) -> y`, (l), (l) -> (l), through the FFT: y_t = sum_j K_j u_{t-j} and nothing from the end."""
    for l in (8, 1, 2, 5, 64, 99):
        u, K = _random(l, seed=l), _random(l, seed=l + 1)
        got = convolve(u.clone(), K.clone())
        long = isinstance(got, torch.Tensor) and got.dim() == 1 and len(got) > l
        expect(not long, f"{l} inputs give {l} outputs: cut off what comes after the end")
        got, wanted = _expect_values(got, (l,), "y"), _sums(u, K)
        if _same(got, wanted):
            continue
        expect(not _same(got, _sums(u, K, l)), "the end still leaks into the beginning: the circle has l places")
        for size in range(l + 1, 2 * l - 1):
            room = f"l + {size - l} places are not enough for all products of l = {l} inputs and {l} weights"
            expect(not _same(got, _sums(u, K, size)), room)
        backwards = torch.stack([(K[: l - t] * u[t:]).sum() for t in range(l)])
        expect(not _same(got, backwards), "that is a correlation: it looks into the future; no conjugate is needed")
        expect(not _same(got, _sums(u, K.flip(0))), "the FFT needs no flipped kernel: it does the flipping itself")
        late = torch.cat([torch.zeros(1, dtype=torch.float64), wanted[:-1]])
        expect(not _same(got, late), "one step late: y_0 is K_0 u_0")
        last = torch.cat([torch.zeros(1, dtype=torch.float64), _sums(u.flip(0), K.flip(0))[: l - 1].flip(0)])
        tail = torch.cat([wanted[-1:], last[1:]]) if l > 1 else wanted
        expect(not _same(got, tail), "those are the last l places of the product: the first l are wanted")
        even = torch.fft.irfft(torch.fft.rfft(u, n=2 * l - 1) * torch.fft.rfft(K, n=2 * l - 1))[:l]
        same = len(even) == l and _same(got, even)
        expect(not same, "irfft alone makes an even number of values: tell it your n, too")
        off = (got - wanted).abs().max() / wanted.abs().max()
        expect(False, f"for l = {l} y is off by {off:.1%} of its largest value")
    return "no circle"


@grader
def check_cascade_kernel(kernel):
    """`kernel(p, q, l) -> (l)`: a bucket that keeps p, poured into one that keeps q at the same step, which is read."""
    for p, q, l in ((0.9, 0.5, 9), (0.3, 0.8, 20), (-0.5, 0.7, 12), (0.9, 0.9, 30), (0.6, 0.0, 5)):
        first, second = p ** torch.arange(l).double(), q ** torch.arange(l).double()
        got, wanted = _expect_or_equal(kernel(p, q, l), l, p == q), _sums(first, second)
        if _same(got, wanted):
            continue
        here = f"for p = {p}, q = {q}"
        expect(not _same(got, first * second), f"{here}: you multiply place by place, the answers must slide")
        expect(not _same(got, first + second), f"{here}: that is two buckets side by side, not one into the other")
        late = torch.cat([torch.zeros(1, dtype=torch.float64), wanted[:-1]])
        expect(not _same(got, late), f"{here}: one step late: the second bucket takes what the first holds *now*")
        expect(not _same(got, wanted * (p - q)), f"{here}: K_0 should be 1, yours is {got[0]:.3g}: divide by p - q")
        where = int(((got - wanted).abs() > 1e-6 * wanted.abs().max()).nonzero()[0])
        expect(False, f"{here} K_{where} should be {wanted[where]:.4g}, yours is {got[where]:.4g}")
    return "the kernel of two poles, also where they meet"


def _expect_or_equal(got, l, equal):
    nan = isinstance(got, torch.Tensor) and equal and not bool(torch.isfinite(got).all())
    expect(not nan, "for p = q you divide by zero: what is the sum when all its terms are equal?")
    return _expect_values(got, (l,), "the kernel")


@grader
def check_second_half(second_half):
    """`second_half(u, h, A_bar, B_bar, C) -> (y, last)`: u (l), all others (n) of a diagonal system, h carried in."""
    for l, n in ((7, 1), (12, 3), (40, 8)):
        A_bar = 0.3 + 0.65 * torch.rand(n, dtype=torch.float64, generator=torch.Generator().manual_seed(n))
        B_bar, C, h = _random(3, n, seed=l)
        u = _random(l, seed=l + 1)
        states, state = [], h
        for u_t in u:
            state = A_bar * state + B_bar * u_t
            states.append(state)
        wanted = torch.stack(states) @ C
        got = second_half(u.clone(), h.clone(), A_bar.clone(), B_bar.clone(), C.clone())
        expect(isinstance(got, (tuple, list)) and len(got) == 2, "return the pair y, last state")
        y, last = _expect_values(got[0], (l,), "y"), _expect_values(got[1], (n,), "the last state")
        fading = [(C * A_bar**k) @ h for k in range(l + 1)]  # of h, read after k steps
        silent = wanted - torch.stack(fading[1:])
        if not _same(y, wanted):
            expect(not _same(y, silent), "y is as if nothing had come before: h, too, is read, and fades")
            early = silent + torch.stack(fading[:-1])
            expect(
                not _same(y, early), "at the first step h has been kept once already: the power is t + 1, from t = 0"
            )
            still = silent + C @ h
            expect(not _same(y, still), "h fades: read it through A_bar once more at every step")
            written = silent + torch.stack([(C * B_bar * A_bar ** (k + 1)) @ h for k in range(l)])
            expect(not _same(y, written), "h is in the state already: B_bar, which writes inputs, does not touch it")
            where = int(((y - wanted).abs() > 1e-6 * wanted.abs().max()).nonzero()[0])
            expect(False, f"y[{where}] should be {wanted[where]:.4g}, yours is {y[where]:.4g}")
        came = states[-1] - A_bar**l * h
        expect(not _same(last, h), "the last state is the one after the half, you return the one before")
        expect(not _same(last, came), "the last state forgets h: A_bar^l of it is still there")
        expect(not _same(last, came + h), "the last state has h in full: only A_bar^l of it is left")
        once_less = came + A_bar ** (l - 1) * h
        expect(not _same(last, once_less), "in the last state h has been kept l times, not l - 1")
        older = A_bar * came + A_bar**l * h
        expect(not _same(last, older), "in the last state the newest input is written, and not yet kept once: A_bar^0")
        forwards = sum(A_bar**k * B_bar * u[k] for k in range(l)) + A_bar**l * h
        expect(not _same(last, forwards), "the last state is the wrong way round: the *newest* input has A_bar^0")
        off = (last - states[-1]).abs().max() / states[-1].abs().max()
        expect(_same(last, states[-1]), f"y is right, the last state is off by {off:.1%}")
    return "two halves are a whole"


def _kernel(poles, weights, l=40):
    """The real part of sum_i weights_i poles_i^j: (l)."""
    j = torch.arange(l, dtype=torch.float64)
    powers = torch.tensor(poles, dtype=torch.complex128)[:, None] ** j
    return (torch.tensor(weights, dtype=torch.complex128) @ powers).real


def _kernels():
    """what it is: (kernel, the smallest n that makes it)."""
    j = torch.arange(40, dtype=torch.float64)
    turn = 0.95 * complex(math.cos(0.6), math.sin(0.6))
    return {
        "a bucket": (_kernel([0.8], [2.0]), 1),
        "a hand that turns": (_kernel([turn, turn.conjugate()], [0.5 - 1j, 0.5 + 1j]), 2),
        "two buckets side by side": (_kernel([0.9, 0.5], [1.0, -1.0]), 2),
        "a bucket and one 10,000 times fainter": (_kernel([0.9, 0.5], [1.0, 1e-4]), 2),
        "two equal buckets in a row": ((j + 1) * 0.8**j, 2),
        "a hand and a bucket": (_kernel([turn, turn.conjugate(), 0.7], [1.0, 1.0, -3.0]), 3),
        "a delay of three steps": (torch.eye(40, dtype=torch.float64)[3], 4),
        "five buckets": (_kernel([0.98, 0.8, 0.5, 0.1, -0.6], [1.0, -2.0, 3.0, 1.0, 1.0]), 5),
        "nothing": (torch.zeros(40, dtype=torch.float64), 0),
    }


@grader
def check_state_size(size):
    """`size(K) -> int`: the smallest n whose kernel begins with K (40), float64, n at most 8."""
    for name, (K, n) in _kernels().items():
        got = size(K.clone())
        got = got.item() if isinstance(got, torch.Tensor) and got.numel() == 1 else got
        whole = isinstance(got, (int, float)) and not isinstance(got, bool) and got == got // 1
        said = got if isinstance(got, (int, float)) else type(got).__name__
        expect(whole, f"return a whole number, yours is {said}")
        full = "20 is full rank: is row i K_i, K_i+1, ..., and are singular values dropped that are only rounding?"
        expect(got != 20, f"{name}: {n} in all, you say 20. {full}")
        rows = "rows K_i, K_i+1, ..., not K_i, K_i-1, ..."
        expect(got < 39, f"{name}: {n} in all, you say {int(got)}: {rows}")
        expect(got == n, f"{name}: {n} in all, you say {int(got)}")
    return "as many as the kernel needs"


@grader
def check_poles(poles):
    """`poles(K) -> (p, q)`: the poles, in any order, of a kernel K_j = a p^j + b q^j, p not q, K (l), float64."""
    turn = 0.9 * complex(math.cos(1.0), math.sin(1.0))
    cases = ((0.9, 0.5), (0.7, -0.6), (turn, turn.conjugate()), (0.99, 0.2))
    for p, q in cases:
        real = not isinstance(p, complex)
        K = _kernel([p, q], [1.5, -0.5] if real else [1 - 0.5j, 1 + 0.5j], l=12)
        try:
            got = poles(K.clone())
        except ValueError as error:
            expect(real or "math domain" not in str(error), "the root of a negative number: these poles are complex")
            raise
        got = got.tolist() if isinstance(got, torch.Tensor) else got
        expect(isinstance(got, (tuple, list)) and len(got) == 2, "return two numbers, the poles")
        got = [g.item() if isinstance(g, torch.Tensor) and g.numel() == 1 else g for g in got]
        numbers = all(isinstance(g, (int, float, complex)) and not isinstance(g, bool) for g in got)
        expect(numbers, f"the poles should be numbers, yours are {', '.join(type(g).__name__ for g in got)}")
        finite = all(math.isfinite(abs(g)) for g in got)
        expect(finite, f"the poles should be finite, yours are {got}")
        here = f"the kernel begins {K[0]:.3f}, {K[1]:.3f}, {K[2]:.3f}"

        def match(wanted, got=got):
            pairs = (wanted, wanted[::-1])
            return any(all(abs(complex(g) - complex(w)) < 1e-6 for g, w in zip(got, pair)) for pair in pairs)

        a, b = p + q, -p * q  # K_{j+2} = a K_{j+1} + b K_j
        for one, two, hint in ((b, a, "the two factors are swapped"), (a, -b, "the second factor has the wrong sign")):
            root = complex(one**2 + 4 * two) ** 0.5
            expect(not match(((one + root) / 2, (one - root) / 2)), f"{here}: {hint}: z^2 - a z - b = 0")
        expect(not match((2 * p, 2 * q)), f"{here}: both poles are twice as large: the root's formula divides by 2")
        expect(not match((-p, -q)), f"{here}: both poles have the wrong sign: z^2 - a z - b = 0")
        expect(
            not match((1 / p, 1 / q)), f"{here}: those are 1 / p and 1 / q: the newest value stands alone on the left"
        )
        expect(real or any(complex(g).imag for g in got), f"{here}, and turns: its poles are complex")
        again = [sum(w * complex(z) ** j for w, z in zip(_weights(K, got), got)).real for j in range(12)]
        off = (torch.tensor(again, dtype=torch.float64) - K).abs().max() / K.abs().max()
        said = ", ".join(f"{complex(g):.3g}" for g in got)
        expect(match((p, q)), f"{here}; with your poles, {said}, the best kernel is off by {off:.1%}")
    return "a recurrence, read off its kernel"


def _weights(K, poles):
    """The least-squares weights of K as a sum of the powers of `poles`."""
    j = torch.arange(len(K), dtype=torch.float64)
    powers = torch.stack([torch.tensor(complex(z), dtype=torch.complex128) ** j for z in poles], dim=1)
    powers = torch.nan_to_num(powers)
    return torch.linalg.lstsq(powers, K.to(torch.complex128)[:, None], driver="gelsd").solution[:, 0].tolist()
