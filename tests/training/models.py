"""Small modules that map tokens (b, l) to logits (b, l, vocabulary), for tests of the trainer alone."""

import math

import torch
from torch import nn


class Bigram(nn.Module):
    """The next byte from the last one: a table, in half its entries wrong at first."""

    def __init__(self, vocab=256, width=None):
        super().__init__()
        self.table = nn.Embedding(vocab, width or vocab)

    def forward(self, tokens):
        return self.table(tokens)  # (b, l, v)


class TinyGRU(nn.Module):
    """A recurrent model with a state, a bias, a norm and dropout."""

    def __init__(self, vocab=256, width=32, dropout=0.0):
        super().__init__()
        self.embedding = nn.Embedding(vocab, width)
        self.rnn = nn.GRU(width, width, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, vocab)

    def forward(self, tokens):
        h, _ = self.rnn(self.embedding(tokens))  # (b, l, width), from a zero state
        return self.head(self.dropout(self.norm(h)))


class Position(nn.Module):
    """Spreads its probability by the position in the window, so that a score tells where each target stood.

    At position t the target is given t + 1 nats.
    """

    def __init__(self, vocab=4):
        super().__init__()
        self.vocab = vocab

    def forward(self, tokens):
        b, l = tokens.shape
        cost = torch.arange(1, l + 1, dtype=torch.float64)  # nats of token 0; the others share the rest
        rest = (1 - torch.exp(-cost)).log() - math.log(self.vocab - 1)
        logits = torch.stack([-cost] + [rest] * (self.vocab - 1), dim=-1)
        return logits.expand(b, l, self.vocab)
