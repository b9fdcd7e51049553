"""Links that leave docs/en (configs, tools, other READMEs) lead nowhere on the site that mkdocs
makes: there they become their text and the path in the repository."""

import posixpath
import re

LINK = re.compile(r'(?<!!)\[([^\]]+)\]\(((?:\.\./)+[^)\s#]*)(#[^)\s]*)?\)')
FOLDER = 'docs/en'


def on_page_markdown(markdown: str, page, **kwargs) -> str:
    """Called by mkdocs with the text of each page."""
    here = posixpath.join(FOLDER, posixpath.dirname(page.file.src_uri))

    def named(match: re.Match) -> str:
        target = posixpath.normpath(posixpath.join(here, match[2]))
        inside = target == FOLDER or target.startswith(f'{FOLDER}/')
        return match[0] if inside else f'{match[1]} (`{target}`)'
    return LINK.sub(named, markdown)
