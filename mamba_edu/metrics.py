"""One loss, three ways to say it: nats, bits per byte, perplexity.

A model gives the byte that came the probability p. Its loss is -ln p nats, which is -log2 p bits: one nat is
1 / ln 2 = 1.4427 bits, because it counts in powers of e instead of powers of 2. A model that knows nothing gives each
of 256 bytes 1/256: 5.545 nats, 8 bits, perplexity 256. Perplexity, e^nats = 2^bits, is the number of equally likely
bytes that would puzzle it as much.

Of what, matters as much as in what. Results on enwik8 are bits per *byte*. Text in UTF-8 has fewer characters than
bytes, so bits per character = bits per byte * bytes / characters is the larger number, and a perplexity per word or per
token of another vocabulary compares with neither.
"""

import math
from numbers import Real

import torch


def bits_per_byte(loss):
    """Bits per byte of a mean loss in nats per byte: loss / ln 2.

    loss: a number, or a floating-point tensor of any shape (each element a mean loss); at least 0, in nats, as
    `torch.nn.functional.cross_entropy` gives it. A number gives a float, a tensor a tensor of its shape and dtype,
    through which gradients flow. A NaN stays NaN, infinity stays infinity. Raises TypeError for anything else,
    ValueError for a negative loss: no probability is above 1.
    """
    return _checked(loss) / math.log(2)


def calculate_perplexity(loss):
    """Perplexity of a mean loss in nats: e^loss; 1 for a model that is sure and right, 256 for one that knows nothing.

    loss: as in `bits_per_byte`. What is too large for the number type becomes infinity. Perplexity of a mean is not the
    mean of perplexities: average the losses first.
    """
    loss = _checked(loss)
    if isinstance(loss, torch.Tensor):
        return loss.exp()
    try:
        return math.exp(loss)
    except OverflowError:  # beyond 709.78 nats; a tensor gives inf there, too
        return math.inf


def _checked(loss):
    if isinstance(loss, torch.Tensor):
        if not loss.is_floating_point():
            raise TypeError(f"loss must be a floating-point tensor or a number, got a tensor of {loss.dtype}")
        lowest = loss.detach().nan_to_num(nan=0.0, neginf=-math.inf).amin().item() if loss.numel() else 0.0
    elif isinstance(loss, Real) and not isinstance(loss, bool):
        loss = lowest = float(loss)
    else:
        raise TypeError(f"loss must be a number or a floating-point tensor, got {type(loss).__name__}")
    if lowest < 0:  # false for NaN, which is no number and stays none
        raise ValueError(f"loss must be at least 0 nats, got {lowest}")
    return loss
