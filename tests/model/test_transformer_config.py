"""TransformerConfig: what reaches which part, one clear error a field, and the size of Mamba's peer."""

import dataclasses
import math

import pytest
import torch

from mamba_edu import Mamba, MambaConfig, Transformer, TransformerConfig
from mamba_edu.attention import SwiGLU

SMALL = dict(d_model=16, n_layer=3, n_head=2, vocab_size=11)


def test_config_and_parts():
    config = TransformerConfig(**SMALL)
    assert TransformerConfig(**dataclasses.asdict(config)) == config
    assert (config.resolved_d_mlp, dataclasses.replace(config, d_mlp=9).resolved_d_mlp) == (48, 9)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.d_model = 9
    assert SwiGLU(4, 7)(torch.randn(2, 4)).shape == (2, 4)
    model = Transformer(TransformerConfig(**SMALL, rotary_base=50.0, norm_eps=1e-3, d_mlp=9))
    assert {layer.attention.rotary_base for layer in model.layers} == {50.0}
    assert {part.eps for part in model.modules() if isinstance(part, torch.nn.RMSNorm)} == {1e-3}
    assert {layer.mlp.down.weight.shape for layer in model.layers} == {(16, 9)}


@pytest.mark.parametrize(
    "field, value, error",
    [
        *((f, 0, ValueError) for f in ("d_model", "n_layer", "n_head", "vocab_size", "d_mlp", "norm_eps")),
        *((f, 2.0, TypeError) for f in ("d_model", "n_layer", "n_head", "vocab_size", "d_mlp")),
        *((f, True, TypeError) for f in ("n_layer", "n_head")),
        ("n_head", 3, ValueError),
        ("n_head", 16, ValueError),
        ("d_mlp", "wide", ValueError),
        ("rotary_base", 1.0, ValueError),
        ("dropout", 1.0, ValueError),
        ("dropout", math.nan, ValueError),
    ],
)
def test_a_bad_field_is_named(field, value, error):
    with pytest.raises(error, match=f"^{field} "):
        TransformerConfig(**{**SMALL, field: value})


def test_equal_parameters_with_two_mamba_blocks_a_layer():
    """Peers of one size: half the layers at the same width, and d_mlp closes what the scan's weights leave open."""
    for d_model, gap in ((128, 0.18), (768, 0.07)):
        with torch.device("meta"):
            mamba = Mamba(MambaConfig(d_model, 8)).num_parameters()
            plain = Transformer(TransformerConfig(d_model, 4, 4)).num_parameters()
            d_mlp = TransformerConfig(d_model, 4, 4).resolved_d_mlp + round((mamba - plain) / (4 * 3 * d_model))
            peer = Transformer(TransformerConfig(d_model, 4, 4, d_mlp=d_mlp)).num_parameters()
        assert 0.7 * gap < mamba / plain - 1 < gap
        assert abs(peer / mamba - 1) < 0.002
