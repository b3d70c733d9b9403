"""`gradient-through-time`: products of real Jacobians, in Python and in a page; what is told, and when."""

import json
import math
import re

import nbformat
import pytest
import torch
from figure_page import ROOT
from traitlets import TraitError

from mamba_edu.plots.style import LIGHT
from mamba_edu.widgets import GradientThroughTime
from mamba_edu.widgets.gradient_through_time import NETWORKS, N, draws

STATES = [
    {"network": network, "length": length, **knob}
    for network in NETWORKS
    for length in (20, 61, 100)
    for knob in (
        [{"bias": b} for b in (0, 1.3, 6)] if network == "lstm" else [{"radius": r} for r in (0.5, 1, 1.37, 2)]
    )
]


def close_each(got, true):
    """Finite first, then each value relative to itself: on a logarithmic axis the small ones count."""
    assert got.shape == true.shape and torch.isfinite(got).all() and torch.isfinite(true).all()
    off = ((got - true).abs() / true.abs()).max().item()
    assert off <= 1e-9, f"off by {off:.1e}"


# ---- the package's side ---------------------------------------------------------------------------------------------


def test_draws_are_even_and_not_alike():
    drawn = draws(7, 20_000)
    assert drawn.abs().max() < 1 and abs(drawn.mean()) < 0.02 and drawn.std().item() == pytest.approx(3**-0.5, abs=0.01)
    assert torch.corrcoef(torch.stack([drawn[:-1], drawn[1:]]))[0, 1].abs() < 0.03
    assert not torch.allclose(draws(7, 5), draws(8, 5))


@pytest.mark.parametrize("state", STATES[::2], ids=str)
def test_data_is_the_jacobian_of_the_whole(state):
    fig = GradientThroughTime(**state)
    data, layer, x = fig.data(), fig._layer(), draws(1, 100, 3)[: state["length"]]
    lstm = state["network"] == "lstm"
    assert data["norms"].shape == (len(x) + 1,) and data["norms"][-1] == 1
    for t in (0, len(x) // 2, len(x) - 3):
        start = layer(x[None, :t], return_state=True)[1]
        start = torch.cat(start, dim=-1) if lstm else start

        def end(flat, t=t):
            state = tuple(flat.chunk(2, dim=-1)) if lstm else flat
            last = layer(x[None, t:], state, return_state=True)[1]
            return torch.cat(last, dim=-1) if lstm else last

        whole = torch.autograd.functional.jacobian(end, start.detach())[0, :, 0]
        close_each(data["norms"][t][None], torch.linalg.matrix_norm(whole, 2)[None])


@pytest.mark.parametrize("radius", [0.5, 1.0, 1.7])
def test_the_radius_is_the_radius(radius):
    W_h = GradientThroughTime(network="tanh", radius=radius)._layer().weight_hh.detach()
    assert torch.linalg.eigvals(W_h).abs().max().item() == pytest.approx(radius, rel=1e-12)
    assert W_h.shape == (N, N)


@pytest.mark.parametrize("state", STATES, ids=str)
def test_reach_and_passes(state):
    data = GradientThroughTime(**state).data()
    back, reach = data["norms"].flip(0), int(data["reach"])
    assert (back[: reach + 1] >= 0.01).all() and (reach == state["length"] or back[reach + 1] < 0.01)
    assert data["passes"].shape == (state["length"],)
    if state["network"] == "linear":
        assert (data["passes"] == 1).all()
    else:
        assert ((data["passes"] > 0) & (data["passes"] < 1)).all()


def test_its_claims():
    def reach(**state):
        return int(GradientThroughTime(length=100, **state).data()["reach"])

    assert reach(network="tanh", radius=1) == 13, "two beyond the bracket"
    assert (
        reach(network="linear", radius=1)
        == 100
        > reach(network="linear", radius=0.9)
        > reach(network="tanh", radius=0.9)
    )
    assert reach(network="lstm", bias=0) < 13 and reach(network="lstm", bias=3) == 100
    assert GradientThroughTime(network="linear", radius=1.3).data()["norms"][0] > 1e6


WRONG = {
    "network": ["LSTM", "rnn", "", None],
    "radius": [0.4, 2.1, math.nan, "1", True],
    "bias": [-0.1, 6.1, math.inf],
    "length": [19, 101, 20.5],
    "ago": [-1, 101, 2.5],
    "guess": [-2, 101, 1.5],
}


@pytest.mark.parametrize("name, value", [(name, value) for name, values in WRONG.items() for value in values])
def test_a_wrong_value_is_refused_by_name(name, value):
    fig = GradientThroughTime()
    before = fig.snapshot()
    with pytest.raises(TraitError, match=rf"'{name}'.*expected"):
        setattr(fig, name, value)
    assert fig.snapshot() == before


@pytest.mark.parametrize("state", STATES[::5], ids=str)
def test_the_still_tells_the_same(state):
    fig = GradientThroughTime(**state, guess=5)
    data, still = fig.data(), fig.still()
    svg = still.svg()
    assert still.get_size_inches()[0] <= 4.4 and not re.search(r"\bnan|inf\b", svg + still.alt)
    reach = int(data["reach"])
    told = "more than 1 % is left" if reach == state["length"] else f"1 % is left for {reach} steps"
    assert told in still.alt and f"{data['norms'][0].item():.2e} after {state['length']}" in still.alt
    assert len(fig.html().encode()) < 80_000


@pytest.mark.parametrize("state", STATES[::5], ids=str)
def test_before_the_guess_the_still_tells_two_steps(state):
    fig = GradientThroughTime(**state)
    back, still = fig.data()["norms"].flip(0), fig.still()
    (curve,) = [line for line in still.axes[0].lines if line.get_color() == LIGHT["h"]]
    assert curve.get_ydata().tolist() == back[:3].tolist()
    assert f"after one step {back[1]:.2f}, after two {back[2]:.2f}; how far back" in still.alt
    words = " ".join(text.get_text() for text in still.axes[0].texts)
    assert "how many steps?" in words and not re.search(r"\d+ steps", words + still.alt)
    assert not [line for line in still.axes[0].lines if line.get_color() == LIGHT["warn"]]


def chapter_marks():
    """{words: steps} of chapter 2's own plots."""
    cells = nbformat.read(ROOT / "chapters" / "02_recurrent_networks.ipynb", as_version=4).cells
    (written,) = re.findall(r"^marks = (\{.*\})$", "\n".join(cell.source for cell in cells), re.MULTILINE)
    return json.loads(written)


@pytest.mark.parametrize("length", [20, 60])
def test_the_still_marks_what_the_chapter_does(length):
    (axes,) = GradientThroughTime(length=length).still().axes
    upright = [line.get_xdata()[0] for line in axes.lines if len(set(line.get_xdata())) == 1 < len(line.get_xdata())]
    told = {text.get_text(): text.get_position()[0] for text in axes.texts if ":" not in text.get_text()}
    wanted = {words: at for words, at in chapter_marks().items() if at <= length}
    assert told == wanted and upright == list(wanted.values())


# ---- the page's side ------------------------------------------------------------------------------------------------


def test_the_page_computes_what_the_package_does(at):
    page = at(GradientThroughTime)
    for state in STATES:
        full = {"radius": 1, "bias": 0, "guess": -1, **state}
        drawn, true = page.spec(f"spec.compute({json.dumps(full)})"), GradientThroughTime(**state).data()
        for name in ("norms", "passes"):
            close_each(torch.tensor(drawn[name], dtype=torch.float64), true[name])
        assert drawn["reach"] == int(true["reach"]), state


def plain(words):
    """The number that `number` of marks.js has written."""
    return float(words.replace("−", "-").replace(",", ""))


def across(page, ago, length=60):
    """Where a state stands in the panels, pixels of the SVG."""
    return 48 + ago * (page.stage.locator('[data-panel="left"] svg').bounding_box()["width"] - 64) / length


def centre(page, panel):
    """The one hollow dot of a panel."""
    dot = page.marks(panel, "circle[style*='--ss-paper']")
    assert dot.count() == 1, panel
    return [float(dot.get_attribute(name)) for name in ("cx", "cy")]


def test_before_the_guess_the_curve_does_not_tell(at):
    page = at(GradientThroughTime)
    seen = page.look()
    assert "After how many is 1 % left?" in seen["said"] and "13 steps" not in seen["said"]
    assert page.stage.locator(".live-canvas [style*='--ss-warn']").count() == 0
    page.reveal()
    assert "1 % is left for 13 steps" in page.look()["said"]
    assert page.marks("left", "text").filter(has_text="13 steps").count() == 1


def test_the_guess_is_held_against_the_truth(at):
    page = at(GradientThroughTime)
    verdict = page.stage.locator(".live-verdict")
    page.stage.locator(".live-guess select").select_option("25")
    page.reveal()
    back = GradientThroughTime().data()["norms"].flip(0)
    assert "At least 1 % is left for 13 steps." in verdict.inner_text()
    digits, exponent = f"{back[25].item():.2e}".split("e")
    assert "At your guess, 25 steps, it is" in verdict.inner_text() and digits[:3] in verdict.inner_text(), exponent
    page.put(network="lstm", bias=6)
    assert "Over all 60 steps more than 1 % is left." in verdict.inner_text()
    page.put(length=20)
    assert "At your guess" not in verdict.inner_text(), "25 steps are beyond the picture"


def test_only_its_own_knob_moves_a_network(at):
    page = at(GradientThroughTime)
    page.reveal()
    for network in NETWORKS:
        page.put(network=network)
        off = page.page.evaluate(
            "() => [...eyes.stage().querySelectorAll('input[type=range]:disabled')].map((i) => i.dataset.trait)"
        )
        assert off == (["radius"] if network == "lstm" else ["bias"])


def test_the_pointer_marks_one_step_in_both_panels_and_in_the_formula(at):
    page = at(GradientThroughTime)
    page.reveal()
    box = page.marks("left", "svg").bounding_box()
    page.page.mouse.move(box["x"] + across(page, 10), box["y"] + 120)
    seen = page.look()
    true = GradientThroughTime().data()["norms"][50].item()
    assert page.stage.locator(".live-readout").inner_text() == f"10 steps ago: {true:.3g}"
    assert "‖∂h[60] / ∂h[50]‖ = ‖J[60] ··· J[51]‖" in seen["words"] and f"{true:.3g}" in seen["words"]
    for panel in ("left", "passes"):
        assert centre(page, panel)[0] == pytest.approx(across(page, 10), abs=0.02), panel
    page.page.mouse.move(2, 2)
    assert "‖∂h[60] / ∂h[49]‖ = ‖J[60] ··· J[50]‖" in page.look()["words"]


@pytest.mark.parametrize("state", [{}, {"network": "lstm", "bias": 1.3, "length": 20}], ids=str)
def test_the_lower_panel_marks_the_step_that_leads_to_the_state(state, at):
    page, data = at(GradientThroughTime), GradientThroughTime(**state).data()
    page.put(**state)
    length, box = len(data["passes"]), page.marks("passes", "svg").bounding_box()
    for ago in (0, 7, length - 1):
        page.page.mouse.move(box["x"] + across(page, ago, length), box["y"] + 40)
        page.look()
        t, through = re.fullmatch(
            r"step (\d+) lets (\S+) through", page.stage.locator(".live-readout").inner_text()
        ).groups()
        true = data["passes"][length - ago - 1].item()
        assert int(t) == length - ago and plain(through) == pytest.approx(true, rel=0.01)
        assert centre(page, "passes") == pytest.approx([across(page, ago, length), 80 - 70 * true], abs=0.02)


def test_the_curve_and_its_mark_stand_at_powers_of_ten(at):
    page, back = at(GradientThroughTime), GradientThroughTime().data()["norms"].flip(0)
    page.reveal()
    ys = 129 - 206 / 16 * back.log10()  # 1 is in the middle of 16 powers, on 206 pixels
    drawn = page.marks("left", "path[style*='--ss-h']").first.get_attribute("d")
    points = torch.tensor([[float(part) for part in point.split()] for point in re.split("[ML]", drawn)[1:]])
    inside = back >= 1e-8
    wanted = [[across(page, ago), y] for ago, y in enumerate(ys.tolist()) if inside[ago]]
    assert points.shape == (int(inside.sum()), 2) and (points - torch.tensor(wanted)).abs().max() < 0.02
    assert centre(page, "left") == pytest.approx([across(page, 11), ys[11].item()], abs=0.02)


def test_it_marks_what_the_chapter_does(at):
    page = at(GradientThroughTime)
    for length in (20, 60, 100):
        page.put(length=length)
        wanted = {words: ago for words, ago in chapter_marks().items() if ago <= length}
        upright = page.page.evaluate(
            """() => [...eyes.stage().querySelectorAll("[data-panel=left] line:not([stroke-dasharray])")]
              .map((line) => ["x1", "x2", "y1", "y2"].map((name) => +line.getAttribute(name)))
              .filter(([x1, x2, y1, y2]) => x1 === x2 && x1 > 48 && Math.abs(y2 - y1) > 200).map(([x]) => x)"""
        )
        assert upright == pytest.approx([across(page, ago, length) for ago in wanted.values()], abs=0.02)
        for words in chapter_marks():
            assert page.marks("left", "text").filter(has_text=words).count() == (words in wanted), (words, length)


def test_the_words_end_with_the_whole_way(at):
    page = at(GradientThroughTime)
    page.reveal()
    for state in STATES[1::6]:
        back = GradientThroughTime(**state).data()["norms"].flip(0)
        said = page.put(**state)["said"]
        last, told = re.search(r"of one (\d+) steps ago (\S+)\.$", said).groups()
        assert int(last) == state["length"] and plain(told) == pytest.approx(back[-1].item(), rel=0.05), said


def test_the_marked_state_is_dragged(at):
    page, back = at(GradientThroughTime), GradientThroughTime().data()["norms"].flip(0)
    page.reveal()
    handle = page.stage.locator('[data-handle="ago"]')
    box, floor = page.marks("left", "svg").bounding_box(), 225
    page.page.mouse.move(box["x"] + across(page, 11), box["y"] + floor)
    page.page.mouse.down()
    page.page.mouse.move(box["x"] + across(page, 20), box["y"] + floor, steps=3)
    page.page.mouse.up()
    page.page.mouse.move(2, 2)
    seen = page.look()
    assert page.number("ago") == 20 and "‖∂h[60] / ∂h[40]‖ = ‖J[60] ··· J[41]‖" in seen["words"]
    told = re.search(r"at the mark, 20 steps ago, (\S+) arrives", seen["said"]).group(1)
    assert plain(told) == pytest.approx(back[20].item(), rel=0.05)
    handle.focus()
    page.press("ArrowRight", "ArrowRight")
    assert handle.get_attribute("aria-valuetext") == "22 steps ago"
    for panel in ("left", "passes"):
        assert centre(page, panel)[0] == pytest.approx(across(page, 22), abs=0.02), panel
    assert "20 steps ago" in page.put(length=20)["said"], "what lies beyond is marked at the end"


@pytest.mark.parametrize("screen", ["wide-light", "phone-dark"])
def test_nothing_leaves_the_picture(screen, at):
    page = at(GradientThroughTime, screen)
    page.reveal()
    for state in STATES[:: 1 if screen == "wide-light" else 4]:
        seen = page.put(**state)
        assert not re.search(r"NaN|Infinity|undefined", seen["said"] + seen["words"]), state
        outside = page.page.evaluate(
            """() => [...eyes.stage().querySelectorAll(".live-canvas svg")].flatMap((svg) => {
              const frame = svg.getBoundingClientRect();
              return [...svg.querySelectorAll("path, text")].filter((mark) => {
                const { left, right, top, bottom } = mark.getBoundingClientRect();
                return left < frame.left || right > frame.right || top < frame.top || bottom > frame.bottom;
              }).map((mark) => mark.textContent || mark.outerHTML);
            })"""
        )
        assert outside == [], state
