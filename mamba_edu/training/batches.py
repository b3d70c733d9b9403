"""Windows of a text, in an order that shows every byte equally often and no window twice in the same cut."""

import torch


def shuffled_windows(tokens, seqlen, batch_size, generator):
    """Yield (inputs, targets), (batch_size, seqlen) each, for ever; targets are shifted by one.

    Each pass over the text cuts it at a new random offset and shuffles the windows. Cut always at the same places, the
    byte after a cut would be predicted from nothing in every pass; drawn freely, some bytes would be met three times
    before others once. tokens: (n) int64, n > seqlen. The order depends on `generator` (a torch.Generator on the CPU)
    alone, never on the global one.
    """
    span = torch.arange(seqlen + 1)
    starts = torch.empty(0, dtype=torch.int64)
    while True:
        while len(starts) < batch_size:
            spare = len(tokens) - 1 - seqlen  # how far the first window may move
            offset = torch.randint(0, min(seqlen, spare + 1), (1,), generator=generator)
            cuts = offset + torch.arange(0, spare + 1 - int(offset), seqlen)
            starts = torch.cat([starts, cuts[torch.randperm(len(cuts), generator=generator)]])
        windows = tokens[starts[:batch_size, None] + span]  # (b, l + 1)
        starts = starts[batch_size:]
        yield windows[:, :-1], windows[:, 1:]
