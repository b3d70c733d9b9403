"""`training-curves`: what the figure draws, says and hides is what the record holds, and follows from it."""

import gzip
import html
import json
import re

import pytest
import torch
from recorded import with_one_diverged
from traitlets import TraitError

from mamba_edu.records import load_record
from mamba_edu.widgets import TrainingCurves, _bundle, _runs, training_curves
from mamba_edu.widgets.training_curves import CHANGES, RUNS

RATES = RUNS["rates"]
ALL = dict.fromkeys(CHANGES, True)


def run(key, lr, seed, train=(4.0, 3.0), valid=(3.5,), score=3.0, diverged=None):
    return {
        "change": f"words of {key}", "key": key, "lr": lr, "seed": seed, "diverged": diverged,
        "train": [{"step": 5 * i + 5, "bpb": loss, "grad_norm": 1.0} for i, loss in enumerate(train)],
        "valid": [{"step": 10 * i + 10, "bpb": loss} for i, loss in enumerate(valid)],
        "bits_per_byte": {"valid": score, "valid_carried": None if score is None else score - 0.25},
    }  # fmt: skip


def small_record(*changed):
    """Two rates, one seed; the runs in `changed` instead of those in their places."""
    runs = {(key, lr): run(key, lr, 0) for key in ("none", *_runs.TRAITS) for lr in (0.02, 0.01)}
    runs.update({(one["key"], one["lr"]): one for one in changed})
    about = {
        "date": "2026-01-02T03:04:05+00:00",
        "device": {"name": "a chip"},
        "threads": 2,
        "data": {"name": "a text"},
    }
    return {**about, "model": {"parameters": 7}, "settings": {"warmup": 5}, "runs": list(runs.values())}


# ---- the record -----------------------------------------------------------------------------------------------------


def test_what_is_kept_of_a_record():
    broken = run("clip", 0.02, 0, train=(4.12345,), valid=(), score=None, diverged=5)
    kept = _runs.recorded_runs(small_record(run("warmup", 0.01, 0, valid=(3.98766,), score=2.71828), broken))
    about = {name: value for name, value in kept.items() if name not in ("changes", "runs")}
    assert about == {
        "date": "2026-01-02", "device": "a chip", "threads": 2, "text": "a text", "parameters": 7, "warmup": 5,
        "steps": [5, 10], "checks": [10], "rates": [0.01, 0.02],
    }  # fmt: skip
    assert kept["changes"] == {trait: f"words of {key}" for key, trait in _runs.TRAITS.items()}
    warmup, clip = kept["runs"]["no_warmup"], kept["runs"]["no_clip"]
    assert warmup[0] == [{"train": [4.0, 3.0], "valid": [3.9877], "diverged": None, "scores": [2.7183, 2.4683]}]
    assert clip[1] == [{"train": [4.123], "valid": [], "diverged": 5, "scores": [None, None]}]
    assert warmup[1] == clip[0] == kept["runs"]["none"][0]


def test_a_record_with_a_hole_is_refused():
    record = small_record()
    with pytest.raises(ValueError, match=r"record must hold one run for each .*got 11: \[\('carry_state', 0.01, 0\)\]"):
        _runs.recorded_runs({**record, "runs": record["runs"][:-1]})
    with pytest.raises(ValueError, match="got 13: two runs in one place"):
        _runs.recorded_runs({**record, "runs": [*record["runs"], record["runs"][3]]})
    with pytest.raises(
        ValueError, match=r"runs without a change that end, got diverged \(rate, seed\): \[\(0.02, 0\)\]"
    ):
        _runs.recorded_runs(small_record(run("none", 0.02, 0, score=None, diverged=10)))


def test_the_page_has_the_runs_of_the_record():
    written = _runs.SCRIPT.read_text(encoding="utf-8")
    assert written == _runs.runs_script(_runs.recorded_runs()), "python -m mamba_edu.widgets._runs"


def test_the_figure_stays_light():
    script = _bundle.figure_script(TrainingCurves.name).encode()
    assert len(gzip.compress(script)) < 20_000


# ---- data -----------------------------------------------------------------------------------------------------------


def by_hand(key, kind, lr):
    """[seed] -> bits per byte of each row, from the record itself."""
    runs = [one for one in load_record(_runs.RECORD)["runs"] if (one["key"], one["lr"]) == (key, lr)]
    return [[row["bpb"] for row in one[kind]] for one in sorted(runs, key=lambda one: one["seed"])]


@pytest.mark.parametrize("lr", RATES)
@pytest.mark.parametrize("kind", ["train", "valid"])
def test_the_curves_are_the_records(lr, kind):
    plain = TrainingCurves(lr=lr, validation=kind == "valid", **ALL).data()
    against = TrainingCurves(lr=lr, validation=kind == "valid", against=True, **ALL).data()
    truth = by_hand("none", kind, lr)
    rounded = 6e-4 if kind == "train" else 6e-5
    for key, name in [("none", "none"), *_runs.TRAITS.items()]:
        rows = by_hand(key, kind, lr)
        length = min(map(len, rows))
        for seed, row in enumerate(rows):
            assert plain[name][seed].tolist() == pytest.approx(row[:length], abs=rounded), name
            true = [a - b for a, b in zip(row, truth[seed])][:length]
            assert against[name][seed].tolist() == pytest.approx(true, abs=2 * rounded), name
        assert plain[name].shape[0] == len(rows) == against[name].shape[0]
    assert plain["steps"].tolist() == RUNS["steps" if kind == "train" else "checks"]


@pytest.mark.parametrize("carried", [False, True])
def test_the_costs_are_differences_within_one_rate_and_seed(carried):
    data = TrainingCurves(carried=carried).data()
    name, keys = "valid_carried" if carried else "valid", ["none", *_runs.TRAITS]
    ends = {
        (one["key"], one["lr"], one["seed"]): one["bits_per_byte"][name] for one in load_record(_runs.RECORD)["runs"]
    }
    seeds = sorted({seed for _, _, seed in ends})
    scores = {(keys[int(c)], RATES[int(r)], seeds[int(s)]): score for c, r, s, score in data["scores"].tolist()}
    assert scores == pytest.approx({place: score for place, score in ends.items() if score is not None}, abs=6e-5)
    costs = {(keys[int(c)], RATES[int(r)], seeds[int(s)]): cost for c, r, s, cost in data["costs"].tolist()}
    true = {(k, lr, s): score - ends["none", lr, s] for (k, lr, s), score in scores.items() if k != "none"}
    assert costs == pytest.approx(true, abs=1.2e-4) and len(costs) >= 5


def test_only_what_is_switched_on_is_drawn():
    fig = TrainingCurves(no_warmup=False)
    assert list(fig.data()) == ["steps", "none", "scores", "costs"]
    fig.no_clip = fig.decay_all = True
    assert list(fig.data()) == ["steps", "none", "decay_all", "no_clip", "scores", "costs"]


@pytest.mark.parametrize("value", [0.0020001, 0, -1, True, "0.004", None, float("nan"), float("inf")])
def test_a_rate_without_a_record_is_refused_by_name(value):
    fig = TrainingCurves()
    with pytest.raises(TraitError, match=r"'lr' trait .* expected one of 0\.00"):
        fig.lr = value
    assert fig.lr in RATES


def test_a_rate_from_javascript_is_the_records():
    assert [TrainingCurves(lr=json.loads(json.dumps(lr))).lr for lr in RATES] == RATES


# ---- the still ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "traits", [{}, {"lr": RATES[0], **ALL}, {"lr": RATES[-1], "validation": True, "against": True}]
)
def test_the_still_tells_the_same(traits):
    fig = TrainingCurves(**traits)
    data, still = fig.data(), fig.still()
    svg, at = html.unescape(still.svg()), RATES.index(fig.lr)
    for name in ("none", *(name for name in CHANGES if getattr(fig, name))):
        assert f"{data[name].mean(0)[-1]:.3f}" in still.alt
    for i, words in enumerate(RUNS["changes"].values()):
        cost = data["costs"][(data["costs"][:, 0] == i + 1) & (data["costs"][:, 1] == at)][:, 3].mean()
        said = f"{cost:+.3f}".replace("-", "−")
        assert f"{words} {said}" in still.alt and f">{said} at {fig.lr:g}<" in svg and f">{words}<" in svg
    assert f"recorded {RUNS['date']}" in svg and RUNS["device"] in svg and still.get_size_inches()[0] <= 4.4
    phone = 352 / (4.4 * 72)  # pixels a point, on a screen of 390
    assert all(float(size) * phone >= 10 for size in re.findall(r"font-size: ([\d.]+)px", svg))


# ---- a run that diverged --------------------------------------------------------------------------------------------


def test_what_diverged_has_no_score_and_a_short_curve(monkeypatch):
    monkeypatch.setattr(training_curves, "RUNS", with_one_diverged(RUNS))
    fig = TrainingCurves(lr=RATES[-1], validation=True)
    data = fig.data()
    assert data["no_warmup"].shape == (2, len(RUNS["checks"]) // 2) and data["none"].shape == (2, len(RUNS["checks"]))
    assert all(torch.isfinite(values).all() for values in data.values())
    place = (data["costs"][:, 0] == 3) & (data["costs"][:, 1] == len(RATES) - 1)
    assert data["costs"][place][:, 2].tolist() == [0] and len(data["scores"]) == len(TrainingCurves().data()["scores"])
    still = fig.still()
    assert f">diverged at {RATES[-1]:g}<" in still.svg() and f"{RUNS['changes']['no_warmup']} diverged" in still.alt
