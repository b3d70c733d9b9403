"""Graders of chapter 1: a shared cache, where it meets a state, a reader of two bits, the past's share, the least."""

import math
from numbers import Integral

from ._answers import expect_number
from ._result import expect, grader


def _near(got, wanted):
    return abs(got - wanted) <= 1e-9 * abs(wanted)


def _expect_none(got, mistakes):
    """Each mistake: (what one would get by it, the hint)."""
    for value, hint in mistakes:
        expect(not _near(got, value), hint)


@grader
def check_shared_cache(cache):
    """`cache(l, n_layer, d_model, n_head, n_kv_head, bytes_each)`: bytes kept where heads share keys and values."""
    for l, n_layer, d_model, n_head, n_kv_head, size in ((1000, 32, 3840, 30, 6, 4), (7, 3, 60, 6, 2, 2)):
        got = expect_number(cache(l, n_layer, d_model, n_head, n_kv_head, size), "the number of bytes")
        whole = 2 * l * n_layer * d_model * size
        wanted = whole * n_kv_head / n_head
        mistakes = [
            (whole, "that is the cache where every head has its own: only n_kv_head of n_head are kept"),
            (wanted / 2, "keys and values: two vectors a token"),
            (whole / n_kv_head, "you divide by the heads that are kept; n_head / n_kv_head heads share one"),
            (2 * l * n_layer * n_kv_head * size, "each kept head has d_model / n_head numbers"),
            (whole * n_kv_head, "a head is d_model / n_head numbers wide, not d_model"),
            (wanted / size, "that counts numbers: how many bytes has each?"),
            (wanted / n_layer, "every layer has a cache of its own"),
            (wanted / l, "that is for one token"),
        ]
        _expect_none(got, mistakes)
        here = f"{l} tokens, {n_layer} layers, d_model {d_model}, {n_kv_head} of {n_head} heads, {size} bytes each"
        expect(_near(got, wanted), f"{here}: {wanted:,.0f} bytes, yours says {got:,.0f}")
    return "as many bytes as are kept"


@grader
def check_cache_meets_state(meeting):
    """`meeting(d_state, d_conv, expand, blocks)`: tokens at which a cache is as large as the state of Mamba blocks."""
    for d_state, d_conv, expand, blocks in ((16, 4, 3, 2), (64, 3, 2, 5), (16, 4, 2, 1), (16, 4, 3, 1)):
        got = expect_number(meeting(d_state, d_conv, expand, blocks), "the number of tokens")
        wanted = blocks * expand * (d_state + d_conv - 1) / 2
        mistakes = [
            (2 * wanted, "the cache keeps a key and a value of each token"),
            (blocks * expand * (d_state + d_conv) / 2, "of d_conv inputs the newest has just come: one less is kept"),
            (blocks * expand * d_state / 2, "the convolution keeps something, too: its last inputs"),
            (wanted / expand, "a block's state is expand d_model channels wide"),
            (
                blocks * expand * d_state * (d_conv - 1) / 2,
                "a channel keeps d_state numbers and d_conv - 1 inputs: add",
            ),
        ]
        mistakes.append((wanted / blocks, f"there are {blocks} blocks, each with its own state"))
        _expect_none(got, [(value, hint) for value, hint in mistakes if value != wanted])
        here = f"d_state {d_state}, d_conv {d_conv}, expand {expand}, blocks {blocks}"
        rounded = "; don't round" if abs(got - wanted) < 1 else ""
        expect(_near(got, wanted), f"{here}: they meet at {wanted:g} tokens, yours says {got:g}{rounded}")
    return "and d_model plays no part"


# after each byte: x inside of a link, . outside
_LINES = {
    b"a [[link]] b": "...xxxxxx...",
    b"[1] is no link, [[2]] is": "." * 17 + "xxx" + "." * 4,
    b"[[a]b]] c": ".xxxxx...",
    b"x]] [[y]]": ".....xxx.",
    b"[ [ [[ [ ]]": "." * 5 + "x" * 5 + ".",
    b"][ [] [][ x": "." * 11,
    b"[[a[]b][]c]] d": "." + "x" * 10 + "." * 3,
    b"[[" + b"n" * 300 + b"]]": "." + "x" * 302 + ".",
    b"[[a]] [[b]][[c]]": ".xxx...xxx..xxx.",
    b"[a[b]] [[]]": "........xx.",
}


@grader
def check_two_bit_reader(reader):
    """`reader(state, byte) -> (state, is_open)`: whether a link is open, from a state of 0 to 3; it starts at 0."""
    for line, wanted in _LINES.items():
        state = 0
        for t, byte in enumerate(line):
            turned = reader(state, byte)
            expect(isinstance(turned, (tuple, list)) and len(turned) == 2, "return the pair state, is_open")
            state, is_open = turned
            whole = isinstance(state, Integral) and not isinstance(state, bool)
            expect(whole, f"the state should be a whole number, yours is {type(state).__name__}")
            expect(0 <= state <= 3, f"two bits hold 0, 1, 2 or 3, your state is {str(state)[:20]}")
            right = wanted[t] == "x"
            if bool(is_open) != right:
                _say_what(line[: t + 1], right)
    return "two bits, however long the link"


def _say_what(read, right):
    """The hint for the first wrong answer, after the bytes `read`."""
    shown = read.decode() if len(read) < 25 else f"{read[:4].decode()}... ({len(read)} bytes)"
    is_so = "is open" if right else "is not open"
    why = ""
    if right and read.endswith(b"]"):
        why = ": one ] closes nothing"
    elif right and read.endswith(b"[["):
        why = f": the second [ has come (a byte is a number: [ is {ord('[')})"
    elif not right and b"[[" not in read and b"[" in read:
        why = ": one [ opens nothing, and what follows it must be the second"
    elif not right and read.endswith(b"]]"):
        why = ": the second ] has come"
    expect(False, f"after {shown!r} a link {is_so}{why}")


@grader
def check_past_share(length):
    """`length(share, d_model)`: the token for which the cache takes `share` of an attention layer's operations."""
    for share, d in ((0.9, 768), (0.25, 100), (0.5, 768)):
        got = expect_number(length(share, d), "the number of tokens")
        wanted = 2 * d * share / (1 - share)
        mistakes = [
            (2 * d * (1 - share) / share, "that leaves `share` to the weights"),
            (2 * d * share, "that compares the cache with the weights; the share is of both together"),
            (
                2 * wanted,
                "the cache's part is 4 d t: each number counts for a share and for the average, at this token",
            ),
            (d * share / (1 - share), "of the four projections, each has d^2 weights, and a weight is 2 operations"),
        ]
        _expect_none(got, [(value, hint) for value, hint in mistakes if not _near(value, wanted)])
        taken = 4 * d * got / (8 * d * d + 4 * d * got) if got > 0 else 0
        rounded = "; don't round" if abs(got - wanted) <= 1 else ""
        here = f"at token {got:g} and d = {d} the cache takes {100 * taken:.6g}%, not {share:.0%}"
        expect(_near(got, wanted), f"{here}{rounded}")
    return "from there on, most of the work is looking back"


@grader
def check_least_numbers(numbers):
    """`numbers(l, alphabet, bits)`: the fewest numbers of `bits` bits that tell all texts of l tokens apart."""
    for l, alphabet, bits in ((83, 256, 32), (32, 256, 32), (1000, 27, 16), (5, 2, 8), (10_000, 256, 1)):
        got = expect_number(numbers(l, alphabet, bits), "the answer")
        expect(got == int(got), f"numbers come whole, yours is {got:g}")
        states, texts = l * math.log2(alphabet) / bits, f"{alphabet}^{l} texts"
        wanted = math.ceil(states - 1e-9)
        mistakes = [
            (math.ceil(l * math.log(alphabet) / bits), "bits are logarithms to the base 2"),
            (math.ceil(l * alphabet / bits), f"there are {texts}, not {alphabet} times {l}"),
            (math.ceil(8 * l / bits), f"a token of {alphabet} kinds doesn't have 8 bits"),
        ]
        _expect_none(got, [(value, hint) for value, hint in mistakes if value != wanted])
        here = f"{l} tokens of {alphabet} kinds, {bits} bits a number"
        expect(got >= wanted, f"{here}: {got:g} numbers have 2^{got * bits:g} states, fewer than {texts}")
        expect(got <= wanted, f"{here}: {wanted} are enough, yours says {got:g}")
    return "one fewer, and two texts share a state"
