"""How Discord's client shows text: its rules, as far as user text could set one off."""

import re

_SPACE = r"[\s\ufeff]"  # JavaScript's idea of white space
_ESCAPE = re.compile(r"\\([^0-9A-Za-z\s\ufeff])")
_URL = re.compile(r"(?:https?|steam)://[^\s\ufeff<]+[^<.,:;\"'\]\s\ufeff]")
_ANYWHERE = (
    r"\*[\s\S]+?\*|\b_[\s\S]+?_|__[\s\S]+?__|~~[\s\S]+?~~|\|\|[\s\S]+?\|\||`+[\s\S]+?`+"
    r"|\[[^\]]*\]\([^)]+\)|<https?:[^ >]+>|<[^\s<>@]+@[^\s<>@]+\.[^\s<>@]+>|<(?:tel|sms):\+?\d+>|<\+\d+>"
    r"|<(?:@[!&]?|\#)\d+>|@everyone|@here|@silent(?!\S)|<t:-?\d+(?::[tTdDfFR])?>|<a?:\w+:\d+>|<id:\w+>"
    r"|</[^:<>]+:\d+>|:\w*[A-Za-z]\w*:|:[+-]1:|¯\\_\(ツ\)_/¯"
)
_AT_LINE_START = rf" *(?:\#{{1,3}}{_SPACE}+\S|-\#{_SPACE}+\S|(?:[-*]|\d+\.) +\S|>{{1,3}} +\S|>>> )"
_FORMATTING = re.compile(_ANYWHERE)
_BLOCK = re.compile(_AT_LINE_START)


class FormattedError(AssertionError):
    """User text was taken for formatting."""


def shown(source: str, *, links: bool = True) -> tuple[str, list[str]]:
    """Return what people read and the links they can follow; raises `FormattedError`.

    `links` is False for field names and titles, where the client makes none.
    """
    text, found, at = [], list[str](), 0
    while at < len(source):
        length, content, link = _token(source, at, links=links)
        text.append(content)
        found += [link] if link else []
        at += length
    return "".join(text), found


def _token(source: str, at: int, *, links: bool) -> tuple[int, str, str | None]:
    if escape := _ESCAPE.match(source, at):
        return 2, escape[1], None
    if links and (url := _URL.match(source, at)):
        target = _without_unbalanced_bracket(url[0])
        return len(target), target, target
    if formatting := _FORMATTING.match(source, at):
        raise FormattedError(formatting[0])
    if source[at - 1 : at] in {"", "\n"} and (block := _BLOCK.match(source, at)):
        raise FormattedError(block[0])
    return 1, source[at], None


def _without_unbalanced_bracket(url: str) -> str:
    searched_from, at = 0, len(url) - 1
    while at >= 0 and url[at] == ")":
        opening = url.find("(", searched_from)
        if opening == -1:
            return url[:-1]
        searched_from, at = opening + 1, at - 1
    return url
