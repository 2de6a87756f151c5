"""Telegram's HTML: what it takes, what it makes of it, and how it complains.

Bot API, "Formatting options"; messages as the Bot API server words them.
"""

import html
import re
from dataclasses import dataclass, field
from typing import Any, NoReturn
from urllib.parse import urlsplit

from pingpilot.sandbox.server import utf16_length

Entity = dict[str, Any]

MAX_ENTITIES = 100
"""Telegram ignores what is beyond, without a word."""

TAGS = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "code": "code",
    "pre": "pre",
    "a": "text_link",
    "tg-spoiler": "spoiler",
    "span": "spoiler",
    "blockquote": "blockquote",
}
"""Tags that are taken, and the kinds of entity they make."""

_TOKEN = re.compile(
    r"</(?P<end>[^<>]*)>|<(?P<tag>[^<>\s]*)(?P<attributes>[^<>]*)>"
    r"|&(?:(?P<named>lt|gt|amp|quot)(?![a-zA-Z])|#(?P<decimal>\d+)|#x(?P<hex>[0-9a-fA-F]+));?|(?P<stray><)|(?P<text>[^<&]+|&)"
)
_ATTRIBUTE = re.compile(r"""\s*([\w-]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?""")
_MENTION = re.compile(r"(?<!\w)@[A-Za-z0-9_]{2,32}(?!\w)")
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
_MAX_CODE_POINT = 0x10FFFF


class BadMarkup(ValueError):
    """The text can't be parsed; the message is what Telegram says behind "can't parse entities: "."""


@dataclass(slots=True)
class _Open:
    """A tag that waits for its end."""

    tag: str
    entity: Entity


@dataclass(slots=True)
class _Parser:
    """Reads a text from left to right."""

    source: str
    text: str = ""
    entities: list[Entity] = field(default_factory=list)
    open: list[_Open] = field(default_factory=list)

    def parse(self) -> None:
        for token in _TOKEN.finditer(self.source):
            match token.lastgroup:
                case "end":
                    self._end(token["end"].strip().lower(), token.start())
                case "attributes":
                    self._start(token["tag"].lower(), token["attributes"], token.start())
                case "stray":
                    self._fail("Unclosed start tag", token.start())
                case "text":
                    self.text += token["text"]
                case "named":
                    self.text += _NAMED[token["named"]]
                case _:
                    code = int(token["decimal"] or token["hex"], 10 if token["decimal"] else 16)
                    self.text += chr(code) if 0 < code <= _MAX_CODE_POINT else token[0]
        if self.open:
            raise BadMarkup(f'Can\'t find end tag corresponding to start tag "{self.open[-1].tag}"')

    def _start(self, tag: str, attributes: str, at: int) -> None:
        given = {
            name.lower(): double or single or bare
            for name, double, single, bare in _ATTRIBUTE.findall(attributes)
        }
        if tag not in TAGS or (tag == "span" and given.get("class") != "tg-spoiler"):
            self._fail(f'Unsupported start tag "{tag}"', at)
        entity: Entity = {"type": TAGS[tag], "offset": utf16_length(self.text)}
        if tag == "a":
            link = html.unescape(given.get("href", ""))
            host = urlsplit(link).hostname or ""
            # Telegram leaves out a link to a host without a dot
            entity["url"] = link if "." in host or ":" in host or link.startswith("tg:") else ""
        if tag == "code" and given.get("class", "").startswith("language-"):
            entity["language"] = given["class"].removeprefix("language-")
        if tag == "blockquote" and "expandable" in given:
            entity["type"] = "expandable_blockquote"
        self.open.append(_Open(tag, entity))

    def _end(self, tag: str, at: int) -> None:
        if not self.open:
            self._fail("Unexpected end tag", at)
        opened = self.open.pop()
        if tag not in (opened.tag, ""):
            offset = self._bytes_before(at)
            sentence = (
                f'Unmatched end tag at byte offset {offset}, expected "</{opened.tag}>", found "</{tag}>"'
            )
            raise BadMarkup(sentence)
        length = utf16_length(self.text) - opened.entity["offset"]
        is_link_to_nowhere = opened.tag == "a" and not opened.entity["url"]
        if length and not is_link_to_nowhere:
            self.entities.append({**opened.entity, "length": length})

    def _fail(self, what: str, at: int) -> NoReturn:
        raise BadMarkup(f"{what} at byte offset {self._bytes_before(at)}")

    def _bytes_before(self, at: int) -> int:
        return len(self.source[:at].encode())


def parse_html(source: str) -> tuple[str, list[Entity]]:
    """Return the text without markup and its entities, by offset; raises `BadMarkup`."""
    parser = _Parser(source)
    parser.parse()
    entities = sorted(parser.entities, key=lambda entity: (entity["offset"], -entity["length"]))
    return parser.text, entities[:MAX_ENTITIES]


def mentions(text: str, entities: list[Entity]) -> list[Entity]:
    """Return the mentions that Telegram finds in a text by itself, outside of code and links. It calls those
    people, if they are there (TDLib, MessageEntity.cpp, `match_mentions`).
    """
    taken = [
        range(entity["offset"], entity["offset"] + entity["length"])
        for entity in entities
        if entity["type"] in ("code", "pre", "text_link")
    ]
    found = [(utf16_length(text[: match.start()]), len(match[0])) for match in _MENTION.finditer(text)]
    return [
        {"type": "mention", "offset": offset, "length": length}
        for offset, length in found
        if not any(offset in place for place in taken)
    ]


def trim(text: str, entities: list[Entity]) -> tuple[str, list[Entity]]:
    """Return the text without surrounding white space, as Telegram shows it, its entities moved along."""
    lead = utf16_length(text) - utf16_length(text.lstrip())
    kept = text.strip()
    moved = []
    for entity in entities:
        start = max(0, entity["offset"] - lead)
        end = min(utf16_length(kept), entity["offset"] + entity["length"] - lead)
        if end > start:
            moved.append({**entity, "offset": start, "length": end - start})
    return kept, moved
