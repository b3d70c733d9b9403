"""Markdown and docstrings as wikitext, the markup inside enwik8's pages: [[links]], ''quotes'', == headings ==."""

import re

_INLINE = re.compile(
    r"(?P<role>\{[\w:]+\})?(?P<tick>`+)(?P<code>.+?)(?P=tick)"
    r"|(?P<dollars>\$\$?)(?P<math>[^$]+)(?P=dollars)"
    r"|!\[(?P<alt>[^\]]*)\]\((?P<image>[^)\s]*)[^)]*\)"
    r"|\[(?P<label>[^\]]+)\]\((?P<target>[^)\s]+)[^)]*\)"
    r"|\*\*(?P<bold>[^*]+)\*\*"
    r"|(?<![\w*])\*(?P<italic>[^*\s][^*]*)\*"
    r"|(?P<tag></?[A-Za-z][\w-]*(?:\s[^<>]*)?/?>)",
    re.S,
)
_FENCE = re.compile(r"\s*(`{3,}|~{3,}|:{3,})\s*(\{?[\w:-]*\}?)")
_ITEM = re.compile(r"(\s*)([-*+]|\d+[.)])\s+(.*)")
_NOT_TEXT = {"{toctree}", "{tableofcontents}", "{bibliography}", "{raw}", "{image}", "{figure}"}


class Linker:
    """Turns names and terms into [[links]] on one page: `titles` maps what the text says to the page's title.

    A name in code font is always a link, a term in prose is one the first time.
    """

    def __init__(self, titles, terms, own_title):
        self.titles, self.own_title = titles, own_title
        unseen = sorted((term for term in terms if term != own_title), key=len, reverse=True)
        self._terms = re.compile(r"\b(" + "|".join(map(re.escape, unseen)) + r")\b", re.I) if unseen else None
        self._seen = set()

    def code(self, name):
        title = self.titles.get(name.split("(")[0])
        return f"<code>{name}</code>" if title in (None, self.own_title) else link(title, name)

    def prose(self, text):
        return self._terms.sub(self._first_time, text) if self._terms else text

    def _first_time(self, match):
        term = match[0]
        if term.lower() in self._seen:
            return term
        self._seen.add(term.lower())
        return f"[[{term}]]"


def link(title, label):
    """[[title]] or [[title|label]]."""
    return f"[[{title}]]" if title == label else f"[[{title}|{label}]]"


def inline(text, linker):
    """One paragraph's Markdown as wikitext."""
    parts, end = [], 0
    for match in _INLINE.finditer(text):
        parts += [linker.prose(text[end : match.start()]), _markup(match, linker)]
        end = match.end()
    return "".join([*parts, linker.prose(text[end:])])


def _markup(match, linker):
    if match["code"]:
        code = match["code"].strip()
        return f"[[{code.split('<')[0].strip()}]]" if match["role"] else linker.code(code)
    if match["math"]:
        return f"<math>{match['math']}</math>"
    if match["image"] is not None:
        return f"[[Image:{match['image'].split('/')[-1]}|{match['alt']}]]"
    if match["label"]:
        label, target = inline(match["label"], linker).replace("[[", "").replace("]]", ""), match["target"]
        return f"[{target} {label}]" if "://" in target else f"[[{label}]]"
    if match["bold"]:
        return f"'''{match['bold']}'''"
    return f"''{match['italic']}''" if match["italic"] else ""  # an HTML tag says nothing


def from_markdown(text, linker):
    """A Markdown page as wikitext. A paragraph becomes one line, as in enwik8; directives lose their fences."""
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.S)  # front matter
    text = re.sub(r"<!--.*?-->", "", text, flags=re.S)
    lines, blocks, k = text.split("\n"), [], 0
    while k < len(lines):
        block, k = _block(lines, k, linker)
        blocks += [block] if block else []
    return "\n\n".join(blocks)


def _block(lines, k, linker):
    """The block that begins at line k, as wikitext, and the number of the line after it."""
    line = lines[k]
    if not line.strip() or re.match(r"\s*(\([\w-]+\)=|%|-{3,}\s*$|\+\+\+)", line):  # nothing, label, comment, rule
        return "", k + 1
    if fence := _FENCE.match(line):
        return _fenced(lines, k, fence, linker)
    if heading := re.match(r"(#+)\s+(.*)", line):
        bars = "=" * max(2, len(heading[1]))
        return f"{bars} {inline(heading[2], linker)} {bars}", k + 1
    if line.strip() == "$$" or re.match(r"\s*\$\$[^$]*$", line):
        end = next((j for j in range(k + 1, len(lines)) if "$$" in lines[j]), len(lines) - 1)
        formula = " ".join(part.strip() for part in lines[k : end + 1]).replace("$$", "").strip()
        return f":<math>{formula}</math>", end + 1
    end = k + 1
    while end < len(lines) and lines[end].strip() and not _FENCE.match(lines[end]) and lines[end][0] != "#":
        end += 1
    block = lines[k:end]
    if line.lstrip().startswith("|"):
        return _table(block, linker), end
    if line.startswith("    "):  # code, which wikitext marks by one space
        return "\n".join(" " + row[4:] for row in block), end
    return _paragraphs(block, linker), end


def _fenced(lines, k, fence, linker):
    end = next((j for j in range(k + 1, len(lines)) if lines[j].strip() == fence[1]), len(lines))
    body, name = lines[k + 1 : end], fence[2]
    if name in _NOT_TEXT:
        return "", end + 1
    if name.startswith("{"):
        body = [row for row in body if not re.match(r"\s*:[\w-]+:", row)]
        text = "\n".join(body)
        return f":<math>{text.strip()}</math>" if name == "{math}" else from_markdown(text, linker), end + 1
    return "<pre>\n" + "\n".join(body) + "\n</pre>", end + 1


def _table(rows, linker):
    cells = [[inline(cell.strip(), linker) for cell in row.strip().strip("|").split("|")] for row in rows]
    cells = [row for row in cells if not all(re.fullmatch(r":?-+:?", cell) for cell in row)]
    head, *body = cells
    lines = ['{| border="1"', "! " + " !! ".join(head)]
    for row in body:
        lines += ["|-", "| " + " || ".join(row)]
    return "\n".join([*lines, "|}"])


def _paragraphs(rows, linker):
    """Lines of prose and list items: each item, and each run of prose, on one line."""
    joined = []
    for row in rows:
        item = _ITEM.match(row)
        if item:
            mark = "#" if item[2][0].isdigit() else "*"
            joined.append([mark * (len(item[1]) // 2 + 1), item[3]])
        elif row.startswith(">"):
            joined.append([":", row.lstrip("> ")])
        elif joined:
            joined[-1][1] += " " + row.strip()
        else:
            joined.append(["", row.strip()])
    return "\n".join(mark + inline(text, linker) for mark, text in joined)
