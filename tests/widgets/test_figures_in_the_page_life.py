"""Every live figure in a browser: its ends, guess, presets, player, readout; what Python sets; paper; its twin."""

import json
import math
import re
import statistics

import pytest
import torch
from figure_page import AXE, FIGURES, SCREENS, another, differ, figures

guessing = pytest.mark.parametrize(
    "cls", [cls for cls in FIGURES if "guess" in cls.class_trait_names()], ids=lambda cls: cls.__name__
)


# ---- numbers -------------------------------------------------------------------------------------------------------


@figures
@pytest.mark.parametrize("screen", ["wide-light", "phone-dark"])
def test_no_combination_of_ends_breaks_it(cls, screen, at):
    page = at(cls, screen)
    for revealed in (False, True):
        page.reset(revealed)
        outcome = page.page.evaluate("(most) => eyes.ends(most)", 24)
        assert outcome["found"] == [] and outcome["tried"] >= 4


# Renders the figure as Jupyter does, into an element of its own, with a model that a kernel could have.
RENDER = """([name, state]) => {
  const values = { ...state }, heard = {}, saved = [];
  const model = {
    get: (key) => values[key],
    set(key, value) {
      if (values[key] === value) return;
      values[key] = value;
      heard[`change:${key}`]?.forEach((f) => f());
    },
    on: (event, f) => (heard[event] ??= new Set()).add(f),
    off: (event, f) => heard[event]?.delete(f),
    save_changes: () => saved.push({ ...values }),
  };
  const home = document.createElement("div");
  document.querySelector("main").replaceChildren(home);
  globalThis.kernel = { model, saved, stop: SelectiveState.figures[name].render({ model, el: home }) };
}"""


def in_a_kernel(page):
    page.page.evaluate(RENDER, [page.cls.name, page.cls().snapshot()])
    return page


@figures
def test_what_python_sets_is_drawn(cls, at):
    page = in_a_kernel(at(cls))
    assert page.page.locator("figcaption.live-question").inner_text() == cls().question
    page.reveal()
    for trait in page.spec("spec.traits"):
        opening, value = getattr(cls(), trait), another(cls, trait)
        before = page.look()
        page.page.evaluate("([key, value]) => kernel.model.set(key, value)", [trait, value])
        after = page.look()
        enabled = page.stage.locator(f'[data-trait="{trait}"]').first.is_enabled()
        assert not enabled or before["state"] != after["state"], f"the control of {trait} stays behind"
        assert not enabled or before["drawing"] != after["drawing"], f"{trait} is set and not drawn"
        page.page.evaluate("([key, value]) => kernel.model.set(key, value)", [trait, opening])
        assert page.look()["drawing"] == before["drawing"], f"{trait} set back is not what it was"


@figures
def test_what_a_hand_sets_python_accepts(cls, at):
    """Both know the same ends: what the page's controls can reach, the traits take; and it is saved for the kernel."""
    page = in_a_kernel(at(cls))
    page.page.evaluate("(most) => eyes.ends(most)", 32)
    sent, fig, known = page.page.evaluate("kernel.saved"), cls(), cls().snapshot()
    assert len(sent) > 3
    met = set()
    for state in sent:  # one after the other, as a kernel would hear of them
        news = {name: value for name, value in state.items() if value != known[name]}
        fig.set_state(news)
        for name, value in news.items():
            assert getattr(fig, name) == pytest.approx(value), name
        known = state
        met |= set(news)
    assert met == set(page.spec("spec.traits")), "a trait that no control reaches"
    assert all(torch.isfinite(values).all() for values in fig.data().values())


@figures
def test_stopped_it_listens_no_more(cls, at):
    page = in_a_kernel(at(cls))
    trait = page.spec("spec.traits[0]")
    before = page.look()
    page.page.evaluate("kernel.stop()")
    page.page.evaluate("([key, value]) => kernel.model.set(key, value)", [trait, another(cls, trait)])
    assert page.look() == before


@figures
def test_it_draws_what_python_computes(cls, at):
    """`data()` against the figure's own `compute`, where they speak of the same thing, at the start and far from it."""
    page = at(cls)
    traits = page.spec("spec.traits")
    states = [cls(), cls(**{trait: another(cls, trait) for trait in traits})]
    shared = set()
    for fig in states:
        drawn = page.spec(f"spec.compute({json.dumps({k: v for k, v in fig.snapshot().items() if k in traits})})")
        for name, true in fig.data().items():
            if name not in drawn:
                continue
            got = torch.tensor(drawn[name], dtype=torch.float64)
            assert got.shape == true.shape, name
            assert torch.isfinite(got).all() and (got - true).abs().max() <= 1e-9 * true.abs().max(), name
            shared.add(name)
    assert shared, f"data() has {', '.join(states[0].data())}, and the page knows none of it"


# ---- guess, presets, player, readout -------------------------------------------------------------------------------


@guessing
def test_the_answer_waits_for_the_guess_and_the_guess_stays(cls, at):
    page = at(cls)
    select, show = page.stage.locator(".live-guess select"), page.stage.locator(".live-show")
    verdict = page.stage.locator(".live-verdict")
    opening = page.look()
    assert not verdict.inner_text() and select.input_value() == "-1"
    assert show.inner_text() == "Show without a guess"
    options = select.evaluate("(e) => [...e.options].map((o) => o.value)")
    select.select_option(options[2])
    guessed = page.look()
    differ(opening, guessed, "the guess")
    assert not verdict.inner_text() and show.inner_text() == "Show the answer"
    shown = page.reveal()
    differ(guessed, shown, "the answer", "words")
    told = verdict.inner_text()
    assert re.search(r"\d", told) and select.input_value() == options[2]
    select.select_option(options[1])
    other = page.look()
    differ(shown, other, "another guess beside the answer")
    assert verdict.inner_text() != told
    again = page.reveal(False)
    assert again == opening and not verdict.inner_text(), "guessing again begins at the beginning"
    without = page.reveal()
    assert len({shown["drawing"], other["drawing"], without["drawing"]}) == 3, "the guess is not on the plot"


@figures
def test_presets_differ_and_reset_restores(cls, at):
    page = at(cls)
    opening = page.look()
    buttons = page.all(".live-presets button:not(.live-reset)")
    page.page.evaluate("(most) => eyes.ends(most)", 3)
    seen = []
    for i, button in enumerate(buttons):
        button.click()
        seen.append(page.look()["drawing"])
        pressed = [other.get_attribute("aria-pressed") for other in buttons]
        assert pressed == ["true" if i == k else "false" for k in range(len(buttons))]
    assert len(set(seen)) == len(seen)
    page.reveal()
    page.page.evaluate("(most) => eyes.ends(most)", 3)
    page.stage.locator(".live-reset").click()
    assert page.look() == opening
    if buttons:
        one = page.spec("spec.presets[0].state")
        opens = all(getattr(cls(), key) == value for key, value in one.items())
        assert (buttons[0].get_attribute("aria-pressed") == "true") == opens


@figures
def test_nothing_moves_before_it_is_asked_to(cls, at):
    page = at(cls)
    before = page.look()
    page.page.wait_for_timeout(600)
    assert page.look() == before
    assert page.page.evaluate("document.getAnimations().length") == 0


@figures
def test_the_player(cls, at):
    page = at(cls)
    if not page.stage.locator(".live-player").count():
        pytest.skip("it has no player")
    slider = page.stage.locator(".live-player input[type=range]")
    play, back, on = page.all(".live-player button")
    trait, last = slider.evaluate("(e) => [e.dataset.trait, +e.max]")
    slider.press("Home")
    start = page.look()
    on.click()
    one = page.look()
    differ(start, one, "a step on", "words")
    back.click()
    assert page.look() == start, "a step back"
    back.click()
    assert page.number(trait) == 0, "before the first step there is none"
    play.press("Enter")
    assert play.inner_text() == "Pause"
    page.page.wait_for_function("(trait) => eyes.number(trait) >= 2", arg=trait)
    play.click()
    paused = page.look()
    assert play.inner_text() == "Play" and paused["drawing"] != start["drawing"]
    slider.press("End")
    slider.press("ArrowLeft")
    play.press("Enter")
    page.page.wait_for_function("(last) => eyes.number(last[0]) !== last[1]", arg=[trait, last - 1])
    if page.spec("spec.controls.find((c) => c.kind === 'player').loop ?? false"):
        return
    assert page.number(trait) == last
    page.page.wait_for_function("document.querySelector('.live-player button').textContent === 'Play'")
    stopped = page.look()
    page.page.wait_for_timeout(600)
    assert page.look() == stopped, "it goes on after the end"
    play.press("Enter")  # from the end it begins anew
    page.page.wait_for_function("(last) => eyes.number(last[0]) < last[1]", arg=[trait, last])
    slider.press("ArrowRight")
    assert play.inner_text() == "Play", "who scrubs has paused it"


def readouts(page):
    """What stands beside the pointer at a few places of each drawing."""
    readout, found = page.stage.locator(".live-readout"), set()
    for svg in page.all(".live-canvas svg"):
        box = svg.bounding_box()
        for x, y in [(0.2, 0.3), (0.4, 0.6), (0.6, 0.45), (0.8, 0.8)]:
            page.page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
            page.look()
            if readout.is_visible():
                found.add(readout.inner_text())
                place = readout.bounding_box()
                assert place["x"] >= 0 and place["x"] + place["width"] <= 1280
    page.page.mouse.move(2, 2)
    assert not readout.is_visible(), "it stays when the pointer has gone"
    return found


@figures
def test_the_readout_names_what_is_under_the_pointer(cls, at):
    page = at(cls)
    page.reveal()
    page.page.mouse.move(2, 2)
    before = page.look()
    found = readouts(page)
    assert len(found) > 1, f"under the pointer: {found}"
    assert all(re.search(r"[A-Za-z]", words) and re.search(r"\d|not", words) for words in found), found
    assert page.look() == before, "leaving leaves something"


@guessing
def test_the_pointer_does_not_tell_the_answer(cls, at):
    page = at(cls)
    before = readouts(page)
    page.reveal()
    assert readouts(page) - before, "all that is to be seen was there before the guess"


# ---- looks ---------------------------------------------------------------------------------------------------------

AXE_RUN = "axe.run('.live-figure').then((r) => r.violations.map((v) => v.id + ': ' + v.nodes[0].html.slice(0, 160)))"


@figures
@pytest.mark.parametrize("screen", SCREENS)
def test_axe_finds_nothing(cls, screen, at):
    page = at(cls, screen)
    page.page.evaluate(AXE.read_text(encoding="utf-8"))
    for revealed in (False, True):
        page.reset(revealed)
        assert page.page.evaluate(AXE_RUN) == []


SMALL = """(stage) => {
  const inputs = "button, select, input:not([type=radio], [type=checkbox])";
  const touched = `${inputs}, .live-segments label, .live-switch, .live-reach`;
  return [...stage.querySelectorAll(touched)].filter((e) => e.getClientRects().length)
    .map((e) => [e.outerHTML.slice(0, 80), e.getBoundingClientRect()])
    .filter(([, box]) => box.height < 43.9 || box.width < 43.9)
    .map(([html, box]) => `${html} ${box.width} x ${box.height}`);
}"""


@figures
def test_a_finger_finds_44_pixels(cls, at):
    page = at(cls, "phone-light")
    for revealed in (False, True):
        page.reveal(revealed)
        assert page.stage.evaluate(SMALL) == []


@figures
def test_both_themes_are_drawn(cls, at):
    page = at(cls)
    light = page.page.screenshot()
    before = page.look()
    page.page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.look()
    assert page.page.screenshot() != light
    page.page.evaluate("document.documentElement.dataset.theme = 'light'")
    assert page.look() == before


@figures
def test_without_scripts_and_on_paper_the_picture(cls, at, browser, tmp_path):
    page = at(cls)
    still, stage = page.figure.locator(".live-still > *").first, page.figure.locator(".live-stage")
    assert stage.is_visible() and not still.is_visible()
    page.page.emulate_media(media="print")
    assert still.is_visible() and not stage.is_visible()
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 844})
    plain = context.new_page()
    plain.goto(page.page.url)
    figure = plain.locator("figure.live-figure")
    assert figure.locator(".live-still > *").first.bounding_box()["width"] > 250
    assert figure.locator(".live-note").is_visible() and figure.locator("input, button, select").count() == 0
    context.close()


@figures
def test_two_alike_leave_each_other_alone(cls, at):
    page = at(cls, count=2)
    ids = page.page.evaluate("[...document.querySelectorAll('.live-stage [id]')].map((e) => e.id)")
    assert len(ids) == len(set(ids)), "an id twice"
    before = [page.look(0), page.look(1)]
    assert before[0] == before[1]
    page.reveal()
    page.page.evaluate("(most) => eyes.ends(most)", 2)
    assert page.look(0)["drawing"] != before[0]["drawing"] and page.look(1) == before[1]
    page.page.locator(".live-stage").nth(1).locator("input[type=range]").first.press("Home")
    moved = page.look(0), page.look(1)
    page.stage.locator(".live-reset").click()
    assert page.look(0) == before[0] and page.look(1) == moved[1]


@figures
def test_mounted_twice_it_is_mounted_once(cls, at):
    page = at(cls)
    before = page.look()
    page.page.evaluate("SelectiveState.mount(document)")
    assert page.page.locator(".live-stage").count() == 1 and page.look() == before


@figures
def test_the_time_of_a_redraw_is_measured(cls, at, record_property, capsys):
    """Measured and told, not judged: two busy cores are no reader's laptop."""
    page = at(cls)
    page.reveal()
    times = page.page.evaluate(
        """async () => {
          const slider = eyes.stage().querySelector("input[type=range]:not(:disabled)"), times = [];
          for (let k = 0; k < 50; k++) {
            slider.value = k % 2 ? slider.min : slider.max;
            slider.dispatchEvent(new Event("input"));
            await eyes.settle();
            times.push(Number(eyes.stage().parentElement.dataset.redraw));
          }
          return times;
        }"""
    )
    assert len(times) == 50 and all(math.isfinite(t) and t >= 0 for t in times) and max(times) > 0
    record_property("redraw_ms", statistics.median(times))
    with capsys.disabled():
        print(f"\n{cls.__name__}: a redraw takes {statistics.median(times):.1f} ms, {max(times):.1f} at most")
