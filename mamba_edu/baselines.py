"""What a score must beat: byte models that count, and compressors, on the same bytes.

A model of order k looks at the last k bytes and at how often each byte followed them. Contexts that were never seen, or
seen once, are the difficulty. Witten and Bell (1991, method C) answer: a context seen n times, with t different bytes
after it, has surprised t times, so keep t / (n + t) of the probability for what the context one byte shorter says:

    p(x | context) = (count(context, x) + t * p(x | shorter context)) / (n + t)

down to 1/256 for each byte where nothing is known. Probabilities sum to one and none is zero, whatever was counted.
"""

import bz2
import gzip
import lzma

import numpy as np

from mamba_edu._validate import check_int

_MAX_ORDER = 6  # context and next byte are one whole number below 2^56


class ByteNGram:
    """An order-n byte model, n = 0 to 6, Witten-Bell smoothed.

    ByteNGram(3).fit(train).bits_per_byte(test) is the score. Fitting sorts the text once for each order: a few seconds
    and some 150 MB for 3.6 MB of text. Methods raise TypeError for what is no bytes, ValueError for an empty text or a
    model that has not been fitted.
    """

    def __init__(self, order):
        self.order = _check_order("order", order)
        self._levels = None

    def fit(self, data):
        """Count `data` (bytes, at least one), replacing what was counted before. Returns the model itself."""
        codes = _as_array("data", data)
        if not len(codes):
            raise ValueError("data must hold at least one byte, got none")
        self._levels = [_Level(codes, k) for k in range(self.order + 1)]
        return self

    def bits(self, test, given=b""):
        """-log2 p of each byte of `test`, float64 (n,), each byte scored once, from the bytes before it.

        given: what comes before `test`; its last `order` bytes are the context of the first ones. Without it the first
        byte is scored by order 0, the second by order 1 at most, and so on.
        """
        *_, p = self._ladder(test, given)
        return -np.log2(p)

    def bits_per_byte(self, test, given=b""):
        """The mean of `bits(test, given)` as a float; `test` must not be empty."""
        return float(_mean(self.bits(test, given)))

    def probabilities(self, context):
        """p(next byte | context) for all 256 next bytes, float64 (256,).

        context: bytes, of which the last `order` count; with fewer than that, a lower order answers.
        """
        k = min(self.order, len(_as_array("context", context)))
        p = np.full(256, 1 / 256)
        for level in self._fitted()[: k + 1]:
            tail = bytes(context)[len(context) - level.order :]
            grams = (int.from_bytes(tail, "big") << 8) + np.arange(256)  # (256,)
            p = level.refine(grams, p)
        return p

    def _fitted(self):
        if self._levels is None:
            raise ValueError("the model has not been fitted: call fit(data) first")
        return self._levels

    def _ladder(self, test, given):
        """p of each byte of `test` by order 0, 1, ... up to the model's own: an array (n,) for each."""
        levels = self._fitted()
        test, given = _as_array("test", test), _as_array("given", given)
        given = given[max(0, len(given) - self.order) :]
        text = np.concatenate([given, test])
        p = np.full(len(test), 1 / 256)
        for level in levels:
            begin = max(0, level.order - len(given))  # the bytes before it have too few bytes before them
            if begin < len(test):
                grams = _grams(text[len(given) + begin - level.order :], level.order)
                p = np.concatenate([p[:begin], level.refine(grams, p[begin:])])
            yield p


class _Level:
    """How often each byte followed each context of `order` bytes, as sorted arrays that are searched by halving."""

    def __init__(self, codes, order):
        self.order = order
        self.grams, self.counts = np.unique(_grams(codes, order), return_counts=True)
        # a gram's context is what remains without its last byte; the grams of one context stand side by side
        self.contexts, starts, self.distinct = np.unique(self.grams >> 8, return_index=True, return_counts=True)
        self.totals = np.add.reduceat(self.counts, starts) if len(starts) else np.zeros(0, dtype=np.int64)

    def refine(self, grams, shorter):
        """p of the last byte of each gram, given `shorter`, its p by the context one byte shorter: (n,) each."""
        counts = _look_up(self.grams, self.counts, grams)
        totals = _look_up(self.contexts, self.totals, grams >> 8)
        distinct = _look_up(self.contexts, self.distinct, grams >> 8)
        unseen = totals == 0
        return np.where(unseen, shorter, (counts + distinct * shorter) / np.where(unseen, 1, totals + distinct))


def _grams(codes, order):
    """Every run of order + 1 bytes of `codes` (n,) as one number each: (n - order,), none where n <= order."""
    n = len(codes) - order
    return _pack([codes[k : k + n] for k in range(order + 1)]) if n > 0 else np.zeros(0, dtype=np.int64)


def _pack(columns):
    """Columns of bytes, oldest first, as one int64 each: the first is the most significant."""
    packed = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        packed <<= 8
        packed |= column
    return packed


def _look_up(keys, values, wanted):
    """values[i] where keys[i] == wanted, 0 where no key does. keys: sorted."""
    if not len(keys):
        return np.zeros(len(wanted), dtype=np.int64)
    found = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[found] == wanted, values[found], 0)


def _as_array(name, data):
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise TypeError(f"{name} must be bytes, got {type(data).__name__}")
    return np.frombuffer(data, dtype=np.uint8)


def _check_order(name, order):
    if check_int(name, order, 0) > _MAX_ORDER:
        raise ValueError(f"{name} must be at most {_MAX_ORDER}, got {order}")
    return order


def _mean(bits):
    if not len(bits):
        raise ValueError("test must hold at least one byte, got none")
    return bits.mean()


def byte_model_table(train, test, given=b"", max_order=3):
    """Bits per byte on `test` of the byte models of order 0 to `max_order` counted on `train`.

    train, test, given: bytes; given: what comes before `test`, as in `ByteNGram.bits`. Returns a dict "order 0": float,
    and so on, in this order.
    """
    model = ByteNGram(_check_order("max_order", max_order)).fit(train)
    return {f"order {k}": float(_mean(-np.log2(p))) for k, p in enumerate(model._ladder(test, given))}


_COMPRESSORS = {
    "gzip -9": lambda data: gzip.compress(data, 9, mtime=0),
    "bzip2 -9": lambda data: bz2.compress(data, 9),
    "xz -9e": lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME),
}


def compressed_bits_per_byte(test, given=b""):
    """Bits that each compressor needs per byte of `test`: a dict "gzip -9", "bzip2 -9", "xz -9e": float.

    given: bytes that both sides already have. What counts is then by how much the packed size of given + test exceeds
    that of given alone: a compressor learns from what came before, as a model learns from its training text, but looks
    no further back than its window (gzip 32 KiB, bzip2 900 kB, xz 64 MiB). Raises TypeError for what is no bytes,
    ValueError for an empty `test`. xz takes about a second per megabyte.
    """
    if not len(_as_array("test", test)):
        raise ValueError("test must hold at least one byte, got none")
    _as_array("given", given)
    test, given = bytes(test), bytes(given)
    return {name: 8 * _increase(pack, test, given) / len(test) for name, pack in _COMPRESSORS.items()}


def _increase(pack, test, given):
    return len(pack(given + test)) - (len(pack(given)) if given else 0)
