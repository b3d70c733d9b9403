"""Bytes to tokens and back, windows of them, and padding: nothing lost, nothing scored twice."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

from mamba_edu import Enwiki8Dataset, decode_dataset, encode_dataset, pad_sequences_3d

EVERY_BYTE = bytes(range(256))


@given(st.binary(max_size=300))
def test_every_byte_string_round_trips(text):
    tokens = encode_dataset(text)
    assert tokens.dtype == torch.int64 and tokens.shape == (len(text),)
    assert tokens.tolist() == list(text)
    assert decode_dataset(tokens) == text


def test_round_trip_is_not_cut_into_chunks():
    text = (EVERY_BYTE + b"\xff\xfe\xed\xa0\x80") * 1001  # every byte, and what is no valid UTF-8
    assert decode_dataset(encode_dataset(text)) == text


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_other_byte_types(kind):
    assert decode_dataset(encode_dataset(kind(EVERY_BYTE))) == EVERY_BYTE


def test_tokens_do_not_share_memory_with_the_bytes():
    text = bytearray(b"abc")
    tokens = encode_dataset(text)
    text[0] = 0
    assert tokens.tolist() == [97, 98, 99]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32])
def test_decode_takes_any_integer_type(dtype):
    low = bytes(range(128))
    assert decode_dataset(encode_dataset(low).to(dtype)) == low


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: encode_dataset("text"), TypeError, r"data must be bytes, got str; encode it first"),
        (lambda: encode_dataset([1, 2]), TypeError, "data must be bytes, got list"),
        (lambda: decode_dataset([1, 2]), TypeError, "tokens must be a tensor"),
        (lambda: decode_dataset(torch.tensor([1.0])), TypeError, "tokens must be an integer tensor"),
        (lambda: decode_dataset(torch.tensor([[1]])), ValueError, r"tokens must have shape \(n,\), got \(1, 1\)"),
        (lambda: decode_dataset(torch.tensor([0, 256])), ValueError, r"tokens must lie in \[0, 256\).* to 256"),
        (lambda: decode_dataset(torch.tensor([-1, 5])), ValueError, r"tokens must lie in \[0, 256\).* from -1"),
    ],
)
def test_codec_refuses(call, error, words):
    with pytest.raises(error, match=words):
        call()


# Windows


@given(st.integers(2, 200), st.integers(1, 70))
def test_every_byte_but_the_first_is_a_target_once(n, seqlen):
    tokens = torch.arange(n)
    windows = list(Enwiki8Dataset(tokens, seqlen))
    assert torch.equal(torch.cat([targets for _, targets in windows]), tokens[1:])
    assert torch.equal(torch.cat([inputs for inputs, _ in windows]), tokens[:-1])
    for inputs, targets in windows:
        assert torch.equal(targets, inputs + 1)
        assert inputs.dtype == targets.dtype == torch.int64
    lengths = [len(inputs) for inputs, _ in windows]
    assert all(length == seqlen for length in lengths[:-1]) and 1 <= lengths[-1] <= seqlen


def test_items_as_a_list_gives_them():
    dataset = Enwiki8Dataset(torch.arange(11), 4)
    assert len(dataset) == 3
    assert [t.tolist() for t in dataset[2]] == [t.tolist() for t in dataset[-1]] == [[8, 9], [9, 10]]
    assert dataset[-3][0].tolist() == dataset[torch.tensor(0)][0].tolist() == [0, 1, 2, 3]
    for i in (3, -4, 10**9):
        with pytest.raises(IndexError, match=f"item {i} of a dataset of 3 windows"):
            dataset[i]
    with pytest.raises(TypeError):
        dataset[0.5]


def test_int64_windows_are_views_and_small_types_are_widened_by_the_window():
    tokens = encode_dataset(EVERY_BYTE)
    inputs, targets = Enwiki8Dataset(tokens, 16)[3]
    assert inputs.data_ptr() == tokens[48:].data_ptr() and targets.data_ptr() == tokens[49:].data_ptr()
    small = Enwiki8Dataset(tokens.to(torch.uint8), 16)
    assert torch.equal(small[15][1], tokens[241:]) and small[15][1].dtype == torch.int64


def test_data_loader_batches_the_whole_windows():
    dataset = Enwiki8Dataset(torch.arange(33), 8)
    inputs, targets = next(iter(DataLoader(dataset, batch_size=4)))
    assert torch.equal(inputs, torch.arange(32).view(4, 8)) and torch.equal(targets, inputs + 1)


@pytest.mark.parametrize(
    ("tokens", "seqlen", "error", "words"),
    [
        (torch.arange(0), 4, ValueError, "tokens must hold at least 2.* got 0"),
        (torch.arange(1), 4, ValueError, "tokens must hold at least 2.* got 1"),
        (torch.zeros(2, 5, dtype=torch.int64), 4, ValueError, r"tokens must have shape \(n,\), got \(2, 5\)"),
        (torch.zeros(5), 4, TypeError, "tokens must be an integer tensor"),
        (b"bytes", 4, TypeError, "tokens must be a tensor"),
        (torch.arange(9), 0, ValueError, "seqlen must be at least 1, got 0"),
        (torch.arange(9), 2.0, TypeError, "seqlen must be a whole number"),
    ],
)
def test_dataset_refuses(tokens, seqlen, error, words):
    with pytest.raises(error, match=words):
        Enwiki8Dataset(tokens, seqlen)


# Padding


def test_padding_and_mask():
    sequences = [torch.ones(2, 3), torch.full((4, 3), 2.0), torch.ones(0, 3)]
    padded, mask = pad_sequences_3d(sequences, padding_value=-7.0)
    assert padded.shape == (3, 4, 3) and mask.dtype == torch.bool
    assert mask.tolist() == [[True, True, False, False], [True] * 4, [False] * 4]
    assert (padded[~mask] == -7).all()
    for row, real, sequence in zip(padded, mask, sequences):
        assert torch.equal(row[real], sequence)


@settings(max_examples=30)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=5).filter(any), st.sampled_from([0.0, float("nan"), 1e30]))
def test_masked_loss_is_the_loss_of_the_sequences_alone(lengths, padding):
    torch.manual_seed(len(lengths))
    logits = [torch.randn(length, 7, dtype=torch.float64) for length in lengths]  # (l, 7) each
    targets = [torch.randint(7, (length, 1)) for length in lengths]
    padded, mask = pad_sequences_3d(logits, padding)
    wanted, same_mask = pad_sequences_3d(targets)
    assert torch.equal(mask, same_mask)
    loss = cross_entropy(padded[mask], wanted[mask].squeeze(-1))
    alone = [cross_entropy(x, y.squeeze(-1), reduction="sum") for x, y in zip(logits, targets)]
    assert torch.allclose(loss, sum(alone) / sum(lengths), rtol=1e-12, atol=0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.int64, torch.uint8, torch.bool])
def test_padding_keeps_the_type(dtype):
    padded, _ = pad_sequences_3d((torch.ones(1, 2, dtype=dtype), torch.ones(2, 2, dtype=dtype)), 0)
    assert padded.dtype == dtype and padded.device == torch.device("cpu")


def test_gradient_reaches_each_sequence_and_no_padding():
    sequences = [torch.randn(length, 2, requires_grad=True) for length in (1, 3)]
    padded, _ = pad_sequences_3d(sequences)
    (padded * torch.arange(12.0).view(2, 3, 2)).sum().backward()
    assert sequences[0].grad.tolist() == [[0, 1]]
    assert sequences[1].grad.tolist() == [[6, 7], [8, 9], [10, 11]]


def test_padding_stays_on_the_device_of_the_sequences():
    padded, mask = pad_sequences_3d([torch.ones(1, 2, device="meta"), torch.ones(3, 2, device="meta")])
    assert padded.device.type == mask.device.type == "meta" and padded.shape == (2, 3, 2)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: pad_sequences_3d([]), ValueError, "sequences must hold at least one"),
        (lambda: pad_sequences_3d(torch.ones(2, 3, 4)), TypeError, "sequences must be a list"),
        (lambda: pad_sequences_3d([torch.ones(3)]), ValueError, r"sequences\[0\] must have shape \(l, f\)"),
        (lambda: pad_sequences_3d([torch.ones(3, 2), 5]), TypeError, r"sequences\[1\] must be a tensor"),
        (lambda: pad_sequences_3d([torch.ones(3, 2), torch.ones(3, 4)]), ValueError, r"sequences\[1\].*f=2.*\(3, 4\)"),
        (lambda: pad_sequences_3d([torch.ones(3, 2), torch.ones(1, 3, 2)]), ValueError, r"sequences\[1\] must have"),
        (
            lambda: pad_sequences_3d([torch.ones(3, 2), torch.ones(3, 2).double()]),
            TypeError,
            r"sequences\[1\] must be torch.float32 like the first, got torch.float64",
        ),
        (lambda: pad_sequences_3d([torch.ones(3, 2), torch.ones(3, 2, device="meta")]), ValueError, r"sequences\[1\]"),
        (lambda: pad_sequences_3d([torch.ones(3, 2)], "0"), TypeError, "padding_value must be a number, got str"),
        (lambda: pad_sequences_3d([torch.arange(4).view(2, 2)], 0.5), ValueError, "padding_value must be a whole"),
        (lambda: pad_sequences_3d([torch.arange(4).view(2, 2)], float("nan")), ValueError, "padding_value must be"),
        (lambda: pad_sequences_3d([torch.ones(2, 2, dtype=torch.uint8)], -1), ValueError, "padding_value must be"),
    ],
)
def test_padding_refuses(call, error, words):
    with pytest.raises(error, match=words):
        call()
