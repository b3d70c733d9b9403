"""The live figures in each of their homes, for real: `make homes`. Not part of `make test`: it needs minutes and disk.

    python book/tools/homes.py                     every home
    python book/tools/homes.py notebook6 lab3      those named

Homes: JupyterLab 4 and Notebook 7 with ipywidgets 8 (this book's own `.venv`); JupyterLab 3.6 and Notebook 6.5 with
ipywidgets 7.7 (`.venv-homes-7`, made here from `tests/homes/ipywidgets-7.txt`). In each a notebook is opened in a
browser and its cells are run; what must hold is in `tests/homes/visit.py`. Runs under the book's `.venv`.
"""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import venv
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from environment import ROOT, STAMP, digest, find_browser, read_stamp, run, say

sys.path.insert(0, str(ROOT / "tests" / "homes"))

PINS = ROOT / "tests" / "homes" / "ipywidgets-7.txt"
TOKEN = "home"


@dataclass(frozen=True)
class Home:
    """Where a figure lives: the environment, the server's command, the notebook's address, the kind of front end."""

    folder: str
    command: tuple
    address: str
    front: str
    packages: tuple


LAB, TREE = "lab/tree/{}?reset", "notebooks/{}"
HOMES = {
    "lab4": Home(".venv", ("lab",), LAB, "lab", ("jupyterlab", "ipywidgets", "anywidget")),
    "notebook7": Home(".venv", ("notebook",), TREE, "notebook7", ("notebook", "ipywidgets", "anywidget")),
    "lab3": Home(".venv-homes-7", ("lab",), LAB, "lab", ("jupyterlab", "ipywidgets", "anywidget")),
    "notebook6": Home(".venv-homes-7", ("notebook",), TREE, "notebook6", ("notebook", "ipywidgets", "anywidget")),
}


def python_of(home):
    return ROOT / home.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def ensure_environment(home):
    """Make the home's environment where it is not complete; the book's own is `make`'s business."""
    folder = ROOT / home.folder
    if folder.name == ".venv" or read_stamp(folder)[:1] == [digest([PINS, ROOT / "pyproject.toml"])]:
        return
    say(f"making {home.folder} (some minutes)")
    venv.create(folder, with_pip=True, clear=True)
    pip = [python_of(home), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    run(*pip, "--requirement", PINS)
    run(*pip, "--no-deps", "--no-build-isolation", "--editable", ".")
    (folder / STAMP).write_text(digest([PINS, ROOT / "pyproject.toml"]) + "\n", encoding="utf-8")


def versions(home):
    """{package: version} of what makes the home."""
    code = "import sys, importlib.metadata as m; print(*[m.version(name) for name in sys.argv[1:]])"
    told = subprocess.run([python_of(home), "-c", code, *home.packages], capture_output=True, text=True, check=True)
    return dict(zip(home.packages, told.stdout.split()))


@contextmanager
def server(home, folder):
    """The home's server over `folder`, without a reader's own settings. Yields its address, with a slash at the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = folder / ".jupyter"
    places = {f"JUPYTER_{what}_DIR": str(own / what.lower()) for what in ("CONFIG", "DATA", "RUNTIME")}
    environment = {**os.environ, **places, "IPYTHONDIR": str(own / "ipython"), "JUPYTER_PREFER_ENV_PATH": "1"}
    kind = "NotebookApp" if home.front == "notebook6" else "IdentityProvider"
    root = "NotebookApp.notebook_dir" if home.front == "notebook6" else "ServerApp.root_dir"
    options = ["--no-browser", "--allow-root", f"--port={port}", f"--{kind}.token={TOKEN}", f"--{root}={folder}"]
    with open(folder / "server.log", "w", encoding="utf-8") as log:
        command = [python_of(home), "-m", "jupyter", *home.command, *options]
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT, cwd=folder)
        try:
            wait_for(f"http://127.0.0.1:{port}/api", process, folder / "server.log")
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.terminate()
            process.wait(timeout=30)


def wait_for(address, process, log, seconds=90):
    """Until something answers at `address`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).read()
            return
        except OSError:
            time.sleep(0.5)
    raise SystemExit(f"the server does not answer:\n{log.read_text(encoding='utf-8')[-2000:]}")


@contextmanager
def opened(home, browser, address, name, picture):
    """The notebook `name` in the home's front end; at the end a screenshot goes to `picture`, if that is set."""
    import visit

    page = browser.new_page(viewport={"width": 1400, "height": 2400})
    way = home.address.format(name)
    try:
        yield visit.FRONTS[home.front](page, f"{address}{way}{'&' if '?' in way else '?'}token={TOKEN}")
    finally:
        if picture:
            page.screenshot(path=picture)
        page.close()


def visit_home(home, browser, picture):
    """Everything that `visit` asks for, in one home. Returns lines that say what was seen."""
    import visit

    from mamba_edu import widgets

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "figure.ipynb").write_text(visit.notebook(visit.CELLS), encoding="utf-8")
        (folder / "kept.ipynb").write_text(visit.notebook(["fig"], {0: widgets.Selection().html()}), encoding="utf-8")
        with server(home, folder) as address:
            with opened(
                home, browser, address, "kept.ipynb", picture and picture.replace(".png", "-kept.png")
            ) as front:
                visit.picture_stays_without_a_run(front)
            with opened(home, browser, address, "figure.ipynb", picture) as front:
                seen = visit.both_ways(front)
                front.save()
                seen.append("saved: " + ", ".join(visit.stays_in_the_file(folder / "figure.ipynb")))
                if home.front != "notebook6":  # it has one theme
                    visit.follows_the_theme(front)
    return seen


def main():
    form = argparse.RawDescriptionHelpFormatter
    summary, _, notes = __doc__.partition("\n")
    parser = argparse.ArgumentParser(description=summary, epilog=notes, formatter_class=form)
    parser.add_argument("homes", nargs="*", metavar="HOME", help=f"{', '.join(HOMES)} (default: all)")
    parser.add_argument("--pictures", metavar="FOLDER", help="keep a screenshot of each home there (default: none)")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.homes if name not in HOMES]
    if unknown:
        parser.error(f"HOME must be one of {', '.join(HOMES)}, got {unknown[0]!r}")
    from playwright.sync_api import Error, sync_playwright

    failed = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=["--no-sandbox"])
        for name in arguments.homes or HOMES:
            home = HOMES[name]
            ensure_environment(home)
            say(f"{name}: " + ", ".join(" ".join(pair) for pair in versions(home).items()))
            picture = arguments.pictures and str(Path(arguments.pictures) / f"{name}.png")
            try:
                print("\n".join(f"   {line}" for line in visit_home(home, browser, picture)), flush=True)
            except (AssertionError, Error) as error:
                failed.append(name)
                print(f"   FAILED: {error}", flush=True)
        browser.close()
    raise SystemExit(f"not at home in {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
