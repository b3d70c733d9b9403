"""What can be wrong with a page in a browser. `inspect_page` returns a list of findings, empty for a good page."""

import gzip
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
BUDGET = 300_000  # bytes of a cold page, gzipped

_LAYOUT = """() => {
  const found = [], width = document.documentElement.clientWidth;
  const scrolls = ".math-body, .plot-box, pre, .pst-scrollable-table-container, dialog";
  const hidden = (e) => !e.getClientRects().length || getComputedStyle(e).visibility === "hidden";
  if (document.documentElement.scrollWidth > width) {
    const wide = [...document.body.querySelectorAll("*")].filter(
      (e) => !hidden(e) && e.getBoundingClientRect().right > width + 1 && !e.closest(scrolls));
    found.push(`scrolls sideways: ${wide.slice(0, 3).map((e) => e.tagName + "." + e.className).join(", ")}`);
  }
  for (const image of document.images)
    if (!image.hasAttribute("alt") || /\\.(svg|png)$/.test(image.alt)) found.push(`no alt: ${image.src}`);
  for (const svg of document.querySelectorAll("svg:not([aria-hidden=true], .katex svg)"))
    if (!svg.querySelector(":scope > title")?.textContent.trim() && !svg.getAttribute("aria-label"))
      found.push("a drawing without title");
  const levels = [...document.querySelectorAll("main h1, main h2, main h3, main h4, main h5")]
    .filter((e) => !hidden(e)).map((e) => +e.tagName[1]);
  if (levels.filter((l) => l === 1).length !== 1) found.push(`headings: ${levels.filter((l) => l === 1).length} h1`);
  levels.forEach((l, i) => { if (i && l > levels[i - 1] + 1) found.push(`headings: h${levels[i - 1]} then h${l}`); });
  const prose = document.querySelector("main").cloneNode(true);
  prose.querySelectorAll("pre, code, script, style, .katex, svg").forEach((e) => e.remove());
  const raw = prose.textContent.match(/\\$[^$\\n]{1,80}\\$|\\\\\\(|\\\\\\[|\\\\begin\\{/);
  if (raw) found.push(`raw TeX: ${raw[0]}`);
  if (document.querySelector(".katex-error")) found.push("a formula that KaTeX could not set");
  for (const font of document.fonts) if (font.status === "error") found.push(`font not loaded: ${font.family}`);
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  const twice = ids.filter((id, i) => ids.indexOf(id) !== i);
  if (twice.length) found.push(`id used twice: ${twice[0]}`);
  return found;
}"""


@contextmanager
def listening(page):
    """Collects into the yielded pair (findings, addresses) what the console says and what the page asks for."""
    findings, addresses = [], []
    handlers = {
        "console": lambda m: findings.append(f"console: {m.text}") if m.type in ("error", "warning") else None,
        "pageerror": lambda error: findings.append(f"error: {error}"),
        "requestfailed": lambda request: findings.append(f"not loaded: {request.url}"),
        "request": lambda request: addresses.append(request.url),
    }
    for event, handler in handlers.items():
        page.on(event, handler)
    try:
        yield findings, addresses
    finally:
        for event, handler in handlers.items():
            page.remove_listener(event, handler)


def strangers(addresses, origin):
    """Findings: addresses outside `origin` (the start of every address of the book)."""
    outside = [a for a in addresses if not a.startswith((origin, "data:", "blob:"))]
    return [f"asks for {address}" for address in dict.fromkeys(outside)]


def weight(addresses, origin, folder):
    """Bytes of a cold page: each file once, gzipped where that helps."""
    total = 0
    for address in dict.fromkeys(addresses):
        file = Path(folder) / unquote(urlsplit(address).path).lstrip("/")
        if address.startswith(origin) and file.is_file():
            data = file.read_bytes()
            total += min(len(data), len(gzip.compress(data, 6)))
    return total


def axe_findings(page):
    """Findings of axe-core: rule, and the first element it names."""
    if not page.evaluate("typeof axe !== 'undefined'"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    violations = page.evaluate("async () => (await axe.run(document, {resultTypes: ['violations']})).violations")
    return [f"axe {v['id']}: {v['help']}, {v['nodes'][0]['html'][:120]}" for v in violations]


def inspect_page(page):
    """Layout, names, headings, formulas and accessibility of the page that is open."""
    page.evaluate("document.fonts.ready.then(() => true)")
    return page.evaluate(_LAYOUT) + axe_findings(page)
