"""Graders of chapter 12: bits per character, a perplexity's base, a leak, a masked loss, a price by counts."""

import math
from numbers import Integral

import torch

from ._answers import expect_number
from ._result import expect, grader


def _near(got, wanted, rounding=1e-6):
    return abs(got - wanted) <= rounding * max(1e-3, abs(wanted))


_TEXTS = ("Kraków", "Αθήνα, in Latin letters Athens", "東京", "plain ASCII", "[[Łódź]] 🎲")


@grader
def check_bits_per_character(bits_per_character):
    """`bits_per_character(bits_per_byte, text) -> float` for `text`, bytes of UTF-8, every byte of it scored."""
    for each, text in zip((2.0, 2.81, 1.1, 3.0, 0.5), _TEXTS):
        data = text.encode("utf-8")
        got, n, characters = expect_number(bits_per_character(each, data), "the score"), len(data), len(text)
        wanted = each * n / characters
        if _near(got, wanted):
            continue
        expect(not _near(got, each * n), f"that is the price of all of {text!r}: divide by its characters")
        here = f"{text!r} has {n} bytes and {characters} characters"
        expect(not _near(got, each), f"{here}: the same bits, shared by fewer")
        expect(not _near(got, each * characters / n), f"{here}: fewer to share the bits, so each pays more, not less")
        expect(False, f"{here}; at {each} bits a byte that is not {got:.4g} bits a character")
    return "the bits stay the same, they are shared by fewer"


@grader
def check_perplexity_repaired(repaired):
    """`repaired(reported) -> (bits per byte, perplexity)`, both per byte; `reported` is 2 to the loss in nats."""
    for bits in (1.0, 2.0, 0.0, 5.5, 8.0):
        reported = 2 ** (bits * math.log(2))
        answer = repaired(reported)
        pair = isinstance(answer, (tuple, list)) and len(answer) == 2
        expect(pair, "return two numbers: (bits per byte, perplexity)")
        got = expect_number(answer[0], "bits per byte"), expect_number(answer[1], "the perplexity")
        if _near(got[0], bits) and _near(got[1], 2**bits):
            continue
        loss = math.log2(reported)
        expect(not _near(got[0], loss), "log2 undoes their mistake and gives nats: one step is left, from nats to bits")
        undone = "they raised 2 to the nats: log2 takes that back, and dividing by ln 2 then gives bits"
        expect(not _near(got[0], loss * math.log(2)), undone)
        expect(_near(got[0], bits), f"2 ** {loss:.4g} was reported, so {loss:.4g} nats; {got[0]:.4g} bits they are not")
        expect(not _near(got[1], reported), "the perplexity is still theirs: 2 goes with bits, e with nats")
        expect(not _near(got[1], math.exp(got[0])), "e goes with nats, 2 with bits: you raised e to a number of bits")
        expect(False, f"the perplexity of {bits:g} bits a byte is not {got[1]:.4g}")
    return "a loss has one perplexity, whichever base it is written in"


def _cut(n, size, step):
    return [(start, min(start + size, n)) for start in range(0, n, step)]


# what the splitter did: (train, test), spans of (start, stop), stop not included
_SPLITS = {
    "cut once, clean": ([(0, 90)], [(90, 100)]),
    "test begins a byte early": ([(0, 90)], [(89, 100)]),
    "windows dealt out, clean": (_cut(100, 10, 10)[::2], _cut(100, 10, 10)[1::2]),
    "windows that overlap, dealt out": (_cut(60, 10, 5)[::3], _cut(60, 10, 5)[1::3]),
    "train wrapped round the end": ([(80, 100), (0, 12)], [(10, 20)]),
    "the same test window twice": ([(0, 5)], [(3, 8), (3, 8)]),
    "an empty window": ([(4, 4), (7, 9)], [(0, 9)]),
    "test inside train": ([(0, 1000)], [(400, 403)]),
    "no training at all": ([], [(0, 9)]),
}


@grader
def check_split_leak(leak):
    """`leak(train, test) -> sorted list` of the positions that lie in both; each a list of (start, stop)."""
    for name, (train, test) in _SPLITS.items():
        got = leak(list(train), list(test))
        expect(isinstance(got, list), f"return a list of positions, yours is a {type(got).__name__}")
        whole = all(isinstance(at, Integral) and not isinstance(at, bool) for at in got)
        expect(whole, "a position is a whole number: from (start, stop) name each byte")
        seen, scored = ({at for span in spans for at in range(*span)} for spans in (train, test))
        wanted = sorted(seen & scored)
        expect(len(set(got)) == len(got), f"{name}: you name a position twice")
        missed, invented = sorted(set(wanted) - set(got)), sorted(set(got) - set(wanted))
        expect(not missed, f"{name}: byte {missed[0] if missed else 0} is trained on and scored, and not in your list")
        closed = bool(invented) and set(invented) <= {stop for _, stop in train + test}
        end = "; stop is the first byte after the window" if closed else ""
        expect(not invented, f"{name}: byte {invented[0] if invented else 0} is in your list, and not in both{end}")
        expect(got == wanted, f"{name}: the right positions, in order please")
    return "no scored byte hides in the training text"


def _losses(logits, targets):
    return -logits.log_softmax(dim=-1).gather(-1, targets[..., None])[..., 0]  # (b, l)


@grader
def check_masked_loss(masked_loss):
    """`masked_loss(logits (b, l, v), targets (b, l), mask (b, l)) -> nats`, a mean over the places that are real."""
    generator = torch.Generator().manual_seed(12)
    logits = 2 * torch.randn(3, 5, 7, generator=generator, dtype=torch.float64)
    targets = torch.randint(0, 7, (3, 5), generator=generator)
    mask = torch.arange(5) < torch.tensor([[5], [1], [2]])  # (b, l)
    losses = _losses(logits, targets)
    wanted = float(losses[mask].mean())
    rows = [float(row[real].mean()) for row, real in zip(losses, mask)]
    got = expect_number(masked_loss(logits.clone(), targets.clone(), mask.clone()), "the loss")
    expect(not _near(got, float(losses.mean())), "the mask plays no part in it: padding is scored, too")
    expect(
        not _near(got, float((losses * mask).mean())), "the padding is zero now, and still counted: 8 are real, not 15"
    )
    expect(not _near(got, sum(rows) / 3), "a mean of the rows' means: a text of one byte would weigh as much as five")
    expect(not _near(got, wanted / math.log(2)), "nats, please: those are bits")
    expect(not _near(got, float(losses[mask].sum())), "that is the sum: divide by how many places are real")
    expect(_near(got, wanted), f"8 places are real and their mean loss is not {got:.4g}")
    _check_padding_is_never_read(masked_loss, logits, targets, mask, wanted)
    return "padding is never scored, whatever stands there"


def _check_padding_is_never_read(masked_loss, logits, targets, mask, wanted):
    """The same value with NaN logits and a target that is none in the padding, and gradients that stay finite."""
    spoilt = logits.masked_fill(~mask[..., None], math.nan).requires_grad_()
    loss = masked_loss(spoilt, targets.clone(), mask.clone())
    finite = bool(torch.isfinite(torch.as_tensor(loss)).all())
    expect(finite, "a NaN in the padding came through: NaN times 0 is NaN, so leave it out instead of multiplying")
    expect(_near(expect_number(loss, "the loss"), wanted), "what the padding holds has changed the loss")
    expect(isinstance(loss, torch.Tensor) and loss.requires_grad, "return a tensor, through which gradients flow")
    loss.backward()
    flows = spoilt.grad is not None and bool(torch.isfinite(spoilt.grad).all()) and bool(spoilt.grad[mask].any())
    expect(flows, "the gradient is not finite: choose the real places before the softmax")
    none = targets.masked_fill(~mask, -1)
    got = expect_number(masked_loss(logits.clone(), none, mask.clone()), "the loss")
    expect(_near(got, wanted), "where the target of a padded place is -1 the loss changes")


# after the context: what followed it and how often, the next byte, and its p by the context one byte shorter
_COUNTS = [
    ({"]": 3, " ": 1}, "]", 1 / 16),
    ({"]": 3, " ": 1}, "x", 1 / 16),
    ({"o": 6}, "o", 0.25),
    ({}, "]", 0.125),
    ({"]": 1, "[": 1, ",": 1}, "[", 0.02),
]


@grader
def check_price_by_counts(price):
    """`price(counts, byte, shorter) -> bits` by Witten and Bell; counts: {byte: how often it followed the context}."""
    for counts, byte, shorter in _COUNTS:
        got = expect_number(price(dict(counts), byte, shorter), "the price")
        n, t, c = sum(counts.values()), len(counts), counts.get(byte, 0)
        wanted = -math.log2((c + t * shorter) / (n + t) if n else shorter)
        if _near(got, wanted):
            continue
        here = f"after {counts or 'nothing seen'}, {byte!r}"
        expect(not _near(got, wanted * math.log(2)), "bits, please: take log2")
        expect(not _near(got, -wanted), "a price is -log2 p: yours is negative")
        expect(n > 0, f"{here}: the context was never seen, so only the shorter one speaks")
        expect(
            not _near(got, -math.log2((c + 1) / (n + 256))), "that is one more for each byte; t shares it by `shorter`"
        )
        expect(c == 0 or not _near(got, -math.log2(c / n)), f"{here}: without a share for news, what is new has p = 0")
        without = c + t * shorter
        expect(not _near(got, -math.log2(without / n)), "the news take their share, t, of the whole: n + t")
        expect(c == 0 or not _near(got, -math.log2(c / (n + t))), f"{here}: the shorter context has its say, too")
        expect(not _near(got, -math.log2((c + shorter) / (n + 1))), f"{here}: t different bytes followed, not one")
        expect(False, f"{here}: with n = {n}, t = {t} and {shorter:g} from the shorter context not {got:.4g} bits")
    return "counted, smoothed and paid"
