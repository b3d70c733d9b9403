"""A chapter's title says three things, `7. The Mamba block: what surrounds it?`: number, name, question."""

import re

_TITLE = r"(\d+)\.\s+([^<]+?)"


def _heading(match):
    number, name = match[1], match[2]
    name, colon, question = name.partition(": ")
    asked = f'<span class="chapter-question">{question[:1].upper()}{question[1:]}</span>' if colon else ""
    # the colon and the point stay for those who hear the heading, or copy it
    return (
        f'<h1 class="chapter-heading"><span class="chapter-number">{number}<span class="said">.</span></span> '
        f'<span class="chapter-name">{name}<span class="said">{colon.strip()}</span></span> {asked}'
    )


def _link(match):
    name = match[3].partition(": ")[0]
    return f'{match[1]}<span class="toc-number">{match[2]}</span> {name}{match[4]}'


def mark_chapters(page):
    """Set off the number and the question of a chapter's heading; in the contents, keep number and name."""
    page = re.sub(rf"<h1>{_TITLE}(?=<a class=\"headerlink|</h1>)", _heading, page)
    page = re.sub(rf'(<li class="toctree-l1[^>]*><a[^>]*>){_TITLE}(</a>)', _link, page)
    return re.sub(rf'(<p class="prev-next-title">){_TITLE}(</p>)', _link, page)
