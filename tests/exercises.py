"""Take the exercises out of a chapter: stub and folded solution, by the convention in book/tools/chapters.py."""

import ast
import re
from dataclasses import dataclass

SPECIFICATION = re.compile(r"### Exercise (\d+\.\d+)\b")
SOLUTION = re.compile(r"<details><summary>Solution</summary>\n\n(.+)\n\n</details>", re.DOTALL)
FENCED = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Exercise:
    """number: "7.1". stub: the source of its cell. solution: the code in the folded cell. given: all code before it."""

    number: str
    stub: str
    solution: str
    given: tuple[str, ...]

    @property
    def call(self):
        """The grader's call, the stub's last line: `checks.check_NAME(answer)`."""
        return ast.unparse(ast.parse(self.stub).body[-1])

    @property
    def grader(self):
        return re.fullmatch(r"checks\.(check_\w+)\(\w+\)", self.call)[1]

    @property
    def answer(self):
        """The name that reader and solution define."""
        return re.fullmatch(r"checks\.check_\w+\((\w+)\)", self.call)[1]

    def namespace(self):
        """What a solution may use: the imports up to the stub, and the chapter's functions and classes."""
        names = {"__name__": "chapter"}
        nodes = [node for source in (*self.given, self.stub) for node in ast.parse(source).body]
        for node in nodes:
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                _run(node, names)
        for node in (node for source in self.given for node in ast.parse(source).body):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                try:
                    _run(node, names)
                except NameError:  # a default or a base that a cell computed: out of reach for a solution
                    pass
        return names

    def grade(self, source):
        """The Result for the answer that `source` defines."""
        names = self.namespace()
        exec(compile(source, f"<exercise {self.number}>", "exec"), names)
        return eval(self.call, names)


def _run(node, names):
    exec(compile(ast.Module([node], []), "<chapter>", "exec"), names)


def code_cells(notebook):
    """The code cells, without the hidden set-up cell."""
    return [
        cell for cell in notebook.cells if cell.cell_type == "code" and "setup" not in cell.metadata.get("tags", [])
    ]


def exercises_of(notebook):
    """The exercises in reading order. An AssertionError names the one that breaks the convention."""
    found, cells = [], notebook.cells
    for index, cell in enumerate(cells):
        if cell.cell_type != "markdown" or not cell.source.startswith("### Exercise"):
            continue
        title = cell.source.split("\n")[0]
        assert SPECIFICATION.match(title), f"{title!r}: number it, as '### Exercise 7.1: ...'"
        assert index + 2 < len(cells), f"{title!r}: a stub and a solution follow"
        stub, solution = cells[index + 1 : index + 3]
        assert stub.cell_type == "code" and "exercise" in _tags(stub), f"{title!r}: no tagged stub"
        folded = SOLUTION.fullmatch(solution.source)
        assert folded, f"{title!r}: the solution is not folded as <details><summary>Solution</summary>"
        code = "\n".join(FENCED.findall(folded[1]))
        assert code, f"{title!r}: the solution holds no fenced Python"
        given = tuple(c.source for c in code_cells(notebook) if c in cells[:index] and "exercise" not in _tags(c))
        found.append(Exercise(SPECIFICATION.match(title)[1], stub.source, code, given))
    return found


def _tags(cell):
    return cell.metadata.get("tags", [])
