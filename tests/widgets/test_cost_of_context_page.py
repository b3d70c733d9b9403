"""`cost-of-context` in a browser: it computes what the package does, and says the numbers that it draws."""

import json
import re
from itertools import pairwise

import pytest
from core_page import FOLDER, difference

from mamba_edu.widgets import CostOfContext
from mamba_edu.widgets.cost_of_context import MODELS, VIEWS, counts

CASES = [
    {"d_model": d, "d_state": n, "n_layer": layers, "length": length}
    for d, n, layers, length in [
        (64, 1, 1, 1), (64, 256, 96, 1048576), (8192, 256, 96, 1048576), (8192, 1, 1, 1), (1024, 16, 24, 1024),
        (768, 16, 24, 2048), (192, 16, 4, 13), (2560, 16, 64, 1048576), (8191, 17, 31, 999983), (65, 3, 2, 19),
    ]
]  # fmt: skip
UNITS = {"B": 0, "kB": 3, "MB": 6, "GB": 9, "TB": 12}
IMPORTS = 'const costs = await import("./context_costs.js");'


def named(case):
    return "-".join(str(value) for value in case.values())


def parsed(words):
    """201 MB or 3.02 · 10⁸ as a number."""
    digits, _, unit = words.replace("\u00a0", " ").replace(",", "").partition(" ")
    if unit.startswith("·"):
        power = int("".join(str("⁰¹²³⁴⁵⁶⁷⁸⁹".index(digit)) for digit in unit[4:]))
    else:
        power = UNITS[unit] if unit else 0
    return float(digits) * 10.0**power


# ---- numbers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=named)
def test_the_page_computes_what_the_package_does(call, case, record_property):
    figure = CostOfContext(**case)
    drawn, data = call("costs.compute(value)", figure.snapshot()), figure.data()
    assert set(drawn) == set(data)
    for name, true in data.items():
        for mine, one in zip(drawn[name], true, strict=True):  # row by row: the small ones are held as closely
            worst = difference(mine, one)
            assert worst <= 1e-12, f"{name} is off by {worst:.1e} of the largest value"
            record_property(name, worst)


@pytest.mark.parametrize("case", CASES, ids=named)
def test_the_page_counts_what_the_layers_have(call, case):
    got = call("costs.counts(value)", case)
    true = counts(case["d_model"], case["d_state"]).tolist()
    assert [got[name] for name in ("weights", "turned", "state", "cache")] == true


def test_bytes_and_operations_are_readable(call):
    said = call("value.map(costs.bytes)", [4, 998, 1000, 1234, 999_400, 999_600, 24_903_680, 1.5e12, 2.5e15])
    want = ["4 B", "998 B", "1 kB", "1.23 kB", "999 kB", "1 MB", "24.9 MB", "1.5 TB", "2,500 TB"]
    assert [words.replace("\u00a0", " ") for words in said] == want
    said = call("value.map(costs.operations)", [5, 16384, 99_999, 123_456, 9.999e9, 1.8e18])
    want = ["5", "16,384", "99,999", "1.23 · 10⁵", "1.00 · 10¹⁰", "1.80 · 10¹⁸"]
    assert [words.replace("\u00a0", " ") for words in said] == want
    assert call("[1, 2, 1024].map(costs.tokens)") == ["1 token", "2 tokens", "1,024 tokens"]


# ---- words ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("screen", ["wide-light", "phone-dark"])
@pytest.mark.parametrize("k, d, n, layers", [(0, 64, 1, 1), (5, 768, 16, 24), (13, 1024, 64, 12), (20, 8192, 256, 96)])
def test_the_words_are_the_numbers(at, screen, k, d, n, layers):
    page = at(CostOfContext, screen)
    page.reveal()
    state = {"d_model": d, "d_state": n, "n_layer": layers}
    now = CostOfContext(length=2**k, **state).data()["now"]
    past = [None, 2**k / (2**k + 2 * d), (2**k + 1) / (2**k + 1 + 4 * d)]
    for row, view in enumerate(VIEWS):
        said = page.put(view=view, length=k, **state)["said"].replace("\u00a0", " ")
        amount = r"([\d.,]+(?: (?:[kMGT]?B|· 10[⁰¹²³⁴⁵⁶⁷⁸⁹]+))?)"
        found = re.search(rf"{amount}, ([\d.,e−-]+) times Mamba’s {amount}.*S4 {amount}, an RNN {amount}[.;]", said)
        attention, times, mamba, s4, rnn = found.groups()
        for words, true in zip((attention, rnn, s4, mamba), now[row].tolist(), strict=True):
            assert parsed(words) == pytest.approx(true, rel=6e-3)
        ratio = (now[row, 0] / now[row, 3]).item()
        assert float(times.replace(",", "").replace("−", "-")) == pytest.approx(ratio, rel=6e-3)
        if row:
            share = float(re.search(r"([\d.]+) % are for the past", said)[1])
            assert share == pytest.approx(100 * past[row], rel=6e-3)
        drawn = page.stage.locator("[data-panel=bars] svg text").all_text_contents()
        assert drawn[::2] == list(MODELS)
        assert [parsed(words) for words in drawn[1::2]] == pytest.approx(now[row].tolist(), rel=6e-3)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("case", CASES[1:3] + CASES[5:8], ids=named)
def test_the_formula_gives_its_number(at, view, case):
    """What stands on the page as a formula, worked out, is the number behind it."""
    page = at(CostOfContext)
    page.reveal()
    log = case["length"].bit_length() - 1
    page.put(view=view, **{**case, "length": log})
    case = {**case, "d_model": page.number("d_model"), "length": 2**log}
    now = CostOfContext(**{name: int(value) for name, value in case.items()}).data()["now"][VIEWS.index(view)]
    lines = page.stage.locator(".live-equation").inner_text().replace("\u00a0", " ").split("\n")
    for line, true in zip(lines, (now[0].item(), now[3].item()), strict=True):
        _, formula, result = line.split(" = ")
        formula = formula.removesuffix(" B").replace(",", "").replace("²", "**2").replace("·", "*")
        assert eval(formula) == true
        assert parsed(result) == pytest.approx(true, rel=6e-3)


def test_the_verdict_counts_the_readers_guess(at):
    page = at(CostOfContext)
    page.reveal()
    verdict = page.stage.locator(".live-verdict")
    assert verdict.inner_text() == (
        "The cache passes Mamba’s state at 19 tokens: d_state + 3, at any width and number of layers."
    )
    for k in (0, 12, 20):
        page.stage.locator(".live-guess select").select_option(str(k))
        page.look()
        tokens, times = re.search(
            r"At your guess, ([\d,]+) tokens?, it is ([\d.,]+) times", verdict.inner_text()
        ).groups()
        assert int(tokens.replace(",", "")) == 2**k
        assert float(times.replace(",", "")) == pytest.approx(2**k / 19, rel=6e-3)
    page.put(d_state=61, d_model=4096, n_layer=3)
    assert "Mamba’s state at 64 tokens" in verdict.inner_text()


# ---- what is drawn --------------------------------------------------------------------------------------------------


def curve(page):
    """Attention's curve as [[x, y], ...] in pixels; none where it is not drawn."""
    paths = page.stage.locator("[data-panel=curves] svg path[style*='--ss-u']").evaluate_all(
        "(all) => all.map((e) => e.getAttribute('d'))"
    )
    return [[tuple(map(float, point.split())) for point in re.split("[ML]", path)[1:]] for path in paths]


def test_the_answer_is_not_on_the_page_before(at):
    page = at(CostOfContext)
    text = page.stage.inner_text()
    assert curve(page) == [] and "201" not in text and "19 tokens" not in text and "d_state + 3" not in text
    assert page.stage.locator("[data-panel=bars] svg text").all_text_contents()[:2] == ["attention", "?"]
    page.reveal()
    (points,) = curve(page)
    assert len(points) == 21
    assert "as large at 19 tokens" in page.stage.locator("[data-panel=curves]").text_content()


@pytest.mark.parametrize("screen", ["wide-light", "phone-light"])
@pytest.mark.parametrize("n", [1, 16, 256])
@pytest.mark.parametrize("view", VIEWS)
def test_the_marked_crossing_lies_on_the_curve(at, screen, n, view):
    """The circle is on attention's curve; for memory on Mamba's line, too, between the two lengths around it."""
    page = at(CostOfContext, screen)
    page.reveal()
    page.put(view=view, d_state=n)
    meets = CostOfContext(d_state=n).data()["crossing"][VIEWS.index(view)].item()
    circle = page.stage.locator("[data-panel=curves] svg circle[style*='--ss-warn']")
    cx, cy = (float(circle.get_attribute(name)) for name in ("cx", "cy"))
    (points,) = curve(page)
    k = next(i for i in range(20) if points[i][0] - 0.01 <= cx <= points[i + 1][0] + 0.01)
    assert 2**k <= meets <= 2 ** (k + 1)
    share = (cx - points[k][0]) / (points[k + 1][0] - points[k][0])
    assert points[k][1] + share * (points[k + 1][1] - points[k][1]) == pytest.approx(cy, abs=0.3)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("end", ["Home", "End"])
def test_no_name_lies_on_another_or_on_the_axis(at, view, end):
    page = at(CostOfContext, "phone-light")
    page.reveal()
    page.put(view=view)
    for slider in page.all("input[type=range]"):
        slider.press(end)
    page.look()
    texts = page.stage.locator("[data-panel=curves] svg text").evaluate_all(
        "(all) => all.map((e) => [e.textContent, +e.getAttribute('y'), e.getBBox().x])"
    )
    heights = sorted(y for words, y, _ in texts if words in MODELS)
    axis = next(y for words, y, _ in texts if words == "1M")
    assert len(heights) == 4 and heights[0] > 8 and heights[-1] <= axis - 14
    assert min(below - above for above, below in pairwise(heights)) >= 15


def test_a_click_and_the_keys_choose_a_length(at):
    page = at(CostOfContext)
    svg = page.stage.locator("[data-panel=curves] svg")
    width = svg.bounding_box()["width"]
    for k in (3, 17, 0, 20):
        svg.click(position={"x": 52 + k / 20 * (width - 128), "y": 40})
        page.look()
        assert page.number("length") == k
        output = page.stage.locator(".live-slider output").first.inner_text()
        assert output.replace(",", "") == str(2**k)
    page.stage.locator("input[data-trait=length]").focus()
    assert [page.press("ArrowLeft") and page.number("length") for _ in range(3)] == [19, 18, 17]


def test_pointing_at_a_length_moves_everything_there(at):
    page = at(CostOfContext)
    page.reveal()
    svg = page.stage.locator("[data-panel=curves] svg")
    box = svg.bounding_box()
    memory = CostOfContext(length=65536).data()["now"][0].tolist()
    (points,) = curve(page)
    page.page.mouse.move(box["x"] + points[16][0], box["y"] + points[16][1] + 3)
    seen = page.look()
    read = page.stage.locator(".live-readout").inner_text()
    name, words = re.fullmatch(r"(\w+) at 65,536 tokens: (\S+\s\S+)", read).groups()
    assert name == "attention" and parsed(words) == pytest.approx(memory[0], rel=6e-3)
    assert "After 65,536 tokens" in seen["said"] and "65,536" in page.stage.locator(".live-equation").inner_text()
    assert "At 65,536 tokens" in page.stage.locator("[data-panel=bars] .live-title").inner_text()
    page.page.mouse.move(2, 2)
    assert "After 1,024 tokens" in page.look()["said"]


def test_the_presets_are_the_models_they_name(at):
    page = at(CostOfContext)
    presets = {one["label"]: one["state"] for one in page.spec("spec.presets")}
    bracket, small, million = presets.values()
    assert "[[Anarchism]]" in next(iter(presets)) and bracket["length"] == len("[[Anarchism]]")
    own = json.loads((FOLDER.parent / "weights" / "enwik8_first_4m" / "config.json").read_text())["config"]
    assert all(bracket[name] == own[name] for name in ("n_layer", "d_model", "d_state"))
    assert (small["d_model"], small["n_layer"]) == (768, 24) and (million["d_model"], million["n_layer"]) == (2560, 64)
    assert million["length"] == 2**20
    ratios = [
        (now[0] / now[3]).item() for now in (CostOfContext(**state).data()["now"][0] for state in presets.values())
    ]
    assert ratios == pytest.approx([13 / 19, 2048 / 19, 2**20 / 19]), "the bracket alone is cheaper to cache"
