"""The language model: tokens in, one logit per possible next token out, at every position."""

import math
from dataclasses import dataclass

import torch
from torch import nn

from ._validate import check_flag, check_int, check_number, check_tokens
from .block import MambaBlock, RMSNorm


@dataclass(frozen=True)
class MambaConfig:
    """The sizes and settings of a `Mamba`. Raises TypeError or ValueError, naming the field.

    d_model: width of the residual stream. n_layer: blocks. vocab_size: possible tokens, 256 for bytes. d_state: numbers
    of state per channel, n. d_conv: length of the convolution. expand: d_inner / d_model. dt_rank: rank of the map to
    delta; "auto" is d_model / 16, rounded up. dt_min, dt_max, dt_init_floor: where delta starts, see `S6`. conv_bias:
    a bias in the convolution; bias: one in in_proj and out_proj. tie_embeddings: the head shares the embedding's
    weight. pad_vocab_size_multiple: the embedding's rows are rounded up to it. norm_eps: the eps of every norm.
    residual_in_fp32: the sum of all layers is kept in float32 at least, whatever the weights' dtype. dropout: share of
    each layer's output that is zeroed in training. selective: False makes every layer time-invariant, see `S6`.
    """

    d_model: int
    n_layer: int
    vocab_size: int = 256
    d_state: int = 16
    d_conv: int = 4
    expand: int = 2
    dt_rank: int | str = "auto"
    dt_min: float = 1e-3
    dt_max: float = 1e-1
    dt_init_floor: float = 1e-4
    conv_bias: bool = True
    bias: bool = False
    tie_embeddings: bool = True
    pad_vocab_size_multiple: int = 1
    norm_eps: float = 1e-5
    residual_in_fp32: bool = True
    dropout: float = 0.0
    selective: bool = True

    def __post_init__(self):
        for name in ("d_model", "n_layer", "vocab_size", "d_state", "d_conv", "expand", "pad_vocab_size_multiple"):
            check_int(name, getattr(self, name), 1)
        for name in ("conv_bias", "bias", "tie_embeddings", "residual_in_fp32", "selective"):
            check_flag(name, getattr(self, name))
        if self.dt_rank != "auto":
            if isinstance(self.dt_rank, str):
                raise ValueError(f"dt_rank must be 'auto' or a whole number of at least 1, got {self.dt_rank!r}")
            check_int("dt_rank", self.dt_rank, 1)
        check_number("dt_min", self.dt_min, above=0)
        check_number("dt_max", self.dt_max, at_least=self.dt_min)
        check_number("dt_init_floor", self.dt_init_floor, at_least=0)
        check_number("norm_eps", self.norm_eps, above=0)
        check_number("dropout", self.dropout, at_least=0, below=1)

    @property
    def d_inner(self):
        """Channels inside a block."""
        return self.expand * self.d_model

    @property
    def resolved_dt_rank(self):
        """dt_rank as a number."""
        return math.ceil(self.d_model / 16) if self.dt_rank == "auto" else self.dt_rank

    @property
    def padded_vocab_size(self):
        """Rows of the embedding: vocab_size rounded up to a multiple of pad_vocab_size_multiple."""
        return math.ceil(self.vocab_size / self.pad_vocab_size_multiple) * self.pad_vocab_size_multiple


class ResidualLayer(nn.Module):
    """x + dropout(mixer(norm(x))), x: (b, l, d_model). The mixer sees a normed copy; the stream only ever adds."""

    def __init__(self, config, backend="auto"):
        super().__init__()
        c = config
        self.norm = RMSNorm(c.d_model, c.norm_eps)
        self.mixer = MambaBlock(
            c.d_model,
            d_state=c.d_state,
            d_conv=c.d_conv,
            expand=c.expand,
            dt_rank=c.resolved_dt_rank,
            dt_min=c.dt_min,
            dt_max=c.dt_max,
            dt_init_floor=c.dt_init_floor,
            conv_bias=c.conv_bias,
            bias=c.bias,
            selective=c.selective,
            backend=backend,
        )
        self.dropout = nn.Dropout(c.dropout)

    def _normed(self, x):
        return self.norm(x).to(self.norm.weight.dtype)  # the stream may be float32 above bfloat16 weights

    def forward(self, x, state=None, return_state=False):
        """x: (b, l, d_model) -> y in x's dtype, or (y, state)."""
        y = self.mixer(self._normed(x), state, return_state)
        y, state = y if return_state else (y, None)
        x = x + self.dropout(y).to(x.dtype)
        return (x, state) if return_state else x

    def init_state(self, batch, device=None, dtype=None):
        """The mixer's state of zeros."""
        return self.mixer.init_state(batch, device, dtype)

    def step(self, x_t, state):
        """x_t: (b, d_model) -> (y_t, new state)."""
        y, state = self.mixer.step(self._normed(x_t), state)
        return x_t + self.dropout(y).to(x_t.dtype), state


class Backbone(nn.Module):
    """Everything below the head, under the official names: embedding, layers, norm_f."""

    def __init__(self, config, backend="auto"):
        super().__init__()
        self.residual_in_fp32 = config.residual_in_fp32
        self.embedding = nn.Embedding(config.padded_vocab_size, config.d_model)
        self.layers = nn.ModuleList(ResidualLayer(config, backend) for _ in range(config.n_layer))
        self.norm_f = RMSNorm(config.d_model, config.norm_eps)

    def embed(self, tokens):
        """The residual stream's first value: (...) -> (..., d_model)."""
        x = self.embedding(tokens.long())
        return x.to(torch.promote_types(x.dtype, torch.float32)) if self.residual_in_fp32 else x

    def final_norm(self, x):
        """What the head reads, in the weights' dtype."""
        return self.norm_f(x).to(self.norm_f.weight.dtype)


class Mamba(nn.Module):
    """A Mamba language model: embedding, n_layer times (norm, block, residual), final norm, head.

    config: a `MambaConfig`. backend: which scan the layers use, see `selective_scan`.

    The state, one `BlockState` per layer, is all that the model knows of the tokens before: its size doesn't depend on
    their number. It is passed in and handed back, never kept: two calls have nothing to do with each other. There is no
    padding mask: a token is read wherever it stands, so a shorter row of a batch ends right where it ends, and padding
    after its last token changes its state, padding before its first changes all of it. Feed rows of one length, or
    take each row's state at its own end.
    """

    def __init__(self, config, *, backend="auto"):
        super().__init__()
        if not isinstance(config, MambaConfig):
            raise TypeError(f"config must be a MambaConfig, got {type(config).__name__}")
        self.config = config
        self.backbone = Backbone(config, backend)
        self.lm_head = nn.Linear(config.d_model, config.padded_vocab_size, bias=False)
        self._initialise()
        self._tie()
        self.register_load_state_dict_post_hook(_restore_tie)

    def _initialise(self):
        """The authors' start; what the parts have set themselves (delta's bias, A_log, D) is left alone."""
        nn.init.normal_(self.backbone.embedding.weight, std=0.02)
        for layer in self.backbone.layers:
            # the stream adds up n_layer outputs: keep its variance
            nn.init.kaiming_uniform_(layer.mixer.out_proj.weight, a=math.sqrt(5))
            with torch.no_grad():
                layer.mixer.out_proj.weight /= math.sqrt(self.config.n_layer)

    def _tie(self):
        if self.config.tie_embeddings:
            self.lm_head.weight = self.backbone.embedding.weight

    def _apply(self, fn, recurse=True):
        super()._apply(fn, recurse)
        self._tie()  # to_empty() makes new parameters
        return self

    def num_parameters(self):
        """How many numbers are trained; a tied head counts once."""
        return sum(p.numel() for p in self.parameters())

    def forward(self, tokens, state=None, return_state=False):
        """tokens: integers (b, l) -> logits (b, l, padded_vocab_size), or (logits, state).

        Raises ValueError for tokens outside [0, vocab_size), for another shape or device, and for a state that isn't
        this model's; TypeError for tokens that aren't integers.
        """
        check_tokens("tokens", tokens, "(b, l)", self.config.vocab_size, device=self.lm_head.weight.device)
        x = self.backbone.embed(tokens)  # (b, l, d_model)
        after = []
        for layer, before in zip(self.backbone.layers, self._layer_states(state)):
            if return_state:
                x, layer_state = layer(x, before, return_state=True)
                after.append(layer_state)
            else:
                x = layer(x, before)
        logits = self.lm_head(self.backbone.final_norm(x))  # (b, l, v)
        return (logits, tuple(after)) if return_state else logits

    def init_state(self, batch, device=None, dtype=None):
        """A tuple of n_layer `BlockState`s of zeros, for `batch` sequences."""
        return tuple(layer.init_state(batch, device, dtype) for layer in self.backbone.layers)

    def step(self, tokens, state):
        """tokens: integers (b), the next one of each sequence -> (logits (b, vocab_size), new state).

        The logits are those of `forward` at this position, without the padding of the vocabulary.
        """
        check_tokens("tokens", tokens, "(b,)", self.config.vocab_size, device=self.lm_head.weight.device)
        x = self.backbone.embed(tokens)  # (b, d_model)
        after = []
        for layer, before in zip(self.backbone.layers, self._layer_states(state, required=True)):
            x, layer_state = layer.step(x, before)
            after.append(layer_state)
        return self.lm_head(self.backbone.final_norm(x))[:, : self.config.vocab_size], tuple(after)

    def _layer_states(self, state, required=False):
        n_layer = self.config.n_layer
        if state is None and not required:
            return (None,) * n_layer
        if not isinstance(state, (tuple, list)):
            raise TypeError(f"state must be a tuple of {n_layer} layer states, got {type(state).__name__}")
        if len(state) != n_layer:
            raise ValueError(f"state must have {n_layer} layer states, got {len(state)}")
        return state


def _restore_tie(model, incompatible):
    """After loading: a tied head needs no entry of its own, and `assign=True` must not part the two."""
    if model.config.tie_embeddings:
        missing = incompatible.missing_keys
        missing[:] = [key for key in missing if key != "lm_head.weight" and not key.endswith(".lm_head.weight")]
        model._tie()
