"""`block-dataflow`: what the figure writes about a block is what the package's block has, does and keeps."""

import math

import pytest
import torch
from core_page import FOLDER, HOST

from mamba_edu import Mamba, MambaBlock, MambaConfig, RMSNorm
from mamba_edu.model import ResidualLayer
from mamba_edu.widgets import BlockDataflow, _bundle, figure_class
from mamba_edu.widgets.block_dataflow import STAGES, TOKENS, stages_of

SIZES = [
    {"d_model": d, "expand": e, "d_conv": k, "d_state": n}
    for d, e, k, n in [
        (256, 2, 4, 16), (64, 2, 4, 16), (768, 2, 4, 16), (2560, 2, 4, 16), (16, 2, 4, 64),
        (8, 1, 1, 1), (2560, 4, 8, 64), (8, 4, 8, 64), (2560, 1, 1, 1),
        (17, 3, 2, 5), (31, 1, 7, 3), (33, 4, 3, 2), (100, 2, 5, 24), (1000, 3, 6, 7),
    ]
]  # fmt: skip
sizes = pytest.mark.parametrize("size", SIZES, ids=lambda size: "-".join(map(str, size.values())))


@pytest.fixture(scope="module")
def computed(browser):
    """computed(traits) -> what the figure's own JavaScript computes from them, lists of numbers."""
    page = browser.new_page()
    page.route("**/*", lambda route: _answer(route, route.request.url.removeprefix(HOST)))
    page.goto(HOST)
    code = """async (traits) => {
      const { compute } = (await import("./block_dataflow.js")).default.spec;
      const { weights, state, out, own, reach, total, kept, names, back } = compute(traits);
      return { weights, state, out, own, reach, total, kept, names, back };
    }"""
    yield lambda traits: page.evaluate(code, traits)
    page.close()


def _answer(route, name):
    if name:
        route.fulfill(path=FOLDER / name, content_type="text/javascript")
    else:
        route.fulfill(body="<!doctype html><title>figure</title>", content_type="text/html")


@sizes
def test_the_page_computes_what_the_package_has(computed, size):
    figure = BlockDataflow(**size)
    mine, true = computed(figure.snapshot()), figure.data()
    assert mine["names"] == list(STAGES)
    for name, values in true.items():
        assert values.dtype == torch.float64 and torch.isfinite(values).all(), name
        assert mine[name] == values.tolist(), name
    assert mine["total"] == true["weights"][1:8].sum() and mine["kept"] == true["state"].sum()
    assert mine["back"] == [i for i, row in enumerate(true["own"]) if row.sum() > 1]


@sizes
def test_no_weight_is_left_out_or_counted_twice(size):
    weights = BlockDataflow(**size).data()["weights"]
    with torch.device("meta"):
        block, norm = MambaBlock(**size), RMSNorm(size["d_model"])
    assert weights[1:8].sum() == sum(p.numel() for p in block.parameters())
    assert weights[0] == norm.weight.numel() and weights[8] == 0


def test_weights_by_hand():
    d, e, k, n = 100, 200, 5, 24
    rank = math.ceil(d / 16)
    assert rank == 7, "not a multiple of sixteen: it is rounded up"
    scan = {"δ, B, C": e * (rank + 2 * n) + rank * e + e, "scan": e * n + e}
    by_hand = {"RMSNorm": d, "in_proj": 2 * e * d, "conv": e * k + e, **scan, "out_proj": e * d}
    data = BlockDataflow(d_model=d, expand=2, d_conv=k, d_state=n).data()
    assert data["weights"].tolist() == [by_hand.get(stage, 0) for stage in STAGES]
    assert data["state"].tolist() == [{"conv": (k - 1) * e, "scan": e * n}.get(stage, 0) for stage in STAGES]


def test_the_chapters_numbers():
    data = BlockDataflow().data()
    assert data["weights"][1:8].sum() == 437_760
    assert (data["weights"][[2, 5]].sum() / 437_760).item() == pytest.approx(0.0257, abs=1e-4)
    narrow = BlockDataflow(d_model=64).data()
    assert 2 * narrow["state"].sum() == 4_864, "two layers of width 64, as the chapter's model keeps them"
    state = Mamba(MambaConfig(d_model=64, n_layer=2)).init_state(batch=1)
    assert sum(part.numel() for layer in state for part in layer) == 4_864


@pytest.mark.parametrize("d_conv", range(1, 9))
def test_two_boxes_look_back_and_they_alone_keep_a_state(d_conv):
    data = BlockDataflow(d_conv=d_conv).data()
    reads = dict(zip(STAGES, data["own"].sum(dim=1).tolist(), strict=True))
    assert reads.pop("conv") == d_conv and reads.pop("scan") == TOKENS
    assert set(reads.values()) == {1.0}, "the others take each token alone"
    assert (data["state"] > 0).tolist() == (data["own"].sum(dim=1) > 1).tolist()
    through = [1, 1, d_conv, d_conv, d_conv, TOKENS, TOKENS, TOKENS, TOKENS]
    assert data["reach"].sum(dim=1).tolist() == through
    for row in torch.cat([data["own"], data["reach"]]):  # the last ones, without a gap
        assert row.tolist() == sorted(row.tolist()) and row[-1] == 1


def test_the_boxes_together_are_the_layer():
    torch.manual_seed(0)
    layer = ResidualLayer(MambaConfig(d_model=12, n_layer=1, d_state=3)).double()
    x = torch.randn(2, 9, 12, dtype=torch.float64)
    done = stages_of(layer, x)
    assert len(done) == len(STAGES)
    torch.testing.assert_close(done[-1][1], layer(x), rtol=1e-12, atol=1e-12)


def test_no_box_sees_the_future():
    layer = ResidualLayer(MambaConfig(d_model=4, n_layer=1, d_state=2, d_conv=4)).double()
    x = torch.randn(1, TOKENS, 4, dtype=torch.float64, requires_grad=True)
    for stage, (_, out) in zip(STAGES, stages_of(layer, x), strict=True):
        (gradient,) = torch.autograd.grad(out[0, 3].sum(), x, retain_graph=True)
        assert gradient[0, 4:].eq(0).all() and gradient[0, 3].ne(0).any(), stage


def test_a_figure_takes_none_of_the_readers_random_numbers():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    BlockDataflow().html()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("size", [SIZES[0], SIZES[5], SIZES[6]])
def test_the_still_tells_the_same(size):
    figure = BlockDataflow(**size, stage=5)
    data, still = figure.data(), figure.still()
    svg = still.svg()
    for weight, kept in zip(data["weights"].tolist(), data["state"].tolist(), strict=True):
        assert f">{int(weight):,}</text>" in svg and f">{int(4 * kept):,}</text>" in svg
    assert f"{int(data['weights'][1:8].sum()):,} weights" in still.alt and "Marked is scan" in still.alt
    assert f"keep {int(4 * data['state'].sum()):,} bytes" in still.alt and still.get_size_inches()[0] <= 4.4


def test_the_name_with_a_hyphen_finds_its_files():
    name = BlockDataflow.name
    assert name == "block-dataflow" and figure_class(name) is BlockDataflow
    assert 'SelectiveState.figures["block-dataflow"] = $block_dataflow.$default;' in _bundle.figure_script(name)
    assert _bundle.esm(name).endswith("export default $block_dataflow.$default;\n")


# ---- the figure in a page -------------------------------------------------------------------------------------------


@pytest.fixture
def page(browser, tmp_path):
    from figure_page import FigurePage

    context = browser.new_context(viewport={"width": 1280, "height": 1400})
    yield FigurePage(context, tmp_path, BlockDataflow).page
    context.close()


def words(page):
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return page.locator(".live-words").inner_text()


def test_the_weights_wait_for_the_guess(page):
    equation, verdict = page.locator(".live-equation"), page.locator(".live-verdict")
    assert "weights" not in words(page) and "after your guess" in equation.inner_text()
    assert page.locator("svg text", has_text="262,144").count() == 0
    page.locator(".live-guess select").select_option("5")
    words(page)
    page.locator(".live-show").click()
    assert "0.58% of the block's weights" in words(page), "conv"
    assert page.locator("svg text", has_text="262,144").count() == 1
    assert "in_proj: 262,144 of 437,760 weights, 60%. Your guess, scan, has 2%." in verdict.inner_text()
    assert "conv and scan, has 2.6%" in verdict.inner_text()
    page.locator(".live-presets button", has_text="narrow, long state").click()
    words(page)
    assert verdict.inner_text().startswith("δ, B, C: 4,192 of 7,968 weights, 53%."), "no answer for all sizes"


def test_a_tap_on_a_box_brings_the_token_there(page):
    box = page.locator("svg text", has_text="scan").bounding_box()
    page.mouse.click(box["x"] + 5, box["y"] + 5)
    page.mouse.move(5, 5)
    said = words(page)
    assert said.startswith("scan itself sees all that has come in. 32,768 of the 38,912 bytes")
    assert page.locator('input[type=range][data-trait="stage"]').input_value() == "5"
    assert page.locator(".live-handle").get_attribute("aria-valuetext") == "scan"


def test_a_click_survives_a_redraw_between_press_and_release(page):
    box = page.locator("svg text", has_text="scan").bounding_box()
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    page.evaluate("document.documentElement.dataset.theme = 'dark'")  # every mark is drawn anew
    words(page)
    page.mouse.up()
    words(page)
    assert page.locator('input[type=range][data-trait="stage"]').input_value() == "5"


def test_before_the_answer_a_tap_among_the_weights_is_the_guess(page):
    box = page.locator("svg text", has_text="out_proj").bounding_box()
    page.mouse.click(box["x"] + 230, box["y"] + 5)
    words(page)
    assert page.locator(".live-guess select").input_value() == "7"
    assert page.locator('input[type=range][data-trait="stage"]').input_value() == "2", "the token stays"
