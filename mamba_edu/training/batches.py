"""Where the windows of a batch begin: strangers that show every byte equally often, or streams that go on reading.

Both orders are functions of the text's length and a generator alone. So a run that was stopped finds its place again by
drawing, without cutting, as many batches as it has read, on any number of processes.
"""

import torch


def shuffled_starts(n, seqlen, batch_size, generator):
    """Yield (starts (batch_size,), True) for ever: windows of seqlen + 1 of n tokens, in random order; n > seqlen.

    Each pass over the text cuts it at a new random offset and shuffles the windows. Cut always at the same places, the
    byte after a cut would be predicted from nothing in every pass; drawn freely, some bytes would be met three times
    before others once. The order depends on `generator` (a torch.Generator on the CPU) alone, never on the global one.
    """
    starts = torch.empty(0, dtype=torch.int64)
    while True:
        while len(starts) < batch_size:
            spare = n - 1 - seqlen  # how far the first window may move
            offset = torch.randint(0, min(seqlen, spare + 1), (1,), generator=generator)
            cuts = offset + torch.arange(0, spare + 1 - int(offset), seqlen)
            starts = torch.cat([starts, cuts[torch.randperm(len(cuts), generator=generator)]])
        yield starts[:batch_size], True
        starts = starts[batch_size:]


def stream_starts(n, seqlen, batch_size, generator):
    """Yield (starts (batch_size,), fresh) for ever: each row of the batch reads on where it stopped.

    The text, n tokens, is cut into batch_size pieces of equal length, one a row, at a new random offset in each pass.
    fresh: whether the rows have just been put somewhere new, so that a state from before says nothing about them.
    n must be above batch_size * seqlen; what is left over at the end is in another pass' offset.
    """
    rows = (n - 1) // batch_size  # tokens a row, at most
    windows = rows // seqlen
    spare = n - 1 - (batch_size - 1) * rows - windows * seqlen  # how far all rows may move
    while True:
        offset = torch.randint(0, spare + 1, (1,), generator=generator)
        first = offset + rows * torch.arange(batch_size)
        for k in range(windows):
            yield first + k * seqlen, k == 0


def cut(tokens, starts, seqlen):
    """(inputs, targets), (b, seqlen) each: the windows of `tokens` (n) at `starts` (b), targets shifted by one."""
    span = torch.arange(seqlen + 1, device=tokens.device)
    windows = tokens[starts.to(tokens.device)[:, None] + span]  # (b, l + 1)
    return windows[:, :-1], windows[:, 1:]
