"""Chapter 1's graders: right answers of several kinds pass, each likely mistake gets the hint meant for it."""

import math
from fractions import Fraction

import pytest
from graders import test_each_mistake_gets_its_own_hint, test_right_answers_pass  # noqa: F401

from mamba_edu import checks


def two_bits(state, byte):
    if state < 2:
        state = state + 1 if byte == ord("[") else 0
    elif byte == ord("]"):
        state = 3 if state == 2 else 0
    else:
        state = 2
    return state, state >= 2


def renamed(state, byte):
    """The same four states under other names; is_open as a number."""
    new, is_open = two_bits([0, 3, 1, 2][state], byte)
    return [0, 2, 3, 1][new], int(is_open)


def machine(table):
    """A reader from {state: (after [, after ], after anything else)}; open from state 2 on."""

    def reader(state, byte):
        state = table[state][0 if byte == ord("[") else 1 if byte == ord("]") else 2]
        return state, state >= 2

    return reader


TWO_BITS = [(1, 0, 0), (2, 0, 0), (2, 3, 2), (2, 0, 2)]


def least(l, alphabet, bits):
    """By whole numbers alone: the bits of the last of all texts."""
    return -(-(alphabet**l - 1).bit_length() // bits)


def cache(l, n_layer, d_model, n_head, n_kv_head, size):
    return 2 * l * n_layer * d_model // n_head * n_kv_head * size


RIGHT = {
    "shared_cache": [cache, lambda *a: float(cache(*a))],
    "cache_meets_state": [
        lambda d_state, d_conv, expand, blocks: Fraction(blocks * expand * (d_state + d_conv - 1), 2),
        lambda d_state, d_conv, expand, blocks: blocks * expand * (d_state + d_conv - 1) / 2,
    ],
    "two_bit_reader": [two_bits, renamed, lambda s, b: list(two_bits(s, b))],
    "past_share": [lambda share, d: 2 * d * share / (1 - share), lambda share, d: 2 * d / (1 / share - 1)],
    "least_numbers": [least, lambda l, alphabet, bits: float(least(l, alphabet, bits))],
}

WRONG = [
    ("shared_cache", lambda l, n, d, h, kv, s: 2 * l * n * d * s, "that is the cache where every head has its own"),
    ("shared_cache", lambda *a: cache(*a) / 2, "keys and values: two vectors"),
    ("shared_cache", lambda l, n, d, h, kv, s: 2 * l * n * d * s / kv, "n_head / n_kv_head heads share one"),
    ("shared_cache", lambda l, n, d, h, kv, s: 2 * l * n * kv * s, "each kept head has d_model / n_head"),
    ("shared_cache", lambda l, n, d, h, kv, s: 2 * l * n * d * s * kv, "a head is d_model / n_head numbers wide"),
    ("shared_cache", lambda *a: cache(*a) / a[-1], "how many bytes has each"),
    ("shared_cache", lambda *a: cache(*a) / a[1], "every layer has a cache of its own"),
    ("shared_cache", lambda *a: cache(*a) / a[0], "that is for one token"),
    ("shared_cache", lambda *a: cache(*a) + 1, "1000 tokens, 32 layers.*196,608,000 bytes, yours says 196,608,001"),
    ("shared_cache", lambda *a: str(cache(*a)), "the number of bytes should be a number, yours is str"),
    ("shared_cache", lambda *a: math.nan, "should be finite, yours is nan"),
    ("cache_meets_state", lambda s, c, e, b: b * e * (s + c - 1), "a key and a value"),
    ("cache_meets_state", lambda s, c, e, b: b * e * (s + c) / 2, "the newest has just come"),
    ("cache_meets_state", lambda s, c, e, b: b * e * s / 2, "the convolution keeps something, too"),
    ("cache_meets_state", lambda s, c, e, b: b * (s + c - 1) / 2, "expand d_model channels wide"),
    ("cache_meets_state", lambda s, c, e, b: b * e * s * (c - 1) / 2, "add"),
    ("cache_meets_state", lambda s, c, e, b: e * (s + c - 1) / 2, "there are 2 blocks"),
    (
        "cache_meets_state",
        lambda s, c, e, b: b * e * (s + c - 1) // 2,
        "they meet at 28.5 tokens, yours says 28; don't round",
    ),
    ("cache_meets_state", lambda s, c, e, b: b * (e * s + c - 1) / 2, "they meet at 57 tokens, yours says 51"),
    (
        "cache_meets_state",
        lambda s, c, e, b: 20,
        "d_state 16, d_conv 4, expand 3, blocks 2: they meet at 57 tokens, yours says 20",
    ),
    ("two_bit_reader", lambda s, b: s, "return the pair"),
    ("two_bit_reader", lambda s, b: ("out", False), "whole number, yours is str"),
    ("two_bit_reader", lambda s, b: (True, False), "whole number, yours is bool"),
    ("two_bit_reader", lambda s, b: (s + 1, False), "two bits hold 0, 1, 2 or 3, your state is 4"),
    ("two_bit_reader", lambda s, b: (0, False), r"after 'a \[\[' a link is open: the second \[ has come"),
    ("two_bit_reader", lambda s, b: (0, b in b"[]"), r"after 'a \[' a link is not open: one \[ opens nothing"),
    ("two_bit_reader", lambda s, b: (2, True), "after 'a' a link is not open$"),
    # one ] closes; a single [ is remembered; never closes; closes only where ]] follows [[ at once
    (
        "two_bit_reader",
        machine([(1, 0, 0), (2, 0, 0), (2, 0, 2)]),
        r"after 'a \[\[link\]' .* open: one \] closes nothing",
    ),
    (
        "two_bit_reader",
        machine([(1, 0, 0), (2, 1, 1), (2, 3, 2), (2, 0, 2)]),
        r"after '\[1\] is no link, \[' .* not open: one",
    ),
    (
        "two_bit_reader",
        machine([(1, 0, 0), (2, 0, 0), (2, 2, 2)]),
        r"after 'a \[\[link\]\]' .* not open: the second \]",
    ),
    ("two_bit_reader", machine([(1, 0, 0), (2, 0, 0), (2, 3, 2), (2, 0, 3)]), r"after '\[\[a\]b\]' .* open: one \]"),
    ("two_bit_reader", machine([(1, 0, 0), (2, 0, 0), (2, 3, 0)]), r"after 'a \[\[l' a link is open$"),
    (
        "past_share",
        lambda share, d: math.ceil(round(2 * d * share / (1 - share), 6)),
        "d = 100 the cache takes .* don't round",
    ),
    ("past_share", lambda share, d: 3 * d, "at token 2304 and d = 768 the cache takes 60%, not 90%"),
    ("past_share", lambda share, d: 2 * d * share, "compares the cache with the weights"),
    ("past_share", lambda share, d: 4 * d * share / (1 - share), "the cache's part is 4 d t"),
    ("past_share", lambda share, d: d * share / (1 - share), "four projections"),
    ("past_share", lambda share, d: 2 * d * (1 - share) / share, "leaves `share` to the weights"),
    ("past_share", lambda share, d: 2 * d * share / (1 - share) + 1, "at token 13825 .* takes 90.0007%, not 90%"),
    ("past_share", lambda share, d: -1, "takes 0%, not 90%"),
    ("past_share", lambda share, d: True, "should be a number, yours is bool"),
    ("least_numbers", lambda l, a, bits: l * math.log2(a) / bits, "numbers come whole, yours is 20.75"),
    (
        "least_numbers",
        lambda l, a, bits: math.floor(l * math.log2(a) / bits),
        "20 numbers have 2.640 states, fewer than",
    ),
    ("least_numbers", lambda l, a, bits: math.floor(l * math.log2(a) / bits) + 1, "8 are enough, yours says 9"),
    ("least_numbers", lambda l, a, bits: math.ceil(l * math.log(a) / bits), "logarithms to the base 2"),
    ("least_numbers", lambda l, a, bits: math.ceil(l * a / bits), r"there are 256\^83 texts, not 256 times 83"),
    ("least_numbers", lambda l, a, bits: math.ceil(8 * l / bits), "a token of 27 kinds doesn't have 8 bits"),
]


def test_the_table_is_the_reader():
    assert checks.check_two_bit_reader(machine(TWO_BITS))


OTHERS = [(s, b, after) for s in range(4) for b in range(3) for after in range(4) if after != TWO_BITS[s][b]]


@pytest.mark.parametrize("state, byte, after", OTHERS)
def test_one_wrong_entry_in_the_table_is_found(state, byte, after):
    table = [list(row) for row in TWO_BITS]
    table[state][byte] = after
    result = checks.check_two_bit_reader(machine(table))
    assert not result and "a link is" in result.hint, result.hint


def test_hints_differ():
    hints = [getattr(checks, f"check_{name}")(answer).hint for name, answer, _ in WRONG]
    assert len(set(hints)) == len(hints)
