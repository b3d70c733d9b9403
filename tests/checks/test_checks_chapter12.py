"""Chapter 12's graders: right answers of several kinds pass, each likely mistake gets the hint meant for it."""

import math

import torch
from graders import test_each_mistake_gets_its_own_hint, test_right_answers_pass  # noqa: F401
from torch.nn import functional as F


def masked_loss(logits, targets, mask):
    return F.cross_entropy(logits[mask], targets[mask])


def gathered(logits, targets, mask):
    log_p = logits[mask].log_softmax(dim=-1)
    return -log_p[torch.arange(len(log_p)), targets[mask]].mean()


def every_loss(logits, targets):
    return F.cross_entropy(logits.transpose(1, 2), targets, reduction="none")


def multiplied(logits, targets, mask):
    return (every_loss(logits, targets) * mask).sum() / mask.sum()


def selected_late(logits, targets, mask):
    """Right in value; the NaN of the padding comes back through the softmax's gradient."""
    losses = every_loss(logits, targets.clamp(min=0))
    return torch.where(mask, losses, torch.zeros_like(losses)).sum() / mask.sum()


def row_means(logits, targets, mask):
    return torch.stack([masked_loss(a, b, m) for a, b, m in zip(logits, targets, mask)]).mean()


def in_place(logits, targets, mask):
    """Right, and changes what it was given."""
    loss = masked_loss(logits, targets, mask)
    targets.zero_()
    return loss


def leak(train, test):
    seen = {at for start, stop in train for at in range(start, stop)}
    return sorted({at for start, stop in test for at in range(start, stop) if at in seen})


def leak_by_overlap(train, test):
    found = set()
    for a, b in train:
        for c, d in test:
            found.update(range(max(a, c), min(b, d)))
    return sorted(found)


def price(counts, byte, shorter):
    n, t = sum(counts.values()), len(counts)
    p = (counts.get(byte, 0) + t * shorter) / (n + t) if n else shorter
    return -math.log2(p)


def price_of(p):
    """An answer with p(count, n, t, shorter) in place of the rule; 1/2 where that is no probability."""

    def answer(counts, byte, shorter):
        n, t = sum(counts.values()), len(counts)
        return -math.log2(p(counts.get(byte, 0), n, t, shorter) if n else shorter)

    return answer


def perplexity(reported):
    nats = math.log2(reported)
    return nats / math.log(2), math.exp(nats)


def per_character(each, text):
    return each * len(text) / len(text.decode("utf-8"))


RIGHT = {
    "bits_per_character": [
        per_character,
        lambda each, text: torch.tensor(each * len(text) / sum(b & 0xC0 != 0x80 for b in text), dtype=torch.float64),
    ],
    "perplexity_repaired": [
        perplexity,
        lambda reported: [math.log2(reported) * math.log2(math.e), reported ** (1 / math.log(2))],
    ],
    "split_leak": [leak, leak_by_overlap],
    "masked_loss": [masked_loss, gathered, in_place],
    "price_by_counts": [price, lambda *a: torch.tensor(price(*a), dtype=torch.float64)],
}

WRONG = [
    ("bits_per_character", lambda each, text: each, "shared by fewer"),
    ("bits_per_character", lambda each, text: each * len(text.decode()) / len(text), "pays more, not less"),
    ("bits_per_character", lambda each, text: each * len(text), "divide by its characters"),
    ("bits_per_character", lambda each, text: each + 1, "bits a character"),
    ("bits_per_character", lambda each, text: math.inf, "finite"),
    ("bits_per_character", lambda each, text: True, "should be a number"),
    ("perplexity_repaired", lambda r: (math.log2(r), r ** (1 / math.log(2))), "from nats to bits"),
    ("perplexity_repaired", lambda r: (math.log(r), math.exp(math.log2(r))), "log2 takes that back"),
    ("perplexity_repaired", lambda r: (perplexity(r)[0], r), "still theirs"),
    ("perplexity_repaired", lambda r: (perplexity(r)[0], math.exp(perplexity(r)[0])), "e goes with nats"),
    ("perplexity_repaired", lambda r: (perplexity(r)[0], 256.0), "the perplexity of 1 bits a byte is not 256"),
    ("perplexity_repaired", lambda r: (3.0, 8.0), "bits they are not"),
    ("perplexity_repaired", lambda r: perplexity(r)[0], "return two numbers"),
    ("split_leak", lambda train, test: [], "byte 89 is trained on and scored"),
    ("split_leak", lambda train, test: leak([(a, b + 1) for a, b in train], test), "stop is the first byte after"),
    ("split_leak", lambda train, test: leak(train, [(a, b - 1) for a, b in test]), "is trained on and scored"),
    ("split_leak", lambda train, test: leak(train[:1], test), "windows that overlap, dealt out"),
    ("split_leak", lambda train, test: leak(train, test)[::-1], "in order"),
    ("split_leak", lambda train, test: [at for span in test for at in leak(train, [span])], "twice"),
    ("split_leak", lambda train, test: sorted(set(train) & set(test)), "byte 89 is trained on and scored"),
    ("split_leak", lambda train, test: [(at, at + 1) for at in leak(train, test)], "a whole number"),
    ("split_leak", lambda train, test: set(leak(train, test)), "return a list"),
    ("split_leak", lambda train, test: [at for span in test for at in range(*span)], "in your list, and not in both"),
    ("masked_loss", lambda logits, targets, mask: every_loss(logits, targets).mean(), "padding is scored, too"),
    ("masked_loss", lambda logits, targets, mask: (every_loss(logits, targets) * mask).mean(), "still counted"),
    ("masked_loss", row_means, "a mean of the rows' means"),
    ("masked_loss", lambda *a: masked_loss(*a) / math.log(2), "those are bits"),
    ("masked_loss", lambda logits, targets, mask: every_loss(logits, targets)[mask].sum(), "that is the sum"),
    ("masked_loss", lambda logits, targets, mask: every_loss(logits, targets)[~mask].mean(), "mean loss is not"),
    ("masked_loss", multiplied, "NaN times 0 is NaN"),
    ("masked_loss", selected_late, "the gradient is not finite"),
    ("masked_loss", lambda *a: masked_loss(*a).item(), "through which gradients flow"),
    ("masked_loss", lambda logits, targets, mask: masked_loss(logits.detach(), targets, mask), "gradients flow"),
    ("price_by_counts", price_of(lambda c, n, t, p: c / n), "without a share for news"),
    ("price_by_counts", price_of(lambda c, n, t, p: (c + 1) / (n + 256)), "one more for each byte"),
    ("price_by_counts", price_of(lambda c, n, t, p: (c + t * p) / n), "of the whole: n + t"),
    ("price_by_counts", price_of(lambda c, n, t, p: c / (n + t)), "has its say"),
    ("price_by_counts", price_of(lambda c, n, t, p: (c + p) / (n + 1)), "not one"),
    ("price_by_counts", price_of(lambda c, n, t, p: p), "from the shorter context not"),
    ("price_by_counts", lambda *a: price(*a) * math.log(2), "take log2"),
    ("price_by_counts", lambda *a: -price(*a), "negative"),
    ("price_by_counts", lambda counts, byte, p: price(counts, byte, p) if counts else 8.0, "never seen"),
    ("price_by_counts", lambda counts, byte, p: price(counts or {"]": 1}, byte, p), "never seen"),
]
