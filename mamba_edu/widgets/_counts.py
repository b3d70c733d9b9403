"""The byte counts of the figure `bits-per-byte`: `data/byte_counts.json`, read here and, alike, in `counts.js`.

A context is the last k bytes, k = 0 to 3. Of a context that was kept the file has how often some bytes followed it, and
its rest: how many different bytes followed it, plus how often those did that are not listed. What Witten and Bell keep
for news, the t of `mamba_edu.baselines`, and what pruning took out then speak with one voice, that of the context one
byte shorter:

    p(x | context) = (count(context, x) + rest p(x | shorter context)) / (sum of counts + rest)

So probabilities sum to one, whatever was pruned. Without pruning it is `ByteNGram`'s rule.

The file spares what follows from something else. Contexts of k bytes stand in the order of the entries of k - 1 bytes,
one number each: how many bytes are listed after it, 0 where it was dropped. A context lists only bytes that its shorter
context lists, too: they are places in that list, the most frequent first, as gaps. Counts and rests are places in a
table of levels. Every number is a letter of `LETTERS`; the last one means: add as much, and the next letter.
"""

import functools
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FILE = Path(__file__).parent / "data" / "byte_counts.json"
LETTERS = "".join(chr(code) for code in range(35, 127) if chr(code) not in "\\<`$")  # safe in JSON, HTML and JavaScript
ORDERS = 4
STREAMS = ("listed", "gaps", "counts", "rests")


@dataclass(frozen=True)
class Context:
    """What followed one context: bytes and their counts, the most frequent first, and the rest, all whole numbers."""

    following: tuple
    counts: tuple
    rest: int

    @functools.cached_property
    def total(self):
        return sum(self.counts) + self.rest


class ByteCounts:
    """The kept counts of order 0 to 3. `contexts[k]`: {the last k bytes as one number, oldest first: `Context`}."""

    def __init__(self, contexts, about):
        self.contexts, self.about = contexts, about

    def known(self, before, order):
        """The longest kept context: how many bytes of `before` count, `order` at most."""
        tails = range(min(order, len(before)), 0, -1)
        return next((k for k in tails if _number(before[-k:]) in self.contexts[k]), 0)

    def probabilities(self, before, order):
        """p of each next byte after the bytes `before`, of which the last `order` count: float64 (256,)."""
        p = np.full(256, 1 / 256)
        for k in range(self.known(before, order) + 1):
            context = self.contexts[k][_number(before[len(before) - k :])]
            counts = np.zeros(256)
            counts[list(context.following)] = context.counts
            p = (counts + context.rest * p) / context.total
        return p


def _number(data):
    return int.from_bytes(data, "big")


@functools.cache
def byte_counts():
    """The `ByteCounts` that ship with the package."""
    return read_counts(FILE.read_text(encoding="utf-8"))


def read_counts(text):
    """The `ByteCounts` of a file's text. Raises ValueError where it ends too early or too late."""
    about = json.loads(text)
    contexts, parents = [], [0]  # before order 0 there is one context, the empty one
    for order, packed in enumerate(about.pop("orders")):
        streams = {name: _numbers(packed[name]) for name in STREAMS}
        shorter = contexts[-1] if contexts else None
        found, entries = {}, []
        try:
            for parent in parents:
                listed = next(streams["listed"])
                if listed:
                    candidates = shorter[parent & (1 << 8 * (order - 1)) - 1].following if order else range(256)
                    found[parent] = _context(listed, candidates, packed["levels"], streams)
                    entries += [parent << 8 | byte for byte in found[parent].following]
        except (StopIteration, IndexError, KeyError):
            raise ValueError(f"the counts of order {order} end too early") from None
        if any(next(stream, None) is not None for stream in streams.values()):
            raise ValueError(f"the counts of order {order} go on after their end")
        contexts.append(found)
        parents = entries
    return ByteCounts(contexts, about)


def _context(listed, candidates, levels, streams):
    place, pairs = -1, []
    for _ in range(listed):
        place += 1 + next(streams["gaps"])
        pairs.append((-levels[next(streams["counts"])], candidates[place]))
    pairs.sort()  # by count, then by byte
    return Context(tuple(b for _, b in pairs), tuple(-n for n, _ in pairs), levels[next(streams["rests"])])


def _numbers(letters):
    """The numbers that `letters` stand for, one after the other."""
    more, value = len(LETTERS) - 1, 0
    for letter in letters:
        digit = LETTERS.index(letter)
        value += digit
        if digit < more:
            yield value
            value = 0
