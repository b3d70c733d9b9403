"""`three-views`: a recurrence, a convolution and their one output, in Python and in a page."""

import cmath
import json
import math
import re

import pytest
import torch
from figure_page import close
from traitlets import TraitError

from mamba_edu.plots.style import LIGHT
from mamba_edu.widgets import ThreeViews

JAGGED = [((7 * t) % 17 - 8) / 4 for t in range(24)]
SYSTEMS = [
    {"poles": "pair", "re": re, "im": im, "re2": re2, "c1": c1, "c2": c2, "delta": delta}
    for re, im, re2, c1, c2, delta in [
        (-0.105, 0.785, -0.5, 0, 1, 1),
        (0, 0, 0, 1, 1, 2),
        (-2, 3, -2, -1, 1, 2),
        (0, 3, 0, 0.5, -1, 0.25),
        (-2, 0, 0, 1, -1, 0.25),
        (-0.3, 0.4, -0.300001, 0.2, 0.1, 0.7),
        (0, 0, -2, 0, 0, 1),
    ]
]
STATES = [
    {**system, "poles": poles, "input": kind, "u": JAGGED, "t": t}
    for system in SYSTEMS
    for poles in ("pair", "real")
    for kind, t in (("impulse", 0), ("step", 23), ("drawn", 12))
]


def by_hand(state):
    """The same without the package: exponentials of numbers, and loops."""
    rates = [complex(state["re"], state["im"])] if state["poles"] == "pair" else [state["re"], state["re2"]]
    delta, c = state["delta"], (state["c1"], state["c2"])
    keep = [cmath.exp(delta * rate) for rate in rates]
    take = [(k - 1) / rate if abs(delta * rate) > 1e-9 else delta for k, rate in zip(keep, rates, strict=True)]
    flat = (lambda z: [z[0].real, z[0].imag]) if len(rates) == 1 else (lambda z: [z[0].real, z[1].real])
    read = lambda h: c[0] * h[0] + c[1] * h[1]  # noqa: E731
    u = {"impulse": [1] + [0] * 23, "step": [1] * 24, "drawn": state["u"]}[state["input"]]
    z, h = [0] * len(rates), []
    for value in u:
        z = [k * old + b * value for k, b, old in zip(keep, take, z, strict=True)]
        h.append(flat(z))
    kernel = [read(flat([k**j * b for k, b in zip(keep, take, strict=True)])) for j in range(24)]
    t = state["t"]
    y = [sum(kernel[j] * u[s - j] for j in range(s + 1)) for s in range(24)]
    products = [kernel[t - s] * u[s] if s <= t else 0 for s in range(24)]
    return {"heard": u, "h": h, "kernel": kernel, "recurrence": y, "convolution": y, "products": products}


@pytest.mark.parametrize("state", STATES, ids=lambda s: f"{s['poles']} {s['input']} {s['re']} {s['im']}")
def test_data_is_what_a_hand_computes(state):
    data, true = ThreeViews(**state).data(), by_hand(state)
    assert set(data) == set(true)
    for name, values in true.items():
        assert data[name].dtype == torch.float64
        close(data[name], torch.tensor(values, dtype=torch.float64))
    if state["c1"] or state["c2"]:
        close(data["products"].sum(), data["recurrence"][state["t"]])


def test_it_opens_with_the_box_of_the_chapter():
    data = ThreeViews().data()
    assert data["recurrence"][12].item() == pytest.approx(-1.49, abs=0.005)
    assert data["heard"].nonzero().flatten().tolist() == [0, 10, 13]


WRONG = {
    "poles": ["both", 2, None],
    "re": [0.1, -2.1, math.nan],
    "im": [-0.1, 3.1],
    "c1": [1.1, "1"],
    "delta": [0, 2.1],
    "input": ["noise", ""],
    "t": [-1, 24, 1.5],
    "guess": [-2, 24],
    "u": [[0] * 23, [0] * 25, [2.1] * 24, [math.nan] * 24, [True] * 24, ["0"] * 24, "0" * 24, None, 1.0],
}


@pytest.mark.parametrize("name, value", [(name, value) for name, values in WRONG.items() for value in values])
def test_a_wrong_value_is_refused_by_name(name, value):
    fig = ThreeViews()
    before = fig.snapshot()
    with pytest.raises(TraitError, match=rf"'{name}'.*expected"):
        setattr(fig, name, value)
    assert fig.snapshot() == before


@pytest.mark.parametrize("state", STATES[::5], ids=str)
def test_the_still_tells_the_same(state):
    fig = ThreeViews(**state)
    still, y = fig.still(), fig.data()["recurrence"]
    assert not re.search(r"nan|inf\b", still.svg() + still.alt)
    assert f"with {y[y.abs().argmax()]:.2f}." in still.alt and "the same to twelve digits" in still.alt
    assert len(fig.html().encode()) < 80_000
    data, (top, middle, bottom) = fig.data(), still.axes
    kernel, bars = middle.lines[0], middle.patches[: len(y)]
    assert kernel.get_ydata().tolist() == data["kernel"][: fig.t + 1].flip(0).tolist(), "its newest weight on step t"
    assert [bar.get_height() for bar in bars] == data["products"].tolist()
    assert f"whose sum is {data['products'].sum():.2f};" in still.alt
    roles = [top.lines[0], kernel, bottom.lines[0], bottom.lines[1]]
    assert [line.get_color() for line in roles] == [LIGHT[name] for name in ("u", "delta", "y", "delta")]


# ---- the page's side ------------------------------------------------------------------------------------------------


def drawn(page):
    """The input that the page draws, from the state that it tells."""
    return [float(x) for x in page.page.evaluate(HEARD)]


HEARD = """() => {
  const dots = [...eyes.stage().querySelectorAll('[data-panel=input] svg > g:first-child circle')];
  const base = 14 + (140 - 24 - 14) / 2;
  return dots.map((dot) => (2 * (base - dot.cy.baseVal.value)) / (base - 14));
}"""


def test_the_page_computes_what_the_package_does(at):
    page = at(ThreeViews)
    for state in STATES:
        got, true = page.spec(f"spec.compute({json.dumps({**state, 'guess': -1})})"), ThreeViews(**state).data()
        for name, values in true.items():
            close(got[name], values)
        y = true["recurrence"].abs()
        assert got["apart"] <= 1e-12 * y.max().clamp(min=1e-300)
        assert got["peak"] == (-1 if y.max() == 0 else (y >= y.max() * (1 - 1e-9)).nonzero()[0].item())


def test_before_the_guess_no_output_is_told(at):
    page = at(ThreeViews)
    seen = page.look()
    assert "−1.49" not in seen["words"] + seen["said"] and page.marks("output", "circle:not(.live-reach)").count() == 0
    assert "after your guess" in page.marks("state", "text").text_content()
    page.stage.locator(".live-guess select").select_option("11")
    said = page.reveal()["words"]
    assert (
        "Furthest from zero at step 15: y = 1.97. At your guess, step 11, it is −1.42."
        in page.stage.locator(".live-verdict").inner_text()
    )
    assert "K[12] · u[0] + K[2] · u[10]" in said and said.count("= −1.49") == 2


@pytest.mark.parametrize("screen", ["wide-light", "phone-dark"])
def test_the_input_is_drawn_by_dragging_over_its_stems(screen, at):
    page = at(ThreeViews, screen)
    page.reveal()
    knob = page.marks("input", ".live-knob").bounding_box()
    box = page.marks("input").bounding_box()
    size = (box["width"] - 60) / 24
    x, y = knob["x"] + knob["width"] / 2, knob["y"] + knob["height"] / 2
    page.page.mouse.move(x, y)
    page.page.mouse.down()
    for k in (0, 1, 2, 3):
        page.page.mouse.move(x + k * size, y - 51, steps=1)
        page.look()
    page.page.mouse.up()
    u = drawn(page)
    assert u[12:16] == pytest.approx([2, 2, 2, 2], abs=1e-4) and u[10] == pytest.approx(-2) and u[16] == 0
    assert page.number("t") == 15


def test_a_quick_hand_leaves_no_gap(at):
    """Two moves of the pointer within one frame, each over several steps."""
    page = at(ThreeViews)
    pen = page.stage.locator("[data-handle=pen]")
    pen.evaluate(QUICK_HAND, (page.marks("input").bounding_box()["width"] - 60) / 24)
    page.look()
    assert drawn(page)[9:21] == pytest.approx([0, -2, 0, 0, 0.5, 1, 1.5, 2, 1.75, 1.25, 1, 0])
    assert page.number("t") == 19


QUICK_HAND = """(pen, size) => {
  const box = pen.querySelector(".live-knob").getBoundingClientRect();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const to = (kind, steps, up) => pen.dispatchEvent(
    new PointerEvent(kind, { clientX: x + steps * size, clientY: y - 25.5 * up, bubbles: true, pointerId: 1 }));
  pen.setPointerCapture = () => {};
  to("pointerdown", 0, 0);
  to("pointermove", 4, 2);
  to("pointermove", 7, 1);
  to("pointerup", 7, 1);
}"""


def test_four_keys_within_one_frame_are_four_steps(at):
    page = at(ThreeViews)
    page.stage.locator("[data-handle=pen]").evaluate(QUICK_KEYS, ["ArrowRight", "ArrowRight", "ArrowUp", "ArrowUp"])
    page.look()
    assert page.number("t") == 14 and drawn(page)[12:15] == pytest.approx([0, 1.5, 0.5])


QUICK_KEYS = """(pen, keys) => {
  for (const key of keys) pen.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
}"""


def test_the_keyboard_draws_too_and_the_slider_is_its_twin(at):
    page = at(ThreeViews)
    page.reveal()
    page.marks("input", ".live-handle").focus()
    page.press("ArrowRight", "ArrowRight", "ArrowUp", "ArrowUp")
    assert page.number("t") == 14 and page.number("u") == 0.5 and drawn(page)[14] == pytest.approx(0.5)
    page.stage.locator(".live-segments label", has_text="impulse").click()
    page.look()
    assert drawn(page) == pytest.approx([1] + [0] * 23)
    page.stage.locator("input[type=range][data-trait=u]").focus()
    page.press("ArrowLeft")
    assert drawn(page) == pytest.approx([1] + [0] * 13 + [-0.25] + [0] * 9), "what is seen is drawn on"
    assert page.stage.locator(".live-segments input").nth(2).is_checked()


def test_pointing_at_a_step_marks_it_in_all_panels(at):
    page = at(ThreeViews)
    page.reveal()
    box = page.marks("output").bounding_box()
    size = (box["width"] - 60) / 24
    page.page.mouse.move(box["x"] + 52 + 5.5 * size, box["y"] + 40)
    seen = page.look()
    y = ThreeViews().data()["recurrence"][5].item()
    assert "y[t=5] = K[5] · u[0]" in seen["words"] and "y[t=5] = C h[t=5]" in seen["words"]
    assert page.marks("kernel", "text").filter(has_text="K[0] at 5").count() == 1
    assert "from step 5:" in page.marks("kernel", ".live-title").inner_text()
    assert f"carried −{-y:.3g}, looked back −{-y:.3g}" in page.stage.locator(".live-readout").inner_text()
    left = [
        page.marks("input", "rect").first.get_attribute("x"),
        page.marks("kernel", "rect").first.get_attribute("x"),
        page.marks("output", "rect").first.get_attribute("x"),
    ]
    assert [float(x) for x in left] == pytest.approx([52 + 5 * size] * 3, abs=0.01)
    outlined = page.marks("state", "rect[style*='ss-ink);stroke-width']").first.get_attribute("x")
    assert float(outlined) == pytest.approx(52 + 5 * size - 0.5, abs=0.01)


@pytest.mark.parametrize("screen", ["wide-light", "phone-dark"])
def test_every_mark_and_word_stays_within_its_panel(screen, at):
    page = at(ThreeViews, screen)
    page.reveal()
    for button in page.all(".live-presets button"):
        button.click()
        page.reveal()
        assert page.page.evaluate(OUTSIDE) == []


OUTSIDE = """() => [...eyes.stage().querySelectorAll(".live-canvas svg")].flatMap((svg) => {
  const [width, height] = [svg.width.baseVal.value, svg.height.baseVal.value];
  return [...svg.firstChild.children].map((node) => [node, node.getBBox()])
    .filter(([, box]) => box.x < -1 || box.y < -3 || box.x + box.width > width + 1 || box.y + box.height > height + 3)
    .map(([node]) => node.outerHTML.slice(0, 120));
})"""


@pytest.mark.parametrize("label, says", [("echo", 1), ("smoothing", 20), ("rings", 24), ("two impulses", 2)])
def test_a_preset_shows_what_its_name_says(label, says, at):
    page = at(ThreeViews)
    page.reveal()
    button = page.stage.locator(".live-presets button", has_text=label)
    button.click()
    page.look()
    assert button.get_attribute("aria-pressed") == "true"
    assert sum(abs(value) > 1e-6 for value in drawn(page)) == says
    state = page.spec(f"spec.presets.find(({{ label }}) => label === {json.dumps(label)}).state")
    y = ThreeViews(**state).data()["recurrence"]
    if label == "echo":
        assert 2 <= y.argmax() <= 6 and y[0] < 0.6 * y.max(), "heard later"
    if label == "smoothing":
        u = torch.tensor(state["u"])
        assert y.diff().abs().sum() < 0.5 * u.diff().abs().sum(), "less jagged"
    if label == "rings":
        assert y.max() > 1.2 * y[-1] > 0, "beyond where it settles"
    if label == "two impulses":
        assert y[8:].abs().max() < 0.15 * y.abs().max(), "the second silences the first"


# ---- what is drawn, mark by mark ------------------------------------------------------------------------------------

MARKS = """([name, change]) => {
  const spec = SelectiveState.figures["three-views"].spec;
  const s = Object.fromEntries(spec.traits.map((trait) => [trait, change.state[trait]]));
  const d = { ...spec.compute(s), ...change.d };
  const drawn = [];
  const calls = (_, what) => (...args) => drawn.push([what, ...args.filter((arg) => typeof arg !== "function")]);
  const size = { width: 300, height: 176 };
  const p = new Proxy(size, { get: (own, what) => own[what] ?? calls(own, what), set: () => true });
  spec.panels.find((panel) => panel.name === name).draw(p, s, d, { hover: null, revealed: true });
  return { drawn: JSON.parse(JSON.stringify(drawn)), words: spec.describe(s, d, { revealed: true }),
           equation: spec.equation(s, d, { revealed: true }) };
}"""


def marks(page, name, d=None, **state):
    """What a panel draws, call by call, from the state and from `d` in place of what was computed: x from 52 by 10."""
    state = {**ThreeViews().snapshot(), **state}
    return page.page.evaluate(MARKS, [name, {"state": state, "d": d or {}}])


def test_the_kernel_lies_backwards_under_the_marked_step(at):
    data = ThreeViews(t=14).data()
    drawn = marks(at(ThreeViews), "kernel", t=14)["drawn"]
    dots = [call for call in drawn if call[0] == "dot"]
    bars = [call for call in drawn if call[0] == "rect" and call[5]["fill"] == "y"]
    assert [dot[1] for dot in dots] == pytest.approx([57 + 10 * i for i in range(15)]), "up to the step, none beyond it"
    assert {dot[3]["color"] for dot in dots} == {"delta"}
    base, most = 82, max(2 * data["kernel"].abs())  # pixels; the most that an input of 2 makes
    up = torch.tensor([base - dot[2] for dot in dots], dtype=torch.float64) * most / 70
    close(up, data["kernel"][:15].flip(0))
    assert [bar[1] for bar in bars] == pytest.approx([54 + 10 * i for i in (0, 10, 13)]), "where there is an input"
    tall = [(base - bar[2] if bar[2] < base - 1e-9 else -bar[4]) * most.item() / 70 for bar in bars]
    assert tall == pytest.approx(data["products"][[0, 10, 13]].tolist())


def test_each_colour_has_its_role(at):
    page = at(ThreeViews)
    page.reveal()
    for name, selector, role in [
        ("input", "svg > g:first-child circle", "u"),
        ("input", ".live-knob", "u"),
        ("kernel", "path", "delta"),
        ("kernel", "rect[opacity]", "y"),
        ("state", "text[text-anchor=end]", "h"),
        ("output", "circle[r='2.5']", "y"),
        ("output", "circle[r='5']", "delta"),
    ]:
        styles = page.marks(name, selector).evaluate_all("(all) => all.map((e) => e.getAttribute('style'))")
        found = {colour for style in styles for colour in re.findall(r"--ss-(\w+)", style)}
        assert found == {role}, f"{name} {selector}: {found}"


def test_two_ways_that_differ_would_be_seen_to_differ(at):
    other = [t / 4 for t in range(24)]
    seen = marks(at(ThreeViews), "output", {"convolution": other, "apart": 0.125})
    carried = next(call for call in seen["drawn"] if call[0] == "stems")
    rings = [call[2] for call in seen["drawn"] if call[:2] == ["add", "circle"]]
    base, most = 75, 1.97
    assert [(base - y) * most / 53 for _, y in carried[1]] == pytest.approx(
        ThreeViews().data()["recurrence"].tolist(), abs=0.01
    )
    assert [(base - ring["cy"]) * most / 53 for ring in rings] == pytest.approx(other, abs=0.02)
    lines = "".join(words for words, *_ in seen["equation"]).split("\n")
    assert lines[1].endswith(" = 3") and lines[2] == "y[t=12] = C h[t=12] = 0 · 0.319 + 1 · (−1.49) = −1.49"
    assert seen["words"].endswith("differ by 0.125 at most, the rounding of float64.")
    assert marks(at(ThreeViews), "output", {"apart": 0})["words"].endswith("The two ways agree at every step.")


@pytest.mark.parametrize("guess", [0, 15, 22])
def test_the_guess_stays_at_its_step_beside_the_truth(guess, at):
    page = at(ThreeViews, "phone-light")
    page.stage.locator(".live-guess select").select_option(str(guess))
    page.reveal()
    size = (page.marks("output").bounding_box()["width"] - 60) / 24
    line = page.marks("output", "line[stroke-dasharray]")
    assert float(line.get_attribute("x1")) == pytest.approx(52 + (guess + 0.5) * size, abs=0.01)
    assert page.marks("output", "text").filter(has_text="your guess").count() == 1


def test_words_and_readouts_tell_the_numbers_with_their_units(at):
    page = at(ThreeViews)
    said = page.reveal()["said"]
    data = ThreeViews().data()
    assert said.startswith(
        "In goes 1 at step 0, −2 at step 10, 1.5 at step 13. The kernel begins 0.35, 0.77, 0.7, 0.26, −0.23."
    )
    assert "At step 12 the input is 0, the state (0.319, −1.49), the output −1.49. Over all steps" in said
    assert data["h"][12].tolist() == pytest.approx([0.319, -1.49], abs=0.005)
    values = {t: page.stage.locator(f"input[data-trait={t}]").get_attribute("aria-valuetext") for t in UNITS}
    assert values == UNITS
    for name, i, words in [
        ("input", 10, "u[t=10] = −2"),
        ("kernel", 10, "K[2] · u[10] = 0.695 · (−2) = −1.39"),
        ("state", 15, f"h[t=15] = ({data['h'][15, 0]:.3g}, {data['h'][15, 1]:.3g})".replace("-", "−")),
    ]:
        box = page.marks(name).bounding_box()
        page.page.mouse.move(box["x"] + 52 + (i + 0.5) * (box["width"] - 60) / 24, box["y"] + 20)
        page.look()
        assert page.stage.locator(".live-readout").inner_text() == words


UNITS = {"delta": "1 s", "re": "−0.105 per s", "im": "0.785 rad/s", "re2": "−0.5 per s", "t": "t = 12", "u": "0"}
