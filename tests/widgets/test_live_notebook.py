"""A live figure in a committed notebook: what `make chapters` writes of it, and what a later run is held to."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from normal_form import deviations, normalise, write

from mamba_edu import widgets

SANITIZE = Path(__file__).resolve().parents[1] / "nbval_sanitize.cfg"
SOURCE = "from mamba_edu import widgets\nwidgets.Selection(selective=True)"
FORM = ("06_x", "https://github.com/owner/book", "main")


@pytest.fixture(scope="module")
def notebook():
    """As a run leaves it, in the normal form."""
    data, _ = widgets.Selection(selective=True)._repr_mimebundle_()
    output = new_output("execute_result", data=data, execution_count=1)
    cells = [new_markdown_cell("# 6. A chapter"), new_code_cell(SOURCE, outputs=[output])]
    return normalise(new_notebook(cells=cells), *FORM)


def test_the_notebook_keeps_words_and_picture_and_no_widget(notebook):
    assert deviations(write(notebook), *FORM) == []
    data = notebook.cells[-1].outputs[0]["data"]
    assert list(data) == ["text/html", "text/plain"]
    assert "<img" in data["text/html"] and "model_id" not in write(notebook) and len(write(notebook)) < 80_000
    nbformat.validate(notebook)


CHANGES = {  # what a later run may find different: (change, whether it is held against it)
    "nothing": (lambda html: html, "PASSED"),
    "strokes": (lambda html: re.sub(r"base64,.{99}", "base64,", html), "PASSED"),
    "state": (lambda html: html.replace("&quot;bias&quot;: -1.5", "&quot;bias&quot;: -1.4"), "FAILED"),
    "words": (lambda html: html.replace("is made of", "is not made of"), "FAILED"),
}


def test_a_later_run_is_held_to_state_and_words_not_to_the_last_digit_of_a_stroke(notebook, tmp_path):
    kept = notebook.cells[-1].outputs[0]["data"]
    cells = []
    for name, (change, _) in CHANGES.items():
        page = change(kept["text/html"])
        assert (page == kept["text/html"]) == (name == "nothing")
        output = new_output("execute_result", data={**kept, "text/html": page}, execution_count=1)
        cells.append(new_code_cell(SOURCE, outputs=[output], execution_count=1))
    book = new_notebook(cells=cells, metadata=notebook.metadata)
    (tmp_path / "kept.ipynb").write_text(write(book), encoding="utf-8")
    nbval = ["--nbval", "--nbval-current-env", "--nbval-sanitize-with", SANITIZE, "-p", "no:cacheprovider", "-rA", "-q"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *nbval, tmp_path], capture_output=True, text=True, timeout=300
    )
    told = {int(cell): word for word, cell in re.findall(r"^(PASSED|FAILED) \S*::Cell (\d)", done.stdout, re.MULTILINE)}
    wanted = {cell: word for cell, (_, word) in enumerate(CHANGES.values())}
    assert told == wanted, done.stdout[-2000:]
