"""The counts behind `bits-per-byte`: how they are made, pruned, written and read; the file is what the tool makes."""

import json
import os

import byte_models
import numpy as np
import pytest

from mamba_edu import load_enwiki8_dataset
from mamba_edu.baselines import ByteNGram
from mamba_edu.widgets import _bundle
from mamba_edu.widgets._counts import FILE, byte_counts, read_counts

TEXT = b"[[a]] was [[aa]], then [[b]] and [[ab]]; \xc3\xa9t\xc3\xa9 is ete. " * 3 + b"[[a]] is [[b]] is [[ab]].\x00\xff"
REAL = "set MAMBA_EDU_DATA to enwik8's first 4,000,000 bytes: the counts are made of them"


@pytest.fixture
def exact(monkeypatch):
    """Every whole number is a level."""
    monkeypatch.setattr(byte_models, "FINE", 1.0)
    monkeypatch.setattr(byte_models, "COARSE", 1.0)


def written(levels, keep):
    return read_counts(byte_models.write({}, byte_models.pack(levels, keep)))


def all_of(levels):
    return [np.ones(len(level.grams), bool) for level in levels]


def test_unpruned_and_exact_they_are_the_packages_model(exact):
    levels = byte_models.count(TEXT)
    counts = written(levels, all_of(levels))
    model = {order: ByteNGram(order).fit(TEXT) for order in range(4)}
    tails = {TEXT[i - k : i] for i in range(len(TEXT)) for k in range(4) if i >= k} | {b"zzz", b"[[z", b"z"}
    assert len(tails) > 100
    for before in tails:
        for order in range(4):
            np.testing.assert_allclose(
                counts.probabilities(before, order), model[order].probabilities(before), rtol=1e-12
            )


def test_what_is_pruned_speaks_with_the_shorter_context(exact):
    levels = byte_models.count(TEXT)
    keep = byte_models.choose(levels, 1)
    counts = written(levels, keep)
    gone = 0
    for order, level in enumerate(levels):
        truth = dict(zip((level.grams >> 8).tolist(), (level.totals + level.distinct).tolist(), strict=True))
        kept = dict(zip(level.grams[keep[order]].tolist(), level.counts[keep[order]].tolist(), strict=True))
        found = {}
        for context, one in counts.contexts[order].items():
            assert one.total == truth[context], "all that was counted, and what was kept for news"
            found |= {context << 8 | b: n for b, n in zip(one.following, one.counts, strict=True)}
        assert found == kept
        gone += len(level.grams) - len(kept)
    assert gone > 50


@pytest.mark.parametrize("least", [0, 1, 8])
def test_rare_contexts_go_and_what_stays_has_what_it_needs(least):
    levels = byte_models.count(load_enwiki8_dataset(fallback="pocket").train[:60_000])
    keep = byte_models.choose(levels, least)
    for order, level in enumerate(levels):
        grams = level.grams[keep[order]]
        assert level.totals[keep[order]].min() >= 3
        assert order == 0 or len(grams) < len(level.grams)
        if order:
            below = set(levels[order - 1].grams[keep[order - 1]].tolist())
            assert {gram & (1 << 8 * order) - 1 for gram in grams.tolist()} <= below
            assert {gram >> 8 for gram in grams.tolist()} <= below
    written(levels, keep)


def test_an_entry_seen_once_saves_nothing():
    for level in byte_models.count(TEXT)[1:]:
        assert (level.saved[level.counts == 1] <= 1e-9).all() and level.saved.max() > 1


@pytest.mark.parametrize("ratio, largest", [(1.0, 9), (1.1, 300_000), (1.5, 7)])
def test_levels_are_near_every_number(ratio, largest):
    table = byte_models.table_of_levels(ratio, largest)
    assert table == sorted(set(table)) and table[0] == 1 and table[-1] >= largest
    values = np.unique(np.geomspace(1, largest, 500).astype(int))
    off = np.array(table)[byte_models.nearest(table, values)] / values
    assert max(off.max(), 1 / off.min()) <= max(np.sqrt(2), ratio) ** (ratio > 1)


def test_numbers_as_letters_and_back():
    from mamba_edu.widgets._counts import LETTERS, _numbers

    values = [0, 1, 86, 87, 88, 173, 174, 175, 1000, 0]
    text = byte_models.letters(values)
    assert list(_numbers(text)) == values and json.dumps(text) == f'"{text}"' and len(LETTERS) == 88


# ---- the file ------------------------------------------------------------------------------------------------------


def test_after_every_kept_context_the_probabilities_sum_to_one():
    counts = byte_counts()
    for order, contexts in enumerate(counts.contexts):
        assert len(contexts) == counts.about["contexts"]["kept"][order]
        for context in contexts:
            p = counts.probabilities(context.to_bytes(order, "big"), order)
            assert abs(p.sum() - 1) < 1e-12 and p.min() > 0, context
    for before in (b"", b"\xff\xfe\xfd", b"zzzq"):
        assert abs(counts.probabilities(before, 3).sum() - 1) < 1e-12


def test_a_context_is_kept_with_all_that_is_shorter():
    contexts = byte_counts().contexts
    for order in (1, 2, 3):
        for context, one in contexts[order].items():
            shorter = contexts[order - 1][context & (1 << 8 * (order - 1)) - 1]
            assert set(one.following) <= set(shorter.following)
            assert list(one.counts) == sorted(one.counts, reverse=True) and one.rest >= 1


def test_it_is_light_and_says_what_it_is():
    text = FILE.read_text(encoding="utf-8")
    for sent in (text, _bundle.data_script("byte_counts")):
        assert byte_models.weight(sent) < 140_000
    about = byte_counts().about
    assert about["text"].startswith("enwik8, first 4,000,000") and about["counted_bytes"] == 3_600_000
    kept, full = about["bits_per_byte_kept"], about["bits_per_byte_full"]
    assert list(kept) == list(full) == [f"order {k}" for k in range(4)]
    assert all(0 < kept[name] - full[name] < 0.03 for name in kept), "what pruning and rounding cost"


def test_it_is_what_the_tool_makes():
    """With the saving that stands in it; one step less would be too heavy."""
    if not os.environ.get("MAMBA_EDU_DATA"):
        pytest.skip(REAL)
    splits = load_enwiki8_dataset()
    if splits.name != byte_counts().about["text"]:
        pytest.skip(REAL)
    least = byte_counts().about["saves_more_than_bits"]
    assert byte_models.make(splits, least) == FILE.read_text(encoding="utf-8")
    levels = byte_models.count(splits.train)
    heavier = byte_models.pack(levels, byte_models.choose(levels, least - byte_models.STRIDE))
    assert byte_models.weight(byte_models.write({}, heavier)) > byte_models.LIMIT - 2000


SPOILT = {
    "a stream too short": (lambda one: one | {"gaps": one["gaps"][:-1]}, "order 3 end too early"),
    "a stream too long": (lambda one: one | {"rests": one["rests"] + "#"}, "order 3 go on after their end"),
    "a level too few": (lambda one: one | {"levels": one["levels"][:2]}, "order 3 end too early"),
}


@pytest.mark.parametrize("fault", SPOILT)
def test_a_spoilt_file_is_refused(fault, exact):
    spoil, message = SPOILT[fault]
    levels = byte_models.count(TEXT)
    orders = byte_models.pack(levels, all_of(levels))
    with pytest.raises(ValueError, match=message):
        read_counts(byte_models.write({}, [*orders[:3], spoil(orders[3])]))


def test_data_that_are_not_there_are_named():
    with pytest.raises(_bundle.BundleError, match=r"no bytes\.json among the figures' data: byte_counts"):
        _bundle.data_text("bytes")
    with pytest.raises(_bundle.BundleError, match=r"no \.\./core\.json"):
        _bundle.data_script("../core")
