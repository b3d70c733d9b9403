"""Every live figure in a browser: each control by keyboard, mouse and finger, to its ends, and back to the start."""

import pytest
from figure_page import SCREENS, differ, figures

# ---- keyboard ------------------------------------------------------------------------------------------------------

FOCUS = """() => { const e = document.activeElement; return e.closest(".live-stage") ? [e.id, e.dataset.handle ?? "",
  e.dataset.trait ?? "", e.textContent].join("/") : null; }"""
TABBABLE = """(stage) => [...stage.querySelectorAll("button, input, select, [tabindex='0']")]
  .filter((e) => !e.disabled && e.getClientRects().length && (e.type !== "radio" || e.checked))
  .map((e) => [e.id, e.dataset.handle ?? "", e.dataset.trait ?? "", e.textContent].join("/"))"""


@figures
def test_tab_goes_through_all_of_it(cls, at):
    page = at(cls)
    wanted = page.stage.evaluate(TABBABLE)
    met = []
    for _ in wanted:
        page.page.keyboard.press("Tab")
        met.append(page.page.evaluate(FOCUS))
    assert met == wanted, "in the order in which they stand, and nothing between them"


@figures
@pytest.mark.parametrize("screen, revealed", [("wide-light", False), ("phone-dark", True)])
def test_each_control_by_keyboard(cls, screen, revealed, at):
    page = at(cls, screen)
    for kind, turn in {"input[type=range]": by_keyboard_range, "fieldset": by_keyboard_choice,
                       "select": by_keyboard_list, "input[type=text]": by_keyboard_text}.items():  # fmt: skip
        for control in page.all(kind):
            page.reset(revealed)
            turn(page, control)
    for switch in page.all("input[type=checkbox]"):
        page.reset(revealed)
        by_keyboard_switch(page, switch)


def by_keyboard_range(page, control):
    page.enable(control)
    trait, low, high, step = control.evaluate("(e) => [e.dataset.trait, +e.min, +e.max, +e.step]")
    control.focus()
    page.press("End")
    first = page.press("Home")
    assert page.number(trait) == low
    page.press("ArrowRight")
    assert page.number(trait) == pytest.approx(low + step)
    differ(first, page.press("PageUp"), f"{trait}, a tenth of its way,")
    last = page.press("End")
    assert page.number(trait) == high
    differ(first, last, trait, "words", "said")
    page.press("ArrowLeft")
    assert page.number(trait) == pytest.approx(high - step)
    differ(last, page.press("PageDown"), f"{trait}, a tenth of its way back,")


def by_keyboard_list(page, select):
    select.focus()
    first, last = page.press("Home"), page.press("End")
    differ(first, last, "the list")
    assert select.evaluate("(e) => e.selectedIndex === e.options.length - 1")
    differ(last, page.press("ArrowUp"), "the list's arrow")


def by_keyboard_choice(page, group):
    inputs = group.locator("input").all()
    group.locator("input:checked").focus()
    seen = [page.look()]
    for _ in inputs[1:]:
        seen.append(page.press("ArrowRight"))
        differ(seen[-2], seen[-1], "a choice", "words")
    back = page.press("ArrowRight")  # once round
    assert back["state"] == seen[0]["state"] and back["drawing"] == seen[0]["drawing"]


def by_keyboard_switch(page, switch):
    on = switch.is_checked()
    switch.focus()
    before = page.look()
    turned = page.press("Space")
    differ(before, turned, switch.get_attribute("data-trait"), "words")
    assert switch.is_checked() != on
    assert page.press("Space") == before, "turned twice it is what it was"


def by_keyboard_text(page, control):
    longest = control.evaluate("(e) => eyes.longest(e)")
    control.focus()
    before = page.press("Control+a")
    page.page.keyboard.type("[" * longest)
    full = page.look()
    differ(before, full, "the text", "words")
    assert control.get_attribute("aria-invalid") == "false"
    error = page.stage.locator(f"#{control.get_attribute('aria-describedby')}")
    too_long = page.press("[")
    assert control.get_attribute("aria-invalid") == "true" and str(longest) in error.inner_text()
    empty = page.press("Control+a", "Delete")
    assert control.get_attribute("aria-invalid") == "true" and error.inner_text()
    assert full["drawing"] == too_long["drawing"] == empty["drawing"], "what is wrong changes nothing"
    page.page.keyboard.type("é")
    short = page.look()
    assert control.get_attribute("aria-invalid") == "false" and not error.inner_text()
    differ(full, short, "the text of one letter", "words")


@figures
@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_each_button_by_keyboard(cls, key, at):
    page = at(cls)
    for button in page.all(".live-presets button:not(.live-reset), .live-show"):
        button.focus()
        before = page.look()
        differ(before, page.press(key), button.inner_text(), "words")


# ---- pointer -------------------------------------------------------------------------------------------------------


@figures
@pytest.mark.parametrize("screen, revealed", [("wide-dark", True), ("phone-light", False)])
def test_each_control_by_pointer(cls, screen, revealed, at):
    page = at(cls, screen)
    touch = SCREENS[screen][2]
    for control in page.all("input[type=range]"):
        page.reset(revealed)
        page.enable(control)
        (by_finger_range if touch else by_mouse_range)(page, control)
    for label in page.all(".live-segments label"):
        before, chosen = page.look(), label.evaluate("(e) => e.control.checked")
        label.tap() if touch else label.click()
        after = page.look()
        assert label.evaluate("(e) => e.control.checked")
        if not chosen:
            differ(before, after, label.inner_text(), "words")
    for label in page.all(".live-switch"):
        before, on = page.look(), label.locator("input").is_checked()
        label.tap() if touch else label.click()
        differ(before, page.look(), label.inner_text(), "words")
        assert label.locator("input").is_checked() != on
    page.reset(revealed)
    for select in page.all("select"):
        before = page.look()
        for end in select.evaluate("(e) => [e.options[1].value, e.options[e.options.length - 1].value]"):
            select.select_option(end)
            after = page.look()
            differ(before, after, "the list")
            before = after


def by_finger_range(page, control):
    trait, low, high = control.evaluate("(e) => [e.dataset.trait, +e.min, +e.max]")
    box, seen = control.bounding_box(), []
    for x, end in [(box["width"] - 2, high), (2, low)]:
        control.tap(position={"x": x, "y": box["height"] / 2})
        seen.append(page.look())
        assert page.number(trait) == end
    differ(*seen, f"{trait} by finger", "words")


def by_mouse_range(page, control):
    """Pressed at the low end of the track, drawn to its middle and beyond the high end: drawn all the way, too."""
    trait, low, high = control.evaluate("(e) => [e.dataset.trait, +e.min, +e.max]")
    control.scroll_into_view_if_needed()
    box, mouse, seen = control.bounding_box(), page.page.mouse, []
    y = box["y"] + box["height"] / 2
    mouse.move(box["x"] + 2, y)
    mouse.down()
    for share in (0, 0.5, 1.2):
        mouse.move(box["x"] + 2 + share * box["width"], y, steps=2)
        seen.append(page.look())
        assert {0: page.number(trait) == low, 1.2: page.number(trait) == high}.get(
            share, low < page.number(trait) < high
        )
    mouse.up()
    mouse.move(2, 2)
    differ(seen[0], seen[1], f"{trait} by mouse to its middle")
    differ(seen[0], seen[2], f"{trait} by mouse", "words")


# ---- handles -------------------------------------------------------------------------------------------------------


KEYS = {  # where they point, in pixels to the right and down
    "ArrowRight": (1, 0), "ArrowLeft": (-1, 0), "ArrowUp": (0, -1), "ArrowDown": (0, 1),
    "PageUp": (0, -1), "PageDown": (0, 1),
}  # fmt: skip
TO_THE_MIDDLE = """(stage, trait) => {
  const twin = stage.querySelector(`:is(select, input)[data-trait="${trait}"]`);
  if (twin.type === "range") twin.value = (Number(twin.min) + Number(twin.max)) / 2;
  else twin.selectedIndex = Math.floor(twin.options.length / 2);
  twin.dispatchEvent(new Event(twin.type === "range" ? "input" : "change"));
}"""


def handle_names(page):
    return page.stage.evaluate("(s) => [...s.querySelectorAll('.live-handle')].map((e) => e.dataset.handle)")


def each_handle(page, act):
    """Do `act(handle, its name)` with every handle that any choice and the answer bring; returns their names."""
    done = set()

    def those_here():
        for name in handle_names(page):
            if name not in done:
                done.add(name)
                act(page.stage.locator(f'.live-handle[data-handle="{name}"]'), name)

    for revealed in (False, True):
        page.reveal(revealed)
        those_here()
        for label in page.all(".live-segments label"):
            label.click()
            page.look()
            those_here()
    return done


def assert_twin(page, handle, name):
    """Handle and native control stand at the same value, within the control's rounding."""
    trait, low, high, now = handle.evaluate(
        "(e) => [e.dataset.trait, ...['min', 'max', 'now'].map((k) => +e.getAttribute(`aria-value${k}`))]"
    )
    assert low <= now <= high, name
    step = page.stage.locator(f'[data-trait="{trait}"]').last.evaluate("(e) => Number(e.step) || 1")
    twin = page.number(trait)
    offs = [abs(twin - now), abs(twin - (low + high - now))]  # the second where more lies to the left
    assert min(offs) <= step / 2 + 1e-9 or (twin == -1 and now == low), f"{name} at {now}, its twin at {twin}"
    return twin


def trait_of(handle, axis):
    """The trait that a handle turns along an axis: `rise` is that of a handle in a plane, upwards."""
    return (axis and handle.get_attribute("data-rise")) or handle.get_attribute("data-trait")


def knob(handle):
    return handle.locator(".live-knob").evaluate(
        "(e) => (({left, right, top, bottom}) => [(left + right) / 2, (top + bottom) / 2])(e.getBoundingClientRect())"
    )


@figures
def test_each_handle_by_mouse(cls, at):
    page = at(cls)
    mouse = page.page.mouse

    def drag(handle, name):
        page.stage.evaluate(TO_THE_MIDDLE, handle.get_attribute("data-trait"))
        page.look()
        moved = {}
        for axis in (0, 1):
            for way in (-60, 60, 3000):
                before, start, twin = page.look(), knob(handle), page.number(trait_of(handle, axis))
                target = [start[0] + way * (axis == 0), start[1] + way * (axis == 1)]
                mouse.move(*start)
                mouse.down()
                mouse.move(*target, steps=2)
                after = page.look()
                mouse.up()
                mouse.move(2, 2)
                shift = knob(handle)[axis] - start[axis]
                assert shift * way >= 0, f"{name} runs away from the mouse"
                assert_twin(page, handle, name)
                if page.number(trait_of(handle, axis)) != twin:
                    differ(before, after, f"{name} by mouse", "words")
                    moved[axis, way > 0] = True
        axes = 2 if handle.get_attribute("data-rise") else 1
        assert len({axis for axis, _ in moved}) == axes and len(moved) == 2 * axes, f"{name} by mouse: {list(moved)}"

    each_handle(page, drag)


@figures
def test_each_handle_by_finger(cls, at):
    page = at(cls, "phone-dark")
    fingers = page.page.context.new_cdp_session(page.page)

    def touch(kind, *points):
        points = [{"x": x, "y": y} for x, y in points]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def drag(handle, name):
        handle.evaluate("(e) => e.scrollIntoView({ block: 'center' })")  # it may go down and stay on the screen
        trait = handle.get_attribute("data-trait")
        seen, at_first = {page.number(trait)}, page.page.evaluate("scrollY")
        for dx, dy in [(90, 0), (-180, 0), (0, 60), (0, -120)]:
            x, y = knob(handle)
            touch("touchStart", (x + 12, y + 12))  # beside the knob, inside its 44 px
            touch("touchMove", (x + 12 + dx / 2, y + 12 + dy / 2))
            touch("touchMove", (x + 12 + dx, y + 12 + dy))
            touch("touchEnd")
            page.look()
            seen.add(assert_twin(page, handle, name))
        assert len(seen) >= 2, f"{name} does not follow the finger"
        assert page.page.evaluate("scrollY") == at_first, "the page scrolls under the finger"

    each_handle(page, drag)


@figures
def test_each_handle_by_keyboard(cls, at):
    page = at(cls)

    def keys(handle, name):
        low, high = handle.evaluate("(e) => ['min', 'max'].map((k) => +e.getAttribute(`aria-value${k}`))")
        now = lambda: float(handle.get_attribute("aria-valuenow"))  # noqa: E731
        handle.focus()
        last = page.press("End")
        assert now() == pytest.approx(high)
        says = handle.get_attribute("aria-valuetext")
        first = page.press("Home")
        assert now() == pytest.approx(low) and handle.get_attribute("aria-valuetext") != says
        differ(first, last, f"{name} from end to end", "words")
        page.stage.evaluate(TO_THE_MIDDLE, handle.get_attribute("data-trait"))
        for key, way in KEYS.items():
            trait = trait_of(handle, 0 if way[0] else 1)
            before, value, number, place = page.look(), now(), page.number(trait), knob(handle)
            differ(before, page.press(key), f"{name} by {key}")
            assert_twin(page, handle, name)
            assert low <= now() <= high and page.number(trait) != number
            assert (now() != value) == (trait == handle.get_attribute("data-trait")), f"{name}: {key} turns the other"
            moved = [b - a for a, b in zip(place, knob(handle))]
            if any(moved[axis] and way[axis] for axis in (0, 1)):  # a key across its way may push it either way
                assert sum(m * w for m, w in zip(moved, way)) > 0, f"{name}: {key} pushes it the other way"
            assert moved != [0, 0], f"{name} by {key}"
        assert handle.evaluate("(e) => e === document.activeElement"), "the focus is lost on the way"

    each_handle(page, keys)
