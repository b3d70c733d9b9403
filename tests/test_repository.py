"""What holds for every file of the repository: sizes, no machine's path, no loose ends, one address, one style."""

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from test_packaging import repository_files

ROOT = Path(__file__).resolve().parents[1]
FILES = repository_files()
BINARY = {".gz", ".zip", ".woff2", ".png", ".safetensors", ".ico"}

# Written in two parts, so that this file does not hold what it looks for. /home/me is nobody's.
MACHINE = re.compile(r"(?<![\w.:/~-])/(?:wo" + r"rk|ro" + r"ot|home/(?!me\b)\w+|Users/\w+|tm" + r"p)/\w")
HOSTS = re.compile("py" + r"pi\.org|pythonhosted" + r"\.org|npm" + r"js\.(?:org|com)|deb" + r"\.debian")
LOOSE_ENDS = re.compile(r"\b(?:" + "TO" + "DO|FIX" + "ME|XX" + r"X)\b")
FORBIDDEN = {"path of a machine": MACHINE, "registry's host": HOSTS, "loose end": LOOSE_ENDS}


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


def test_git_names_the_files():
    assert "Makefile" in FILES and "tests/test_repository.py" in FILES and len(FILES) > 50


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what):
    found = []
    for name in FILES:
        if Path(name).suffix not in BINARY:
            lines = enumerate(text_of(name).split("\n"), start=1)
            found += [
                f"{name}:{number}: {line.strip()[:120]}" for number, line in lines if FORBIDDEN[what].search(line)
            ]
    assert found == []


@pytest.mark.parametrize(
    "what, line",
    [
        ("path of a machine", "saved to /" + "root/runs/a.json"),
        ("path of a machine", "'/" + "home/ada/book'"),
        ("registry's host", "https://" + "py" + "pi.org/simple"),
        ("registry's host", "https://registry." + "npm" + "js.org/katex"),
        ("loose end", "# TO" + "DO: later"),
    ],
)
def test_the_patterns_find_what_they_are_for(what, line):
    assert FORBIDDEN[what].search(line)


def test_files_are_small():
    """What everybody downloads with the repository; a trained model may have a million weights of four bytes."""
    sizes = {name: (ROOT / name).stat().st_size for name in FILES}
    allowed = {name: 4_500_000 if name.endswith(".safetensors") else 1_500_000 for name in FILES}
    assert {name: size for name, size in sizes.items() if size > allowed[name]} == {}


def test_python_files_fit_a_reader():
    lengths = {name: text_of(name).count("\n") for name in FILES if name.endswith(".py")}
    assert {name: lines for name, lines in lengths.items() if lines > 400} == {}


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=" ".join)
def test_ruff_has_nothing_to_say(command):
    ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", "."]
    done = subprocess.run(ruff, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_address_is_one():
    """`_config.yml` is the setting; what can't read it agrees with it."""
    address = yaml.safe_load(text_of("_config.yml"))["repository"]["url"]
    assert address.startswith("https://github.com/")
    assert tomllib.loads(text_of("pyproject.toml"))["project"]["urls"] == {"Repository": address}
    assert yaml.safe_load(text_of("CITATION.cff"))["repository-code"] == address
    addresses = re.compile(r"https://github\.com/the-selective-state/[\w-]+")
    others = {
        name: set(addresses.findall(text_of(name))) - {address} for name in FILES if name.endswith((".md", ".ipynb"))
    }
    assert {name: found for name, found in others.items() if found} == {}


def test_citation_and_licences_say_the_same_as_the_package():
    citation = yaml.safe_load(text_of("CITATION.cff"))
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    assert {"cff-version", "message", "title", "authors", "version", "date-released", "license"} <= set(citation)
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == project["version"] == importlib.import_module("mamba_edu").__version__
    assert " AND ".join(citation["license"]) == project["license"]
    assert text_of("LICENSE").startswith("MIT License")
    assert "CC BY 4.0" in text_of("LICENSE-TEXT")
    assert citation["title"].startswith(yaml.safe_load(text_of("_config.yml"))["title"])


def pins():
    lines = [line.strip() for line in text_of("requirements.txt").split("\n")]
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def test_requirements_pin_what_is_installed():
    """Every pin is exact and is the version that these tests run on (a build's own suffix, as +cpu, aside)."""
    installed = {name: importlib.metadata.version(name).split("+")[0] for name in pins()}
    assert installed == pins()


def test_requirements_cover_the_package():
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    names = {re.split(r"[><=~]", line)[0].lower() for line in wanted}
    assert names <= {name.lower() for name in pins()}


def test_every_flag_of_the_trainer_has_help_and_a_default():
    parser = importlib.import_module("mamba_edu.train").make_parser()
    flags = [action for action in parser._actions if action.option_strings and action.dest != "help"]
    assert len(flags) > 15
    shown = " ".join(parser.format_help().split())
    for flag in flags:
        name, takes_value = flag.option_strings[-1], flag.nargs != 0
        assert len((flag.help or "").split()) > 1, f"{name} has no help"
        entry = shown[shown.index(f" {name} ", shown.index("options:")) + 1 :].split(" --")[0]
        assert not takes_value or "(default: " in entry, f"{name} takes a value and names no default: {entry}"


def test_make_lists_its_targets():
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("book", "test", "chapters", "lab", "clean"):
        assert f"make {target} " in listed
        assert subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True).returncode == 0


def test_make_refuses_an_old_python_by_name(tmp_path):
    old = tmp_path / "python3.8"
    real = f"exec {sys.executable} -c \"import sys; sys.version_info = (3, 8, 1); sys.version = '3.8.1 old'\n$2\"\n"
    old.write_text("#!/bin/sh\n" + real)
    old.chmod(0o755)
    done = subprocess.run(["make", f"PYTHON={old}", "book"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode != 0
    assert "Python 3.11 or newer is needed" in done.stderr and "3.8.1" in done.stderr


def test_every_pitfall_has_a_test_that_exists():
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \|$", text_of("tests/README.md"), re.MULTILINE)
    assert [int(number) for number, *_ in rows] == list(range(1, 25))
    for number, what, tests in rows:
        named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", tests)
        assert named or number == "21", f"pitfall {number}, {what}: no test"
        for file, test in named:
            assert re.search(rf"^def {test}\(", text_of(f"tests/{file}"), re.MULTILINE), f"{number}: {file}::{test}"
