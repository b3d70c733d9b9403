"""The figures' JavaScript in a real browser."""

import pytest
import torch
from core_page import CorePage, difference
from figure_page import SCREENS, FigurePage


@pytest.fixture(scope="module")
def core(browser):
    """core.js as an ES module in a page; see `CorePage`."""
    context = browser.new_context()
    yield CorePage(context.new_page())
    context.close()


@pytest.fixture(scope="module")
def call(browser, request):
    """call(expression, value) -> what `expression` makes of `value` and of what the test file's IMPORTS name."""
    page = CorePage(browser.new_page()).page
    code = f"async ([expression, value]) => {{ {request.module.IMPORTS} return eval(`(${{expression}})`); }}"
    yield lambda expression, value=None: page.evaluate(code, [expression, value])
    page.close()


@pytest.fixture
def hold(core, record_property):
    """hold(name, cases, wants): every result of core.js's `name` is within 1e-9 of the largest value of PyTorch's.

    wants: a tensor or a number for each case, or a dict of them for a result of several arrays.
    """

    def check(name, cases, wants):
        worst = {}
        for case, (got, want) in enumerate(zip(core.call(name, cases), wants, strict=True)):
            pairs = {k: (got[k], want[k]) for k in want} if isinstance(want, dict) else {"": (got, want)}
            assert not isinstance(want, dict) or set(got) == set(want), f"{name} returns {sorted(got)}"
            for part, (mine, true) in pairs.items():
                try:
                    off = difference(mine, true)
                except AssertionError as problem:
                    raise AssertionError(f"{name} {part}, case {case}: {problem}") from None
                assert off <= 1e-9, f"{name} {part}, case {case}: off by {off:.1e} of the largest value"
                worst[part] = max(worst.get(part, 0.0), off)
        record_property(name, {"cases": len(cases), **worst})

    return check


@pytest.fixture
def draw():
    """draw(*shape) -> normal float64, the same in every run; draw.between(low, high, *shape) is log-uniform."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    def between(low, high, *shape):
        return low * (high / low) ** torch.rand(*shape, generator=generator, dtype=torch.float64)

    normal.between = between
    return normal


@pytest.fixture(scope="module")
def contexts(browser):
    """The screens on which the figures are tested, by their names in `SCREENS`."""
    made = {}
    for name, (width, theme, touch) in SCREENS.items():
        size = {"width": width, "height": 844 if touch else 1400}
        made[name] = browser.new_context(viewport=size, color_scheme=theme, has_touch=touch, is_mobile=touch)
    yield made
    for context in made.values():
        context.close()


@pytest.fixture
def at(contexts, tmp_path):
    """at(cls, screen, count=1) -> a fresh `FigurePage`; when the test ends, its console must have been silent."""
    pages = []

    def open_page(cls, screen="wide-light", count=1):
        pages.append(FigurePage(contexts[screen], tmp_path, cls, SCREENS[screen][1], count))
        return pages[-1]

    yield open_page
    said = [line for page in pages for line in page.complaints]
    for page in pages:
        page.page.close()
    assert said == []
