"""Where the built book is, and which pages it has. BOOK_HTML names another folder than `make book` writes."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HTML = Path(os.environ.get("BOOK_HTML", ROOT / "_build" / "html")).resolve()


def built_pages():
    """The pages of the built book, as paths from its root without `.html`; empty where it is not built."""
    files = sorted(path.relative_to(HTML) for path in HTML.rglob("*.html"))
    own = [path for path in files if not path.parts[0].startswith("_") and path.as_posix() != "index.html"]
    return [path.with_suffix("").as_posix() for path in own]
