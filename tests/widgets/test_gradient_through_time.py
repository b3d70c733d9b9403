"""`gradient-through-time`: products of real Jacobians, in Python and in a page; what is told, and when."""

import json
import math
import re

import pytest
import torch
from traitlets import TraitError

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

    assert reach(network="tanh", radius=1) == 13, "the median link, by chance"
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
    fig = GradientThroughTime(**state)
    data, still = fig.data(), fig.still()
    svg = still.svg()
    assert still.get_size_inches()[0] <= 4.4 and not re.search(r"\bnan|inf\b", svg + still.alt)
    reach = int(data["reach"])
    told = "more than 1 % is left" if reach == state["length"] else f"1 % is left for {reach} steps"
    assert told in still.alt and f"{data['norms'][0].item():.2e} after {state['length']}" in still.alt
    assert len(fig.html().encode()) < 80_000


# ---- the page's side ------------------------------------------------------------------------------------------------


def put(page, network=None, **state):
    """Set the controls as a hand would; then look."""
    if network:
        page.stage.locator(".live-segments label").nth(NETWORKS.index(network)).click()
    page.page.evaluate(
        """(state) => Object.entries(state).forEach(([trait, value]) => {
          const input = eyes.stage().querySelector(`input[type=range][data-trait=${trait}]`);
          input.value = value;
          input.dispatchEvent(new Event("input"));
        })""",
        state,
    )
    return page.look()


def marks(page, panel, selector):
    return page.stage.locator(f'[data-panel="{panel}"] {selector}')


def test_the_page_computes_what_the_package_does(at):
    page = at(GradientThroughTime)
    for state in STATES:
        full = {"radius": 1, "bias": 0, "guess": -1, **state}
        drawn, true = page.spec(f"spec.compute({json.dumps(full)})"), GradientThroughTime(**state).data()
        for name in ("norms", "passes"):
            close_each(torch.tensor(drawn[name], dtype=torch.float64), true[name])
        assert drawn["reach"] == int(true["reach"]), state


def test_before_the_guess_the_curve_does_not_tell(at):
    page = at(GradientThroughTime)
    seen = page.look()
    assert "After how many is 1 % left?" in seen["said"] and "13 steps" not in seen["said"]
    assert page.stage.locator(".live-canvas [style*='--ss-warn']").count() == 0
    page.reveal()
    assert "1 % is left for 13 steps" in page.look()["said"]
    assert marks(page, "left", "text").filter(has_text="13 steps").count() == 1


def test_the_guess_is_held_against_the_truth(at):
    page = at(GradientThroughTime)
    verdict = page.stage.locator(".live-verdict")
    page.stage.locator(".live-guess select").select_option("25")
    page.reveal()
    back = GradientThroughTime().data()["norms"].flip(0)
    assert "At least 1 % is left for 13 steps." in verdict.inner_text()
    digits, exponent = f"{back[25].item():.2e}".split("e")
    assert "At your guess, 25 steps, it is" in verdict.inner_text() and digits[:3] in verdict.inner_text(), exponent
    put(page, network="lstm", bias=6)
    assert "Over all 60 steps more than 1 % is left." in verdict.inner_text()
    put(page, length=20)
    assert "At your guess" not in verdict.inner_text(), "25 steps are beyond the picture"


def test_only_its_own_knob_moves_a_network(at):
    page = at(GradientThroughTime)
    page.reveal()
    for network in NETWORKS:
        put(page, network=network)
        off = page.page.evaluate(
            "() => [...eyes.stage().querySelectorAll('input[type=range]:disabled')].map((i) => i.dataset.trait)"
        )
        assert off == (["radius"] if network == "lstm" else ["bias"])


def test_the_pointer_marks_one_step_in_both_panels_and_in_the_formula(at):
    page = at(GradientThroughTime)
    page.reveal()
    box = marks(page, "left", "svg").bounding_box()
    step = (box["width"] - 58) / 60
    page.page.mouse.move(box["x"] + 42 + 10 * step, box["y"] + 120)
    seen = page.look()
    true = GradientThroughTime().data()["norms"][50].item()
    assert page.stage.locator(".live-readout").inner_text() == f"10 steps ago: {true:.3g}"
    assert "‖∂h[60] / ∂h[50]‖ = ‖J[60] ··· J[51]‖" in seen["words"] and f"{true:.3g}" in seen["words"]
    for panel in ("left", "passes"):
        assert marks(page, panel, "circle[style*='--ss-paper']").count() == 1, panel
    page.page.mouse.move(2, 2)
    assert "‖∂h[60] / ∂h[59]‖ = ‖J[60]‖" in page.look()["words"]


@pytest.mark.parametrize("screen", ["wide-light", "phone-dark"])
def test_nothing_leaves_the_picture(screen, at):
    page = at(GradientThroughTime, screen)
    page.reveal()
    for state in STATES[:: 1 if screen == "wide-light" else 4]:
        seen = put(page, **state)
        assert not re.search(r"NaN|Infinity|undefined", seen["said"] + seen["words"]), state
        points = page.page.evaluate(
            """() => [...eyes.stage().querySelectorAll('[data-panel=left] path')].map((path) => path.getBBox())
              .map(({ x, y, width, height }) => [x, y, x + width, y + height])"""
        )
        size = page.page.evaluate(
            """() => {
              const svg = eyes.stage().querySelector('[data-panel=left] svg');
              return [svg.width.baseVal.value, svg.height.baseVal.value];
            }"""
        )
        assert all(x0 >= -3 and y0 >= -3 and x1 <= size[0] + 3 and y1 <= size[1] + 3 for x0, y0, x1, y1 in points), (
            state
        )
