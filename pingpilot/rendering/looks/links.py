"""Links in what is drawn: to web pages alone, and they tell nobody where they were clicked."""

import re

from markupsafe import Markup, escape

_BARE = re.compile(r"https?://[^\s\ufeff<>|`\\\"]+?(?=[.,:;!?\"')\]]*(?:[\s\ufeff<>|`\\\"]|$))")


def link(url: str, text: str | Markup) -> Markup:
    """Return a link, or the text alone where the address is no web page's."""
    if not url.lower().startswith(("https://", "http://")):
        return escape(text)
    return Markup('<a href="{}" rel="noopener noreferrer nofollow">{}</a>').format(url, text)


def with_links(text: str) -> Markup:
    """Return a text with what looks like a web address as a link, as chats show it."""
    drawn, end = Markup(), 0
    for found in _BARE.finditer(text):
        drawn += escape(text[end : found.start()]) + link(found[0], found[0])
        end = found.end()
    return drawn + escape(text[end:])
