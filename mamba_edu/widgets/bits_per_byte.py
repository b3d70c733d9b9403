"""`BitsPerByte`, the figure of chapter 12: what each byte of a text costs a model that has counted enwik8."""

import numpy as np
import torch
from traitlets import default

from ._counts import ORDERS, byte_counts
from ._figure import LiveFigure
from ._text_marks import TextMarks
from ._traits import Bytes, Whole

MOST_BYTES = 200
SHOWN = 6  # next bytes


class BitsPerByte(TextMarks, LiveFigure):
    """The price of each byte of a text, -log2 p bits, by byte models of order 0 to 3.

    They were counted on the training split of enwik8's first 4,000,000 bytes and pruned; `_counts.byte_counts()` has
    them. They learn nothing from `text`. A byte with fewer than `order` bytes before it, or with a context that is not
    kept, is priced by the longest context there is.

    text: 1 to 200 bytes of UTF-8. order: how many bytes before each one count, 0 to 3. step: the marked byte t, from 0;
    -1 is the last. guess: the reader's, which byte is dearest; -1 is none yet. Shorter text takes a step or a guess
    beyond its end back to -1.
    """

    name = "bits-per-byte"
    file = "byte_counts"
    text = Bytes("by [[Johann Most]] in the", most=MOST_BYTES)
    order = Whole(3, 0, ORDERS - 1)
    step = Whole(-1, -1, MOST_BYTES - 1)
    guess = Whole(-1, -1, MOST_BYTES - 1)

    @default("question")
    def _default_question(self):
        return "Which byte stays dear when the bytes before it are known?"

    def data(self):
        """What is drawn, float64.

        bytes: (l). known: (l), how many bytes before each one counted. p: (l), of each byte. bits: (l), -log2 p. alone:
        (l), its bits by order 0. means: (4), bits per byte of the text by order 0 to 3. next: (6, 2), the likeliest
        bytes at the marked one, rows of (byte, p). bytes and known are whole numbers, in float64 as well.
        """
        counts, data = byte_counts(), self.text.encode("utf-8")
        tables = [[counts.probabilities(data[:t], k) for t in range(len(data))] for k in range(ORDERS)]
        p = np.array([[table[byte] for table, byte in zip(row, data, strict=True)] for row in tables])  # (4, l)
        bits = -np.log2(p)
        at = tables[self.order][self.step]  # (256,); step -1 is the last
        likeliest = np.argsort(-at, kind="stable")[:SHOWN]
        found = {
            "bytes": list(data),
            "known": [counts.known(data[:t], self.order) for t in range(len(data))],
            "p": p[self.order],
            "bits": bits[self.order],
            "alone": bits[0],
            "means": bits.mean(axis=1),
            "next": np.stack([likeliest, at[likeliest]], axis=1),
        }
        return {name: torch.tensor(np.asarray(values), dtype=torch.float64) for name, values in found.items()}

    def still(self):
        from ..plots.still_bits_per_byte import bits_per_byte_still

        return bits_per_byte_still(self.data(), self.text, self.order, byte_counts().about)
