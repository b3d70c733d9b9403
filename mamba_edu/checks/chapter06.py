"""Graders of chapter 6: a step for a memory, the gate, a test for time invariance, a rule by hand, exact ZOH for B."""

import math

import torch

from ._answers import expect_number, expect_values
from ._result import expect, grader


def _near(got, wanted):
    return abs(got - wanted) <= 1e-6 * abs(wanted)


@grader
def check_step_for_memory(delta):
    """`delta(kept, steps, A) -> float`: the step at which exp(delta A), applied `steps` times, leaves `kept`."""
    for kept, steps, A in ((0.9, 13, -1.0), (0.5, 100, -4.0), (0.01, 1, -16.0)):
        got, wanted = expect_number(delta(kept, steps, A), "the step"), math.log(kept) / (steps * A)
        expect(got > 0, f"a step is positive, yours is {got:.4g}: A is negative, and so is the logarithm of {kept}")
        expect(steps == 1 or not _near(got, wanted * steps), f"{steps} steps pass, each of them keeps its share")
        expect(A == -1 or not _near(got, wanted * -A), f"the rate is {A:g}: a faster rate needs a shorter step")
        expect(not _near(got, wanted / math.log(2)), "exp goes with the natural logarithm, math.log, not with log2")
        left = math.exp(max(-700.0, min(0.0, got * A * steps)))
        expect(_near(got, wanted), f"with delta = {got:.4g} and A = {A:g}, {steps} steps leave {left:.3g}, not {kept}")
    return "the state lasts as long as was asked"


@grader
def check_gate(gate):
    """`gate(r, n) -> g` in h = (1 - g) h + g u, for delta = softplus(r), A = -n and B = n by zero-order hold."""
    r = torch.linspace(-12, 30, 85, dtype=torch.float64)
    for n in (1, 2, 5, 16):
        g, kept = expect_values(gate(r.clone(), n), r.shape, "the gate"), torch.sigmoid(-r) ** n
        off = (g - (1 - kept)).abs().max()
        if off <= 1e-7:  # an answer may take softplus, which is rounded for large r
            continue
        expect((g - kept).abs().max() > 1e-7, "that is what is kept, 1 - g: the gate is what is taken in")
        forgot = n > 1 and (g - torch.sigmoid(r)).abs().max() <= 1e-7
        expect(not forgot, f"for n = {n} the state forgets {n} times as fast: where is n in your gate?")
        power = (g - torch.sigmoid(r) ** n).abs().max() > 1e-7
        expect(power, f"what is kept is raised to the power {n}, not what is taken in")
        worst = int((g - (1 - kept)).abs().argmax())
        expect(False, f"at r = {r[worst]:g} and n = {n} your gate is {g[worst]:.4g}, the scan's {1 - kept[worst]:.4g}")
    return "a sigmoid for n = 1, and for faster states what follows from it"


def _convolve(u, kernel):
    """Causal: y_t = sum_k kernel[k] u[t - k]. u: (l)."""
    y = torch.zeros_like(u)
    for k, weight in enumerate(kernel[: len(u)]):
        y[k:] += weight * u[: len(u) - k]
    return y


def _selective(u):
    h, y = u.new_zeros(()), []
    for u_t in u:
        g = torch.sigmoid(3 * u_t)
        h = (1 - g) * h + g * u_t
        y.append(h)
    return torch.stack(y)


def _rounded(u):
    return _convolve(u.float(), [0.9**k for k in range(40)]).to(u.dtype)


def _two_phases(u):
    late = torch.arange(len(u), device=u.device) >= len(u) // 2
    return torch.where(late, _convolve(u, [0.5, 0.5]), _convolve(u, [1.0]))


# what it is: (the system, whether it is linear and time-invariant, what an answer that is wrong about it overlooked)
_SYSTEMS = {
    "a decaying kernel": (lambda u: _convolve(u, [0.8**k for k in range(60)]), True, "two sums differ by rounding"),
    "a pure delay": (lambda u: _convolve(u, [0.0] * 5 + [2.0]), True, "what is shifted beyond the end is gone"),
    "a kernel in float32": (_rounded, True, "two sums differ by rounding: compare up to a tolerance"),
    "a gain that grows with t": (lambda u: u * torch.arange(len(u), device=u.device), False, "shift the input"),
    "a kernel that changes halfway": (_two_phases, False, "shift the input, by several distances"),
    "a square": (lambda u: u.square(), False, "scale the input, or add two"),
    "a product of neighbours": (lambda u: u * _convolve(u, [0.0, 1.0]), False, "one impulse alone doesn't show it"),
    "a constant on top": (lambda u: _convolve(u, [1.0, 0.5]) + 1, False, "nothing in must give nothing out"),
    "a selective state": (_selective, False, "add two inputs, and compare with the sum of the outputs"),
}


@grader
def check_time_invariant(is_lti):
    """`is_lti(f, l) -> bool` for a causal f: (l) -> (l) that starts from a zero state."""
    for name, (system, wanted, overlooked) in _SYSTEMS.items():
        got = is_lti(system, 24)
        got = got.item() if isinstance(got, torch.Tensor) and got.numel() == 1 else got
        expect(isinstance(got, bool), f"answer True or False, for {name} yours is a {type(got).__name__}")
        verdict = "is linear and time-invariant" if wanted else "is not both linear and time-invariant"
        expect(got == wanted, f"{name} {verdict}, and your test says {got}: {overlooked}")
    return "shift the input, and the output shifts; add two, and the outputs add"


_TEXTS = [
    b"by [[Johann Most]], who said so in print",
    b"[[a]] and then [[United States Declaration of Independence]] at last",
    b"the [[Zinzin]] zzzzzzzzzzzzzzzzzzzzzzzzzz [[Category:Political theories of the nineteenth century]] x",
]


def _input(byte):
    return {ord("["): 1.0, ord("]"): -1.0}.get(byte, ((byte % 7) - 3) / 6)


def _follow(text, steps):
    """The state after each byte, h = e^-delta h + (1 - e^-delta) u, and whether a link is open then. steps: by byte."""
    h, opened, track = 0.0, False, []
    for t, byte in enumerate(text):
        kept = math.exp(-steps[byte])
        h = kept * h + (1 - kept) * _input(byte)
        opened = (opened or text[t - 1 : t + 1] == b"[[") and text[t : t + 2] != b"]]"
        track.append((h, opened, text[: t + 1]))
    return track


@grader
def check_bracket_rule(rule):
    """`rule(byte) -> delta`, byte 0 ... 255: above 0.5 from `[[` to the name's last byte, below 0 after `]]`."""
    steps = [expect_number(rule(byte), f"the step of byte {byte}") for byte in range(256)]
    wrong = next((byte for byte, step in enumerate(steps) if step <= 0), None)
    expect(wrong is None, f"a step is positive, for byte {wrong} yours is {steps[wrong or 0]:g}")
    expect(max(steps) > min(steps), "one step for all bytes: then nothing can be kept longer than anything else")
    for text in _TEXTS:
        closed = False
        for h, opened, so_far in _follow(text, steps):
            closed = (closed or so_far.endswith(b"]]")) and not so_far.endswith(b"[")
            here = f"after {so_far[-30:].decode()!r} the state is {h:.2f}"
            expect(not opened or h > 0.5, f"{here}: while the link is open it should stay above 0.5")
            expect(not closed or h < 0, f"{here}: once the link is closed it should be below 0")
    return "it holds through 53 bytes of name, and lets go at once"


@grader
def check_zoh_write(write):
    """`write(delta, A, B)`: (exp(delta A) - 1) / A * B, and its limit delta B where A is 0; shapes broadcast."""
    delta = torch.tensor([[1e-4], [0.1], [2.0]], dtype=torch.float64)
    A = torch.tensor([-1.0, -16.0, 0.0, -1e-13, -400.0], dtype=torch.float64)
    B = torch.tensor([1.0, -2.0, 3.0, 0.5, 1.0], dtype=torch.float64)
    x = delta * A
    wanted = delta * B * torch.where(x.abs() < 1e-6, 1 + x / 2, torch.expm1(x) / torch.where(x == 0, 1.0, x))
    got = write(delta.clone(), A.clone(), B.clone())
    expect(isinstance(got, torch.Tensor), f"return a tensor, yours is {type(got).__name__}")
    expect(got.shape != wanted.shape or not torch.isnan(got[:, 2]).any(), "where A is 0 you divide 0 by 0")
    got = expect_values(got, wanted.shape, "what is written")
    off = (got - wanted).abs() / wanted.abs()
    expect((got - delta * B).abs().max() > 1e-9, "that is Mamba's delta B: exact is the other one")
    ordinary = off[:, [0, 1, 4]].max()
    expect(ordinary < 1e-6, f"values are off, by {ordinary:.1%} at worst: (exp(delta A) - 1) / A, times B")
    expect(off[:, 2].max() < 1e-6, "where A is 0 the limit is delta B")
    expect(off[:, 3].max() < 1e-6, "for A near 0, exp(x) - 1 loses its digits: torch.expm1(x) keeps them")
    return "exact for every step, and nothing is divided by zero"
