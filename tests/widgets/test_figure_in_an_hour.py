"""The contributors' page: its code is the package's, all of it, in order; what it names exists."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from figure_page import ROOT

PAGE = (ROOT / "book" / "a_figure_in_an_hour.md").read_text(encoding="utf-8")
INCLUDE = re.compile(r"```\{literalinclude\} \.\./(\S+)\n((?::.*\n)*)```")


def option(options, name):
    match = re.search(rf'^:{name}: (?:"(.*)"|(.*))$', options, re.MULTILINE)
    return match and (match[1] or match[2])


def pieces(file):
    """The parts of a file that the page includes, in the page's order; each marker stands in one line of the file."""
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    found = []
    for options in [options for name, options in INCLUDE.findall(PAGE) if name == file]:
        places = []
        for name, default in (("start-at", 0), ("end-before", len(lines))):
            marker = option(options, name)
            there = [i for i, line in enumerate(lines) if marker in line] if marker else [default]
            assert len(there) == 1, f":{name}: {marker} stands in {len(there)} lines of {file}"
            places += there
        assert places[0] < places[1]
        assert max(map(len, lines[slice(*places)])) <= 84, "wider than the page"
        found.append(lines[slice(*places)])
    return lines, found


def test_all_of_the_figure_is_on_the_page_once_and_in_order():
    lines, found = pieces("mamba_edu/widgets/half_life.js")
    assert len(found) == 5 and [line for piece in found for line in piece] == lines
    assert max(map(len, found)) <= 35, "more than a reader takes in at once"


def test_the_python_class_is_on_the_page():
    lines, [found] = pieces("mamba_edu/widgets/half_life.py")
    text = "\n".join(found)
    assert all(part in text for part in ("class HalfLife(LiveFigure)", "def data(self)", "selective_scan("))
    assert len(lines) - len(found) <= 8, "what is not shown is the docstring and still()"


def test_no_code_of_the_figure_is_pasted():
    fences = re.findall(r"^(`{3,})(\S*)", PAGE, re.MULTILINE)
    assert {kind for _, kind in fences} <= {"", "{live-figure}", "{literalinclude}"}
    assert PAGE.count("{live-figure} half-life") == 2


@pytest.mark.parametrize("path", sorted(set(re.findall(r"(?:mamba_edu|tests)/[\w./]*\w", PAGE))))
def test_what_the_page_names_exists(path):
    assert (ROOT / path).exists()


def test_the_minutes_are_an_hour():
    assert sum(map(int, re.findall(r"^## .*\((\d+) minutes\)$", PAGE, re.MULTILINE))) == 60


def test_the_page_to_look_at_is_written():
    tool = Path("tests/widgets/figure_page.py")
    assert f".venv/bin/python {tool} HalfLife" in PAGE
    done = subprocess.run([sys.executable, tool, "HalfLife", "dark"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    page = Path(done.stdout.strip().removeprefix("file://")).read_text(encoding="utf-8")
    assert 'data-theme="dark"' in page and page.count('data-figure="half-life"') == 1
    refused = subprocess.run([sys.executable, tool, "Half"], capture_output=True, text=True, cwd=ROOT)
    assert refused.returncode == 1 and "HalfLife" in refused.stderr
