"""The built book as files: links, what a page says of itself, styles and fonts. No browser."""

import re
from html import unescape
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import yaml
from fontTools.ttLib import TTFont
from site_book import ROOT, built_pages

from mamba_edu.plots.style import PALETTE


class _Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.ids, self.links, self.sources, self.meta = set(), [], [], {}

    def handle_starttag(self, tag, attributes):
        a = dict(attributes)
        self.ids |= {a[key] for key in ("id", "name") if a.get(key)}
        if tag == "a" and a.get("href"):
            self.links.append(a["href"])
        if tag == "meta":
            self.meta[a.get("name") or a.get("property")] = a.get("content")
        if tag in ("script", "img", "link", "source", "iframe") and a.get("rel") != "canonical":
            self.sources += [a[key] for key in ("src", "href") if a.get(key)]


def read_pages(html):
    pages = {}
    for name in built_pages():
        pages[name] = _Page()
        pages[name].feed((html / f"{name}.html").read_text(encoding="utf-8"))
    return pages


def test_every_link_within_the_book_leads_somewhere(html):
    pages, dead = read_pages(html), []
    for name, page in pages.items():
        for link in page.links + page.sources:
            parts = urlsplit(link)
            if parts.scheme:
                continue
            target = (html / f"{name}.html").parent / unquote(parts.path) if parts.path else html / f"{name}.html"
            if not target.resolve().is_file():
                dead.append(f"{name}: {link}")
            elif parts.fragment and target.suffix == ".html":
                there = target.resolve().relative_to(html).with_suffix("").as_posix()
                if there in pages and unquote(parts.fragment) not in pages[there].ids:
                    dead.append(f"{name}: {link}, no such place on the page")
    assert len(pages) >= 3 and dead == []


def test_nothing_is_fetched_from_elsewhere(html):
    outside = [f"{n}: {s}" for n, page in read_pages(html).items() for s in page.sources if urlsplit(s).netloc]
    css = (html / "_static" / "book-all.css").read_text(encoding="utf-8")
    outside += re.findall(r"url\(\s*[\"']?(?:https?:)?//[^)]*\)|@import[^;]*", css)
    assert outside == []


def test_styles_name_only_files_that_are_there(html):
    css = (html / "_static" / "book-all.css").read_text(encoding="utf-8")
    named = [u for u in re.findall(r"url\(\s*[\"']?([^)\"']+)", css) if not u.startswith(("data:", "#"))]
    assert len(named) >= 10  # the book's seven faces, the icons, KaTeX's
    assert [name for name in named if not (html / "_static" / name).is_file()] == []


def test_colours_come_from_the_palette(html):
    css = (html / "_static" / "book-all.css").read_text(encoding="utf-8")
    for name, (light, dark) in PALETTE.items():
        assert f"--ss-{name}:{light}" in css and f"--ss-{name}:{dark}" in css


def test_faces_have_the_letters_of_the_pages(html):
    text = "".join(unescape((html / f"{name}.html").read_text(encoding="utf-8")) for name in built_pages())
    for name in ["text", "text-italic", "display", "sans", "mono"]:
        path = html / "_static" / "fonts" / f"{name}.woff2"
        letters = set(TTFont(path).getBestCmap())
        assert {ord(c) for c in text if 32 <= ord(c) < 127} <= letters, name
        assert path.stat().st_size < 40_000, name


def test_pages_say_what_they_are(html):
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    owner, repository = config["repository"]["url"].removeprefix("https://github.com/").split("/")
    site = f"https://{owner}.github.io/{repository}/"
    sitemap = (html / "sitemap.xml").read_text(encoding="utf-8")
    for name, page in read_pages(html).items():
        assert page.meta.get("viewport"), name
        if name in ("search", "genindex"):
            continue
        assert page.meta["og:site_name"] == config["title"], name
        assert len(page.meta["description"]) > 40, name
        assert page.meta["og:url"] == f"{site}{name}.html", name
        assert f"<loc>{site}{name}.html</loc>" in sitemap, name


def test_the_front_door(html):
    door = (html / "index.html").read_text(encoding="utf-8")
    assert re.search(r"url=book/index\.html", door)


def test_contents_of_the_cover_link_every_chapter(html):
    cover = read_pages(html)["book/index"]
    for name in built_pages():
        if name.startswith("chapters/"):
            assert f"../{name}.html" in cover.links, name
