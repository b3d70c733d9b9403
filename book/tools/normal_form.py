"""The normal form of a committed notebook: what a run may leave in the file, and what it may not.

`normalise` writes the form, `deviations` names what differs from it, cell by cell. Kept are sources, ids, known tags
and the outputs; execution counts are 1..n. Left out are standard error, widget views and their random ids, memory
addresses, terminal tracebacks, time stamps and all other metadata. Two things are written rather than kept, both from
the one address in `_config.yml`: the set-up cell and the *Open in Colab* link under the title.
"""

import copy
import hashlib
import json
import re
import warnings
from pathlib import Path

import nbformat
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = ROOT / "chapters"

NBVAL_TAGS = {"nbval-ignore-output", "nbval-skip", "raises-exception"}
PAGE_TAGS = {"remove-cell", "remove-input", "remove-output", "hide-cell", "hide-input", "hide-output"}
TAGS = NBVAL_TAGS | PAGE_TAGS | {"setup", "timing", "exercise"}

METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
SETUP_METADATA = {"cellView": "form", "jupyter": {"source_hidden": True}, "tags": ["setup", "remove-cell"]}
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"

ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{6,16}\b")
COLAB = re.compile(r"^\[Open in Colab\]\([^)]*\)$", re.MULTILINE)
CLOCK = re.compile(r"CPU times: |Wall time: |\d ?(ns|µs|ms|s) ± ")
MACHINE_PATH = re.compile(r"(?<![\w.])/(root|home|work|Users|tmp|private|mnt|opt)/\w|[A-Z]:\\\\?Users")
DAY = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")


def repository():
    """The one address of the book: (url, branch) from `_config.yml`."""
    setting = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]
    return setting["url"].rstrip("/"), setting.get("branch", "main")


def setup_source(url, branch):
    """The hidden first code cell: nothing where the package is installed, else (Colab) it comes from the repository."""
    return (
        "# Where the book's package is installed, this does nothing.\n"
        "# Elsewhere, as in Colab, it installs the package.\n"
        "import importlib.util\n\n"
        'if importlib.util.find_spec("mamba_edu") is None:\n'
        "    %pip install --quiet \\\n"
        f"        git+{url}@{branch}"
    )


def colab_link(url, branch, name):
    """The link under the title: plain text, because a badge would be a request that leaves the page."""
    path = url.removeprefix("https://github.com/")
    return f"[Open in Colab](https://colab.research.google.com/github/{path}/blob/{branch}/chapters/{name}.ipynb)"


def write(notebook):
    """The notebook as the text of its file: sorted keys, one newline at the end."""
    return nbformat.writes(notebook).rstrip("\n") + "\n"


def read(path):
    return nbformat.read(path, as_version=4)


def prepare(notebook, name, url, branch):
    """A copy with the set-up cell and the Colab link in place and an id on every cell; run this one."""
    book = copy.deepcopy(notebook)
    book.nbformat, book.nbformat_minor = 4, 5
    title = book.cells[0] if book.cells else None
    if title is None or title.cell_type != "markdown" or not title.source.startswith("# "):
        raise ValueError(f"{name}: the first cell must be Markdown and begin with '# ', the chapter's title")
    link = colab_link(url, branch, name)
    if COLAB.search(title.source):
        title.source = COLAB.sub(lambda _: link, title.source, count=1)
    else:
        head, _, rest = title.source.partition("\n")
        title.source = f"{head}\n\n{link}\n\n{rest.lstrip()}".rstrip()
    found = [cell for cell in book.cells if "setup" in cell.metadata.get("tags", [])]
    setup = found[0] if found else nbformat.v4.new_code_cell(id="setup")
    setup.source = setup_source(url, branch)
    setup.metadata = nbformat.from_dict(copy.deepcopy(SETUP_METADATA))
    book.cells = [title, setup, *[cell for cell in book.cells[1:] if cell not in found]]
    _give_ids(book.cells)
    return book


def _give_ids(cells):
    """Ids stay as they are; a missing or doubled one is made from the cell's source, so that it is the same again."""
    seen = set()
    for cell in cells:
        if not cell.get("id") or cell["id"] in seen:
            base = hashlib.sha256(cell.source.encode()).hexdigest()[:8]
            tries = [base, *[f"{base}-{n}" for n in range(2, len(cells) + 2)]]
            cell["id"] = next(name for name in tries if name not in seen)
        seen.add(cell["id"])


def normalise(notebook, name, url, branch):
    """A copy of an executed notebook in the normal form. Running it again changes nothing."""
    book = prepare(notebook, name, url, branch)
    myst = {key: value for key, value in book.metadata.items() if key == "myst"}
    book.metadata = nbformat.from_dict({**copy.deepcopy(METADATA), **myst})
    count = 0
    for cell in book.cells:
        cell.source = "\n".join(line.rstrip() for line in cell.source.strip("\n").split("\n"))
        cell.pop("attachments", None)
        if "setup" not in cell.metadata.get("tags", []):
            cell.metadata = nbformat.from_dict({"tags": cell.metadata.tags} if cell.metadata.get("tags") else {})
        if cell.cell_type == "code":
            count += 1
            cell.execution_count = count
            cell.outputs = _normal_outputs(cell.outputs, count)
    return book


def _normal_outputs(outputs, count):
    kept = []
    for output in outputs:
        if output.output_type == "stream":
            text = _normal_text(output.text)
            if output.name != "stdout" or not text:
                continue
            if kept and kept[-1].output_type == "stream":
                kept[-1].text += text
            else:
                kept.append(nbformat.v4.new_output("stream", name="stdout", text=text))
        elif output.output_type == "error":
            words = {"ename": output.ename, "evalue": _normal_text(output.evalue)}
            kept.append(nbformat.v4.new_output("error", **words, traceback=[": ".join(words.values())]))
        else:
            data = {mime: _normal_text(value) for mime, value in output.data.items() if mime != WIDGET_VIEW}
            extra = {"execution_count": count} if output.output_type == "execute_result" else {}
            if data:
                kept.append(nbformat.v4.new_output(output.output_type, data=data, metadata={}, **extra))
    return kept


def _normal_text(text):
    """Without memory addresses, and with what a terminal would still show of a line that was written over."""
    if not isinstance(text, str):
        return text
    lines = [line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n")]
    return ADDRESS.sub("at 0x...", "\n".join(lines))


def deviations(text, name, url, branch):
    """What keeps a notebook's file from the normal form: a list of sentences, empty when nothing does."""
    try:
        with warnings.catch_warnings(action="ignore"):  # nbformat repairs ids and warns; here they are named instead
            found = nbformat.reads(text, as_version=4)
        wanted = normalise(found, name, url, branch)
    except (ValueError, nbformat.ValidationError) as error:
        return [str(error)]
    ids = [cell.get("id") for cell in json.loads(text)["cells"]]
    doubled = sorted({name for name in ids if ids.count(name) > 1}, key=str)
    lines = [f"cells: the id {name!r} is missing or doubled" for name in doubled]
    lines += [*_compare(found, wanted), *_problems(wanted)]
    if not lines and text != write(wanted):
        lines = ["the file is not written the way `make chapters` writes it (key order, indents, last newline)"]
    return [line if line.startswith(name) else f"{name}, {line}" for line in lines]


def _compare(found, wanted):
    if found.metadata != wanted.metadata:
        yield f"notebook metadata: {_short(found.metadata)}, expected {_short(wanted.metadata)}"
    if [cell.get("id") for cell in found.cells] != [cell.id for cell in wanted.cells]:
        yield "cells: the set-up cell is not the second cell, or an id is missing"
        return
    for number, (cell, normal) in enumerate(zip(found.cells, wanted.cells), start=1):
        for field in sorted(set(cell) | set(normal)):
            if cell.get(field) != normal.get(field):
                what, expected = _first_difference(cell.get(field), normal.get(field))
                yield f"cell {number} ({cell.id}), {field}: {_short(what)}, expected {_short(expected)}"


def _first_difference(found, wanted):
    if isinstance(found, list) and isinstance(wanted, list):
        pairs = [(f, w) for f, w in zip(found, wanted) if f != w]
        extra = found[len(wanted) :] or wanted[len(found) :]
        return pairs[0] if pairs else (extra[0], "nothing there" if len(found) > len(wanted) else "something there")
    return found, wanted


def _short(value):
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    return repr(text if len(text) < 240 else f"{text[:220]} ...")


def _problems(book):
    """What only the author or another run can repair."""
    for number, cell in enumerate(book.cells, start=1):
        where = f"cell {number} ({cell.id})"
        tags = cell.metadata.get("tags", [])
        for tag in sorted(set(tags) - TAGS):
            yield f"{where}, tags: {tag!r} is not one of {', '.join(sorted(TAGS))}"
        if not cell.source.strip():
            yield f"{where}, source: the cell is empty"
        if cell.cell_type != "code":
            continue
        if "timing" in tags and "nbval-ignore-output" not in tags:
            yield f"{where}, tags: 'timing' stands beside 'nbval-ignore-output', which is missing"
        shown = "\n".join(_texts(cell.outputs))
        if "timing" in tags and not DAY.search(shown):
            yield f"{where}, outputs: a timing cell prints the machine and the day (as 2026-01-31)"
        if "timing" not in tags and CLOCK.search(shown):
            yield f"{where}, outputs: {CLOCK.search(shown)[0]!r} depends on the clock; tag the cell 'timing'"
        if MACHINE_PATH.search(shown):
            yield f"{where}, outputs: {MACHINE_PATH.search(shown)[0]!r} is a path of the machine it ran on"
        if "raises-exception" not in tags and any(output.output_type == "error" for output in cell.outputs):
            yield f"{where}, outputs: the cell raised an exception"


def _texts(outputs):
    for output in outputs:
        data = output.get("data", {})
        values = [output.get("text"), output.get("evalue"), *(data[mime] for mime in data if mime[:6] != "image/")]
        yield from (value for value in [*values, data.get("image/svg+xml")] if isinstance(value, str))
