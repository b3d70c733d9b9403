"""`discretisation`: where a rule and a step take an eigenvalue, what the samples do there; in Python and in a page."""

import cmath
import json
import math
import re

import pytest
import torch
from figure_page import close
from traitlets import TraitError

from mamba_edu.plots.style import LIGHT
from mamba_edu.widgets import Discretisation

RULES = {
    "zoh": lambda x: cmath.exp(x),
    "bilinear": lambda x: (1 + x / 2) / (1 - x / 2),
    "euler": lambda x: 1 + x,
}
RATES = [
    (-0.5, 2),
    (-4, 5),
    (-4, 0),
    (0.5, 5),
    (0.5, 0),
    (0, 0),
    (0, 3),
    (-0.1, 5),
    (-1, 0),
    (-2.35, 0.7),
    (-1.25, 2.5),
]
STEPS = [0.3, 0.05, 2, 0.25, 1.1, 0.37]
STATES = [
    {"re": re, "im": im, "delta": delta, "method": method} for re, im in RATES for delta in STEPS for method in RULES
]


def size_of(z):
    return math.hypot(z.real, z.imag)


# ---- the package's side ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", STATES[::5], ids=str)
def test_data_is_what_a_hand_computes(state):
    data, rate, rule = Discretisation(**state).data(), complex(state["re"], state["im"]), RULES[state["method"]]
    delta, pole = state["delta"], rule(state["delta"] * rate)
    powers, seconds = [pole**t for t in range(math.floor(10 / delta + 1e-9) + 1)], [k / 40 for k in range(401)]
    turn = abs(cmath.phase(pole))
    true = {
        "pole": [pole.real, pole.imag],
        "h": [[z.real, z.imag] for z in powers],
        "true": [cmath.exp(rate * s).real for s in seconds],
        "wave": [size_of(pole) ** (s / delta) * math.cos(turn * s / delta) for s in seconds],
        "size": [size_of(rule(k / 40 * rate)) for k in range(81)],
        "euler": [size_of(1 + k / 40 * rate) for k in range(81)],
    }
    assert set(data) == {*true, "holds"}
    for name, values in true.items():
        assert data[name].dtype == torch.float64, name
        close(data[name], torch.tensor(values, dtype=torch.float64))


@pytest.mark.parametrize("rate", [*RATES, (-2, 0), (-1.5, 0), (-0.05, 0.05), (0.05, 0.05)])
def test_holds_is_the_last_step_at_which_eulers_samples_do_not_grow(rate):
    holds = Discretisation(re=rate[0], im=rate[1]).data()["holds"].item()
    size = lambda step: size_of(1 + step * complex(*rate))  # noqa: E731
    assert 0 <= holds <= 2
    assert all(size(holds * k / 100) <= 1 + 1e-12 for k in range(101)), "it grows earlier"
    assert holds == 2 or all(size(holds + k / 100) > 1 for k in range(1, 200)), "it holds longer"


def test_the_opening_wave_dies_and_eulers_samples_do_not():
    data = Discretisation().data()
    assert data["holds"].item() == pytest.approx(4 / 17, abs=1e-12), "-2 Re lambda / |lambda|^2 = 1 / 4.25"
    assert data["true"][-1].abs() < 0.01 and data["h"][-1].norm() > 3.6
    assert data["pole"].tolist() == pytest.approx([0.85, 0.6])


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("delta", [0.05, 0.25, 1, 2])
def test_only_the_exact_rule_stays_on_the_curve(rate, delta):
    fig = Discretisation(re=rate[0], im=rate[1], delta=delta, method="zoh")
    there = slice(0, None, round(40 * delta))
    close(fig.data()["h"][:, 0], fig.data()["true"][there])
    if rate != (0, 0):
        for method in ("bilinear", "euler"):
            fig.method = method
            off = (fig.data()["h"][:, 0] - fig.data()["true"][there]).abs().max()
            assert off > 1e-5, f"{method} is not exact"


@pytest.mark.parametrize("state", [state for state in STATES if state["delta"] in (0.05, 0.25, 2)][::4], ids=str)
def test_the_dashed_wave_goes_through_every_sample_and_is_the_slowest(state):
    data, delta = Discretisation(**state).data(), state["delta"]
    close(data["wave"][:: round(40 * delta)], data["h"][:, 0])
    turns = abs(cmath.phase(complex(*data["pole"].tolist()))) / delta
    assert turns <= math.pi / delta + 1e-12, "no faster than two samples a turn"


@pytest.mark.parametrize("rate", RATES)
def test_exact_and_bilinear_fade_if_and_only_if_the_wave_does(rate):
    for delta in STEPS:
        for method in ("zoh", "bilinear"):
            pole = Discretisation(re=rate[0], im=rate[1], delta=delta, method=method).data()["pole"].norm().item()
            assert (pole < 1 - 1e-9) == (rate[0] < 0) and (pole > 1 + 1e-9) == (rate[0] > 0), (method, delta, pole)


WRONG = {
    "re": [-4.1, 0.6, math.nan, "1", None, True],
    "im": [-0.1, 5.1, math.inf, 1j],
    "delta": [0, 0.04, 2.1, -0.3],
    "method": ["Euler", "mixed", "", None, 0],
    "guess": [-2, 41, 1.5],
}


@pytest.mark.parametrize("name, value", [(name, value) for name, values in WRONG.items() for value in values])
def test_a_wrong_value_is_refused_by_name(name, value):
    fig = Discretisation()
    before = fig.snapshot()
    with pytest.raises(TraitError, match=rf"'{name}'.*expected"):
        setattr(fig, name, value)
    assert fig.snapshot() == before


@pytest.mark.parametrize("state", STATES[::17], ids=str)
def test_the_still_tells_the_same(state):
    fig = Discretisation(**state)
    data, still = fig.data(), fig.still()
    svg, size = still.svg(), data["pole"].norm().item()
    assert still.get_size_inches()[0] <= 4.4 and not re.search(r"nan|inf\b", svg + still.alt)
    assert f"{size:.2f} from 0" in still.alt and f"a step of {data['holds'].item():.2f} s" in still.alt
    fate = "grow" if size > 1 + 1e-9 else "fade" if size < 1 - 1e-9 else "neither fade nor grow"
    assert f"the samples, which {fate}: the last of {len(data['h'])} is" in still.alt
    assert (LIGHT["warn"] in svg) == (fate == "grow" or bool((data["h"][:, 0].abs() > 1.5).any()))
    assert len(fig.html().encode()) < 80_000


# ---- the page's side ------------------------------------------------------------------------------------------------


def test_the_page_computes_what_the_package_does(at):
    page = at(Discretisation)
    for state in STATES:
        drawn, true = page.spec(f"spec.compute({json.dumps({**state, 'guess': -1})})"), Discretisation(**state).data()
        for name, values in true.items():
            close(drawn[name], values)
        size = true["pole"].norm().item()
        fate = "grow" if size > 1 + 1e-9 else "fade" if size < 1 - 1e-9 else "neither fade nor grow"
        assert drawn["fate"] == fate, state


def test_before_the_guess_nothing_tells_that_the_samples_grow(at):
    page = at(Discretisation)
    seen = page.look()
    assert "|Ā|" not in seen["said"] and "grow" not in seen["words"] and "0.85" in seen["said"]
    assert page.marks("time", "circle").count() == 2, "where it starts, and one step"
    assert page.stage.locator(".live-canvas [style*='--ss-warn']").count() == 0, "the colour of what goes wrong"
    assert page.marks("factors", "circle").count() == 0
    page.put(delta=2, re=-4)
    told = page.marks("time", "text").filter(has_text="leaves").all_text_contents()
    assert told == ["leaves the picture at t = 1"], "the first sample may be seen, and no more"
    assert page.stage.locator(".live-canvas [style*='--ss-warn']").count() == 0
    assert "after your guess" in page.marks("factors", "text").text_content()
    page.reveal()
    assert page.stage.locator(".live-canvas [style*='--ss-warn']").count() > 5
    assert "outside, its powers grow" in page.look()["words"]


def test_the_guess_is_held_against_the_truth(at):
    page = at(Discretisation)
    verdict = page.stage.locator(".live-verdict")
    page.stage.locator(".live-guess select").select_option("10")
    said = page.reveal()["said"]
    assert "Euler’s samples grow from delta = 0.235 s on" in verdict.inner_text()
    assert f"At your guess, 0.5 s, its |Ā| is {size_of(1 + 0.5 * (-0.5 + 2j)):.3g}." in verdict.inner_text()
    assert "|Ā| = 1.04, the samples grow: after 33 steps |h| = 3.7" in said
    for state, words in [
        ({"re": 0.2, "im": 1}, "With Re λ = 0.2 nothing dies away"),
        ({"re": 0, "im": 1}, "With Re λ = 0 nothing dies away"),
        ({"re": -0.5, "im": 0}, "Up to 2 s, the longest step here, Euler’s samples do not grow"),
        ({"re": 0, "im": 0}, "Up to 2 s"),
        ({"re": -4, "im": 0}, "from delta = 0.5 s on"),
    ]:
        page.put(**state)
        assert words in verdict.inner_text(), state


def test_what_is_shaded_is_what_fades(at):
    page = at(Discretisation)
    page.reveal()
    shaded = """() => {
      const [shade, knob] = [".live-shade", "[data-handle=rate] circle"].map((one) => eyes.stage().querySelector(one));
      const point = shade.ownerSVGElement.createSVGPoint();
      point.x = knob.cx.baseVal.value;
      const { y, height } = shade.getBBox();
      point.y = Math.min(knob.cy.baseVal.value, y + height - 0.5); // Im λ = 0 is its edge
      return shade.isPointInFill(point);
    }"""
    met = set()
    for method, rule in RULES.items():
        for delta in (0.3, 0.6, 1.5):
            for rate in [
                (-0.5, 2),
                (-0.1, 0.5),
                (-3, 1),
                (-3, 4.5),
                (-1, 1.5),
                (-4, 0.2),
                (0.2, 1),
                (-1.25, 0.05),
                (0.5, 4),
            ]:
                page.put(method=method, delta=delta, re=rate[0], im=rate[1])
                fades = size_of(rule(delta * complex(*rate))) < 1
                assert page.page.evaluate(shaded) == fades, (method, delta, rate)
                met.add((method, fades))
    assert len(met) == 6


def re_im(words):
    """The two numbers of "−1.5 + 4i"."""
    return tuple(map(float, re.fullmatch(r"(\S+) \+ (\S+)i", words.replace("−", "-")).groups()))


def test_the_eigenvalue_is_dragged_in_the_plane(at):
    page = at(Discretisation)
    page.reveal()
    box = page.stage.locator('[data-handle="rate"] .live-knob').bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    before = page.look()
    page.page.mouse.move(x, y)
    page.page.mouse.down()
    page.page.mouse.move(x - 55, y - 110, steps=3)
    page.page.mouse.up()
    page.page.mouse.move(2, 2)
    after = page.look()
    real, im = page.number("re"), page.number("im")
    assert -1.7 < real < -1.3 and 3.7 < im < 4.2, "one unit to the left, two up"
    assert after["said"] != before["said"] and "turns by" in after["said"]
    value = page.stage.locator('[data-handle="rate"]').get_attribute("aria-valuetext")
    assert re_im(value) == pytest.approx((real, im), abs=0.025) and f"λ = {value}:" in after["said"], "both at once"
    page.stage.locator('[data-handle="rate"]').focus()
    page.press("ArrowUp", "ArrowUp", "ArrowLeft")
    assert (page.number("re"), page.number("im")) == pytest.approx((real - 0.05, im + 0.1), abs=0.026)
    page.press("PageDown", "End")
    assert (page.number("re"), page.number("im")) == pytest.approx((0.5, im - 0.4), abs=0.026)


def test_a_click_in_the_plane_brings_it_there(at):
    page = at(Discretisation)
    box = page.marks("rates").bounding_box()
    page.page.mouse.click(box["x"] + 60, box["y"] + 40)
    page.look()
    assert page.number("re") < -3.5 and page.number("im") > 4.4


def test_the_pointer_marks_one_sample_in_both_pictures_and_in_the_formula(at):
    page = at(Discretisation)
    page.reveal()
    hollow = "circle[style*='fill:var(--ss-paper);stroke:var(--ss-ink)']"
    box = page.marks("time").bounding_box()
    step = (box["width"] - 48) / 10  # pixels a second
    page.page.mouse.move(box["x"] + 34 + 1.2 * step + 2, box["y"] + 90)
    seen = page.look()
    z = (1 + 0.3 * (-0.5 + 2j)) ** 4
    true = math.exp(-0.6) * math.cos(2.4)
    assert page.stage.locator(".live-readout").inner_text() == f"h[t=4] = −{-z.real:.3g}, true −{-true:.3g}"
    assert page.marks("time", hollow).count() == page.marks("factors", hollow).count() == 1
    assert f"h[t=4] = Ā · h[t=3] = −{-z.real:.3g} + {z.imag:.3g}i" in seen["words"]
    page.page.mouse.move(2, 2)
    assert "h[t=1] = Ā · h[t=0] = 0.85 + 0.6i" in page.look()["words"]
    box = page.marks("rates").bounding_box()
    page.page.mouse.move(box["x"] + 160, box["y"] + 200)
    page.look()
    assert page.marks("factors", hollow).count() == 1, "where this rate would land"
    assert re.match(r"λ = −[\d.]+ \+ [\d.]+i, \|Ā\| = [\d.]+$", page.stage.locator(".live-readout").inner_text())


OUTSIDE = """() => [...eyes.stage().querySelectorAll(".live-canvas svg")].flatMap((svg) => {
  const [width, height] = [svg.width.baseVal.value, svg.height.baseVal.value];
  return [...svg.firstChild.children].filter((node) => node.localName !== "text").map((node) => [node, node.getBBox()])
    .filter(([, box]) => box.x < -3 || box.y < -3 || box.x + box.width > width + 3 || box.y + box.height > height + 3)
    .map(([node]) => node.outerHTML.slice(0, 120));
})"""


@pytest.mark.parametrize("screen", ["wide-light", "phone-dark"])
def test_what_leaves_the_picture_is_said_and_not_drawn(screen, at):
    page = at(Discretisation, screen)
    page.reveal()
    for state in [state for state in STATES if state["delta"] in (0.05, 0.25, 2)][:: 3 if "dark" in screen else 1]:
        page.put(**state)
        assert page.page.evaluate(OUTSIDE) == [], state
        real = Discretisation(**state).data()["h"][:, 0].abs()
        beyond = (real > 1.5 + 1e-9).nonzero().flatten().tolist()
        told = page.marks("time", "text").filter(has_text="leaves the picture").all_text_contents()
        assert bool(told) == bool(beyond), state
        if beyond:
            assert f"leaves the picture at t = {beyond[0]};" in told[0]
        arrows = page.marks("time", "text").filter(has_text=re.compile("[▴▾]")).count()
        assert arrows == len(beyond) and page.marks("time", "circle").count() == len(real) - len(beyond)


def test_too_few_samples_a_turn_show_a_slower_wave(at):
    page = at(Discretisation)
    page.reveal()
    page.stage.locator(".live-presets button", has_text="aliases").click()
    seen = page.look()
    slow = abs(5 * 1.1 - 2 * math.pi) / 1.1
    assert slow == pytest.approx(0.712, abs=1e-3)
    assert "turns by 5 rad" in seen["said"] and "They seem to turn by 0.712 rad a second." in seen["said"]
    assert page.marks("rates", "text").filter(has_text="what the samples show").count() == 1
    assert page.marks("rates", "text").filter(has_text="π / delta").count() == 1
    page.put(delta=0.6)
    seen = page.look()
    assert "seem" not in seen["said"], "3 rad a step, just below half a turn"
    assert page.marks("rates", "text").filter(has_text="what the samples show").count() == 0
