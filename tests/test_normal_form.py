"""The normal form of a notebook: writing it is idempotent, and every deviation is named with its cell."""

import copy

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from normal_form import WIDGET_VIEW, deviations, normalise, write

from chapters import keep_timings

URL, BRANCH = "https://github.com/owner/book", "main"


def raw_notebook():
    """As a run leaves it: random ids, standard error, addresses, a widget's model id, time stamps."""
    result = new_output("execute_result", data={"text/plain": "<a at 0x7f00deadbeef>"}, execution_count=7)
    widget = new_output("display_data", data={"text/html": "<p>", WIDGET_VIEW: {"model_id": "f00d" * 8}})
    error = new_output("error", ename="ValueError", evalue="no", traceback=["\x1b[31mx.py\x1b[0m", "no"])
    cells = [
        new_markdown_cell("# 7. A chapter\n\nWhat is it?"),
        new_code_cell(
            "print('a')",
            execution_count=4,
            metadata={"execution": {"iopub.execute_input": "2026-01-31T00:00:00Z"}, "collapsed": False},
            outputs=[
                new_output("stream", name="stdout", text="a"),
                new_output("stream", name="stderr", text="a warning\n"),
                new_output("stream", name="stdout", text="b\n 10%\r100%\n"),
            ],
        ),
        new_code_cell("thing", execution_count=7, outputs=[result, widget]),
        new_code_cell("fail()", execution_count=8, metadata={"tags": ["raises-exception"]}, outputs=[error]),
        new_code_cell(
            "clock()",
            execution_count=9,
            metadata={"tags": ["timing", "nbval-ignore-output"]},
            outputs=[new_output("stream", name="stdout", text="3 ms on a CPU, 2026-01-31\n")],
        ),
    ]
    return new_notebook(
        cells=cells, metadata={"widgets": {"state": {}}, "kernelspec": {"name": "mine", "display_name": "Mine"}}
    )


@pytest.fixture
def normal():
    return normalise(raw_notebook(), "07_x", URL, BRANCH)


def named(notebook):
    return deviations(notebook if isinstance(notebook, str) else write(notebook), "07_x", URL, BRANCH)


def test_normalising_twice_changes_nothing(normal):
    assert write(normalise(normal, "07_x", URL, BRANCH)) == write(normal)
    assert named(normal) == []


def test_the_form_keeps_what_the_reader_sees(normal):
    a, thing, fail = normal.cells[2:5]
    assert a.outputs == [{"output_type": "stream", "name": "stdout", "text": "ab\n100%\n"}]
    assert thing.outputs[0]["data"] == {"text/plain": "<a at 0x...>"}
    assert thing.outputs[1]["data"] == {"text/html": "<p>"}
    assert fail.outputs[0]["traceback"] == ["ValueError: no"]
    assert [cell.execution_count for cell in normal.cells[1:]] == [1, 2, 3, 4, 5]
    nbformat.validate(normal)


def test_address_reaches_set_up_cell_and_link(normal):
    link = "https://colab.research.google.com/github/owner/book/blob/main/chapters/07_x.ipynb"
    assert normal.cells[0].source == f"# 7. A chapter\n\n[Open in Colab]({link})\n\nWhat is it?"
    assert f"git+{URL}@{BRANCH}" in normal.cells[1].source
    moved = deviations(write(normal), "07_x", "https://github.com/other/book", BRANCH)
    assert [line.split(":")[0].split(", ")[1] for line in moved] == [
        f"cell 1 ({normal.cells[0].id})",
        "cell 2 (setup)",
    ]


def test_set_up_cell_moves_back_to_its_place(normal):
    book = copy.deepcopy(normal)
    book.cells.append(book.cells.pop(1))
    assert "set-up cell" in named(book)[0]
    assert write(normalise(book, "07_x", URL, BRANCH)) == write(normal)


def add_stderr(book):
    book.cells[2].outputs.append(new_output("stream", name="stderr", text="w"))


def add_widget_view(book):
    book.cells[3].outputs[1]["data"][WIDGET_VIEW] = {"model_id": "f00d" * 8}


def set_text(text):
    def plant(book):
        book.cells[2].outputs[0]["text"] = text

    return plant


def set_tags(*tags):
    def plant(book):
        book.cells[2].metadata["tags"] = list(tags)

    return plant


def set_timing_alone(book):
    book.cells[5].metadata["tags"] = ["timing"]


PLANTED = {
    "standard error": (add_stderr, 3, "stderr"),
    "widget view": (add_widget_view, 4, "model_id"),
    "memory address": (set_text("<x at 0x7f00deadbeef>"), 3, "0x7f00deadbeef"),
    "machine's path": (set_text("saved to /" + "home/reader/x.pt"), 3, "path"),
    "clock": (set_text("12.1 ms ± 3 µs per loop"), 3, "timing"),
    "timing without a day": (set_tags("timing", "nbval-ignore-output"), 3, "day"),
    "timing that nbval compares": (set_timing_alone, 6, "nbval-ignore-output"),
    "misspelt tag": (set_tags("nbval-ignore-ouput"), 3, "nbval-ignore-ouput"),
    "execution count": (lambda book: book.cells[2].update(execution_count=9), 3, "execution_count: '9'"),
    "never run": (lambda book: book.cells[2].update(execution_count=None), 3, "execution_count: 'null'"),
    "time stamps": (lambda book: book.cells[2].metadata.update(execution={"shell": "2026"}), 3, "2026"),
    "trailing blank": (lambda book: book.cells[2].update(source="print('a') "), 3, "source"),
    "empty cell": (lambda book: book.cells[2].update(source=""), 3, "empty"),
    "exception": (lambda book: book.cells[4].metadata.clear(), 5, "raised"),
}


@pytest.mark.parametrize("what", PLANTED)
def test_each_deviation_is_named_with_its_cell(normal, what):
    plant, number, word = PLANTED[what]
    plant(normal)
    lines = named(normal)
    assert len(lines) == 1, lines
    assert lines[0].startswith(f"07_x, cell {number} (") and word in lines[0]


def test_doubled_id_metadata_and_bytes_are_named(normal):
    metadata = copy.deepcopy(normal)
    first, second = normal.cells[2].id, normal.cells[3].id
    assert f"the id {first!r} is missing or doubled" in named(write(normal).replace(second, first))[0]
    metadata.metadata["widgets"] = {}
    assert "widgets" in named(metadata)[0]
    assert "last newline" in named(write(normal).rstrip("\n"))[0]
    assert "last newline" in named(write(normal).replace("\n ", "\n  "))[0]
    assert "title" in named(new_notebook(cells=normal.cells[1:]))[0]
    assert len(named("not a notebook")) == 1


def test_timing_output_stays_until_its_source_changes(normal):
    fresh = copy.deepcopy(normal)
    fresh.cells[5].outputs[0]["text"] = "4 ms on a CPU, 2026-02-01\n"
    kept = copy.deepcopy(fresh)
    keep_timings(kept, normal)
    assert kept.cells[5].outputs == normal.cells[5].outputs
    fresh.cells[5].source = "clock(2)"
    keep_timings(fresh, normal)
    assert "2026-02-01" in fresh.cells[5].outputs[0]["text"]
