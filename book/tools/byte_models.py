"""Write mamba_edu/widgets/data/byte_counts.json, the byte counts of the live figure `bits-per-byte`.

    python book/tools/byte_models.py

Counts the training split of enwik8's first 4,000,000 bytes, as `load_enwiki8_dataset` finds it (MAMBA_EDU_DATA), with
order 0 to 3. Contexts seen fewer than three times go. Of the rest go the entries that save the fewest bits, until the
file, gzipped as a server sends it, is under `LIMIT` bytes. What that costs is measured on the test split and stands in
the file. The form is that of `mamba_edu.widgets._counts`. About 30 s.
"""

import gzip
import json
import sys
from dataclasses import dataclass

import numpy as np

from mamba_edu import load_enwiki8_dataset
from mamba_edu.baselines import ByteNGram, byte_model_table
from mamba_edu.widgets._counts import FILE, LETTERS, ORDERS, STREAMS, read_counts

SEEN = 3  # times, a context at least
LIMIT = 138_000  # bytes of the gzipped file
FINE, COARSE = 1.1, 1.5  # one level of a count to the next: order 0 and 1 are few, and everything rests on them
STRIDE = 0.25  # bits: how finely the least saving is searched
COMMAND = "python book/tools/byte_models.py"


@dataclass(frozen=True)
class Level:
    """What was counted for one order: grams (n,), context and next byte as one number, sorted; each one's columns."""

    grams: np.ndarray
    counts: np.ndarray  # of the gram
    totals: np.ndarray  # of its context
    distinct: np.ndarray  # of its context
    saved: np.ndarray  # bits that the entry saves on the text it was counted on


def count(train):
    """The four `Level`s of the bytes `train`.

    What an entry saves: its count times the difference of -log2 p with it and without it, where p with it is that of
    a byte that has not been counted itself. So an entry seen once saves nothing.
    """
    levels, p = [], np.full(256, 1 / 256)  # p of each gram of the order before
    for order, level in enumerate(ByteNGram(ORDERS - 1).fit(train)._levels):
        grams, n = level.grams, level.counts
        at = np.searchsorted(level.contexts, grams >> 8)
        totals, distinct = level.totals[at], level.distinct[at]
        shorter = p[np.searchsorted(levels[-1].grams, _without_oldest(grams, order))] if order else p[grams]
        p = (n + distinct * shorter) / (totals + distinct)
        t = distinct - (n == 1)
        left = totals - 1 + t  # 0 where the context was seen once alone: the shorter one answers
        unseen = np.where(left > 0, (n - 1 + t * shorter) / np.maximum(left, 1), shorter)
        without = (n + distinct) * shorter / (totals + distinct)
        levels.append(Level(grams, n, totals, distinct, n * np.log2(unseen / without)))
    return levels


def _without_oldest(grams, order):
    return grams & (1 << 8 * order) - 1


def choose(levels, least):
    """Which entries stay, a mask (n,) for each order: those that save more than `least` bits, and what they need.

    An entry needs its context as an entry of the order before, and itself after the context one byte shorter.
    """
    keep = [(level.totals >= SEEN) & (level.saved > least) for level in levels]
    keep[0][:] = True
    for order in range(ORDERS - 1, 0, -1):
        grams, below = levels[order].grams[keep[order]], levels[order - 1].grams
        for needed in (_without_oldest(grams, order), grams >> 8):
            keep[order - 1][np.searchsorted(below, needed)] = True
    return keep


def table_of_levels(ratio, largest):
    """Whole numbers from 1 on, each about `ratio` times the one before, to `largest` at least."""
    table = [1]
    while table[-1] < largest:
        table.append(max(table[-1] + 1, round(table[-1] * ratio)))
    return table


def nearest(table, values):
    """The place of each value's nearest level, by ratio."""
    table = np.array(table)
    above = np.clip(np.searchsorted(table, values), 1, len(table) - 1)
    low, high = table[above - 1].astype(float), table[above].astype(float)
    return np.where(np.square(values, dtype=float) < low * high, above - 1, above)


def pack(levels, keep):
    """The kept entries in the form of the file: a dict for each order."""
    orders, parents, lists = [], [0], {0: range(256)}
    for order, (level, kept) in enumerate(zip(levels, keep, strict=True)):
        grams, counts = level.grams[kept], level.counts[kept]
        contexts, starts = np.unique(grams >> 8, return_index=True)
        rests = (level.totals + level.distinct)[kept][starts] - np.add.reduceat(counts, starts)
        table = table_of_levels(FINE if order < 2 else COARSE, max(counts.max(), rests.max()))
        places, streams = nearest(table, counts), {name: [] for name in STREAMS}
        ends = [*starts[1:], len(grams)]
        found = {
            int(c): (dict(zip((grams[a:b] & 255).tolist(), places[a:b].tolist(), strict=True)), int(rest))
            for c, a, b, rest in zip(contexts, starts, ends, nearest(table, rests), strict=True)
        }
        longer, entries = {}, []
        for parent in parents:
            following, rest = found.get(parent, ({}, None))
            streams["listed"].append(len(following))
            if following:
                shorter = lists[_without_oldest(parent, order - 1) if order else 0]
                longer[parent] = _list_one(following, rest, shorter, streams)
                entries += [parent << 8 | byte for byte in longer[parent]]
        orders.append({"levels": table, **{name: letters(values) for name, values in streams.items()}})
        parents, lists = entries, longer
    return orders


def _list_one(following, rest, shorter, streams):
    """Write one context into the streams. Returns its bytes, the most frequent first."""
    last = -1
    for place, byte in enumerate(shorter):
        if byte in following:
            streams["gaps"].append(place - last - 1)
            streams["counts"].append(following[byte])
            last = place
    streams["rests"].append(rest)
    return sorted(following, key=lambda byte: (-following[byte], byte))


def letters(values):
    """Whole numbers as letters; see `mamba_edu.widgets._counts`."""
    more = len(LETTERS) - 1
    return "".join(LETTERS[-1] * (value // more) + LETTERS[value % more] for value in values)


def write(about, orders):
    """The file's text, a line for each thing in it."""
    lines = [f" {json.dumps(name)}: {json.dumps(value)}" for name, value in about.items()]
    packed = ",\n".join(
        "  {" + ",\n   ".join(f'"{k}": {json.dumps(v)}' for k, v in one.items()) + "}" for one in orders
    )
    return "{\n" + ",\n".join([*lines, f' "orders": [\n{packed}\n ]']) + "\n}\n"


def weight(text):
    """Bytes of `text` on its way to a reader."""
    return len(gzip.compress(text.encode("utf-8"), 9, mtime=0))


def find_least(levels):
    """The smallest saving, in steps of `STRIDE`, whose file is light enough, with a kilobyte for what it is about."""
    low, high = 0, 1
    fits = lambda steps: weight(write({}, pack(levels, choose(levels, steps * STRIDE)))) < LIMIT - 1000  # noqa: E731
    while not fits(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    return high * STRIDE


def bits_per_byte(counts, test, given):
    """{"order 0": bits per byte of `test` by the `ByteCounts`, ...}, the bytes `given` before it."""
    text, start = given[-ORDERS:] + test, min(ORDERS, len(given))
    seen, bits = {}, np.zeros(ORDERS)
    for t in range(start, len(text)):
        for order in range(ORDERS):
            gram = text[t - order : t + 1]
            if gram not in seen:
                seen[gram] = -np.log2(counts.probabilities(gram[:-1], order)[gram[-1]])
            bits[order] += seen[gram]
    return {f"order {order}": round(float(bits[order]) / len(test), 5) for order in range(ORDERS)}


def make(splits, least=None):
    """The file's text for `splits` (of `load_enwiki8_dataset`). least: bits; None searches it."""
    levels = count(splits.train)
    least = find_least(levels) if least is None else least
    keep = choose(levels, least)
    orders = pack(levels, keep)
    about = {
        "command": COMMAND,
        "text": splits.name,
        "counted_bytes": len(splits.train),
        "test_bytes": len(splits.test),
        "seen_at_least": SEEN,
        "saves_more_than_bits": least,
        "contexts": _tally(levels, keep, lambda grams: len(np.unique(grams >> 8))),
        "entries": _tally(levels, keep, len),
    }
    full = byte_model_table(splits.train, splits.test, given=splits.valid)
    about["bits_per_byte_full"] = {name: round(bits, 5) for name, bits in full.items()}
    counts = read_counts(write({}, orders))
    return write({**about, "bits_per_byte_kept": bits_per_byte(counts, splits.test, splits.valid)}, orders)


def _tally(levels, keep, number):
    """{"counted", "seen often enough", "kept"}: how many for each order."""
    masks = {
        "counted": [np.ones(len(level.grams), bool) for level in levels],
        "seen_often_enough": [level.totals >= SEEN for level in levels],
        "kept": keep,
    }
    return {
        what: [int(number(level.grams[mask])) for level, mask in zip(levels, chosen, strict=True)]
        for what, chosen in masks.items()
    }


def main():
    text = make(load_enwiki8_dataset())
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(text, encoding="utf-8")
    about = read_counts(text).about
    print(json.dumps(about, indent=1), f"\n{weight(text):,} bytes gzipped, {len(text):,} as they are", file=sys.stderr)


if __name__ == "__main__":
    main()
