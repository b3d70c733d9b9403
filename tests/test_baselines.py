"""The byte models are probabilities, score each byte once, and are the ones they say they are."""

import bz2
import gzip
import lzma
import math
import os
import random
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mamba_edu.baselines import ByteNGram, byte_model_table, compressed_bits_per_byte

TEXT = b"the cat sat on the mat; the rat sat on that hat. " * 3 + bytes(range(256))
SMALL = st.lists(st.sampled_from(b"ab\x00\xff"), max_size=40).map(bytes)


def oracle(train, context, byte, order):
    """p(byte | context) by the definition, in exact fractions: count, look, back off."""
    if order < 0:
        return Fraction(1, 256)
    shorter = oracle(train, context, byte, order - 1)
    if order > len(context):
        return shorter
    tail = context[len(context) - order :]
    after = Counter(train[i + order] for i in range(len(train) - order) if train[i : i + order] == tail)
    n, t = sum(after.values()), len(after)
    return (after[byte] + t * shorter) / (n + t) if n else shorter


@given(SMALL.filter(len), SMALL, SMALL, st.integers(0, 4))
def test_every_byte_is_scored_once_by_the_definition(train, test, given_bytes, order):
    bits = ByteNGram(order).fit(train).bits(test, given_bytes)
    text = given_bytes + test
    start = max(0, len(given_bytes) - order)
    exact = [oracle(train, text[start : len(given_bytes) + i], test[i], order) for i in range(len(test))]
    assert bits.shape == (len(test),)
    np.testing.assert_allclose(bits, [-math.log2(p) for p in exact], rtol=1e-12)


@pytest.mark.parametrize("order", range(7))
def test_probabilities_of_all_256_next_bytes_sum_to_one(order):
    model = ByteNGram(order).fit(TEXT)
    draw = random.Random(order)
    contexts = [b"", b"t", b"the cat", b"zzzzzzzz", b"\x00" * 9, TEXT[-7:]]
    contexts += [TEXT[i : i + 8] for i in draw.sample(range(len(TEXT) - 8), 20)]
    contexts += [draw.randbytes(8) for _ in range(20)]
    for context in contexts:
        p = model.probabilities(context)
        assert p.shape == (256,) and (p > 0).all() and abs(p.sum() - 1) < 1e-12, context


def test_probabilities_are_those_that_score():
    model = ByteNGram(3).fit(TEXT)
    for context in (b"", b"t", b"th", b"the", b" on the"):
        p = model.probabilities(context)
        scores = [model.bits(bytes([byte]), given=context)[0] for byte in range(256)]
        np.testing.assert_allclose(scores, -np.log2(p), rtol=1e-12)


def test_context_reaches_over_the_start_of_the_test():
    model = ByteNGram(2).fit(b"abcabcabc" * 5)
    assert model.bits(b"c", given=b"zzzab")[0] < 0.2 < 1 < model.bits(b"c")[0]
    whole = model.bits(b"bcabcab", given=b"a")
    parts = [model.bits(b"bca", given=b"a"), model.bits(b"bcab", given=b"abca")]
    np.testing.assert_array_equal(whole, np.concatenate(parts))


def test_higher_orders_see_further():
    # after "a" comes b or c: which, depends on what came two bytes before
    text = b"xabyac" * 500
    scores = [ByteNGram(order).fit(text).bits_per_byte(text) for order in range(4)]
    assert scores[0] > scores[1] + 1 > scores[2] + 1.3
    assert 0 < scores[2] < 0.05 and 0 < scores[3] < 0.05


def test_nothing_known_costs_eight_bits():
    assert ByteNGram(3).fit(b"a").bits_per_byte(b"a") == pytest.approx(-math.log2((1 + 1 / 256) / 2))
    uniform = bytes(range(256)) * 40
    assert ByteNGram(0).fit(uniform).bits_per_byte(uniform) == pytest.approx(8, rel=1e-12)


def test_fit_replaces_what_was_counted():
    model = ByteNGram(1).fit(b"something else")
    assert model.fit(TEXT) is model
    assert model.bits_per_byte(TEXT) == ByteNGram(1).fit(TEXT).bits_per_byte(TEXT)


def test_table_is_the_models_one_by_one():
    train, test, before = TEXT * 2, TEXT[40:90], TEXT[:40]
    table = byte_model_table(train, test, before)
    assert list(table) == ["order 0", "order 1", "order 2", "order 3"]
    for order, score in enumerate(table.values()):
        assert score == ByteNGram(order).fit(train).bits_per_byte(test, before)
    assert list(byte_model_table(train, test, max_order=1)) == ["order 0", "order 1"]


def test_compressors_count_all_bits():
    packed = {
        "gzip -9": len(gzip.compress(TEXT, 9)),
        "bzip2 -9": len(bz2.compress(TEXT, 9)),
        "xz -9e": len(lzma.compress(TEXT, preset=9 | lzma.PRESET_EXTREME)),
    }
    assert compressed_bits_per_byte(TEXT) == {name: 8 * size / len(TEXT) for name, size in packed.items()}


def test_compressors_learn_from_what_is_given():
    noise = random.Random(0).randbytes(20_000)
    alone, after = compressed_bits_per_byte(noise), compressed_bits_per_byte(noise, given=noise)
    assert all(bits > 8 for bits in alone.values())
    assert after["gzip -9"] < 0.2 and after["xz -9e"] < 0.2


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: ByteNGram(-1), ValueError, "order must be at least 0, got -1"),
        (lambda: ByteNGram(7), ValueError, "order must be at most 6, got 7"),
        (lambda: ByteNGram(1.0), TypeError, "order must be a whole number"),
        (lambda: ByteNGram(1).fit(b""), ValueError, "data must hold at least one byte"),
        (lambda: ByteNGram(1).fit("text"), TypeError, "data must be bytes, got str"),
        (lambda: ByteNGram(1).bits(b"x"), ValueError, "has not been fitted"),
        (lambda: ByteNGram(1).probabilities(b"x"), ValueError, "has not been fitted"),
        (lambda: ByteNGram(1).fit(b"x").probabilities("x"), TypeError, "context must be bytes, got str"),
        (lambda: ByteNGram(1).fit(b"x").bits([1]), TypeError, "test must be bytes, got list"),
        (lambda: ByteNGram(1).fit(b"x").bits(b"x", "x"), TypeError, "given must be bytes, got str"),
        (lambda: ByteNGram(1).fit(b"x").bits_per_byte(b""), ValueError, "test must hold at least one byte"),
        (lambda: byte_model_table(b"x", b""), ValueError, "test must hold at least one byte"),
        (lambda: byte_model_table(b"x", b"x", max_order=9), ValueError, "max_order must be at most 6, got 9"),
        (lambda: compressed_bits_per_byte(b""), ValueError, "test must hold at least one byte"),
        (lambda: compressed_bits_per_byte("x"), TypeError, "test must be bytes, got str"),
        (lambda: compressed_bits_per_byte(b"x", None), TypeError, "given must be bytes, got NoneType"),
    ],
)
def test_refuses(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.skipif(not os.environ.get("MAMBA_EDU_DATA"), reason="needs the real bytes: set MAMBA_EDU_DATA")
def test_real_bytes():
    from mamba_edu import load_enwiki8_dataset

    splits = load_enwiki8_dataset()
    if splits.name != "enwik8, first 4,000,000 bytes":
        pytest.skip("the recorded scores are those of the first 4,000,000 bytes")
    table = byte_model_table(splits.train, splits.test)
    assert [round(score, 4) for score in table.values()] == [5.1396, 3.9546, 3.2456, 2.8134]
    # zlib and liblzma may differ a little from version to version
    alone = compressed_bits_per_byte(splits.test)
    assert alone["xz -9e"] == pytest.approx(2.479, abs=0.005) and alone["gzip -9"] == pytest.approx(2.855, abs=0.02)
