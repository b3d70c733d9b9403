"""Every chapter: its normal form, its shape, how it reads without the book, its exercises and their solutions."""

import ast
import re
from contextlib import suppress
from functools import cache
from itertools import pairwise

import pytest
from bs4 import BeautifulSoup
from exercises import code_cells, exercises_of
from nbconvert import HTMLExporter
from normal_form import CHAPTERS, deviations, read, repository

import mamba_edu
from mamba_edu import checks

NAMES = sorted(path.stem for path in CHAPTERS.glob("*.ipynb"))
ROOMS = {"checks", "plots", "widgets", "records", *mamba_edu._HOME, "baselines", "broken", "iomodel", "tasks"}

# Markdown that only the book's builder understands; in Jupyter, Colab and on GitHub it would stand there raw.
RAW = {
    "directive": r"^\s*(```+|~~~+|:::+)\s*\{",
    "colon fence": r"^:::",
    "role": r"\{[a-z][a-z:-]*\}`",
    "substitution": r"\{\{",
    "label": r"^\([\w-]+\)=$",
    "macro": r"\\(newcommand|def|label|eqref|require)\b",
    "citation": r"\{cite|\[@",
}
RAW = {what: re.compile(pattern, re.MULTILINE) for what, pattern in RAW.items()}

chapter = pytest.mark.parametrize("name", NAMES)


@cache
def notebook(name):
    return read(CHAPTERS / f"{name}.ipynb")


@cache
def exercises(name):
    return exercises_of(notebook(name))


def prose(name):
    return [cell.source for cell in notebook(name).cells if cell.cell_type == "markdown"]


def test_the_chapters_are_there():
    assert {
        "01_why_another_sequence_model",
        "02_recurrent_networks",
        "03_state_space_models",
        "04_recurrence_is_convolution",
        "05_hippo_and_s4",
        "06_selection",
        "07_mamba_block",
        "12_enwik8",
        "13_training",
    } <= set(NAMES)
    assert all(re.fullmatch(r"\d\d_[a-z0-9_]+", name) for name in NAMES)


@chapter
def test_a_chapter_is_in_the_normal_form(name):
    assert deviations((CHAPTERS / f"{name}.ipynb").read_text(encoding="utf-8"), name, *repository()) == []


@chapter
def test_a_chapter_has_its_rhythm(name):
    """Question, aims, 25 to 45 cells beside the exercises, four exercises or more numbered in order, a summary."""
    first, texts, number = prose(name)[0], prose(name), int(name[:2])
    aims = next(text for text in texts[:3] if "After this chapter you can" in text)
    numbers = [exercise.number for exercise in exercises(name)]
    assert re.match(rf"# {number}\. .*\?$", first.split("\n")[0]), "the title is the chapter's number and its question"
    assert aims.count("\n- ") >= 3
    assert len(numbers) >= 4 and numbers == [f"{number}.{k + 1}" for k in range(len(numbers))]
    assert 25 <= len(notebook(name).cells) - 3 * len(numbers) <= 45
    assert notebook(name).cells[-1].source.startswith("## "), "the chapter closes on what was built"
    assert notebook(name).metadata.myst.html_meta["description lang=en"].strip(), "search engines show this sentence"


@chapter
def test_no_heading_is_skipped(name):
    levels = [len(marks) for text in prose(name) for marks in re.findall(r"^(#+) ", _without_code(text), re.MULTILINE)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def _without_code(text):
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


@chapter
@pytest.mark.parametrize("what", RAW)
def test_no_cell_shows_raw_markup(name, what):
    """In the source, so also where a renderer would swallow it."""
    assert [text for text in prose(name) if RAW[what].search(text)] == []


@chapter
def test_a_chapter_reads_well_without_the_book(name):
    body, _ = HTMLExporter(template_name="basic").from_notebook_node(notebook(name))
    page = BeautifulSoup(body, "html.parser")
    solutions = page.find_all("details")
    assert len(solutions) == len(exercises(name))
    assert all(solution.find("pre") for solution in solutions), "the code in <details> is not rendered as code"
    assert page.find("a", string="Open in Colab")
    for code in page.find_all(["pre", "code", "style", "script"]):
        code.decompose()
    text = page.get_text()
    assert "```" not in text and "**" not in text and not re.search(r"^#+ ", text, re.MULTILINE)


@chapter
def test_figures_say_what_they_show(name):
    outputs = [output for cell in code_cells(notebook(name)) for output in cell.outputs]
    figures = [output["data"]["image/svg+xml"] for output in outputs if "image/svg+xml" in output.get("data", {})]
    assert figures, "a chapter without a figure"
    assert all(re.search(r"<title>[^<]{20,}</title>", figure) for figure in figures)
    assert not any("image/png" in output.get("data", {}) for output in outputs), "a PNG: dark pages can't recolour it"


@chapter
def test_a_chapter_imports_only_public_names(name):
    for cell in code_cells(notebook(name)):
        for node in ast.walk(ast.parse(cell.source)):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0
                modules = [f"{node.module}.{alias.name}" for alias in node.names]
            for module in modules:
                parts = module.split(".")
                assert parts[0] not in ("chapters", "tests", "book"), module
                assert parts[0] != "mamba_edu" or not any(part.startswith("_") for part in parts), module
                assert parts[0] != "mamba_edu" or parts[1] in ROOMS or parts[1] in mamba_edu.__all__, module


@chapter
def test_what_is_not_compared_is_asserted(name):
    """A cell whose output depends on corpus or clock, or the one after it, asserts what the text claims."""
    cells = code_cells(notebook(name))
    for index, cell in enumerate(cells):
        if "nbval-ignore-output" in cell.metadata.get("tags", []):
            near = [node for c in cells[index : index + 2] for node in ast.walk(ast.parse(c.source))]
            assert any(isinstance(node, ast.Assert) for node in near), f"cell {cell.id} claims and doesn't assert"
        assert "nbval-skip" not in cell.metadata.get("tags", []), f"cell {cell.id} never runs in the tests"


@chapter
def test_every_grader_has_its_exercise(name):
    module = __import__(f"mamba_edu.checks.chapter{name[:2]}", fromlist=["_"])
    graders = {key for key in vars(module) if key.startswith("check_")}
    assert graders == {exercise.grader for exercise in exercises(name)}


def collected():
    """Every exercise for `parametrize`. A chapter that breaks the convention is named by the tests above."""
    for name in NAMES:
        with suppress(AssertionError):
            yield from (pytest.param(exercise, id=exercise.number) for exercise in exercises(name))


EXERCISES = list(collected())
WRONG = {
    "nothing": None,
    "a number": 3,
    "a word": "x",
    "an empty tuple": (),
    "an object": object(),
    "a function that fails": lambda: 1 / 0,
    "a function that fails on anything": lambda *a, **k: 1 / 0,
    "a function that returns nothing": lambda *a, **k: None,
    "a function that returns its input": lambda *a, **k: a[0] if a else k,
    "a function that returns a word": lambda *a, **k: "x",
    "a type": dict,
}


@pytest.mark.parametrize("exercise", EXERCISES)
def test_the_folded_solution_passes(exercise):
    result = exercise.grade(exercise.solution)
    assert result.passed, result.hint
    assert result.hint and repr(result).startswith("✓")


@pytest.mark.parametrize("exercise", EXERCISES)
def test_the_stub_is_not_answered_yet(exercise):
    assert exercise.grade(exercise.stub) == checks.Result(False, "not answered yet")


@chapter
def test_the_committed_stub_shows_that_it_is_not_answered(name):
    stubs = [cell for cell in notebook(name).cells if "exercise" in cell.metadata.get("tags", [])]
    assert len(stubs) == len(exercises(name))
    for cell in stubs:
        assert [output["data"]["text/plain"] for output in cell.outputs] == ["✗ not answered yet"]


@pytest.mark.parametrize("exercise", EXERCISES)
@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_answer_gets_a_hint(exercise, what):
    result = getattr(checks, exercise.grader)(WRONG[what])
    assert isinstance(result, checks.Result)
    assert not result.passed and result.hint and "\n" not in result.hint
    assert (result.hint == "not answered yet") == (WRONG[what] is None) or what == "a function that returns nothing"


@pytest.mark.parametrize("exercise", EXERCISES)
def test_the_solution_needs_the_solution(exercise):
    """Without its code the answer is not there: the check can't pass by what the chapter has defined."""
    assert exercise.answer in exercise.solution and exercise.answer not in exercise.namespace()
