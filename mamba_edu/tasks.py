"""Tasks made to order: sequences whose answer is known, and which fail for one reason each.

Each function draws a batch, (inputs, targets), fresh at every call: there is nothing to learn by heart.
"""

import torch

from ._validate import check_flag, check_int

NOISE = 0  # the token between the data, in every task here


def selective_copying(batch, seqlen, n_data=16, vocab_size=16, *, scattered=True, generator=None):
    """Data tokens scattered among noise, to be repeated in order (Mamba section 3.1, figure 2; appendix E.1).

        inputs   0 0 7 0 0 0 2 0 12 0  15 15 15        n_data = 3, seqlen = 10, vocab_size = 16
        targets                         7  2 12

    inputs: (batch, seqlen + n_data) int64, targets: (batch, n_data) int64. Of the first seqlen tokens n_data are data,
    drawn evenly from 1 ... vocab_size - 2, on places drawn evenly without repetition; the others are noise, 0. Then
    come n_data question marks, vocab_size - 1: under the j-th one the model must say the j-th data token. A guess is
    right once in vocab_size - 2. The defaults are the paper's, whose seqlen is 4096.

    scattered=False puts the data on the first n_data places: plain copying, where question j always stands seqlen steps
    after its token, so that a layer needs to know no more than that distance.

    generator: a torch.Generator for the same draw again; None takes PyTorch's own. The tensors are on its device.
    Raises TypeError or ValueError, naming the argument.
    """
    check_int("batch", batch, 0)
    check_int("n_data", n_data, 1)
    check_int("seqlen", seqlen, 1)
    check_int("vocab_size", vocab_size, 3)  # noise, one kind of data, the question mark
    check_flag("scattered", scattered)
    if seqlen < n_data:
        raise ValueError(f"seqlen must be at least n_data={n_data}, to hold the data, got {seqlen}")
    if generator is not None and not isinstance(generator, torch.Generator):
        raise TypeError(f"generator must be a torch.Generator or None, got {type(generator).__name__}")
    drawn = {"generator": generator, "device": "cpu" if generator is None else generator.device}
    targets = torch.randint(1, vocab_size - 1, (batch, n_data), **drawn)
    if scattered:  # the n_data largest of seqlen random numbers: distinct places, each choice equally likely
        places = torch.rand(batch, seqlen, **drawn).topk(n_data, dim=1).indices.sort(dim=1).values
    else:
        places = torch.arange(n_data, device=targets.device).expand(batch, n_data)
    inputs = torch.full((batch, seqlen + n_data), vocab_size - 1, device=targets.device)
    inputs[:, :seqlen] = NOISE
    return inputs.scatter(1, places, targets), targets
