"""`hippo-memory` in a browser: it computes what the package does, and says the numbers that it draws."""

import json
import re

import pytest
from core_page import difference
from playwright.sync_api import Error
from test_hippo_memory import every, some_weights

from mamba_edu.widgets import HippoMemory
from mamba_edu.widgets.hippo_memory import MATRICES, _run, _steps, read_back, signal

CASES = [
    {"matrix": matrix, "n": n, "delta": delta, "time": time, "signal": name}
    for matrix in MATRICES
    for n, delta, time, name in [
        (1, 0.03, 127, "step"), (1, 0.1, 0, "chirp"), (2, 0.01, 1, "chirp"), (7, 0.03, 5, "bumps"),
        (16, 0.03, 127, "chirp"), (16, 0.1, 30, "bracket"), (33, 0.0123, 64, "step"), (64, 0.01, 127, "bumps"),
        (64, 0.1, 127, "bracket"), (64, 0.03, 0, "step"), (64, 0.03, 40, "chirp"),
    ]
]  # fmt: skip
IMPORTS = """
  const hippo = await import("./hippo.js");
  const { spec } = (await import("./hippo_memory.js")).default;
"""


def named(case):
    return "-".join(str(value) for value in case.values())


@pytest.mark.parametrize("case", CASES, ids=named)
def test_the_page_computes_what_the_package_does(call, case, record_property):
    figure = HippoMemory(**case)
    drawn = call("spec.compute(value)", figure.snapshot())
    for name, true in figure.data().items():
        worst = difference(drawn[name], true)
        if name == "errors":  # differences of what is drawn, and held as closely as that
            worst *= (true.max() / figure.data()["u"].max()).item()
        assert worst <= 1e-9, f"{name} is off by {worst:.1e} of the largest value"
        record_property(name, worst)
    assert drawn["worst"] == figure.data()["errors"].argmax()


@pytest.mark.parametrize("m, n, precision", [(1, 1, 1e-3), (3, 8, 1e-3), (60, 20, 1e-4), (128, 64, 0.5)])
def test_recall_is_read_back(call, m, n, precision):
    weights, h = some_weights(m, n), some_weights(n, 1)[:, 0]
    given = {"weights": weights.flatten().tolist(), "h": h.tolist(), "precision": precision}
    got = call("hippo.recall(value.weights, value.h, value.precision)", given)
    for name, true in zip(("history", "kept"), read_back(weights, h, precision), strict=True):
        assert difference(got[name], true) <= 1e-9, name


@every
@pytest.mark.parametrize("delta", [0.1, 4.0, 300.0])
@pytest.mark.parametrize("n", [20, 64])
def test_steps_far_beyond_the_slider(call, matrix, n, delta):
    """The full matrix is solved without a search for pivots: it must not need one, however long the step."""
    u = signal("chirp")
    states, _ = _run(u, *_steps(matrix, n, delta), 0)
    got = call("hippo.linearMemory(value.matrix, value.n, value.delta, 128).states(value.u)",
               {"matrix": matrix, "n": n, "delta": delta, "u": u.tolist()})  # fmt: skip
    assert difference(got, states) <= 1e-9


def test_nothing_is_kept_from_one_state_to_the_next(call):
    """The weights are made once for each matrix, n and delta, and for no other."""
    states = [HippoMemory(**case).snapshot() for case in CASES[10:23]]
    states += [{**state, "delta": 0.07} for state in states]
    there = call("value.map((s) => spec.compute(s).history)", states)
    back = call("value.map((s) => spec.compute(s).history)", states[::-1])[::-1]
    assert there == back
    for state, history in zip(states, there, strict=True):
        true = HippoMemory(**{k: v for k, v in state.items() if k != "question"}).data()["history"]
        assert difference(history, true) <= 1e-9


WRONG = {
    "hippo.linearMemory('lags', 4, 0.1, 8)": 'RangeError: matrix must be one of legs, fixed, real, random, got "lags"',
    "hippo.linearMemory('legs', 0, 0.1, 8)": "RangeError: n must be a whole number of at least 1, got 0",
    "hippo.linearMemory('legs', 2, 0.1, 1.5)": "RangeError: l must be a whole number of at least 1, got 1.5",
    "hippo.linearMemory('fixed', 2, 0, 8)": "RangeError: delta must be positive and finite, got 0",
    "hippo.linearMemory('fixed', 2, '1', 8)": 'TypeError: delta must be a number, got "1"',
    "hippo.linearMemory('real', 2, 0.1, 8).states([1, 2])": r"RangeError: u must have shape \(l\) with l=8, got \(2\)",
    "hippo.recall([1, 2], [1], 0)": "RangeError: precision must be positive, got 0",
    "hippo.recall([1, 2, 3], [1, 2], 0.1)": r"RangeError: weights.length / n must be a whole number .*, got 1.5",
}


@pytest.mark.parametrize("expression, said", WRONG.items())
def test_wrong_input_is_refused_by_name(call, expression, said):
    with pytest.raises(Error, match=said):
        call(expression)


@pytest.mark.parametrize("screen", ["wide-light", "phone-dark"])
@pytest.mark.parametrize("case", [c for c in CASES if c["time"] > 8][::3], ids=named)
def test_the_words_are_the_numbers(at, screen, case):
    page = at(HippoMemory, screen)
    page.reveal()
    case = {k: v for k, v in case.items() if k != "delta"}
    said = page.put(**case)["said"]
    data = HippoMemory(**case).data()
    total = (data["history"] - data["u"][: case["time"] + 1]).square().mean().sqrt().item()
    quarter = ["oldest", "second oldest", "second newest", "newest"][data["errors"].argmax()]
    off_by, kept = (
        re.search(r"off by ([\d.e−]+) \(root mean square\), most in its ([\w ]+) quarter", said),
        data["shares"],
    )
    assert off_by[2] == quarter and float(off_by[1].replace("−", "-")) == pytest.approx(total, abs=0.006)
    assert f"as much as {kept.sum():.1f} independent numbers could: {', '.join(f'{k:.2f}' for k in kept)} for" in said
    verdict = page.stage.locator(".live-verdict").inner_text()
    assert verdict.startswith(f"The {quarter} quarter is read back worst")


def test_each_mode_is_named(at):
    page = at(HippoMemory)
    wanted = {"legs": "HiPPO.s LegS, A / t: memory stretched evenly", "fixed": "S4.s LegS, A fixed: memory warped",
              "real": "S4D-Real, A = −1 … −16", "random": "random A and B"}  # fmt: skip
    for matrix, words in wanted.items():
        said = page.put(matrix=matrix)["said"]
        title = page.stage.locator("[data-panel=past] .live-title").inner_text()
        assert re.search(words, said) and re.search(words, title, re.IGNORECASE)
    assert "the same rule for every A" in page.stage.locator(".live-equation").inner_text()


def test_a_click_on_a_quarter_is_a_guess(at):
    page = at(HippoMemory)
    svg = page.stage.locator("[data-panel=error] svg")
    width = svg.bounding_box()["width"]
    for q in (2, 0, 3, 1):
        svg.click(position={"x": 40 + (q + 0.5) / 4 * (width - 52), "y": 50})
        page.look()
        assert page.number("guess") == q
    page.reveal()
    errors = HippoMemory().data()["errors"]
    said = page.stage.locator(".live-verdict").inner_text()
    assert said == (
        f"The newest quarter is read back worst, off by {errors[3]:.2f}. "
        f"In the second oldest, your guess, it is {errors[1]:.2f}."
    )
    page.stage.locator(".live-guess select").select_option("3")
    page.look()
    assert page.stage.locator(".live-verdict").inner_text().endswith("You said so.")


def test_pointing_at_a_number_shows_what_it_weighs(at):
    page = at(HippoMemory)
    svg = page.stage.locator("[data-panel=state] svg")
    box = svg.bounding_box()
    page.page.mouse.move(box["x"] + 60, box["y"] + 6 + (box["height"] - 28) * 2.5 / 16)
    page.look()
    h = HippoMemory().data()["states"][-1][2].item()
    read = page.stage.locator(".live-readout").inner_text().replace("−", "-")
    assert read.startswith("h[t=127, i=2] = ") and float(read.split()[-1]) == pytest.approx(h, abs=6e-4)
    assert page.stage.locator("svg text", has_text="how h[i=2] weighs s").count() == 1
    assert "h[t=127, i=2]" in page.stage.locator(".live-equation").inner_text()


def test_the_answer_is_not_on_the_page_before(at):
    page = at(HippoMemory)
    text = page.stage.inner_text() + json.dumps(page.spec("spec.presets.map((one) => one.label)"))
    assert "read back[" not in text and "off by" not in text
    sums = page.stage.locator(
        ":is([data-panel=error], [data-panel=kept]) svg text", has_text=re.compile(r"^[\d.]+\.\d\d$")
    )
    assert sums.count() == 0
    fills = (
        "(svg) => [...svg.querySelectorAll('path')].filter((p) => !/fill: ?none/.test(p.getAttribute('style'))).length"
    )
    for panel in ("error", "kept"):
        assert page.stage.locator(f"[data-panel={panel}] svg").evaluate(fills) == 0
    page.reveal()
    for panel in ("error", "kept"):
        assert page.stage.locator(f"[data-panel={panel}] svg").evaluate(fills) == 1
    assert sums.count() == 8
