"""`hippo-memory`: four memories and the past they stand for, in the package and in the page; what the figure says."""

import json
import math
import re

import pytest
import torch
from core_page import FOLDER, HOST, difference
from playwright.sync_api import Error

from mamba_edu.hippo import hippo_legs, legs_memory, legs_memory_fixed, legs_reconstruct
from mamba_edu.widgets import HippoMemory
from mamba_edu.widgets.hippo_memory import MATRICES, SAMPLES, SIGNALS, _draws, _system, read_back, signal

CASES = [
    {"matrix": matrix, "n": n, "delta": delta, "time": time, "signal": name}
    for matrix in MATRICES
    for n, delta, time, name in [
        (1, 0.03, 127, "step"), (1, 0.1, 0, "chirp"), (2, 0.01, 1, "chirp"), (7, 0.03, 5, "bumps"),
        (16, 0.03, 127, "chirp"), (16, 0.1, 30, "bracket"), (33, 0.0123, 64, "step"), (64, 0.01, 127, "bumps"),
        (64, 0.1, 127, "bracket"), (64, 0.03, 0, "step"), (64, 0.03, 40, "chirp"),
    ]
]  # fmt: skip
every = pytest.mark.parametrize("matrix", MATRICES)
sizes = pytest.mark.parametrize("n", [1, 2, 5, 16, 64])


def named(case):
    return "-".join(str(value) for value in case.values())


def off(got, want):
    """The largest difference, relative to the largest true value; NaN and infinities are far off."""
    assert got.shape == want.shape and torch.isfinite(got).all() and torch.isfinite(want).all()
    return ((got - want).abs().max() / want.abs().max()).item()


def some_weights(m, n):
    generator = torch.Generator().manual_seed(m + n)
    return torch.randn(m, n, generator=generator, dtype=torch.float64)


# ---- the memories ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 5, 16, 64])
@pytest.mark.parametrize("name", SIGNALS)
def test_states_are_the_chapters_own(n, name):
    u = signal(name)
    assert off(HippoMemory(n=n, signal=name).data()["states"], legs_memory(u, n)) <= 1e-12
    fixed = HippoMemory(n=n, signal=name, matrix="fixed", delta=0.05).data()["states"]
    assert off(fixed, legs_memory_fixed(u, n, 0.05)) <= 1e-12


@every
@sizes
@pytest.mark.parametrize("time", [0, 1, 50, 127])
def test_a_state_is_its_weights_times_the_past(matrix, n, time):
    data = HippoMemory(matrix=matrix, n=n, time=time, signal="bumps").data()
    assert data["weights"].shape == (time + 1, n) and data["states"].shape == (SAMPLES, n)
    assert off(data["weights"].mT @ data["u"][: time + 1], data["states"][time]) <= 1e-12


def test_s4d_real_by_hand():
    data = HippoMemory(matrix="real", n=3, delta=0.05, time=9).data()
    true = [[0.05 / (1 + a) * ((1 - a) / (1 + a)) ** (9 - s) for a in (0.025, 0.05, 0.075)] for s in range(10)]
    assert off(data["weights"], torch.tensor(true, dtype=torch.float64)) <= 1e-13


def test_legs_of_one_number_is_the_mean_of_the_past():
    u = signal("chirp")
    data = HippoMemory(n=1).data()
    means = u.cumsum(0) / torch.arange(1, SAMPLES + 1)
    assert off(data["states"][:, 0], means) <= 1e-12


def test_the_random_draws_by_hand():
    x = 165
    for _ in range(9):
        x = x * 48271 % (2**31 - 1)
    assert _draws(5)[0].item() == pytest.approx(math.sqrt(3) * (2 * x / (2**31 - 1) - 1), abs=1e-15)
    many = _draws(4000)
    assert abs(many.mean()) < 0.05 and many.var().item() == pytest.approx(1, abs=0.05)
    assert many.abs().max() <= math.sqrt(3) and len(many.unique()) == 4000


@pytest.mark.parametrize("n", range(1, 65))
def test_every_random_matrix_is_stable(n):
    A, B = _system("random", n)
    assert A.shape == (n, n) and B.shape == (n, 1)
    slowest = torch.linalg.eigvals(A).real.max()
    assert -1.5 - 2 * math.sqrt(n) <= slowest <= -0.4


def test_signals():
    assert {name: signal(name).shape for name in SIGNALS} == dict.fromkeys(SIGNALS, (SAMPLES,))
    assert signal("bracket").nonzero().flatten().tolist() == [12, 13]
    assert signal("step").tolist() == [0.0] * 40 + [1.0] * 88
    crossings = (signal("chirp").sign().diff() != 0).nonzero().flatten()
    assert len(crossings) == 9 and (crossings.diff().diff() <= 0).all(), "ever faster"
    bumps = signal("bumps")
    assert [round(bumps[s].item(), 3) for s in (30, 38, 62, 95)] == [1, 0.607, 0, 0.7]


# ---- the past they stand for ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("m, n", [(1, 1), (1, 5), (3, 3), (4, 9), (40, 7), (128, 64)])
@pytest.mark.parametrize("precision", [1e-3, 0.3])
def test_the_past_read_back_is_the_smallest_that_fits(m, n, precision):
    """The same minimum, by another way: ordinary least squares on what is to be small, stacked."""
    weights, past = some_weights(m, n), some_weights(m, 1)[:, 0]
    size = weights.norm(dim=0)
    stacked = torch.cat([torch.eye(m).double(), (weights / size).mT / precision])
    wanted = torch.cat([torch.zeros(m).double(), weights.mT @ past / size / precision])
    true = torch.linalg.lstsq(stacked, wanted[:, None], driver="gelsd").solution[:, 0]
    history, kept = read_back(weights, weights.mT @ past, precision)
    assert off(history, true) <= 1e-9
    lone = torch.stack([read_back(weights, weights[s], precision)[0][s] for s in range(m)])
    assert off(kept, lone) <= 1e-9, "kept[s] is what comes back of a lone 1"
    assert 0 <= kept.min() and kept.max() <= 1 + 1e-12 and kept.sum() <= min(m, n) + 1e-9


def test_units_of_the_state_do_not_matter_and_silent_numbers_do_no_harm():
    weights, h = some_weights(20, 4), some_weights(4, 1)[:, 0]
    scale = torch.tensor([1, 1e-3, 300, -2], dtype=torch.float64)
    for one, other in zip(read_back(weights, h), read_back(weights * scale, h * scale), strict=True):
        assert off(one, other) <= 1e-9
    silent = torch.cat([weights, torch.zeros(20, 1).double()], dim=1)
    for one, other in zip(read_back(weights, h), read_back(silent, torch.cat([h, h[:1] * 0])), strict=True):
        assert off(one, other) <= 1e-9


def test_the_rounding_of_a_zero_is_no_knowledge():
    weights, h = some_weights(20, 4), some_weights(4, 1)[:, 0]
    noise = torch.cat([weights, 1e-16 * some_weights(20, 3)], dim=1)
    for one, other in zip(read_back(weights, h), read_back(noise, torch.cat([h, h[:3] * 0])), strict=True):
        assert off(one, other) <= 1e-9
    data = HippoMemory(n=64, time=2).data()
    assert data["shares"].sum() < 3.0 and (data["weights"].norm(dim=0) > 1e-9).sum() == 6, "58 of 64 are zero still"


def test_a_past_that_the_state_can_hold_comes_back():
    """As many numbers as samples, all different: nothing but the thousandth part is lost."""
    weights, past = torch.linalg.qr(some_weights(12, 12))[0], some_weights(12, 1)[:, 0]
    history, kept = read_back(weights, weights.mT @ past)
    assert off(history, past) <= 1.1e-6 and (kept - 1).abs().max() <= 1.1e-6
    assert off(read_back(weights, weights.mT @ past, precision=1.0)[0], past / 2) <= 1e-12


@pytest.mark.parametrize("name", ["chirp", "step", "bumps"])
@pytest.mark.parametrize("n", [4, 8, 16])
def test_of_legs_it_is_the_legendre_series(name, n):
    """HiPPO's own reconstruction knows nothing of samples or least squares: they agree, to what 128 samples allow."""
    data = HippoMemory(n=n, signal=name).data()
    x = (torch.arange(SAMPLES).double() + 0.5) / SAMPLES
    series = legs_reconstruct(data["states"][-1], positions=x)
    apart = (data["history"] - series).square().mean().sqrt() / series.square().mean().sqrt()
    assert apart <= {4: 0.002, 8: 0.02, 16: 0.08}[n]


def test_with_more_samples_it_comes_ever_closer_to_the_series():
    apart = []
    for l in (128, 256, 512):
        A, B = hippo_legs(12)
        x = (torch.arange(l).double() + 0.5) / l
        past = torch.cos(8 * x) + x
        weights, one = torch.zeros(12, 0).double(), torch.eye(12).double()
        for k in range(l):
            half = A / (2 * k + 1)
            weights = torch.linalg.solve(one - half, torch.cat([(one + half) @ weights, B / (k + 0.5)], dim=1))
        h = weights @ past
        apart.append(off(read_back(weights.mT, h)[0], legs_reconstruct(h, positions=x)))
    assert apart[0] < 0.08 and apart[1] < apart[0] / 1.8 and apart[2] < apart[1] / 1.8, apart


# ---- what the figure claims -----------------------------------------------------------------------------------------


def test_legs_over_t_is_even_and_the_fixed_one_is_warped():
    even, warped = (HippoMemory(matrix=matrix).data() for matrix in ("legs", "fixed"))
    assert even["shares"].sum().item() == pytest.approx(16, abs=0.01) == warped["shares"].sum().item()
    assert off(even["shares"], even["shares"].flip(0)) <= 1e-3, "both ends alike"
    assert (warped["shares"].diff() > 0).all() and warped["shares"][3] > 5 * warped["shares"][0]
    assert even["errors"].argmax() == 3 and warped["errors"].argmax() == 0, "the fast end, and the old one"


@pytest.mark.parametrize("time", [31, 63, 95])
def test_legs_over_t_needs_no_time_scale(time):
    """Half the past, half the width of each quarter: as many numbers for each."""
    shares = HippoMemory(n=8, time=time).data()["shares"]
    assert off(shares, HippoMemory(n=8).data()["shares"]) <= 0.02


def test_s4d_real_knows_what_the_fixed_one_knows_were_it_not_for_digits():
    weights = [HippoMemory(matrix=matrix, n=6).data()["weights"] for matrix in ("fixed", "real")]
    exact = [read_back(w, w[0], precision=1e-11)[1] for w in weights]
    assert off(*exact) <= 1e-4, "the same rates: with enough digits the same past"
    three_digits = [read_back(w, w[0])[1].sum() for w in weights]
    assert three_digits[0] > 5.99 and three_digits[1] < 5.5
    totals = {matrix: HippoMemory(matrix=matrix).data()["shares"].sum().item() for matrix in MATRICES}
    assert totals["real"] < 8 and totals["random"] < 10 and totals["fixed"] > 15.9


def test_quarters_by_hand():
    for time in (0, 2, 9, 127):
        data = HippoMemory(time=time, signal="step", matrix="fixed").data()
        error, quarter = data["history"] - data["u"][: time + 1], torch.arange(time + 1) * 4 // (time + 1)
        for q in range(4):
            own = error[quarter == q]
            rms = own.square().mean().sqrt() if len(own) else torch.tensor(0.0)
            assert data["errors"][q].item() == pytest.approx(rms.item(), abs=1e-12)
            assert data["shares"][q].item() == pytest.approx(data["kept"][quarter == q].sum().item(), abs=1e-12)


# ---- the page -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def call(browser):
    """call(expression, value) -> what `expression` makes of hippo.js, the figure's spec and `value`."""
    page = browser.new_page()
    page.route("**/*", lambda route: _answer(route, route.request.url.removeprefix(HOST)))
    page.goto(HOST)
    code = """async ([expression, value]) => {
      const hippo = await import("./hippo.js");
      const { spec } = (await import("./hippo_memory.js")).default;
      return eval(`(${expression})`);
    }"""
    yield lambda expression, value=None: page.evaluate(code, [expression, value])
    page.close()


def _answer(route, name):
    if name:
        route.fulfill(path=FOLDER / name, content_type="text/javascript")
    else:
        route.fulfill(body="<!doctype html><title>figure</title>", content_type="text/html")


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


def turn(page, **state):
    """Set controls by what a hand does, then look."""
    for trait, value in state.items():
        control = page.stage.locator(f'input[data-trait="{trait}"]')
        if control.first.get_attribute("type") == "radio":
            options = page.spec(f"spec.controls.find((one) => one.trait === '{trait}').options.map(([value]) => value)")
            identity = control.nth(options.index(value)).get_attribute("id")
            page.stage.locator(f"label[for='{identity}']").click()
        else:
            control.evaluate("(e, value) => { e.value = value; e.dispatchEvent(new Event('input')); }", value)
        page.look()
    return page.look()


@pytest.mark.parametrize("screen", ["wide-light", "phone-dark"])
@pytest.mark.parametrize("case", [c for c in CASES if c["time"] > 8][::3], ids=named)
def test_the_words_are_the_numbers(at, screen, case):
    page = at(HippoMemory, screen)
    page.reveal()
    case = {k: v for k, v in case.items() if k != "delta"}
    said = turn(page, **case)["said"]
    data = HippoMemory(**case).data()
    total = (data["history"] - data["u"][: case["time"] + 1]).square().mean().sqrt().item()
    quarter = ["oldest", "second oldest", "second newest", "newest"][data["errors"].argmax()]
    off_by, kept = (
        re.search(r"off by ([\d.e−]+) \(root mean square\), most in its ([\w ]+) quarter", said),
        data["shares"],
    )
    assert off_by[2] == quarter and float(off_by[1].replace("−", "-")) == pytest.approx(total, abs=0.006)
    assert f"as much as {kept.sum():.1f} independent numbers could: {', '.join(f'{k:.1f}' for k in kept)} for" in said
    verdict = page.stage.locator(".live-verdict").inner_text()
    assert verdict.startswith(f"The {quarter} quarter is read back worst")


def test_each_mode_is_named(at):
    page = at(HippoMemory)
    wanted = {"legs": "HiPPO.s LegS, A / t: memory stretched evenly", "fixed": "S4.s LegS, A fixed: memory warped",
              "real": "S4D-Real, A = −1 … −16", "random": "random A and B"}  # fmt: skip
    for matrix, words in wanted.items():
        said = turn(page, matrix=matrix)["said"]
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
