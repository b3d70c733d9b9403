"""The kit itself in a browser: numbers in words, scales, ticks, colours, cells on a canvas, what a control refuses."""

import pytest
from figure_page import AXE, FIGURES, FigurePage
from playwright.sync_api import Error

from mamba_edu import widgets


@pytest.fixture(scope="module")
def kit(browser, tmp_path_factory):
    """kit(expression) -> its value, beside the names of core.js, marks.js, controls.js and kit.js."""
    context = browser.new_context(viewport={"width": 1280, "height": 1400})
    page = FigurePage(context, tmp_path_factory.mktemp("kit"), FIGURES[0])

    def value(expression):
        return page.page.evaluate(
            "(code) => { const { core, marks, controls, kit } = SelectiveState.modules; return eval(code); }",
            expression,
        )

    value.page = page
    yield value
    context.close()


NUMBERS = {
    "0": "0", "-0": "0", "1": "1", "0.5": "0.5", "-0.25": "−0.25", "1/3": "0.333", "12.345": "12.3", "999.4": "999",
    "999.6": "1000", "1234.5": "1,235", "-2560000 / 100": "−25,600", "99999.4": "99,999", "99999.5": "1.00e5",
    "1.5e9": "1.50e9", "0.001": "0.001", "0.00099": "9.9e−4", "-1e-300": "−1.0e−300", "2.5e-122": "2.5e−122",
    "NaN": "not a number", "1/0": "∞", "-1/0": "−∞",
}  # fmt: skip


@pytest.mark.parametrize("value, words", NUMBERS.items())
def test_a_number_in_words(kit, value, words):
    assert kit(f"marks.number({value})") == words


def test_fewer_digits(kit):
    assert [kit(f"marks.number({value}, 2)") for value in ("1/3", "66.666", "0.000123")] == ["0.33", "67", "1e−4"]


def test_a_linear_scale_and_back(kit):
    scale = "marks.linear([-2, 6], [400, 0])"
    assert kit(f"[-2, 0, 2, 6, 10].map({scale})") == [400, 300, 200, 0, -200]
    assert kit(f"[400, 300, 0].map({scale}.invert)") == [-2, 0, 6]
    assert kit("[marks.linear([3, 3], [0, 10])(3), marks.linear([0, 1], [5, 5]).invert(5)]") == [0, 0], (
        "no width, no NaN"
    )


def test_a_logarithmic_scale_holds_at_its_ends(kit):
    scale = "marks.logarithmic([0.001, 10], [0, 400])"
    assert kit(f"[0, -3, 0.001, 0.01, 1, 10, 1e9].map({scale})") == pytest.approx([0, 0, 0, 100, 300, 400, 400])
    assert kit(f"[0, 100, 400].map({scale}.invert)") == pytest.approx([0.001, 0.01, 10])


TICKS = {
    "marks.linear([0, 70], [0, 1]).ticks(7)": [0, 10, 20, 30, 40, 50, 60, 70],
    "marks.linear([0, 1], [0, 1]).ticks()": [0, 0.2, 0.4, 0.6, 0.8, 1],
    "marks.linear([-0.3, 0.31], [0, 1]).ticks(4)": [-0.2, 0, 0.2],
    "marks.linear([0, 3], [0, 1]).ticks(0)": [0],
    "marks.logarithmic([0.001, 10], [0, 1]).ticks()": [0.001, 0.01, 0.1, 1, 10],
    "marks.logarithmic([0.0003, 12], [0, 1]).ticks()": [0.001, 0.01, 0.1, 1, 10],
    "marks.logarithmic([1, 1e8], [0, 1]).ticks(4)": [1, 100, 10_000, 1_000_000, 100_000_000],
}


@pytest.mark.parametrize("code", TICKS)
def test_ticks_are_round_and_inside(kit, code):
    assert kit(code) == pytest.approx(TICKS[code])


def test_a_band_has_equal_places(kit):
    band = "marks.band(4, [40, 120])"
    assert kit(f"[{band}.size, {band}.at(1), {band}.centre(1)]") == [20, 60, 70]
    assert kit(f"[39.9, 40, 59.9, 60, 119.9, 120].map({band}.index)") == [None, 0, 0, 1, 3, None]
    assert kit("marks.band(0, [0, 80]).index(10)") is None


def test_colours(kit):
    assert kit("[marks.colour('delta'), marks.colour('#123456')]") == ["var(--ss-delta)", "#123456"]
    shares = kit("[-1, 0, 0.256, 1, 3].map((share) => marks.mix('u', 'paper', share))")
    assert shares == [
        f"color-mix(in oklab, var(--ss-u) {p}%, var(--ss-paper))" for p in (*["0.0"] * 2, "25.6", *["100.0"] * 2)
    ]
    assert kit("marks.signed(-1, 2)") == kit("marks.mix('u', 'panel', 0.5)")
    assert kit("marks.signed(2, 2)") == kit("marks.mix('h', 'panel', 1)")
    assert kit("marks.signed(0, 0)") == kit("marks.mix('h', 'panel', 0)"), "all zero is no NaN"
    ramp = [
        ("0", "'delta', 'panel', 0"),
        ("1", "'delta', 'panel', 0.5"),
        ("2", "'ink', 'delta', 0"),
        ("4", "'ink', 'delta', 1"),
    ]
    for value, mixed in ramp:
        assert kit(f"marks.magnitude({value}, 4)") == kit(f"marks.mix({mixed})")
    assert "NaN" not in kit("marks.magnitude(0, 0)")


def test_a_control_of_no_kind_is_refused_by_name(kit):
    with pytest.raises(
        Error, match=r'TypeError: kind must be one of slider, choice, switches, text, player, got "dial"'
    ):
        kit("controls.makeControl({ kind: 'dial', trait: 'x' }, () => {})")
    with pytest.raises(Error, match=r'kind must be one of .*, got "toString"'):
        kit("controls.makeControl({ kind: 'toString', trait: 'x' }, () => {})")


# A figure of the test's own: cells above and below the canvas' threshold, a slider by the logarithm, a disabled one.
FIGURE = """
document.querySelector("main").replaceChildren(document.createElement("div"));
globalThis.figure = kit.liveFigure({
  name: "probe",
  traits: ["rows", "level", "share", "cross", "ring"],
  compute: ({ rows }) => ({ values: Array.from({ length: rows }, () => Array(50).fill(1)) }),
  describe: (s) => `${s.rows} rows at ${s.level}`,
  panels: [{ name: "cells", height: 200, title: () => "Cells", draw(p, s, d) {
    const [x, y] = [marks.band(50, [0, 300]), marks.band(s.rows, [0, 200])];
    p.cells(d.values, { x, y, fill: (v, i, j) => (j < 25 * s.share ? null : marks.mix("h", "paper", s.level)) });
    const knob = { x: 300 * s.level, y: 100, label: "level", value: String(s.level) };
    p.handle("level", { ...knob, trait: "level", move: () => null });
    p.probe = (px) => ({ words: `cell[j=${x.index(px)}] = 1` });
  } }],
  controls: [
    { kind: "slider", trait: "rows", label: "rows", min: 10, max: 100, step: 10 },
    { kind: "slider", trait: "level", label: "level", min: 0.01, max: 1, step: 0.1, log: true },
    { kind: "slider", trait: "share", label: "share", min: 0, max: 1, step: 0.5, when: (s) => s.rows > 40 },
    { kind: "switches", label: "marks", options: [["cross", "a cross", "u"], ["ring", "a ring"]] },
  ],
});
globalThis.model = kit.staticModel({ rows: 50, level: 1, share: 0, cross: true, ring: false });
figure.render({ model, el: document.querySelector("main div") });
"""
PIXEL = """([x, y]) => {
  const copy = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  copy.drawImage(document.querySelector("canvas"), -x * devicePixelRatio, -y * devicePixelRatio);
  return [...copy.getImageData(0, 0, 1, 1).data];
}"""


@pytest.fixture
def probe(browser, tmp_path, kit):
    page = FigurePage(browser.contexts[0], tmp_path, FIGURES[0])
    page.page.evaluate(f"() => {{ const {{ marks, kit }} = SelectiveState.modules; {FIGURE} }}")
    page.look()
    yield page
    page.page.close()


def set_to(page, **state):
    page.page.evaluate("(state) => Object.entries(state).forEach(([key, value]) => model.set(key, value))", state)
    return page.look()


def test_many_cells_are_painted_few_are_drawn(probe):
    canvas, cells = probe.stage.locator("canvas"), probe.stage.locator("svg > g").first.locator("rect")
    assert canvas.is_visible() and cells.count() == 0, "2,500 cells"
    set_to(probe, rows=40)
    assert canvas.is_hidden() and cells.count() == 2000
    set_to(probe, rows=50)
    assert canvas.is_visible() and cells.count() == 0


def test_the_canvas_is_cleared_and_follows_the_theme(probe):
    full = probe.page.evaluate(PIXEL, [8, 50])
    assert full[3] == 255
    probe.page.evaluate("document.documentElement.dataset.theme = 'dark'")
    probe.look()
    dark = probe.page.evaluate(PIXEL, [8, 50])
    assert dark != full and dark[3] == 255
    set_to(probe, share=1)
    assert probe.page.evaluate(PIXEL, [8, 50])[3] == 0, "what was painted before is still there"
    assert probe.page.evaluate(PIXEL, [200, 50]) == dark


def test_a_slider_by_the_logarithm(probe):
    slider = probe.stage.locator("input[data-trait=level]")
    assert slider.evaluate("(e) => [e.min, e.max, e.value].map(Number)") == [-2, 0, 0]
    for key, level in [("Home", 0.01), ("ArrowRight", 0.0126), ("End", 1), ("ArrowLeft", 0.794)]:
        slider.press(key)
        probe.look()
        assert probe.page.evaluate("model.get('level')") == level
        assert slider.get_attribute("aria-valuetext") == str(level)
    handle = probe.stage.locator(".live-handle")
    handle.press("ArrowLeft")
    probe.look()
    assert probe.page.evaluate("model.get('level')") == 0.631


def test_what_makes_no_sense_now_is_disabled(probe):
    share = probe.stage.locator("input[data-trait=share]")
    assert share.is_enabled()
    set_to(probe, rows=30)
    assert share.is_disabled() and "live-off" in share.locator("xpath=..").get_attribute("class")
    set_to(probe, rows=50)
    assert share.is_enabled()


def test_each_switch_turns_its_own_trait_and_no_other(probe):
    group = probe.stage.get_by_role("group", name="marks")
    cross, ring = group.get_by_label("a cross"), group.get_by_label("a ring")
    assert (cross.is_checked(), ring.is_checked()) == (True, False), "as the state says"
    group.get_by_text("a ring").click()
    assert probe.page.evaluate("['cross', 'ring'].map(model.get)") == [True, True]
    cross.press("Space")
    assert probe.page.evaluate("['cross', 'ring'].map(model.get)") == [False, True]
    set_to(probe, cross=True, ring=False)
    assert (cross.is_checked(), ring.is_checked()) == (True, False), "what is set from outside is shown"
    assert group.locator(".live-u").count() == 1


def test_a_finger_gets_no_readout_and_a_mouse_does(probe):
    box = probe.stage.locator("svg").first.bounding_box()
    for kind, seen in [("touch", False), ("mouse", True)]:
        probe.stage.locator("svg").first.dispatch_event(
            "pointermove", {"pointerType": kind, "clientX": box["x"] + 20, "clientY": box["y"] + 20, "bubbles": True}
        )
        assert probe.stage.locator(".live-readout").is_visible() == seen
    assert probe.stage.locator(".live-readout").inner_text() == "cell[j=3] = 1"


def test_axe_would_notice(kit):
    """The checker finds a fault where one is planted."""
    page = kit.page
    page.page.evaluate(AXE.read_text(encoding="utf-8"))
    page.page.evaluate("document.querySelectorAll('.live-control label').forEach((e) => e.removeAttribute('for'))")
    found = page.page.evaluate("axe.run('.live-figure').then((r) => r.violations.map((v) => v.id))")
    page.page.reload()
    assert "label" in found


def test_two_keys_within_one_frame_are_two_steps(browser, tmp_path):
    context = browser.new_context(viewport={"width": 1280, "height": 1400})
    page = FigurePage(context, tmp_path, widgets.Selection).page
    press = "new KeyboardEvent('keydown', { key: 'ArrowUp', bubbles: true })"
    page.locator("[data-handle=bias]").evaluate(f"(knob) => {{ for (let i = 2; i--;) knob.dispatchEvent({press}); }}")
    page.wait_for_function("document.querySelector('input[type=range][data-trait=bias]').value !== '-1.5'")
    assert page.locator("input[type=range][data-trait=bias]").input_value() == "-1.3"
    context.close()


def test_the_bars_of_selection_are_read_and_move_nothing(browser, tmp_path):
    context = browser.new_context(viewport={"width": 1280, "height": 1400})
    page = FigurePage(context, tmp_path, widgets.Selection).page
    page.locator(".live-show").click()
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    words = page.locator(".live-words").inner_text()
    box = page.locator("[data-panel=left] svg").bounding_box()
    page.mouse.move(box["x"] + 50, box["y"] + box["height"] - 30)
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert page.locator(".live-readout").inner_text() == "left of s=0 at t=15: 0.00982", (
        "delta exp(-15 delta), delta = softplus(-1.5)"
    )
    assert page.locator(".live-words").inner_text() == words
    context.close()
