"""Who may import whom: the rooms of the package and the arrows between them, read from the source."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import mamba_edu

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "mamba_edu"

# What each room imports directly; what that imports is open to it, too. Files that begin with _ belong to a room.
ALONE = ["rnn", "attention", "conv", "data", "tasks", "metrics", "baselines", "iomodel", "ssd", "show"]
ARROWS = {
    **{room: [] for room in ALONE},
    "discretize": [],
    "lti": ["discretize"],
    "hippo": ["discretize"],
    "s4": ["lti", "hippo"],
    "scan": [],
    "selection": ["scan"],
    "block": ["selection", "conv"],
    "model": ["block"],
    "generate": ["model"],
    "pretrained": ["model"],
    "broken": ["model"],
    "training": ["model", "attention", "rnn", "data", "metrics"],
    "train": ["training"],
    "corpus": [],
    "csrc": [],
    "records": [],
    "weights": [],
}
SHOWING = {"widgets", "checks", "plots"}  # they import what they show or grade
HELPERS = {"_validate": None, "_exact": {"s4", "selection"}, "_corpus": {"data"}, "_download": {"data"}}
# None: the foundation, open to every room
HEAVY = {"numba", "matplotlib", "anywidget", "ipywidgets"}


def imported_names(path):
    """Absolute dotted names of everything that a file imports, at any depth."""
    here = path.relative_to(ROOT).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(here[: len(here) - node.level]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def room_of(path):
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def allowed_rooms(room):
    """All rooms to the left of `room`."""
    found, waiting = set(), list(ARROWS[room])
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += ARROWS[name]
    return found


def may_import(room, sibling):
    """Whether a file of `room` may import from `sibling`."""
    if sibling == room:
        return True
    if sibling in HELPERS:
        return HELPERS[sibling] is None or room in HELPERS[sibling]
    if sibling in SHOWING:
        return sibling == "plots" and room in ("widgets", "train")  # a still picture, the curves of a run
    return room in SHOWING or sibling in allowed_rooms(room)


def forbidden(room, names):
    """What of `names` a file of `room` may not import. A public name of the package stands for its room."""
    parts = {name: name.split(".") for name in names}
    siblings = {name: p[1] for name, p in parts.items() if p[0] == "mamba_edu" and len(p) > 1}
    homes = {name: mamba_edu._MODULE_OF.get(sibling, sibling) for name, sibling in siblings.items()}
    return sorted(name for name, home in homes.items() if not may_import(room, home))


MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.name != "__init__.py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_imports_only_what_lies_to_its_left(path):
    room = room_of(path)
    names = list(imported_names(path))
    if room in HELPERS:
        siblings = [name for name in names if name.startswith("mamba_edu.") and name.split(".")[1] not in HELPERS]
        assert siblings == [], f"{room} is under the rooms and imports none"
        return
    assert room in ARROWS or room in SHOWING, f"{room} is a new room: give it its arrows here and in the design"
    assert forbidden(room, names) == []
    outside = {name.split(".")[0] for name in names}
    assert not outside & {"chapters", "tests", "benchmarks", "book"}
    if "matplotlib" in outside:
        assert room == "plots", "plots is the only user of matplotlib"


@pytest.mark.parametrize(
    "room, name",
    [
        ("scan", "mamba_edu.selection"),
        ("block", "mamba_edu.model.Mamba"),
        ("metrics", "mamba_edu.data"),
        ("hippo", "mamba_edu.lti"),
        ("model", "mamba_edu._download"),
        ("model", "mamba_edu.plots.style"),
        ("model", "mamba_edu.generate"),
        ("conv", "mamba_edu.S6"),
        ("checks", "mamba_edu.widgets"),
        ("plots", "mamba_edu.widgets"),
        ("scan", "mamba_edu.widgets.Selection"),
    ],
)
def test_the_arrows_hold_against_a_wrong_import(room, name):
    assert forbidden(room, [name]) == [name]


def test_relative_imports_are_read_as_what_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    file = tmp_path / "mamba_edu" / "scan" / "cpu.py"
    file.parent.mkdir(parents=True)
    file.write_text(
        "from ..model import Mamba\nfrom . import api\nfrom .. import S6\ndef f():\n    import numba.core\n"
    )
    names = set(imported_names(file))
    assert {"mamba_edu.model.Mamba", "mamba_edu.scan.api", "mamba_edu.S6", "numba.core"} <= names


def fresh(code):
    """What a new Python process prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT / "tests")
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_import_mamba_edu_is_light():
    loaded = set(fresh("import mamba_edu, sys; print(*{name.split('.')[0] for name in sys.modules})"))
    assert "mamba_edu" in loaded
    assert not loaded & (HEAVY | {"torch", "numpy"})


def test_every_public_name_works_without_the_heavy_packages():
    """numba, matplotlib and the widgets load on first use, not with the names."""
    code = "import mamba_edu, sys\nfor n in mamba_edu.__all__: getattr(mamba_edu, n)\nimport mamba_edu.baselines\n"
    loaded = set(fresh(code + "print(*{name.split('.')[0] for name in sys.modules})"))
    assert "torch" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize("name", mamba_edu.__all__)
def test_every_public_name_resolves_and_has_a_docstring(name):
    value = getattr(mamba_edu, name)
    assert name in dir(mamba_edu)
    if name != "__version__":
        assert callable(value) and (value.__doc__ or "").strip(), f"{name} has no docstring"
        assert value.__module__.startswith(f"mamba_edu.{mamba_edu._MODULE_OF[name]}")


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_thing"):
        mamba_edu.no_such_thing  # noqa: B018


def test_generate_is_the_function_whatever_was_imported_first():
    function = import_module("mamba_edu.generate").generate
    assert mamba_edu.generate is function
    told = fresh(
        "import mamba_edu.generate, mamba_edu\nfrom mamba_edu import generate\n"
        "import inspect; print(inspect.isfunction(mamba_edu.generate), inspect.isfunction(generate))"
    )
    assert told == ["True", "True"]
