"""Tasks made to order: sequences whose answer is known, and which fail for one reason each.

`selective_copying` and `delayed_recall` draw a batch, (inputs, targets), fresh at every call: there is nothing to learn
by heart. `sequential_digits` is real handwriting, read one pixel at a time.
"""

from typing import NamedTuple

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
    drawn = _check(batch, seqlen, n_data, vocab_size, generator)
    check_flag("scattered", scattered)
    targets = torch.randint(1, vocab_size - 1, (batch, n_data), **drawn)
    if scattered:  # the n_data largest of seqlen random numbers: distinct places, each choice equally likely
        places = torch.rand(batch, seqlen, **drawn).topk(n_data, dim=1).indices.sort(dim=1).values
    else:
        places = torch.arange(n_data, device=targets.device).expand(batch, n_data)
    inputs = torch.full((batch, seqlen + n_data), vocab_size - 1, device=targets.device)
    inputs[:, :seqlen] = NOISE
    return inputs.scatter(1, places, targets), targets


def delayed_recall(batch, seqlen, n_data=1, vocab_size=16, *, distractors=True, generator=None):
    """Data first, to be repeated after a delay in which other tokens come (after the copying task of Arjovsky,
    Shah and Bengio 2016, who follow Hochreiter and Schmidhuber 1997).

        inputs   7 3 12 3 5 9 1 3 14 4 15        n_data = 1, seqlen = 10, vocab_size = 16
        targets                         7

    inputs: (batch, seqlen + n_data) int64, targets: (batch, n_data) int64. The first n_data tokens are the data; then
    come seqlen - n_data others, drawn from the same symbols, 1 ... vocab_size - 2, or with distractors=False nothing
    but noise, 0; then n_data question marks, vocab_size - 1: under the j-th one the model must say the j-th data token,
    seqlen steps after it came. With distractors nothing marks the data but its place. A guess is right once in
    vocab_size - 2.

    generator: a torch.Generator for the same draw again; None takes PyTorch's own. The tensors are on its device.
    Raises TypeError or ValueError, naming the argument.
    """
    drawn = _check(batch, seqlen, n_data, vocab_size, generator)
    check_flag("distractors", distractors)
    inputs = torch.randint(1, vocab_size - 1, (batch, seqlen + n_data), **drawn)
    targets = inputs[:, :n_data].clone()
    if not distractors:
        inputs[:, n_data:seqlen] = NOISE
    inputs[:, seqlen:] = vocab_size - 1
    return inputs, targets


class Digits(NamedTuple):
    """Images as sequences, (n, 64, 1) float32 in [0, 1], and what they show, (n) int64 in 0 ... 9: three parts each."""

    train_inputs: torch.Tensor
    train_targets: torch.Tensor
    valid_inputs: torch.Tensor
    valid_targets: torch.Tensor
    test_inputs: torch.Tensor
    test_targets: torch.Tensor


def sequential_digits(*, shuffled_pixels=False, seed=0):
    """Handwritten digits, 8 by 8 pixels, read line by line: which digit was it? -> Digits, 1,197 : 300 : 300.

    The images are scikit-learn's `load_digits`: the 1,797 of the test part of "Optical Recognition of Handwritten
    Digits" (Alpaydin and Kaynak 1998, UCI Machine Learning Repository), by 13 writers; no network is needed. Who wrote
    which digit is not recorded, so that the parts share their writers. The task is a small sequential MNIST (Le, Jaitly
    and Hinton 2015): 64 steps of one number each.

    shuffled_pixels: one order, drawn from `seed`, for the pixels of all images: neighbours are torn apart. seed: which
    images are in which part, and that order. Raises TypeError or ValueError, naming the argument; ImportError that says
    what to install where scikit-learn is missing.
    """
    check_flag("shuffled_pixels", shuffled_pixels)
    check_int("seed", seed, 0)
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise ImportError("sequential_digits needs scikit-learn: pip install scikit-learn") from None
    images, labels = load_digits(return_X_y=True)  # (1797, 64) in 0 ... 16
    images, labels = torch.tensor(images, dtype=torch.float32) / 16, torch.tensor(labels, dtype=torch.int64)
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(images), generator=generator)
    pixels = torch.randperm(images.shape[1], generator=generator) if shuffled_pixels else slice(None)
    parts = order.split([len(images) - 600, 300, 300])
    return Digits(*(part for at in parts for part in (images[at][:, pixels, None], labels[at])))


def _check(batch, seqlen, n_data, vocab_size, generator):
    """Refuse sizes that make no task; return where and by what to draw."""
    check_int("batch", batch, 0)
    check_int("n_data", n_data, 1)
    check_int("seqlen", seqlen, 1)
    check_int("vocab_size", vocab_size, 3)  # noise, one kind of data, the question mark
    if seqlen < n_data:
        raise ValueError(f"seqlen must be at least n_data={n_data}, to hold the data, got {seqlen}")
    if generator is not None and not isinstance(generator, torch.Generator):
        raise TypeError(f"generator must be a torch.Generator or None, got {type(generator).__name__}")
    return {"generator": generator, "device": "cpu" if generator is None else generator.device}
