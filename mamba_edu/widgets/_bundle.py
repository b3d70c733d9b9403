"""The figures' ES modules, put together without a bundler from elsewhere.

A figure is `NAME.js` beside this file; it imports from `core.js`, `marks.js` and `kit.js`, and ends with
`export default`. Of these files come one ES module for Jupyter (`esm`), and classic scripts for the book's pages
(`kit_script`, `figure_script`), because a page opened from the disk may not load modules.

Each file becomes a function that returns its exports, so that what it keeps to itself can't meet another file's names:

    const $core = (() => { ... return { softplus, silu }; })();
    const $selection = (($core) => { const { silu } = $core; ... return { $default }; })($core);

Only whole statements are replaced, found in the code alone: strings, comments, templates and regular expressions are
blanked for the search. What the files may say is little: `import { a, b } from "./file.js"`, `export const`,
`export function`, `export class`, `export default` and an expression.
"""

import functools
import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
KIT = ("core", "marks", "kit")  # on a page they, and what they import, are one script for all figures

_TOKEN = re.compile(
    r"(?P<space>\s+|//[^\n]*|/\*.*?\*/)"
    r"|(?P<string>\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*')"
    r"|(?P<regex>/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\[\n])+/\w*)"
    r"|(?P<word>[\w$]+|\.\d+)"
    r"|(?P<mark>.)",
    re.DOTALL,
)
_TEMPLATE = re.compile(r"(?:\\.|\$(?!\{)|[^`\\$])*(`|\$\{)", re.DOTALL)
_BEFORE_REGEX = {*"(,=:[!&|?{;+-*%<>~^", "", "return", "typeof", "case", "in", "of", "void", "throw", "else", "do"}
_IMPORT = re.compile(r"import\s*\{([\w$\s,]*)\}\s*from\s*([\"'])\./(\w+)\.js\2\s*;?")
_EXPORT = re.compile(r"export\s+(?:(default)\b\s*|(?=(?:async\s+function|function|class|const)\b))")
_DECLARED = re.compile(r"(?<![\w$.])(?:function\s*\*?|class|const|let|var)\s+([\w$]+)")
_FILE_NAME = re.compile(r"[a-z][a-z0-9_]*")


class BundleError(ValueError):
    """A figure's JavaScript that can't be put together: file, line, what came, what was expected."""


@dataclass(frozen=True)
class Module:
    """One file: its name without `.js`, its body as a function's, {file: names} it imports, the names it exports."""

    name: str
    body: str
    imports: dict
    exports: tuple
    default: bool


def code_only(source, name="source"):
    """`source` with everything blanked that is no code: comments, strings, templates, regular expressions.

    Same length, same line breaks; the code inside a template's ${...} stays. Raises BundleError where a template or a
    string doesn't end.
    """
    pieces = _pieces(source, name)
    return "".join(text if kind in ("word", "mark") else re.sub(r"[^\n]", " ", text) for kind, text in pieces)


def without_comments(source, name="source"):
    """`source` as a page needs it: comments and indentation are a third of the kit. Raises what `code_only` raises."""
    out, gap = [], ""
    for kind, text in _pieces(source, name):
        if kind == "space":
            gap += text
            continue
        out.append("\n" if "\n" in gap else " " if gap else "")  # a line's end may end a statement, so it stays
        out.append(text)
        gap = ""
    return "".join(out) + ("\n" if "\n" in gap else "")


def _pieces(source, name):
    """(kind, text) of every piece of `source`, in order; kind is "space", "string", "regex", "word" or "mark"."""
    open_braces, last, place = [], "", 0
    while place < len(source):
        match = _TOKEN.match(source, place)
        kind, text = match.lastgroup, match[0]
        if kind == "regex" and last not in _BEFORE_REGEX:
            kind, text = "mark", "/"
        if kind == "mark" and (text in "\"'" or source.startswith("/*", place)):
            raise BundleError(f"{name}.js, line {_line(source, place)}: what {text} opens does not end")
        resumed = text == "}" and open_braces and open_braces.pop() == "${"
        if text == "`" or resumed:
            match = _TEMPLATE.match(source, match.end())
            if not match:
                raise BundleError(f"{name}.js, line {_line(source, place)}: the template does not end")
            text, kind = source[place : match.end()], "string"
            open_braces += ["${"] if match[1] == "${" else []
            last = "{" if match[1] == "${" else "`"
        elif kind != "space":
            open_braces += ["{"] if text == "{" else []
            last = text if kind != "string" else "`"
        yield kind, text
        place += len(text)


def top_level(code):
    """`code` (of `code_only`) with everything blanked that stands in brackets of any kind, the brackets too."""
    depth, out = 0, []
    for character in code:
        depth -= character in ")]}"
        out.append(character if (depth == 0 and character not in "()[]{}") or character == "\n" else " ")
        depth += character in "([{"
    return "".join(out)


def _line(source, place):
    return source.count("\n", 0, place) + 1


def _refuse(name, source, place, expected):
    came = source[place:].split("\n", 1)[0].strip()
    raise BundleError(f"{name}.js, line {_line(source, place)}: expected {expected}, got {came[:80]!r}")


def parse(name, source):
    """Read one file into a `Module`. Raises BundleError, naming file and line, for what a file may not say."""
    if re.search(r"</script|<!--", source, re.IGNORECASE):
        raise BundleError(f"{name}.js holds </script or <!--, which would end or hide a script: write it in two parts")
    code = code_only(source, name)
    outer, edits, imports, exports, default = top_level(code), [], {}, [], False
    for word in re.finditer(r"(?<![\w$.])(?:import|export)(?![\w$])", code):
        start = word.start()
        if outer[start] == " ":  # in brackets it is a property's name, or the function import()
            if re.match(r"import\s*[.(]", code[start:]):
                _refuse(name, source, start, "import as a statement at the top")
        elif word[0] == "import":
            match = _IMPORT.match(source, start) or _refuse(name, source, start, 'import { a, b } from "./file.js"')
            names = [part.strip() for part in match[1].split(",") if part.strip()]
            if not names or any(" " in part or "\n" in part for part in names):
                _refuse(name, source, start, 'names without "as" in import { a, b } from "./file.js"')
            imports.setdefault(match[3], []).extend(names)
            edits.append((start, match.end(), f"const {{ {', '.join(names)} }} = ${match[3]};"))
        else:
            match = _EXPORT.match(code, start) or _refuse(name, source, start, "export const, function, class, default")
            edits.append((start, match.end(), "const $default = " if match[1] else ""))
            if match[1]:
                default = True
            else:
                exports.append(_exported(name, source, outer, match.end()))
    _one_of_each(name, imports, outer, exports)
    body = source
    for start, end, replacement in reversed(edits):
        body = body[:start] + replacement + body[end:]
    return Module(name, body.strip("\n"), imports, tuple(exports), default)


def _exported(name, source, outer, place):
    """The one name that `export` at `place` declares."""
    keyword = place + len("async ") * outer.startswith("async ", place)
    declared = _DECLARED.match(outer, keyword)
    line_end = re.compile(r"[;\n]|$").search(outer, place).start()
    if not declared or (source.startswith("const", place) and "," in outer[place:line_end]):
        _refuse(name, source, place, "one name in each export")
    return declared[1]


def _one_of_each(name, imports, outer, exports):
    known = [n for names in imports.values() for n in names] + _DECLARED.findall(outer)
    twice = [n for n in known if known.count(n) > 1]
    if twice:
        raise BundleError(f"{name}.js has {twice[0]!r} twice: an import and a name of its own, or two imports")


def _read(name, folder):
    path = Path(folder) / f"{name}.js"
    if not _FILE_NAME.fullmatch(name) or not path.is_file():
        there = ", ".join(sorted(p.stem for p in Path(folder).glob("*.js")))
        raise BundleError(f"there is no {name}.js among the figures' files: {there}")
    return parse(name, path.read_text(encoding="utf-8"))


def modules_for(entries, folder=FOLDER):
    """The `Module`s of `entries` and of what they import, each after those it needs.

    Raises BundleError for a file or a name that isn't there, and for files that import each other in a circle.
    """
    done, waiting = {}, []

    def visit(name):
        if name in waiting:
            raise BundleError(f"{' -> '.join([*waiting[waiting.index(name) :], name])}: files import in a circle")
        if name in done:
            return
        waiting.append(name)
        module = _read(name, folder)
        for other, names in module.imports.items():
            visit(other)
            missing = [n for n in names if n not in done[other].exports]
            if missing:
                there = ", ".join(done[other].exports) or "nothing"
                raise BundleError(f"{name}.js imports {missing[0]!r} from {other}.js, which exports {there}")
        waiting.pop()
        done[name] = module

    for entry in entries:
        visit(entry)
    return list(done.values())


def _function(module, shared=()):
    """The file as a function of the files that it imports; `shared` ones are there already, in `SelectiveState`."""
    names = ", ".join([*module.exports, *(["$default"] if module.default else [])])
    takes = ", ".join(f"${other}" for other in module.imports)
    gets = ", ".join(f"SelectiveState.modules.{o}" if o in shared else f"${o}" for o in module.imports)
    return f"const ${module.name} = (({takes}) => {{\n{module.body}\nreturn {{ {names} }};\n}})({gets});\n"


def _figure_modules(name, folder):
    file = name.replace("-", "_")  # "block-dataflow" is in block_dataflow.js
    modules = modules_for([file], folder)
    if not modules[-1].default:
        raise BundleError(f"{file}.js has no default export: a figure ends with `export default liveFigure({{...}})`")
    return modules


@functools.cache
def esm(name, folder=FOLDER):
    """The figure as one ES module, the text that anywidget takes as `_esm`. name: "selection", of `selection.js`."""
    modules = _figure_modules(name, folder)
    return "".join(_function(module) for module in modules) + f"export default ${modules[-1].name}.$default;\n"


def kit_script(folder=FOLDER):
    """The kit as a classic script: it defines `SelectiveState`, which moves the figures once the page is there."""
    modules = modules_for(KIT, folder)
    if "mount" not in modules[-1].exports:
        raise BundleError(f"kit.js must export mount(page, figures), got {', '.join(modules[-1].exports)}")
    shared = ", ".join(f"{module.name}: ${module.name}" for module in modules)
    return without_comments(
        'globalThis.SelectiveState = (() => {\n"use strict";\n'
        + "".join(_function(module) for module in modules)
        + f"const modules = {{ {shared} }}, figures = {{}}, data = {{}};\n"
        + "return { modules, figures, data, mount: (page) => $kit.mount(page, figures) };\n})();\n"
        'document.addEventListener("DOMContentLoaded", () => SelectiveState.mount(document));\n'
    )


def figure_script(name, folder=FOLDER):
    """The figure as a classic script, to be loaded after the kit's: it registers `SelectiveState.figures[name]`."""
    shared = {module.name for module in modules_for(KIT, folder)}
    modules = [module for module in _figure_modules(name, folder) if module.name not in shared]
    body = "".join(_function(module, shared) for module in modules)
    figure = f"${modules[-1].name}.$default"
    return without_comments(f'(() => {{\n"use strict";\n{body}SelectiveState.figures["{name}"] = {figure};\n}})();\n')


@functools.cache
def data_text(name, folder=FOLDER):
    """The text of a figure's own data, `data/NAME.json`; ValueError names those there are, where it isn't one."""
    path = Path(folder) / "data" / f"{name}.json"
    if not _FILE_NAME.fullmatch(name) or not path.is_file():
        there = ", ".join(sorted(p.stem for p in (Path(folder) / "data").glob("*.json"))) or "none"
        raise BundleError(f"there is no {name}.json among the figures' data: {there}")
    return path.read_text(encoding="utf-8")


def data_script(name, folder=FOLDER):
    """The data as a classic script that hands it to the page: a page opened from the disk may not fetch a file."""
    return f'SelectiveState.data["{name}"] = {data_text(name, folder).strip()};\n'
