"""A live figure alone on a page from the disk; what is seen there is `figure_page.js`'s business.

Everything goes by what stands in the page, so that a new figure is tested as soon as `mamba_edu.widgets` names it.
"""

import functools
import json
import sys
from pathlib import Path

import pytest
import torch
from core_page import difference

from mamba_edu import widgets
from mamba_edu.widgets import _bundle
from mamba_edu.widgets._traits import Word

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "book" / "_ext"))

import _palette

ROOT = Path(__file__).resolve().parents[2]
FIGURES = [getattr(widgets, name) for name in widgets.__all__ if name != "figure_class"]
FOLDER = _bundle.FOLDER  # of the JavaScript and the styles under test
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
SCREENS = {  # width, theme, touch
    "wide-light": (1280, "light", False),
    "wide-dark": (1280, "dark", False),
    "phone-light": (390, "light", True),
    "phone-dark": (390, "dark", True),
}
READY = 'figure.live-figure[data-ready="true"]'
figures = pytest.mark.parametrize("cls", FIGURES, ids=lambda cls: cls.__name__)
_EYES = Path(__file__).with_suffix(".js")
_PAGE = """<!doctype html>
<html lang="en" data-theme="{theme}"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{css}
body {{ max-width: 45rem; margin: 20px auto; padding: 0 20px; background: var(--ss-paper); font-size: 18px; }}
</style></head><body><main><h1>{title}</h1>{figures}</main>
<script>{kit}</script><script>{script}</script></body></html>"""


@functools.cache
def page_html(cls, theme="light", count=1):
    """`count` equal figures on a page like the book's: its colours, the kit, the figure's script."""
    css = _palette.palette_css() + (FOLDER / "kit.css").read_text(encoding="utf-8")
    scripts = {"kit": _bundle.kit_script(FOLDER), "script": _bundle.figure_script(cls.name, FOLDER)}
    return _PAGE.format(theme=theme, title=cls.name, css=css, figures=cls().html() * count, **scripts)


def write_page(file, *args):
    """`page_html(*args)` as a file, beside it the data that the figure will ask for."""
    file.write_text(page_html(*args), encoding="utf-8")
    if args[0].file:
        file.with_name(f"{args[0].file}.js").write_text(_bundle.data_script(args[0].file, FOLDER), encoding="utf-8")


class FigurePage:
    """A page with `count` copies of the figure, opened from the disk and drawn; `complaints`: what the console said."""

    def __init__(self, context, folder, cls, theme="light", count=1):
        self.cls, self.complaints = cls, []
        file = Path(folder) / f"{cls.name}-{theme}-{count}.html"
        write_page(file, cls, theme, count)
        self.page = page = context.new_page()
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.add_init_script(path=_EYES)
        page.goto(file.as_uri())
        page.locator(READY).nth(count - 1).wait_for(timeout=10_000)
        self.figure, self.stage = page.locator("figure.live-figure").first, page.locator(".live-stage").first

    def look(self, i=0):
        """The figure once it is drawn, {drawing, words, state}; AssertionError for NaN, a complaint, a wide page."""
        seen = self.page.evaluate("(i) => eyes.look(i)", i)
        assert seen.pop("wrong") == [], seen["state"]
        assert self.complaints == [], seen["state"]
        return seen

    def all(self, selector):
        return self.stage.locator(selector).all()

    def press(self, *keys):
        """Keys to what has the focus; then look."""
        for key in keys:
            self.page.keyboard.press(key)
        return self.look()

    def number(self, trait):
        """The number of a trait's control: a slider's or a list's value, the index of a choice."""
        return self.page.evaluate("(trait) => eyes.number(trait)", trait)

    def spec(self, expression):
        """A value of the figure's own description, e.g. "spec.traits"."""
        return self.page.evaluate(
            "([name, code]) => new Function('spec', `return ${code}`)(SelectiveState.figures[name].spec)",
            [self.cls.name, expression],
        )

    def reveal(self, on=True):
        """Show the answer, or hide it again, where the figure asks for a guess."""
        button = self.stage.locator(".live-show")
        if button.count() and (button.inner_text() == "Guess again") != on:
            button.click()
        return self.look()

    def reset(self, revealed=False):
        """Back to the opening state, its answer shown or hidden."""
        self.stage.locator(".live-reset").click()
        self.look()  # the button for the answer says what it would do once that is drawn
        return self.reveal(revealed)

    def put(self, **state):
        """Set sliders, and choices by their value, as a hand would; then look."""
        for trait, value in state.items():
            controls = self.stage.locator(f'input[data-trait="{trait}"]')
            if controls.first.get_attribute("type") == "radio":
                options = self.spec(f"spec.controls.find((one) => one.trait === {json.dumps(trait)}).options")
                choice = [one for one, *_ in options].index(value)
                self.stage.locator(f"label[for='{controls.nth(choice).get_attribute('id')}']").click()
            else:
                controls.evaluate("(e, value) => { e.value = value; e.dispatchEvent(new Event('input')); }", value)
        return self.look()

    def marks(self, panel, selector="svg"):
        """What a panel holds."""
        return self.stage.locator(f'[data-panel="{panel}"] {selector}')

    def enable(self, control):
        """Turn the choices until the control can be used."""
        for label in self.all(".live-segments label"):
            if control.is_enabled():
                return
            label.click()
            self.look()
        assert control.is_enabled(), f"nothing enables {control.get_attribute('data-trait')}"


def close(got, true):
    """Finite, and within 1e-9 of the largest true value. got: a tensor, or what a page has computed. true: a tensor."""
    off = difference(got.tolist() if isinstance(got, torch.Tensor) else got, true)
    assert off <= 1e-9, f"off by {off:.1e}"


def differ(one, other, what, *parts):
    """The drawing, and of "words" the text alternative, is not the same in two looks."""
    for part in ("drawing", *parts):
        assert one[part] != other[part], f"{what}: the {part} stood still"


def another(cls, trait):
    """A value that the trait may have and does not have at the start."""
    kind, now = cls.class_traits()[trait], getattr(cls(), trait)
    if isinstance(now, bool):
        return not now
    if isinstance(kind, Word):
        return next(word for word in kind.choices if word != now)
    if isinstance(now, str):
        return f"]{now[1:]}" if not now.startswith("]") else f"[{now[1:]}"
    if isinstance(now, int):
        return now + 1 if now < kind.high else now - 1
    return kind.high if now != kind.high else kind.low


if __name__ == "__main__":
    if sys.argv[1:2] not in [[cls.__name__] for cls in FIGURES]:
        sys.exit(f"which figure? {', '.join(cls.__name__ for cls in FIGURES)}; `dark` after it turns the theme")
    out = ROOT / "_build" / f"{sys.argv[1]}.html"
    out.parent.mkdir(exist_ok=True)
    write_page(out, getattr(widgets, sys.argv[1]), *sys.argv[2:3])
    print(out.as_uri())
