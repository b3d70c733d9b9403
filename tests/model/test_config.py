"""MambaConfig: derived sizes, and one clear error for each field."""

import dataclasses
import inspect

import pytest

from mamba_edu import MambaConfig


def test_fields_are_the_public_ones_in_order():
    assert [(f.name, f.default) for f in dataclasses.fields(MambaConfig)][2:] == [
        ("vocab_size", 256),
        ("d_state", 16),
        ("d_conv", 4),
        ("expand", 2),
        ("dt_rank", "auto"),
        ("dt_min", 1e-3),
        ("dt_max", 1e-1),
        ("dt_init_floor", 1e-4),
        ("conv_bias", True),
        ("bias", False),
        ("tie_embeddings", True),
        ("pad_vocab_size_multiple", 1),
        ("norm_eps", 1e-5),
        ("residual_in_fp32", True),
        ("dropout", 0.0),
        ("selective", True),
    ]
    assert list(inspect.signature(MambaConfig).parameters)[:2] == ["d_model", "n_layer"]


def test_derived_sizes():
    config = MambaConfig(40, 2, vocab_size=257, expand=3, pad_vocab_size_multiple=8)
    assert (config.d_inner, config.resolved_dt_rank, config.padded_vocab_size) == (120, 3, 264)
    assert MambaConfig(40, 2, dt_rank=7).resolved_dt_rank == 7
    assert MambaConfig(40, 2, vocab_size=264, pad_vocab_size_multiple=8).padded_vocab_size == 264


def test_frozen_and_comparable():
    config = MambaConfig(8, 1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.d_model = 9
    assert MambaConfig(**dataclasses.asdict(config)) == config


@pytest.mark.parametrize(
    "field, value, error",
    [
        *((f, 0, ValueError) for f in ("d_model", "n_layer", "vocab_size", "d_state", "d_conv", "expand")),
        *((f, -3, ValueError) for f in ("d_model", "n_layer", "pad_vocab_size_multiple", "dt_rank")),
        *((f, 1.5, TypeError) for f in ("d_model", "expand", "dt_rank")),
        *((f, True, TypeError) for f in ("d_model", "dt_min", "dropout")),
        *((f, 1, TypeError) for f in ("conv_bias", "bias", "tie_embeddings", "residual_in_fp32", "selective")),
        ("dt_rank", "large", ValueError),
        ("dt_min", 0.0, ValueError),
        ("dt_max", 1e-4, ValueError),
        ("dt_max", float("inf"), ValueError),
        ("dt_init_floor", -1e-9, ValueError),
        ("norm_eps", 0.0, ValueError),
        ("norm_eps", "1e-5", TypeError),
        ("dropout", 1.0, ValueError),
        ("dropout", float("nan"), ValueError),
    ],
)
def test_a_bad_field_is_named(field, value, error):
    with pytest.raises(error, match=f"^{field} must be .*got {value!r}"):
        MambaConfig(**{"d_model": 16, "n_layer": 2, field: value})
