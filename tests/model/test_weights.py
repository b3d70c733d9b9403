"""The model that comes with the package: it is the one of the record, and its card says what the record says."""

import hashlib
import re

import pytest
import torch

from mamba_edu import bits_per_byte, encode_dataset, evaluate, load_enwiki8_dataset
from mamba_edu.records import load_record
from mamba_edu.training.checkpoint import load_checkpoint
from mamba_edu.weights import weights_folder

NAME = "enwik8_first_4m"


@pytest.fixture(scope="module")
def model():
    return load_checkpoint(weights_folder(NAME)).eval()


def test_it_is_the_records_model(model):
    record = load_record(NAME)["model"]
    assert model.num_parameters() == record["parameters"]
    assert {key: getattr(model.config, key) for key in record["config"]} == record["config"]


def test_it_has_learnt_english(model):
    """A guess costs 8 bits; a thousand bytes that it has never seen, of another text, cost far less."""
    text = b"The state of the model is a vector, and the history of the text is in that vector. " * 3
    once = bits_per_byte(evaluate(model, encode_dataset(text[:83]), seqlen=256))
    again = bits_per_byte(evaluate(model, encode_dataset(text), seqlen=256))
    assert 1 < once < 3.2 and again < once


def test_it_closes_a_link(model):
    logits = model(encode_dataset(b"was born in the city of [[Paris]")[None])[0, -1]
    assert logits.argmax() == ord("]") and torch.softmax(logits, 0)[ord("]")] > 0.9


def test_it_scores_what_the_record_says(model):
    """On the whole test split, where the bytes are at hand."""
    try:
        splits = load_enwiki8_dataset(fallback="pocket")
    except (OSError, ValueError):
        pytest.skip("no enwik8")
    if "4,000,000" not in splits.name:
        pytest.skip("the first 4,000,000 bytes of enwik8 are not at hand")
    record = load_record(NAME)
    whole = record["bits_per_byte"]["test"]
    tokens = encode_dataset(splits.test)
    assert bits_per_byte(evaluate(model, tokens, record["settings"]["eval_seqlen"])) == pytest.approx(whole, abs=2e-4)


def test_the_card_says_what_the_record_says():
    card, record = (weights_folder(NAME) / "README.md").read_text(), load_record(NAME)
    digest = hashlib.sha256((weights_folder(NAME) / "model.safetensors").read_bytes()).hexdigest()
    assert digest in card and record["command"] in card and record["commit"] in card
    said = {which: float(bits) for which, bits in re.findall(r"^\| (\w+) .*\| (\d\.\d+) \|$", card, re.MULTILINE)}
    scores = record["bits_per_byte"]
    assert said == {which: round(scores[which], 3) for which in ("valid", "test")}


def test_a_model_that_is_not_there():
    with pytest.raises(ValueError, match=f"name must be one of .*{NAME}.*, got 'gpt'"):
        weights_folder("gpt")
    with pytest.raises(TypeError, match="name must be a string, got int"):
        weights_folder(1)
