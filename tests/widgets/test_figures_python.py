"""The figures from Python: traits both ways, errors by name, data by hand, and what a notebook keeps of them."""

import base64
import html
import json
import math
import re
import subprocess
import sys
from xml.etree import ElementTree

import pytest
import torch
from traitlets import HasTraits, TraitError

from mamba_edu import widgets
from mamba_edu.plots.style import LIGHT, BookFigure
from mamba_edu.widgets import _theme
from mamba_edu.widgets._traits import Word

FIGURES = [cls for cls in map(widgets.figure_class, widgets._HOME.values())]


@pytest.fixture
def fig():
    return widgets.Selection()


def by_hand(text, selective, weight, bias, n):
    """`Selection.data` as its docstring says it, in floats, each number on its own."""
    data = text.encode()
    u = [{91: 1.0, 93: -1.0}.get(byte, (byte % 7 - 3) / 6) for byte in data]
    z = [bias + (weight if selective and byte in b"[]" else 0.0) for byte in data]
    delta = [math.log1p(math.exp(-abs(x))) + max(x, 0.0) for x in z]
    decay = [[math.exp(-k * d) for k in (1, 2, 3, 4)] for d in delta]
    steps = range(len(data))

    def kept(s, t, k):
        return delta[s] * math.exp(-k * math.fsum(delta[s + 1 : t + 1])) if s <= t else 0.0

    left = [[kept(s, t, n) for s in steps] for t in steps]
    h = [[math.fsum(kept(s, t, k) * u[s] for s in steps) for k in (1, 2, 3, 4)] for t in steps]
    return {"bytes": [float(b) for b in data], "u": u, "delta": delta, "decay": decay, "h": h, "left": left}


CASES = [
    {},
    {"selective": True},
    {"selective": True, "weight": -8, "bias": 4, "state": 4, "text": "[a]"},
    {"selective": True, "weight": 8, "bias": -8, "state": 2, "text": "a]b[[ é, x]]"},
    {"text": "x", "bias": -8},
]


@pytest.mark.parametrize("traits", CASES)
def test_selection_data_is_what_a_hand_computes(traits):
    fig = widgets.Selection(**traits)
    data = fig.data()
    true = by_hand(fig.text, fig.selective, fig.weight, fig.bias, fig.state)
    assert list(data) == list(true)
    for name, values in true.items():
        values = torch.tensor(values, dtype=torch.float64)
        assert data[name].dtype == torch.float64 and data[name].shape == values.shape, name
        assert torch.isfinite(data[name]).all(), name
        off = (data[name] - values).abs().max() / values.abs().max().clamp(min=1e-300)
        assert off <= 1e-12, f"{name}: off by {off:.1e}"


def test_selection_state_is_the_matrix_times_the_input(fig):
    fig.selective, fig.state = True, 3
    data = fig.data()
    torch.testing.assert_close(data["left"] @ data["u"], data["h"][:, 2], rtol=0, atol=1e-12)


WRONG = {
    "weight": [9, -8.1, math.nan, math.inf, "6", True, None],
    "bias": [4.5, "a"],
    "selective": [1, "yes", None],
    "text": ["", "x" * 25, "é" * 13, 7, b"ab", "\ud800"],
    "state": [0, 5, 1.5, True],
    "step": [16, -2, "1"],
    "guess": [24, 16],
}


@pytest.mark.parametrize("name, value", [(name, value) for name, values in WRONG.items() for value in values])
def test_a_wrong_value_is_refused_by_name_and_changes_nothing(name, value):
    fig = widgets.Selection()
    before = fig.snapshot()
    for way in (lambda: setattr(fig, name, value), lambda: widgets.Selection(**{name: value})):
        with pytest.raises(TraitError) as error:
            way()
        said = str(error.value)
        assert f"'{name}'" in said and "expected" in said and (repr(value) in said or str(value) in said), said
    assert fig.snapshot() == before


def test_an_unknown_trait_is_refused_by_name():
    with pytest.raises(TypeError, match=r"Selection takes bias, guess.*got 'wieght'"):
        widgets.Selection(wieght=3)


def test_a_trait_of_words_takes_them_alone():
    class Holder(HasTraits):
        rule = Word("zoh", ("zoh", "euler"))

    holder = Holder(rule="euler")
    for value in ("", "ZOH", "zo", 0, None, True, ["zoh"], "zoh, euler"):
        with pytest.raises(TraitError, match=r"'rule'.*expected one of 'zoh', 'euler'"):
            holder.rule = value
    assert holder.rule == "euler" and holder.trait_names(sync=True) == ["rule"]


def test_a_shorter_text_takes_the_marks_back(fig):
    fig.step, fig.guess = 12, 3
    fig.text = "[abc"
    assert (fig.step, fig.guess) == (-1, 3)
    assert widgets.Selection(text="abc", step=2).step == 2  # checked together, whatever the order


@pytest.mark.parametrize("cls", FIGURES)
def test_every_trait_goes_both_ways(cls):
    """What the screen sends arrives; what Python sets is in the state that goes out."""
    fig = cls()
    names = [name for name in fig.trait_names() if name in vars(cls) or name == "question"]
    assert set(names) <= set(fig.get_state()), "a trait that is not synced"
    assert set(names) == set(fig.figure_traits()) == set(fig.snapshot()) and len(names) > 1
    sent = []
    fig._send = lambda message, buffers=None: sent.append(message)
    fig.comm = fig.comm  # a figure without a kernel keeps its comm
    for name in names:
        value = _another(getattr(fig, name), cls.class_traits()[name])
        fig.set_state({name: value})
        assert getattr(fig, name) == value
        fig.send_state(name)
        assert sent[-1]["state"] == {name: value}


def _another(value, kind):
    if isinstance(kind, Word):
        return next(word for word in kind.choices if word != value)
    low = getattr(kind, "low", None)
    if isinstance(value, bool):
        return not value
    return f"{value[:3]}]" if isinstance(value, str) else value + 1 if value == low else low


def test_json_from_javascript_has_one_kind_of_number(fig):
    fig.set_state({"weight": 3, "state": 2.0, "step": 4})
    assert (fig.weight, fig.state, fig.step) == (3.0, 2, 4) and isinstance(fig.state, int)


@pytest.mark.parametrize("cls", FIGURES)
def test_what_a_notebook_keeps(cls):
    data, _ = cls()._repr_mimebundle_()
    assert list(data) == ["application/vnd.jupyter.widget-view+json", "text/html", "text/plain"]
    page = data["text/html"]
    assert "<script" not in page and "javascript:" not in page
    shape = r'<figure class="live-figure" data-figure="([\w-]+)" data-state="([^"]*)">\s*'
    shape += r'<figcaption class="live-question">([^<]+)</figcaption>\s*'
    shape += r'<div class="live-still"><img src="data:image/svg\+xml;base64,[\w+/=]+" width="\d+" alt="[^"]+"></div>\s*'
    shape += r'<p class="live-note">[^<]+</p>\s*</figure>'
    name, state, question = re.fullmatch(shape, page, re.DOTALL).groups()
    assert widgets.figure_class(name) is cls and html.unescape(question) == cls().question and question.endswith("?")
    assert json.loads(html.unescape(state)) == cls().snapshot()
    assert re.search(r"\d\.\d\d", data["text/plain"]) and len(page.encode()) < 80_000


@pytest.mark.parametrize("cls", FIGURES)
def test_the_kept_form_is_the_same_each_time(cls):
    assert cls().html() == cls().html()


@pytest.mark.parametrize("cls", FIGURES)
def test_the_picture_in_the_kept_form_is_the_still(cls):
    figure = cls()
    source, alt = re.search(r'base64,([^"]*)"[^>]* alt="([^"]*)"', figure.html()).groups()
    kept, still = base64.b64decode(source).decode("utf-8"), figure.still()
    assert html.unescape(alt) == still.alt and f"<title>{html.escape(still.alt, quote=False)}</title>" in kept
    words = [re.findall(r">([^<>\n]+)</text>", svg) for svg in (kept, still.svg())]
    assert words[0] == words[1] and len(words[0]) > 5
    assert not re.search(r" [dxy]=\"[^\"]*\.\d{3}", kept) and not re.search(r"font-family: '", kept)
    ElementTree.fromstring(kept)


def test_the_kept_form_escapes_what_a_reader_types():
    text = "\"><script>'&</figure>"
    page = widgets.Selection(text=text, question="<b>& why?").html()
    assert page.count("<script") == 0 and page.count("</figure>") == 1 and "<b>" not in page
    state = json.loads(html.unescape(re.search(r'data-state="([^"]*)"', page)[1]))
    assert state["text"] == text and page.count('alt="The bytes of') == 1


@pytest.mark.parametrize("traits", [*CASES, {"text": "\x00\n", "selective": True}])
def test_the_still_shows_the_present_state(traits):
    fig = widgets.Selection(**traits)
    still, data = fig.still(), fig.data()
    assert isinstance(still, BookFigure) and still.get_size_inches()[0] <= 4.4
    svg, l = still.svg(), len(data["u"])
    names = re.findall(r">([^<>\n]+)</text>", svg)
    assert {"step t", "state n", "delta"} <= set(names) and not re.search(r"nan|inf\b", svg)
    assert f"Delta runs from {data['delta'].min():.2f} to {data['delta'].max():.2f}" in still.alt
    row = data["left"][-1]
    assert f"is made of {row.max():.2f} times byte {int(row.argmax())}" in still.alt
    assert sum(len(ax.get_xticks()) for ax in still.axes) == 3 * l
    assert LIGHT["delta"] in svg
    phone = 352 / (4.4 * 72)  # pixels a point, on a screen of 390
    for size, words in re.findall(r'<text style="font-size: ([\d.]+)px[^>]*>([^<]+)<', svg):
        hex_digits = re.fullmatch(r"[0-9a-f]{2}", words)
        assert float(size) * phone >= (7 if hex_digits else 10), (words, size)


def test_the_still_marks_the_step():
    figures = [widgets.Selection(selective=True, step=step).still() for step in (-1, 15, 4)]
    assert figures[0].svg() == figures[1].svg() != figures[2].svg()
    assert "At step 4, '['" in figures[2].alt


def test_a_home_in_the_dark_sees_the_dark_colours():
    css = _theme.theme_css()
    light, dark = re.findall(r"\{(--ss-[^}]*)\}", css)
    assert f"--ss-h:{LIGHT['h']};" in light and "--ss-h:#f2a65a;" in dark and "color-scheme:dark" in dark
    assert ":root" not in css, "the notebook around the figure keeps its own look"


def fresh(code):
    """What a new Python process prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_room_opens_without_a_kernel_and_without_heavy_packages():
    code = "import sys\nfrom mamba_edu import widgets\nprint(*{n.split('.')[0] for n in sys.modules})"
    assert not set(fresh(code).split()) & {"anywidget", "ipywidgets", "matplotlib", "torch"}
    code = "from mamba_edu import widgets\nfig = widgets.Selection()\n"
    code += "print(fig.data()['h'].shape, len(fig.html()) > 1000)"
    assert fresh(code) == "torch.Size([16, 4]) True"


def test_without_anywidget_one_error_says_what_to_install():
    code = "import sys\nsys.modules['anywidget'] = None\nfrom mamba_edu import widgets\n"
    code += "try:\n    widgets.Selection\nexcept ImportError as error:\n    print(error)"
    assert re.fullmatch(r'the live figures need anywidget: pip install "anywidget>=[\d.]+" .*', fresh(code))


def test_an_unknown_figure_is_named():
    with pytest.raises(ValueError, match=r"one of 'selection'.*got 'selektion'"):
        widgets.figure_class("selektion")
    with pytest.raises(AttributeError, match="Selektion"):
        widgets.Selektion  # noqa: B018
