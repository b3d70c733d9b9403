"""Causal attention and a small Transformer language model: every token is kept, and every new one looks at all of them.

    y_t = sum_s p_ts v_s,    p_t = softmax_s(q_t . k_s / sqrt(e)),    s = 0 ... t        (Vaswani et al. 2017, eq. 1)

Layouts: q (b, h, l, e), k and v (b, h, m, e), with h heads of e numbers and m >= l: the queries are those of the last l
of m positions, so that one call serves a whole sequence (l = m), a new part of it, and a single token (l = 1).
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from ._validate import check_int, check_number, check_tensor, check_tokens


def attention_weights(q, k):
    """How much each query takes from each position: (b, h, l, m), each row sums to 1, zero beyond its own position.

    q: (b, h, l, e), k: (b, h, m, e), the last l of m positions ask. Raises TypeError or ValueError, each naming
    the argument.
    """
    l, m = _check_heads(q, k)
    scores = q @ k.mT / math.sqrt(q.shape[-1])  # (b, h, l, m)
    future = torch.ones(l, m, dtype=torch.bool, device=q.device).triu(m - l + 1)
    return scores.masked_fill(future, -math.inf).softmax(-1)


def causal_attention(q, k, v):
    """y (b, h, l, e): for each query the average of v, weighted by `attention_weights`.

    q: (b, h, l, e), k, v: (b, h, m, e), m >= l. Spelled out, with all l m weights of a head in memory at the same time;
    PyTorch's `scaled_dot_product_attention`, which the layer below calls, computes the same in pieces.
    """
    _check_heads(q, k, v)
    return attention_weights(q, k) @ v


def rotate(x, start=0, base=10_000.0):
    """Rotary positions: turn each pair of numbers by its position times the pair's own speed (RoFormer, where
    neighbours are a pair; here the two halves are, as in LLaMA).

    x: (b, h, l, e), e even, at the positions start to start + l - 1; number i makes a pair with number i + e/2, whose
    speed is base^(-2i/e) radians a token. Two vectors that have been turned have the inner product of unturned ones
    whose positions were shifted alike: what counts is the distance. Computed in float32 at least, returned as x came.
    """
    _, _, l, e = check_tensor("x", x, "(b, h, l, e)")
    if e % 2:
        raise ValueError(f"x must have pairs of numbers to turn, an even e, got shape {tuple(x.shape)}")
    exact = torch.promote_types(x.dtype, torch.float32)
    positions = torch.arange(start, start + l, device=x.device, dtype=exact)
    speeds = base ** (-torch.arange(0, e, 2, device=x.device, dtype=exact) / e)  # (e / 2)
    angles = positions[:, None] * speeds  # (l, e / 2)
    cos, sin = angles.cos(), angles.sin()
    first, second = x.to(exact).chunk(2, dim=-1)  # (b, h, l, e / 2) each
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1).to(x.dtype)


class KVCache(NamedTuple):
    """What attention remembers: the keys, already rotated, and the values of all m tokens so far, (b, h, m, e) each."""

    keys: torch.Tensor
    values: torch.Tensor


class CausalSelfAttention(nn.Module):
    """Multi-head causal self-attention with rotary positions: (b, l, d_model) -> (b, l, d_model).

    d_model: width, a multiple of n_head; the width of a head, d_model / n_head, must be even. rotary_base: see
    `rotate`. No biases. The state is a `KVCache`. It grows by 2 d_model numbers a token and sequence; its length is the
    position of the next token, so there is no limit to a sequence but memory. Raises TypeError or ValueError, naming
    the argument.
    """

    def __init__(self, d_model, n_head, rotary_base=10_000.0):
        super().__init__()
        self.d_model, self.n_head = _check_widths(d_model, n_head)
        self.rotary_base = check_number("rotary_base", rotary_base, above=1)
        self.qkv = nn.Linear(d_model, 3 * d_model, bias=False)
        self.out_proj = nn.Linear(d_model, d_model, bias=False)

    def project(self, x, start=0):
        """x: (b, l, d_model) at the positions from `start` on -> q, k, v (b, h, l, e), q and k rotated."""
        b, l, _ = check_tensor("x", x, "(b, l, d)", {"d": self.d_model}, device=self.qkv.weight.device)
        q, k, v = (
            self.qkv(x).view(b, l, 3, self.n_head, self.d_model // self.n_head).permute(2, 0, 3, 1, 4)
        )  # (b, h, l, e) each
        return rotate(q, start, self.rotary_base), rotate(k, start, self.rotary_base), v

    def forward(self, x, state=None, return_state=False):
        """x: (b, l, d_model) -> y (b, l, d_model), or (y, state). A state puts x after the tokens that it holds."""
        before = None if state is None else self._check_state(state, x)
        q, k, v = self.project(x, 0 if before is None else before.keys.shape[2])
        if before is not None:  # new tensors: whoever holds the old state can go on from it another time
            k = torch.cat([before.keys.to(k.dtype), k], dim=2)  # (b, h, m, e)
            v = torch.cat([before.values.to(v.dtype), v], dim=2)
        y = _fused_attention(q, k, v).transpose(1, 2).flatten(2)  # (b, l, d_model)
        y = self.out_proj(y)
        return (y, KVCache(k, v)) if return_state else y

    def init_state(self, batch, device=None, dtype=None):
        """A `KVCache` of no tokens: (batch, h, 0, e) twice."""
        shape = (check_int("batch", batch, 0), self.n_head, 0, self.d_model // self.n_head)
        dtype = self.qkv.weight.dtype if dtype is None else dtype
        device = self.qkv.weight.device if device is None else device
        return KVCache(torch.zeros(shape, device=device, dtype=dtype), torch.zeros(shape, device=device, dtype=dtype))

    def step(self, x_t, state):
        """x_t: (b, d_model) -> (y_t (b, d_model), new state): one token; time and memory grow with the cache."""
        check_tensor("x_t", x_t, "(b, d)", {"d": self.d_model}, device=self.qkv.weight.device)
        y, state = self.forward(x_t[:, None], self._check_state(state, x_t), return_state=True)
        return y[:, 0], state

    def _check_state(self, state, x):
        if not isinstance(state, tuple) or len(state) != 2:
            kind = f"{len(state)} entries" if isinstance(state, tuple) else type(state).__name__
            raise TypeError(f"state must be a KVCache (keys, values), as init_state gives it, got {kind}")
        sizes = {"h": self.n_head, "e": self.d_model // self.n_head}
        if isinstance(x, torch.Tensor) and x.dim():
            sizes["b"] = x.shape[0]
        sizes["m"] = check_tensor("state.keys", state[0], "(b, h, m, e)", sizes, device=self.qkv.weight.device)[2]
        check_tensor("state.values", state[1], "(b, h, m, e)", sizes, device=self.qkv.weight.device)
        return KVCache(*state)


@dataclass(frozen=True)
class TransformerConfig:
    """The sizes and settings of a `Transformer`. Raises TypeError or ValueError, naming the field.

    d_model: width of the residual stream. n_layer: layers, each attention and MLP. n_head: heads, d_model / n_head must
    be even. vocab_size: possible tokens, 256 for bytes. d_mlp: hidden width of the MLP; "auto" is 8/3 d_model, rounded
    up to a multiple of 8: its three matrices then have the 8 d_model^2 weights of the usual two. rotary_base: see
    `rotate`. norm_eps: the eps of every norm. dropout: share of each branch's output that is zeroed in training.
    """

    d_model: int
    n_layer: int
    n_head: int
    vocab_size: int = 256
    d_mlp: int | str = "auto"
    rotary_base: float = 10_000.0
    norm_eps: float = 1e-5
    dropout: float = 0.0

    def __post_init__(self):
        _check_widths(self.d_model, self.n_head)
        for name in ("n_layer", "vocab_size"):
            check_int(name, getattr(self, name), 1)
        if self.d_mlp != "auto":
            if isinstance(self.d_mlp, str):
                raise ValueError(f"d_mlp must be 'auto' or a whole number of at least 1, got {self.d_mlp!r}")
            check_int("d_mlp", self.d_mlp, 1)
        check_number("rotary_base", self.rotary_base, above=1)
        check_number("norm_eps", self.norm_eps, above=0)
        check_number("dropout", self.dropout, at_least=0, below=1)

    @property
    def resolved_d_mlp(self):
        """d_mlp as a number."""
        return 8 * math.ceil(self.d_model / 3) if self.d_mlp == "auto" else self.d_mlp


class SwiGLU(nn.Module):
    """down(silu(gate(x)) * up(x)), (..., d_model) -> (..., d_model), no biases (Shazeer 2020, eq. 6)."""

    def __init__(self, d_model, d_mlp):
        super().__init__()
        self.gate_up = nn.Linear(d_model, 2 * d_mlp, bias=False)
        self.down = nn.Linear(d_mlp, d_model, bias=False)

    def forward(self, x):
        """x: (..., d_model) -> the same shape."""
        gate, up = self.gate_up(x).chunk(2, dim=-1)  # (..., d_mlp) each
        return self.down(F.silu(gate) * up)


class TransformerLayer(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)); x: (b, l, d_model). The state is the attention's `KVCache`."""

    def __init__(self, config):
        super().__init__()
        c = config
        self.attention_norm = nn.RMSNorm(c.d_model, c.norm_eps)
        self.attention = CausalSelfAttention(c.d_model, c.n_head, c.rotary_base)
        self.mlp_norm = nn.RMSNorm(c.d_model, c.norm_eps)
        self.mlp = SwiGLU(c.d_model, c.resolved_d_mlp)
        self.dropout = nn.Dropout(c.dropout)

    def forward(self, x, state=None, return_state=False):
        """x: (b, l, d_model) -> y, or (y, state)."""
        y = self.attention(self.attention_norm(x), state, return_state)
        y, state = y if return_state else (y, None)
        x = self._mix(x + self.dropout(y))
        return (x, state) if return_state else x

    def init_state(self, batch, device=None, dtype=None):
        """The attention's empty cache."""
        return self.attention.init_state(batch, device, dtype)

    def step(self, x_t, state):
        """x_t: (b, d_model) -> (y_t, new state)."""
        y, state = self.attention.step(self.attention_norm(x_t), state)
        return self._mix(x_t + self.dropout(y)), state

    def _mix(self, x):
        return x + self.dropout(self.mlp(self.mlp_norm(x)))


class Transformer(nn.Module):
    """A Transformer language model: embedding, n_layer times (attention, MLP), final norm, tied head.

    config: a `TransformerConfig`. What is built is the Mamba paper's stronger baseline, "Transformer++": norms before
    each branch, RMSNorm, rotary positions, SwiGLU, no biases (Mamba section 4.2.1). It starts as `Mamba` does:
    PyTorch's own start for the matrices, the embedding at 0.02, and what writes into the residual stream divided by
    the root of the number of writers, here two a layer. A layer has 12 d_model^2 weights. Two Mamba blocks of that
    width with expand = 2 have as many in their projections, and what the scan needs on top: 18 % at d_model = 128, 7 %
    at 768. For peers of one size take half of Mamba's n_layer and let d_mlp make up the difference.

    The state, one `KVCache` per layer, holds every token that was read; it is passed in and handed back, never kept.
    As in `Mamba` there is no padding mask: feed rows of one length.
    """

    def __init__(self, config):
        super().__init__()
        if not isinstance(config, TransformerConfig):
            raise TypeError(f"config must be a TransformerConfig, got {type(config).__name__}")
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.layers = nn.ModuleList(TransformerLayer(config) for _ in range(config.n_layer))
        self.norm_f = nn.RMSNorm(config.d_model, config.norm_eps)
        nn.init.normal_(self.embedding.weight, std=0.02)
        with torch.no_grad():
            for layer in self.layers:
                layer.attention.out_proj.weight /= math.sqrt(2 * config.n_layer)
                layer.mlp.down.weight /= math.sqrt(2 * config.n_layer)

    def num_parameters(self):
        """How many numbers are trained; the head is the embedding and counts once."""
        return sum(p.numel() for p in self.parameters())

    def forward(self, tokens, state=None, return_state=False):
        """tokens: integers (b, l) -> logits (b, l, vocab_size), or (logits, state).

        Raises ValueError for tokens outside [0, vocab_size), for another shape or device, and for a state that isn't
        this model's; TypeError for tokens that aren't integers.
        """
        check_tokens("tokens", tokens, "(b, l)", self.config.vocab_size, device=self.embedding.weight.device)
        x = self.embedding(tokens.long())  # (b, l, d_model)
        after = []
        for layer, before in zip(self.layers, self._layer_states(state)):
            if return_state:
                x, layer_state = layer(x, before, return_state=True)
                after.append(layer_state)
            else:
                x = layer(x, before)
        logits = self._head(x)
        return (logits, tuple(after)) if return_state else logits

    def init_state(self, batch, device=None, dtype=None):
        """A tuple of n_layer empty `KVCache`s, for `batch` sequences."""
        return tuple(layer.init_state(batch, device, dtype) for layer in self.layers)

    def step(self, tokens, state):
        """tokens: integers (b), the next one of each sequence -> (logits (b, vocab_size), new state)."""
        check_tokens("tokens", tokens, "(b,)", self.config.vocab_size, device=self.embedding.weight.device)
        x = self.embedding(tokens.long())  # (b, d_model)
        after = []
        for layer, before in zip(self.layers, self._layer_states(state, required=True)):
            x, layer_state = layer.step(x, before)
            after.append(layer_state)
        return self._head(x), tuple(after)

    def _head(self, x):
        return F.linear(self.norm_f(x), self.embedding.weight)

    def _layer_states(self, state, required=False):
        n_layer = self.config.n_layer
        if state is None and not required:
            return (None,) * n_layer
        if not isinstance(state, (tuple, list)):
            raise TypeError(f"state must be a tuple of {n_layer} layer states, got {type(state).__name__}")
        if len(state) != n_layer:
            raise ValueError(f"state must have {n_layer} layer states, got {len(state)}")
        return state


def _fused_attention(q, k, v):
    """`causal_attention` by PyTorch's kernel, which never holds all weights where no cache came before."""
    l, m = q.shape[2], k.shape[2]
    if l == m:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    if l == 1:  # a single token sees everything
        return F.scaled_dot_product_attention(q, k, v)
    past = torch.ones(l, m, dtype=torch.bool, device=q.device).tril(m - l)  # is_causal would align the first positions
    return F.scaled_dot_product_attention(q, k, v, attn_mask=past)


def _check_heads(q, k, v=None):
    """Check the layouts against each other; return l and m."""
    b, h, l, e = check_tensor("q", q, "(b, h, l, e)")
    sizes = {"b": b, "h": h, "e": e}
    m = check_tensor("k", k, "(b, h, m, e)", sizes, device=q.device)[2]
    if m < l:
        raise ValueError(f"k must hold at least the positions of q, {l}, got {m}")
    if e == 0:
        raise ValueError(f"q must have heads of at least one number, got shape {tuple(q.shape)}")
    if v is not None:
        check_tensor("v", v, "(b, h, m, e)", {**sizes, "m": m}, device=q.device)
    return l, m


def _check_widths(d_model, n_head):
    check_int("d_model", d_model, 1)
    check_int("n_head", n_head, 1)
    if d_model % n_head or d_model // n_head % 2:
        raise ValueError(f"n_head must divide d_model={d_model} into heads of an even width, got {n_head}")
    return d_model, n_head
