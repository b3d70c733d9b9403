"""`bits-per-byte`: prices by hand, in Python and in the page alike; the text that is cut; the data that are fetched."""

import math
import random
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from core_page import difference
from figure_page import READY, FigurePage, write_page
from traitlets import TraitError

from mamba_edu.widgets import BitsPerByte, _bundle
from mamba_edu.widgets._counts import byte_counts

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "book" / "_ext"))

import book_live

ROUND = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
LINK = "by [[Johann Most]] in the"


def price_by_hand(data, t, order):
    """(known, p) of byte t: Witten and Bell's rule from the shortest context to the longest that is kept."""
    p, known = 1 / 256, 0
    for k in range(min(order, t) + 1):
        context = byte_counts().contexts[k].get(int.from_bytes(data[t - k : t], "big"))
        if context is None:
            break
        known = k
        counted = dict(zip(context.following, context.counts, strict=True)).get(data[t], 0)
        p = (counted + context.rest * p) / (sum(context.counts) + context.rest)
    return known, p


TEXTS = [LINK, "x", "\x00\x01", "Athens (Αθήνα)", "日本語 🐍", "q7#Xv~Zk)R2wJ|m", "the of the " * 18, "é" * 100]


@pytest.mark.parametrize("order", range(4))
@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text[:8].encode("unicode_escape").decode())
def test_data_is_what_a_hand_computes(text, order):
    data = text.encode()
    drawn = BitsPerByte(text=text, order=order).data()
    assert drawn["bytes"].tolist() == list(data) and all(v.dtype == torch.float64 for v in drawn.values())
    pairs = [price_by_hand(data, t, order) for t in range(len(data))]
    assert drawn["known"].tolist() == [known for known, _ in pairs]
    assert drawn["p"].tolist() == pytest.approx([p for _, p in pairs], rel=1e-12)
    assert drawn["bits"].tolist() == pytest.approx([-math.log2(p) for _, p in pairs], rel=1e-12)
    assert drawn["alone"].tolist() == pytest.approx(
        [-math.log2(price_by_hand(data, t, 0)[1]) for t in range(len(data))]
    )
    for k in range(4):
        bits = [-math.log2(price_by_hand(data, t, k)[1]) for t in range(len(data))]
        assert drawn["means"][k].item() == pytest.approx(math.fsum(bits) / len(bits), rel=1e-12)


def test_next_are_the_likeliest_of_the_marked_byte():
    for step in (0, 4, 15, -1):
        table = BitsPerByte(step=step).data()["next"]
        before = LINK.encode()[: step % 25]
        every = {byte: price_by_hand(before + bytes([byte]), len(before), 3)[1] for byte in range(256)}
        best = sorted(every, key=lambda byte: (-every[byte], byte))[:6]
        assert table[:, 0].tolist() == best
        assert table[:, 1].tolist() == pytest.approx([every[byte] for byte in best], rel=1e-12)


def test_the_chapters_numbers():
    """By frequency the J is dearest; three bytes back it is the first `]`, because the bracket opened further away."""
    for order, dearest, bits in [(0, "J", 10.6), (3, "]", 7.0)]:
        drawn = BitsPerByte(order=order).data()
        at = int(drawn["bits"].argmax())
        assert LINK[at] == dearest and drawn["bits"][at].item() == pytest.approx(bits, abs=0.05)
        assert LINK[at + 1] == "o" or drawn["bits"][at + 1] < 0.1, "the second bracket is almost free"
    again = BitsPerByte(text="abracadabra abracadabra abracadabra").data()["bits"]
    assert torch.equal(again[15:23], again[27:35]), "it learns nothing from the text"
    assert BitsPerByte(text="q7#Xv~Zk)R2wJ|m").data()["means"][3] > 8


WRONG = {
    "text": ["", "x" * 201, "é" * 101, b"x", None],
    "order": [4, -1, 1.5, True],
    "step": [25, -2],
    "guess": [200, 25],
}


@pytest.mark.parametrize("name, value", [(name, value) for name, values in WRONG.items() for value in values])
def test_a_wrong_value_is_refused_by_name(name, value):
    figure = BitsPerByte()
    before = figure.snapshot()
    with pytest.raises(TraitError, match=rf"'{name}' trait of a BitsPerByte .*expected"):
        setattr(figure, name, value)
    assert figure.snapshot() == before


def test_a_shorter_text_takes_the_marks_back():
    figure = BitsPerByte(step=12, guess=3)
    figure.text = "[abc"
    assert (figure.step, figure.guess) == (-1, 3)


@pytest.mark.parametrize("text", TEXTS)
def test_the_still_tells_the_same(text, recwarn):
    figure = BitsPerByte(text=text, order=2)
    data, still = figure.data(), figure.still()
    svg = still.svg()
    assert [str(w.message) for w in recwarn] == [], "a letter that the picture's font lacks is the page's to draw"
    assert f"to {data['bits'].max():.2f}, the dearest is byte {int(data['bits'].argmax())}" in still.alt
    for mean in data["means"].tolist():
        assert f"{mean:.2f} with" in still.alt
    assert re.findall(r">(\d+\.\d\d)</text>", svg) == [f"{mean:.2f}" for mean in data["means"].tolist()]
    assert not re.search(r"nan|inf\b", svg) and still.get_size_inches()[0] <= 4.4
    phone = 352 / (4.4 * 72)  # pixels a point, on a screen of 390
    for size, words in re.findall(r'<text style="font-size: ([\d.]+)px[^>]*>([^<]+)<', svg):
        assert float(size) * phone >= (7 if re.fullmatch(r"[0-9a-f]{2}", words) else 10), (words, size)


# ---- in the page ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def context(browser):
    made = browser.new_context(viewport={"width": 1280, "height": 1400})
    yield made
    made.close()


@pytest.fixture
def page(context, tmp_path):
    opened = FigurePage(context, tmp_path, BitsPerByte)
    yield opened
    opened.page.close()
    assert opened.complaints == []


def texts_by_chance(count):
    draw = random.Random(0)
    signs = [*map(chr, range(32, 127)), *"éöß–“”αΩЖ日🐍", *["[[", "]]", "the ", " of ", "&quot;", "ing "] * 4]
    for _ in range(count):
        text = "".join(draw.choice(signs) for _ in range(draw.randrange(1, 40)))
        length = len(text.encode())
        if length <= 200:
            yield {"text": text, "order": draw.randrange(4), "step": draw.randrange(-1, length)}


def test_the_page_computes_what_python_does(page, record_property):
    states = [*({"text": text, "order": k, "step": -1} for text in TEXTS for k in range(4)), *texts_by_chance(80)]
    names = list(BitsPerByte().data())
    code = """([states, names]) => states.map((s) => {
      const d = SelectiveState.figures["bits-per-byte"].spec.compute(s);
      return Object.fromEntries(names.map((name) => [name, d[name]]));
    })"""
    worst = {}
    for state, got in zip(states, page.page.evaluate(code, [states, names]), strict=True):
        for name, true in BitsPerByte(**state).data().items():
            worst[name] = max(worst.get(name, 0.0), difference(got[name], true))
    record_property("largest differences", worst)
    assert max(worst.values()) <= 1e-9, worst
    assert worst["bytes"] == worst["known"] == 0


def field(page):
    control = page.stage.locator("input[type=text]")
    return control, page.stage.locator(f"#{control.get_attribute('aria-describedby')}")


@pytest.mark.parametrize(
    "text, length, shown",
    [("a" * 300, 300, 200), ("a" * 199 + "é", 201, 199), ("🐍" * 51, 204, 200), ("日" * 67, 201, 198)],
    ids=["letters", "é would be cut", "snakes", "third byte"],
)
def test_too_long_a_text_is_cut_between_characters_and_says_so(page, text, length, shown):
    control, error = field(page)
    control.fill(text)
    page.look()
    assert f"1 to 200 bytes; this has {length}, and its first {shown} are shown" in error.inner_text()
    assert control.input_value() == text and control.get_attribute("aria-invalid") == "true"
    assert f"as it stands, {shown} bytes" in page.stage.locator(".live-words").inner_text()
    names = page.stage.locator("[data-panel=prices] text.live-mono").all_text_contents()
    assert len(names) == shown
    page.stage.locator(".live-reset").click()
    page.look()
    assert control.input_value() == LINK and not error.inner_text()


def test_no_text_leaves_what_was_there_and_says_so(page):
    before = page.look()
    control, error = field(page)
    control.fill("")
    assert page.look()["drawing"] == before["drawing"] and "this has none" in error.inner_text()


def test_a_character_stands_under_its_bytes(page):
    field(page)[0].fill("aé日")
    page.look()
    boxes = {}
    for text in page.all("[data-panel=prices] text"):
        box = text.bounding_box()
        boxes[text.text_content()] = (box["x"] + box["width"] / 2, box["y"])
    for letter in "é日":
        codes = [f"{byte:02x}" for byte in letter.encode()]
        middle = (boxes[codes[0]][0] + boxes[codes[-1]][0]) / 2
        assert boxes[letter][0] == pytest.approx(middle, abs=1) and boxes[letter][1] > boxes[codes[0]][1]


def hidden(page):
    """All that is written in the two panels which would tell the answer."""
    return {panel: page.stage.locator(f"[data-panel={panel}] text").all_text_contents() for panel in ("prices", "next")}


def test_the_answer_names_the_bracket(page):
    words, verdict = page.stage.locator(".live-words"), page.stage.locator(".live-verdict")
    assert "7.02" not in words.inner_text()
    assert hidden(page) == {"prices": ["8 bits", *LINK.replace(" ", "␣"), "mean 4.94"], "next": ["after your guess"]}
    orders = page.stage.locator("[data-panel=orders] text").all_text_contents()
    assert "4.94" in orders and orders.count("after your guess") == 3 and "2.43" not in orders
    page.stage.locator(".live-guess select").select_option("5")
    page.reveal()
    assert verdict.inner_text() == "The dearest is “]” (t = 16), 7.02 bits. Your guess, “J” (t = 5), costs 5.38."
    assert "takes 60.7 bits, 7.59 bytes; as it stands, 25 bytes" in words.inner_text()
    tested = page.stage.locator("[data-panel=orders] text").all_text_contents()
    about = byte_counts().about
    for kind in ("bits_per_byte_kept", "bits_per_byte_full"):
        assert all(f"{bits:.2f}" in tested for bits in about[kind].values())
    assert f"kept {about['contexts']['kept'][3]:,} of 59,927 contexts of three bytes." in tested


def test_before_the_guess_a_click_guesses_then_it_marks(page):
    box = page.stage.locator("[data-panel=prices] text.live-mono", has_text="J").bounding_box()
    page.page.mouse.click(box["x"] + 3, box["y"] + 3)
    page.look()
    assert page.stage.locator(".live-guess select").input_value() == "5" and page.number("step") == 24
    page.reveal()
    box = page.stage.locator("[data-panel=prices] text.live-mono", has_text="M").bounding_box()
    page.page.mouse.click(box["x"] + 3, box["y"] + 3)
    page.page.mouse.move(2, 2)
    page.look()
    assert page.number("step") == 12
    title = page.stage.locator("[data-panel=next] .live-title").inner_text()
    assert title == "What may come at t = 12, after “nn␣”"
    orders = page.stage.locator("[data-panel=orders] text", has_text="1 back").bounding_box()
    page.page.mouse.click(orders["x"] + 3, orders["y"] + 3)
    page.page.mouse.move(2, 2)
    assert "With one byte to look back on" in page.look()["said"]


# ---- its data ------------------------------------------------------------------------------------------------------


@pytest.fixture
def bare(context, tmp_path):
    """bare(head="", ...) -> a page that has not been waited for, `head` before its figures; `.asked`: its requests.

    data: the text of the script with the data, or None for none. held: a function that gets the request for it.
    """
    pages = []

    def open_page(head="", count=1, data=True, held=None):
        file = tmp_path / "page.html"
        write_page(file, BitsPerByte, "light", count)
        file.write_text(file.read_text(encoding="utf-8").replace("<main>", f"<main>{head}"), encoding="utf-8")
        if data is not True:
            (tmp_path / "byte_counts.js").unlink()
            if data:
                (tmp_path / "byte_counts.js").write_text(data, encoding="utf-8")
        page = context.new_page()
        page.asked = []
        page.on("request", lambda request: page.asked.append(request.url.rpartition("/")[2]))
        if held:
            page.route("**/byte_counts.js", held)
        page.goto(file.as_uri())
        page.evaluate(ROUND)
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()


def test_it_fetches_nothing_before_a_reader_comes_near(bare):
    page = bare('<div style="height: 9000px"></div>')
    page.wait_for_timeout(300)
    still = page.locator(".live-still")
    assert page.asked == ["page.html"] and still.is_visible() and page.locator(".live-stage").count() == 0
    page.mouse.wheel(0, 20_000)
    page.locator(READY).wait_for(timeout=10_000)
    assert page.asked == ["page.html", "byte_counts.js"] and not still.is_visible()


def test_two_fetch_once(bare):
    page = bare(count=2)
    page.locator(READY).nth(1).wait_for(timeout=10_000)
    assert page.locator("script[src]").count() == 1 and page.asked == ["page.html", "byte_counts.js"]


LOST = {
    "missing": (None, "byte_counts.js did not come"),
    "empty": ("/* no data */", "byte_counts.js holds no data"),
    "another form": ('SelectiveState.data["byte_counts"] = {"orders": [{"listed": "z"}]};', "."),
}


@pytest.mark.parametrize("how", LOST)
def test_without_data_it_stays_a_picture_and_says_so(bare, how):
    data, words = LOST[how]
    page = bare(data=data)
    note = page.locator(".live-note[role=status]")
    note.wait_for(timeout=10_000)
    assert note.inner_text().startswith("The data of this figure are missing, so it stays a picture: ")
    assert words in note.inner_text() and page.locator(".live-note").count() == 1
    assert page.locator(".live-still").is_visible() and page.locator(READY).count() == 0


# As Jupyter renders it: no picture in the page, a model that has the data or has not.
IN_A_KERNEL = """([state, file]) => {
  const values = { ...state, _file: file, question: "Why?" };
  const model = { get: (key) => values[key], set() {}, on() {}, off() {}, save_changes() {} };
  const home = document.createElement("div");
  document.querySelector("main").replaceChildren(home);
  return SelectiveState.figures["bits-per-byte"].render({ model, el: home });
}"""


def test_a_widget_brings_its_data_along(bare):
    sent = BitsPerByte().get_state()["_file"]
    page = bare('<div style="height: 9000px"></div>')
    drawn = f"(given) => {{ const stop = ({IN_A_KERNEL})(given); return document.querySelector('{READY}') !== null; }}"
    assert page.evaluate(drawn, [BitsPerByte().snapshot(), sent]) and page.asked == ["page.html"]


def test_stopped_before_it_is_seen_it_never_begins(bare):
    page = bare('<div style="height: 9000px"></div>')
    page.evaluate(f"(given) => ({IN_A_KERNEL})(given)()", [BitsPerByte().snapshot(), ""])
    page.wait_for_timeout(400)
    assert page.locator(".live-stage").count() == 0 and page.asked == ["page.html"]


@pytest.mark.parametrize("stopped", [True, False])
def test_stopped_before_the_data_have_come_it_never_begins(bare, stopped):
    waiting = []
    page = bare(held=lambda route: waiting.append(route))
    page.evaluate(f"(given) => {{ globalThis.stop = ({IN_A_KERNEL})(given); }}", [BitsPerByte().snapshot(), ""])
    page.evaluate(ROUND)
    page.wait_for_timeout(200)
    assert len(waiting) == 1 and page.locator(".live-stage").count() == 0
    if stopped:
        page.evaluate("stop()")
    waiting[0].continue_()
    page.wait_for_function("'byte_counts' in SelectiveState.data")
    page.wait_for_timeout(400)
    assert page.locator(".live-stage").count() == (0 if stopped else 1)


def test_the_book_puts_the_data_beside_the_scripts(context, tmp_path):
    chapter = tmp_path / "chapters" / "page.html"
    chapter.parent.mkdir()
    html = BitsPerByte().html()
    tags = book_live.live_tags(html, "../")
    assert "byte_counts" not in tags, "it is fetched later"
    chapter.write_text(f"<!doctype html><meta charset=utf-8>{tags}<main>{html}</main>", encoding="utf-8")
    book_live.write_scripts(SimpleNamespace(builder=SimpleNamespace(format="html"), outdir=tmp_path), None)
    folder = tmp_path / "_static" / "live"
    assert {path.name for path in folder.iterdir()} == {"kit.js", "kit.css", "bits-per-byte.js", "byte_counts.js"}
    assert (folder / "byte_counts.js").read_text(encoding="utf-8") == _bundle.data_script("byte_counts")
    page = context.new_page()
    page.goto(chapter.as_uri())
    page.locator(READY).wait_for(timeout=10_000)
    page.close()
