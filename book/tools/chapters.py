"""Run the chapters and store them in their normal form, or only verify the form with `--check`.

    python book/tools/chapters.py              every notebook in chapters/
    python book/tools/chapters.py 07 13        those whose file names begin so
    python book/tools/chapters.py --check      run nothing: name each deviation, exit status 1 if there is one

The form itself is in `normal_form.py`. A notebook that has not changed is written back byte for byte.

Tags. `nbval-ignore-output`: the output depends on the corpus or on the clock; the tests run the cell, don't compare,
and the cell or the next one asserts what the text claims. `timing`, beside it: the output depends on the clock; it
names machine and day, and its committed output stays as it is unless RETIME=1 (or the cell's source has changed).
`raises-exception`: the cell shows an error. `setup`: the hidden first code cell, written by this script.

Exercises, which `tests/test_notebooks.py` reads, are three cells in a row:

1. Markdown that begins `### Exercise 7.1` and specifies the answer;
2. code tagged `exercise`: a stub, `def f(...): raise NotImplementedError` or `answer = None`, and as its last line
   the call `checks.check_NAME(f)`, so that it shows "not answered yet";
3. Markdown: `<details><summary>Solution</summary>`, an empty line, fenced Python that defines the same name, an empty
   line, `</details>`. The code may use the chapter's imports and the functions and classes of its cells, nothing else.
"""

import argparse
import os
import sys
import time

from normal_form import CHAPTERS, deviations, normalise, prepare, read, repository, write

POCKET = "Corpus: pocket"  # what load_enwiki8_dataset prints when it falls back


def choose(names):
    """The notebooks whose file names begin with one of `names`, all of them when there are none."""
    every = sorted(CHAPTERS.glob("*.ipynb"))
    for name in names:
        if not any(path.name.startswith(name) for path in every):
            raise SystemExit(
                f"no notebook in chapters/ begins with {name!r}: there are {', '.join(p.stem for p in every)}"
            )
    return [path for path in every if not names or path.name.startswith(tuple(names))]


def execute(book):
    """Run all cells in a fresh kernel of this very Python, in chapters/. The error of a cell ends the program."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    for cell in book.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    client = NotebookClient(book, timeout=600, kernel_name="python3", record_timing=False)
    client.resources = {"metadata": {"path": str(CHAPTERS)}}
    try:
        client.execute()
    except CellExecutionError as error:
        raise SystemExit(f"{error}\nnothing was written") from None


def report_stderr(name, book):
    """Say which cells wrote to standard error: the form drops it, but the tests see it."""
    for number, cell in enumerate(book.cells, start=1):
        for output in cell.get("outputs", []):
            if output.output_type == "stream" and output.name == "stderr" and output.text.strip():
                print(
                    f"{name}, cell {number} ({cell.id}) wrote to stderr: {output.text.strip().splitlines()[-1][:160]}"
                )


def keep_timings(book, committed):
    """Timing cells whose source has not changed keep the output that is committed."""
    before = {cell.get("id"): cell for cell in committed.cells}
    for cell in book.cells:
        old = before.get(cell.id)
        if "timing" in cell.metadata.get("tags", []) and old and old.source == cell.source and old.get("outputs"):
            cell.outputs = old.outputs


def renew(path, url, branch, *, retime, pocket):
    """Run one notebook and write it back in the normal form. Returns the seconds that the run took."""
    committed = read(path)
    book = prepare(committed, path.stem, url, branch)
    start = time.perf_counter()
    execute(book)
    seconds = time.perf_counter() - start
    report_stderr(path.stem, book)
    if not pocket and any(POCKET in str(cell.get("outputs", "")) for cell in book.cells):
        raise SystemExit(
            f"{path.stem} ran on the pocket corpus; committed outputs come from the real bytes: "
            "set MAMBA_EDU_DATA to them, or keep this run with --pocket"
        )
    if not retime:
        keep_timings(book, committed)
    path.write_text(write(normalise(book, path.stem, url, branch)), encoding="utf-8", newline="\n")
    return seconds


def check(paths, url, branch):
    """Print every deviation from the normal form; True when there is none."""
    lines = [line for path in paths for line in deviations(path.read_text("utf-8"), path.stem, url, branch)]
    print("\n".join(lines) if lines else f"{len(paths)} notebooks, all in the normal form")
    return not lines


def main():
    summary, _, notes = __doc__.partition("\n")
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=summary, epilog=notes, formatter_class=form)
    parser.add_argument("names", nargs="*", metavar="NAME", help="how a file name begins, as 07 (default: all)")
    parser.add_argument("--check", action="store_true", help="run nothing, only verify the normal form (default: no)")
    parser.add_argument("--pocket", action="store_true", help="keep outputs from the pocket corpus (default: no)")
    arguments = parser.parse_args()
    paths = choose(arguments.names)
    if arguments.check:
        sys.exit(not check(paths, *repository()))
    # The kernel inherits these: the same sums again, and this Python's kernel before any that a user has installed.
    for name, value in {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "2", "JUPYTER_PREFER_ENV_PATH": "1"}.items():
        os.environ.setdefault(name, value)
    for path in paths:
        retime = os.environ.get("RETIME", "0") not in ("", "0")
        seconds = renew(path, *repository(), retime=retime, pocket=arguments.pocket)
        print(f"{path.stem}: {seconds:.1f} s", flush=True)
    sys.exit(not check(paths, *repository()))


if __name__ == "__main__":
    main()
