"""A page carries what it shows: one stylesheet, fonts cut to the letters in use, scripts only where they act.

Every template goes through `slim_page`. When all pages are written, `book.css` is joined from the theme's stylesheets,
KaTeX's, the palette and the book's own; fonts are cut to the characters of all pages.
"""

import html as entities
import re
import string
from pathlib import Path

from _chapters import mark_chapters
from _fonts import PRELOADED, cached_cut, write_faces
from _katex import modules_folder
from _palette import palette_css
from book_live import PLACE, live_tags

STYLES = [  # in the order in which the theme links them; code takes its colours from the palette, in book.css
    "styles/theme.css",
    "styles/pydata-sphinx-theme.css",
    "styles/sphinx-book-theme.css",
    "togglebutton.css",
    "copybutton.css",
    "mystnb.*.css",
    "proof.css",
    "exercise.css",
    "sphinx-design.min.css",  # where a page uses it
]
SCRIPT_NEEDS = {  # a script: the text that a page which uses it contains
    "clipboard.min.js": '<div class="highlight"',
    "copybutton.js": '<div class="highlight"',
    "togglebutton.js": 'class="(?:[^"]* )?toggle[ "]|class="[^"]*admonition[^"]* dropdown|class="dropdown admonition',
    "design-tabs.js": 'class="sd-tab-set',
    "bootstrap.js": 'data-bs-toggle="(?!tooltip)',  # menus; the book's buttons have names and need no tooltip
}
DROPPED = ["fontawesome.js", "thebe", "THEBE", "kernelName", "mathjax", "MathJax"]
SEARCH = ["searchtools.js", "language_data.js", "searchindex.js"]
TOGGLE_SETTINGS = ["toggleHint", "toggleOpenOnPrint", "togglebuttonSelector"]
_SCRIPT = re.compile(r"\s*<script\b([^>]*)>(.*?)</script>", re.DOTALL)
_STYLE = re.compile(r'\s*<link\b[^>]*rel="stylesheet"[^>]*/?>')
_COLAB_LINE = re.compile(r'<p><a class="reference external" href="https://colab\.[^"]*">Open in Colab</a></p>\n?')
_ICON_RULE = re.compile(r"((?:\.fa-[\w-]+:before,?)+)\{content:\"\\([0-9a-f]+)\"\}")
_ICON_FONTS = re.compile(r"@font-face\{[^}]*Font Awesome[^}]*\}")
SCRIPTED_ICONS = {"fa-xmark"}  # named by the theme's script, by no page


def _script_stays(attributes, body, page, searching):
    source = re.search(r'src="([^"]*)"', attributes)
    what = source[1] if source else attributes + body
    if any(word in what for word in DROPPED):
        return False
    if source and any(name in what for name in SEARCH):
        return searching
    if not source and any(word in body for word in TOGGLE_SETTINGS):
        return bool(re.search(SCRIPT_NEEDS["togglebutton.js"], page))
    name = next((name for name in SCRIPT_NEEDS if name in what), None)
    return name is None or bool(re.search(SCRIPT_NEEDS[name], page))


def _deferred(attributes):
    # the theme's inline scripts read documentation_options.js (300 bytes) at once
    waits = any(word in attributes for word in ("defer", 'type="module"', "documentation_options.js"))
    return attributes if waits else f" defer{attributes}"


def _preload(root):
    # a browser refuses a font preload under file://, loudly
    names = ",".join(f"'{name}'" for name in PRELOADED)
    return (
        f"<script>if(location.protocol!='file:')for(const f of [{names}])document.head.append(Object.assign("
        f"document.createElement('link'),{{rel:'preload',as:'font',type:'font/woff2',crossOrigin:'',"
        f"href:'{root}_static/fonts/'+f+'.woff2'}}))</script>"
    )


def slim_page(page, root, searching=False):
    """The HTML of one page, slimmed.

    page: what the theme rendered. root: the way from the page to the site's root, e.g. "../". searching: whether this
    is the search page, which keeps its scripts as they came.
    """

    def script(match):
        attributes, body = match[1], match[2]
        if not _script_stays(attributes, body, page, searching):
            return ""
        if "src=" in attributes and not searching:
            attributes = _deferred(attributes)
        return f"\n<script{attributes}>{body}</script>"

    head, body = page.split("</head>", 1)
    head = _STYLE.sub("", head)
    head = re.sub(r'\s*<link rel="preload" as="script"[^>]*>', "", head)
    style = f'<link rel="stylesheet" href="{root}_static/book-all.css" />'
    # the theme says it three times
    first, *more = re.findall(r'\s*<meta name="viewport"[^>]*>', head) or [""]
    for again in more:
        head = head.replace(again, "", 1) if again != first else head
    head = _SCRIPT.sub(script, head).replace("<title>", f"{_preload(root)}\n{style}\n<title>", 1)
    slim = f"{head}\n{live_tags(page, root)}</head>" + _SCRIPT.sub(script, body)
    slim = _COLAB_LINE.sub("", slim)  # the notebook's own line; the page has a button
    return mark_chapters(accessible(slim))


def accessible(page):
    """What axe finds in the theme: a button with two names, a sidebar that is no landmark, roles that don't exist."""
    page = re.sub(r'(<button class="btn search-button-field[^>]*?) title="[^"]*" aria-label="[^"]*"', r"\1", page)
    page = page.replace(
        '<div id="pst-primary-sidebar"', '<div id="pst-primary-sidebar" role="navigation" aria-label="The book"', 1
    )
    page = re.sub(r'(<i class="theme-switch[^>]*?) title="[^"]*"', r"\1", page)
    page = page.replace('role="doc-biblioentry"', 'role="listitem"')
    # a second, hidden h1 and the contents again, for print
    page = re.sub(r'<div id="jb-print-docs-body".*?(?=<div id="searchbox">)', "", page, count=1, flags=re.DOTALL)
    for name, label in [("primary", "Contents of the book"), ("secondary", "Contents of this page")]:
        button = rf'(<button class="sidebar-toggle {name}-toggle[^"]*")[^>]*>'
        page = re.sub(button, rf'\1 type="button" aria-label="{label}">', page)
    return re.sub(r"(<i class=\"[^\"]*fa-[^\"]*\"|<span class=\"fa-[^\"]*\")", r'\1 aria-hidden="true"', page)


def site_address(app, config):
    """The site's own address, from the repository's: https://OWNER.github.io/NAME/."""
    repository = re.fullmatch(r"https://github\.com/([^/]+)/([^/]+?)/?", config.html_theme_options["repository_url"])
    if not config.html_baseurl and repository:
        config.html_baseurl = f"https://{repository[1].lower()}.github.io/{repository[2]}/"
    config.ogp_site_url = config.html_baseurl


def patch_templates(app):
    """Send every page that the theme renders through `slim_page`."""
    if app.builder.format != "html":
        return
    render = app.builder.templates.render

    def slim_render(template, context):
        page = render(template, context)
        if not template.endswith(".html") or "</head>" not in page:
            return page
        name = context.get("pagename", "")
        if name == app.config.root_doc:
            page = page.replace("<body ", '<body class="cover-page" ', 1)
            page = re.sub(
                r"<title>[^<]*</title>", f"<title>{app.config.html_title}: Mamba from the ground up</title>", page
            )
        return slim_page(page, "../" * name.count("/"), searching=name == "search")

    app.builder.templates.render = slim_render


def _theme_css(static, pages):
    parts = []
    designed = any(re.search(r'class="(?:[^"]* )?sd-', page) for page in pages)
    for pattern in STYLES if designed else STYLES[:-1]:
        for path in sorted(static.glob(pattern)):
            text = path.read_text(encoding="utf-8")
            if path.name == "theme.css":  # it only imports Sphinx's own
                text = (static / "basic.css").read_text(encoding="utf-8")
            parts.append(text)
    return "\n".join(parts)


def cut_icons(css, names, fonts, cache, folder):
    """The theme's CSS with the icons that pages use, and no others; the icon font cut to them.

    names: the classes `fa-...` in use. fonts: the theme's folder of icon fonts. Writes `icons.woff2` into `folder`.
    """
    kept = {}

    def rule(match):
        used = [s for s in match[1].strip(",").split(",") if s[1:].split(":")[0] in names]
        if used:
            kept[chr(int(match[2], 16))] = used
        return f'{",".join(used)}{{content:"\\{match[2]}"}}' if used else ""

    css = _ICON_RULE.sub(rule, _ICON_FONTS.sub("", css))
    data = cached_cut(cache, fonts / "fa-solid-900.woff2", "".join(kept))
    (folder / "icons.woff2").write_bytes(data)
    face = "font-family:Font Awesome\\ 6 Free;font-weight:900;font-display:block;src:url(fonts/icons.woff2)"
    return f"@font-face{{{face}}}\n{css}"


def katex_css(modules, characters, cache, folder):
    """KaTeX's stylesheet with each font cut to the characters of the book's formulas; fonts without any left out."""
    dist = modules / "katex" / "dist"
    css = (dist / "katex.min.css").read_text(encoding="utf-8")

    def face(match):
        name = re.search(r"url\(fonts/([\w-]+)\.woff2\)", match[0])[1]
        data = cached_cut(cache, dist / "fonts" / f"{name}.woff2", characters)
        if not data:
            return ""
        (folder / f"{name}.woff2").write_bytes(data)
        only = f'src:url(fonts/{name}.woff2) format("woff2")'
        return re.sub(r"src:[^;}]*", only, match[0]).replace("font-display:block", "font-display:swap")

    return re.sub(r"@font-face\{[^}]*\}", face, css)


def join_styles(app, exception):
    """Write `_static/book-all.css` and the fonts it names."""
    if exception or app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static"
    cache = Path(app.doctreedir).parent / ".book" / "fonts"
    modules, folder = modules_folder(app.srcdir), static / "fonts"
    pages = [path.read_text(encoding="utf-8") for path in Path(app.outdir).rglob("*.html")]
    characters = {c for page in pages for c in entities.unescape(page)}
    if (static.parent / PLACE).is_dir():  # live figures draw letters of their own, and those that a reader types
        drawn = [path.read_text(encoding="utf-8") for path in (static.parent / PLACE).glob("*.js")]
        characters |= {c for text in drawn for c in text} | set(string.printable)
    icons = {name for page in pages for name in re.findall(r"\bfa-[\w-]+", page)} | SCRIPTED_ICONS
    formulas = {c for html in app.book_katex.cache.values() for c in entities.unescape(html)}
    faces = write_faces(modules, folder, cache, characters)
    css = [
        faces,
        palette_css(),
        cut_icons(_theme_css(static, pages), icons, static / "vendor/fontawesome/webfonts", cache, folder),
        katex_css(modules, formulas, cache, folder),
        *(path.read_text(encoding="utf-8") for path in sorted((Path(app.srcdir) / "book" / "static").glob("*.css"))),
    ]
    joined = re.sub(r"/\*.*?\*/", "", "\n".join(css), flags=re.DOTALL)
    joined = joined.replace("url(file.png)", "none").replace('@charset "UTF-8";', "")
    (static / "book-all.css").write_text(joined, encoding="utf-8")


def write_sitemap(app, exception):
    """`sitemap.xml` with every page, whichever of them this build has written."""
    if exception or app.builder.format != "html":
        return
    places = [app.config.html_baseurl + app.builder.get_target_uri(name) for name in sorted(app.env.found_docs)]
    urls = "".join(f"<url><loc>{place}</loc></url>" for place in places)
    space = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
    text = f'<?xml version="1.0" encoding="utf-8"?>\n<urlset {space}>{urls}</urlset>\n'
    (Path(app.outdir) / "sitemap.xml").write_text(text, encoding="utf-8")


def setup(app):
    app.connect("config-inited", site_address, priority=100)
    app.connect("builder-inited", patch_templates)
    app.connect("build-finished", join_styles, priority=900)  # the theme rewrites pygments.css before
    app.connect("build-finished", write_sitemap)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": False}
