"""`training-curves` in a browser: what it says, hides and answers is what the record holds, and follows from it."""

import json
import re
import shutil
from itertools import pairwise
from pathlib import Path

import figure_page
import pytest
import torch
from figure_page import FigurePage
from recorded import with_one_diverged, without_costs

from mamba_edu.widgets import TrainingCurves, _bundle, _runs
from mamba_edu.widgets.training_curves import CHANGES, RUNS

NAMES = ["plain delta bias", "decay on all", "no warm-up", "no clipping", "state carried"]  # as the page calls them
RATES = RUNS["rates"]
ALL = dict.fromkeys(CHANGES, True)


def counted(harmful):
    """The sentence that counts, rate by rate, the changes that cost bits."""
    first, *others = (f"{count} at {lr:g}" for count, lr in zip(harmful, RATES, strict=True))
    return ", ".join([f"Of the five changes, {first.replace(' at', ' cost bits with every seed at')}", *others]) + "."


def page_with(runs, contexts, tmp_path, monkeypatch, screen="wide-light"):
    """The figure's page with other runs in it."""
    folder = tmp_path / "widgets"
    folder.mkdir()
    for file in Path(_bundle.FOLDER).glob("*.*s"):
        shutil.copy(file, folder)
    (folder / "training_runs.js").write_text(_runs.runs_script(runs), encoding="utf-8")
    monkeypatch.setattr(figure_page, "FOLDER", folder)
    monkeypatch.setattr(figure_page, "page_html", figure_page.page_html.__wrapped__)
    return FigurePage(contexts[screen], tmp_path, TrainingCurves, figure_page.SCREENS[screen][1])


def turn(page, **state):
    """Set controls by what a hand does, then look."""
    for trait, value in state.items():
        control = page.stage.locator(f'[data-trait="{trait}"]')
        if control.first.get_attribute("type") == "checkbox":
            control.set_checked(value)
        else:
            options = page.spec(f"spec.controls.find((one) => one.trait === '{trait}').options.map(([value]) => value)")
            page.stage.locator(
                f".live-segments label[for='{control.nth(options.index(value)).get_attribute('id')}']"
            ).click()
        page.look()
    return page.look()


@pytest.mark.parametrize("screen", ["wide-light", "phone-dark"])
def test_a_diverged_run_ends_with_a_cross_and_says_so(contexts, tmp_path, monkeypatch, screen):
    diverged = with_one_diverged(RUNS)
    page = page_with(diverged, contexts, tmp_path, monkeypatch, screen)
    turn(page, lr=RATES[-1])
    assert "diverged" not in page.figure.inner_text(), "before the guess"
    page.stage.locator(".live-guess select").select_option("1")
    page.look()
    said = page.reveal()["said"]
    step = diverged["steps"][len(diverged["steps"]) // 2 - 1]
    assert f"no warm-up diverged at step {step}" in said
    assert page.stage.locator("svg text", has_text="no warm-up diverged").count() == 1, "at the line's end"
    assert (
        f"At rate {RATES[-1]:g}, no warm-up costs most: it diverged."
        in page.stage.locator(".live-verdict").inner_text()
    )
    assert page.stage.locator("[data-panel=costs] svg text", has_text="diverged").count() == 1
    strokes = "(e) => [...e.querySelectorAll('path')].filter((p) => p.style.strokeWidth === '2.5').length"
    assert page.stage.locator("[data-panel=curves] svg").evaluate(strokes) == 2, "two strokes make a cross"
    turn(page, lr=RATES[0])
    assert page.stage.locator("[data-panel=curves] svg").evaluate(strokes) == 0
    outcome = page.page.evaluate("(most) => eyes.ends(most)", 24)
    assert outcome["found"] == []


def test_where_nothing_costs_a_thing_the_answer_says_so(contexts, tmp_path, monkeypatch):
    page = page_with(without_costs(RUNS), contexts, tmp_path, monkeypatch)
    said = page.reveal()["said"]
    lr = f"{TrainingCurves().lr:g}"
    told = page.stage.locator(".live-verdict").inner_text()
    assert told == f"At rate {lr}, none of the five costs a thing; plain delta bias comes closest, −0.100."
    assert counted([0] * len(RATES)) in said


# ---- the page -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lr", RATES)
def test_the_page_computes_the_same_everywhere(at, lr):
    page = at(TrainingCurves)
    for bits in range(8):
        view = {"validation": bool(bits & 1), "against": bool(bits & 2), "carried": bool(bits & 4)}
        fig = TrainingCurves(lr=lr, **view, **ALL)
        drawn = page.spec(f"spec.compute({json.dumps(fig.snapshot())})")
        for name, true in fig.data().items():
            got = torch.tensor(drawn[name], dtype=torch.float64)
            assert got.shape == true.shape and (got - true).abs().max() <= 1e-12, (name, view)


def costs_at(lr, carried=False):
    """{change: (mean, seeds)} at one rate, from `data`."""
    rows = TrainingCurves(carried=carried).data()["costs"].tolist()
    seeds = {name: [v for c, r, _, v in rows if (c, RATES[int(r)]) == (i + 1, lr)] for i, name in enumerate(NAMES)}
    return {name: (sum(values) / len(values), values) for name, values in seeds.items() if values}


def signed(value):
    return f"{value:+.3f}".replace("-", "−")


@pytest.mark.parametrize("lr", RATES)
def test_the_answer_is_the_records(at, lr):
    page = at(TrainingCurves)
    turn(page, lr=lr)
    means = {name: mean for name, (mean, _) in costs_at(lr).items()}
    dearest = max(means, key=means.get)
    page.stage.locator(".live-guess select").select_option("0")
    page.look()
    page.reveal()
    for guess, name in enumerate(NAMES):
        page.stage.locator(".live-guess select").select_option(str(guess))
        page.look()
        told = page.stage.locator(".live-verdict").inner_text()
        assert told.startswith(
            f"At rate {lr:g}, {dearest} costs most: {signed(means[dearest])} bits per byte at the end."
        )
        assert told.endswith("You said so." if name == dearest else f"Your guess, {name} {signed(means[name])}.")


@pytest.mark.parametrize("carried", [False, True])
def test_the_words_count_what_costs_with_every_seed(at, carried):
    page = at(TrainingCurves)
    page.reveal()
    said = turn(page, carried=carried)["said"]
    costs = [costs_at(lr, carried) for lr in RATES]
    assert counted([sum(min(seeds) > 0 for _, seeds in one.values()) for one in costs]) in said
    for one, lr in zip(costs, RATES):
        assert f"{signed(max(mean for mean, _ in one.values()))} at {lr:g}" in said
    unchanged = TrainingCurves(carried=carried).data()["scores"]
    at_rate = unchanged[(unchanged[:, 0] == 0) & (unchanged[:, 1] == RATES.index(TrainingCurves().lr))][:, 3].mean()
    assert f"Unchanged, it ends at {at_rate:.3f} on the whole validation text" in said


def test_before_the_guess_a_change_is_shown_for_a_fifth_of_the_way(at):
    page = at(TrainingCurves)
    turn(page, **ALL)
    ends = page.stage.locator("[data-panel=curves] svg").evaluate(
        "(e) => [...e.querySelectorAll('path')].filter((p) => p.style.strokeWidth > 1 && !p.closest('.live-handle'))"
        ".map((p) => [p.style.strokeWidth, Number(p.getAttribute('d').match(/([\\d.]+) [\\d.]+$/)[1])])"
    )
    longest = max(x for _, x in ends)
    assert sorted(x == longest for _, x in ends) == [False] * 5 + [True], "one of six goes to the end"
    assert page.look()["said"].count("after your guess") == 5
    assert page.stage.locator("[data-panel=costs] svg text", has_text=re.compile(r"[+−]0\.\d")).count() == 0
    fifth = RUNS["steps"][len(RUNS["steps"]) // 5 - 1]
    slider = page.stage.locator("input[type=range][data-trait=mark]")
    slider.evaluate(f"(e) => {{ e.value = {len(RUNS['steps']) // 5 - 1}; e.dispatchEvent(new Event('input')); }}")
    assert "after your guess" not in page.look()["said"] and f"Step {fifth}," in page.look()["said"]
    assert "after your guess" in (slider.press("ArrowRight"), page.look()["said"])[1]
    box = page.stage.locator("[data-panel=curves] svg").bounding_box()
    for share in (0.2, 0.4, 0.6, 0.9):  # of the height, right of the fifth
        page.page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + share * (box["height"] - 70))
        page.look()
        assert page.stage.locator(".live-readout").inner_text().startswith("unchanged[step=")


def values_at(fig, step):
    """{the page's name: the mean over seeds at `step`}."""
    data = fig.data()
    column = data["steps"].tolist().index(step)
    return {label: float(data[name].mean(0)[column]) for name, label in zip(("none", *CHANGES), ("unchanged", *NAMES))}


def labels(page):
    """The texts right of the curves."""
    texts = page.stage.locator("[data-panel=curves] svg text").all_text_contents()
    return [text for text in texts if text.startswith(("unchanged ", *NAMES))]


def nearest(page, y):
    """Whose dot on the marker's line is nearest to the height `y`: dot and label have one colour."""
    marker = page.stage.locator("[data-panel=curves] svg line[stroke-dasharray='2 3']").get_attribute("x1")
    dots = page.stage.locator(f"[data-panel=curves] svg circle[cx='{marker}']:not(.live-reach)").evaluate_all(
        "(all) => all.map((e) => [e.getBoundingClientRect().top + e.getBoundingClientRect().height / 2, e.style.fill])"
    )
    colour = min(dots, key=lambda dot: abs(dot[0] - y))[1]
    texts = page.stage.locator("[data-panel=curves] svg text")
    named = texts.evaluate_all(
        "(all, colour) => all.filter((e) => e.style.fill === colour).map((e) => e.textContent)", colour
    )
    return next(label for label in ("unchanged", *NAMES) for text in named if text.startswith(f"{label} "))


@pytest.mark.parametrize("validation, against", [(False, False), (True, False), (True, True)])
def test_pointer_and_keys_give_every_curves_value_at_the_step(at, validation, against):
    page = at(TrainingCurves)
    page.reveal()
    turn(page, validation=validation, against=against, **ALL)
    fig = TrainingCurves(validation=validation, against=against, **ALL)
    steps = fig.data()["steps"].tolist()
    box = page.stage.locator("[data-panel=curves] svg").bounding_box()
    seen = set()
    for share in (0.25, 0.5):
        page.page.mouse.move(box["x"] + share * box["width"], box["y"] + 0.5 * box["height"])
        page.look()
        words = page.stage.locator(".live-readout").inner_text()
        name, step = re.fullmatch(r"([\w -]+)\[step=(\d+)\] = [−\d.]+ bits per byte", words).groups()
        true = values_at(fig, int(step))
        assert words.split(" = ")[1] == f"{true[name]:.3f} bits per byte".replace("-", "−")
        wanted = {
            f"{label} {signed(v) if against and label != 'unchanged' else f'{v:.3f}'}" for label, v in true.items()
        }
        assert set(labels(page)) == wanted
        assert name == nearest(page, box["y"] + 0.5 * box["height"])
        seen.add(step)
    page.page.mouse.move(2, 2)
    assert len(seen) == 2
    handle = page.stage.locator(".live-handle")
    handle.focus()
    page.press("Home")
    said = page.press("ArrowRight")["said"]
    step = min(steps, key=lambda one: abs(one - RUNS["steps"][1]))
    assert f"Step {step:g}," in said and handle.get_attribute("aria-valuetext") == f"step {RUNS['steps'][1]}"
    for label, value in values_at(fig, step).items():
        assert f"{label} {signed(value) if against and label != 'unchanged' else f'{value:.3f}'}" in said


@pytest.mark.parametrize("screen", ["wide-light", "phone-dark"])
@pytest.mark.parametrize("lr", RATES)
def test_no_label_lies_on_another(at, screen, lr):
    page = at(TrainingCurves, screen)
    page.reveal()
    for state in ({"lr": lr, **ALL}, {"against": True}, {"validation": True}, {"log_loss": False}, {"against": False}):
        turn(page, **state)
        for key in ("Home", "End"):  # the first rows crowd at the top of the axis, the last at its foot
            page.stage.locator("input[type=range][data-trait=mark]").press(key)
            page.look()
            boxes = page.stage.locator("[data-panel=curves] svg text").evaluate_all(
                "(all, names) => all.filter((e) => names.some((n) => e.textContent.startsWith(n + ' '))).map((e) => "
                "[Number(e.getAttribute('y')), e.getBoundingClientRect().right, e.ownerSVGElement.clientHeight])",
                ["unchanged", *NAMES],
            )
            feet = sorted(foot for foot, _, _ in boxes)
            assert len(boxes) == 6 and min(b - a for a, b in pairwise(feet)) >= 13, (state, key)
            assert feet[0] >= 50 and feet[-1] <= boxes[0][2] - 54, (
                state,
                key,
                "beside the axis, not above or below it",
            )
            assert max(right for _, right, _ in boxes) <= page.page.viewport_size["width"] - 8


def test_a_bar_chooses_its_rate_and_shows_its_change(at):
    page = at(TrainingCurves)
    page.stage.locator("[data-panel=costs] svg text", has_text="no clipping").scroll_into_view_if_needed()
    spot = page.stage.locator("[data-panel=costs] svg text", has_text="no clipping").bounding_box()
    page.page.mouse.click(spot["x"] + 30, spot["y"] + 5)
    page.look()
    assert page.stage.locator(".live-guess select").input_value() == "3", "before the answer a click is the guess"
    page.reveal()
    spot = page.stage.locator("[data-panel=costs] svg text", has_text="no clipping").bounding_box()
    page.page.mouse.click(spot["x"] + 60, spot["y"] + 23)  # the first bar below the name: the lowest rate
    page.page.mouse.move(2, 2)
    page.look()
    assert page.stage.locator("[data-trait=no_clip]").is_checked() and page.number("lr") == 0
    page.page.mouse.click(spot["x"] + 20, spot["y"] + 5)
    page.look()
    assert not page.stage.locator("[data-trait=no_clip]").is_checked(), "a click on the name turns the switch"


def test_the_picture_says_that_it_is_a_record(at):
    page = at(TrainingCurves)
    said = page.stage.locator("[data-panel=curves] svg text", has_text="recorded").text_content()
    assert said == f"recorded {RUNS['date']}: {RUNS['device']}, {RUNS['threads']} threads"
