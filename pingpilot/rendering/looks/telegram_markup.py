"""A Telegram message as it is drawn, from its HTML: a few tags, and nothing of them is trusted."""

from dataclasses import dataclass
from html.parser import HTMLParser
from typing import ClassVar

from markupsafe import Markup, escape

from pingpilot.rendering.looks.links import link, with_links

# https://core.telegram.org/bots/api#html-style
_DRAWN_AS = {
    "strong": ("b", "strong"),
    "em": ("i", "em"),
    "u": ("u", "ins"),
    "s": ("s", "strike", "del"),
    "span": ("tg-spoiler", "span"),
    "code": ("code",),
    "pre": ("pre",),
    "blockquote": ("blockquote",),
    "a": ("a",),
}
_TAGS = {tag: drawn for drawn, tags in _DRAWN_AS.items() for tag in tags}


@dataclass(frozen=True, slots=True)
class TelegramLook:
    """A Telegram message."""

    platform: ClassVar[str] = "telegram"

    text: Markup


def telegram_look(html: str) -> TelegramLook:
    """Return how a message looks that was sent with `parse_mode=HTML`."""
    parser = _Parser()
    parser.feed(html)
    parser.close()
    return TelegramLook(parser.drawn())


class _Parser(HTMLParser):
    """Makes tags of its own where Telegram knows one, and text of all else.

    `_open` holds each tag that waits for its end, with its link and what was drawn within.
    """

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[tuple[str, str, Markup]] = [("", "", Markup())]

    def drawn(self) -> Markup:
        while len(self._open) > 1:
            self._close()
        return self._open[0][2]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _TAGS:
            self._open.append((_TAGS[tag], dict(attrs).get("href") or "", Markup()))
        else:
            self._add(escape(self.get_starttag_text() or ""))

    def handle_endtag(self, tag: str) -> None:
        if len(self._open) > 1 and self._open[-1][0] == _TAGS.get(tag):
            self._close()

    def handle_data(self, data: str) -> None:
        is_within_link = any(tag in ("a", "code", "pre") for tag, _, _ in self._open)
        self._add(escape(data) if is_within_link else with_links(data))

    def _close(self) -> None:
        tag, url, within = self._open.pop()
        if tag == "a":
            self._add(link(url, within))
        elif tag == "span":
            self._add(Markup('<span class="spoiler">{}</span>').format(within))
        else:
            self._add(Markup("<{0}>{1}</{0}>").format(tag, within))

    def _add(self, more: Markup) -> None:
        tag, url, within = self._open[-1]
        self._open[-1] = tag, url, within + more
