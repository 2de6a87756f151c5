"""What stands out in a text as mail programs show it: links, and code in a type of equal widths."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

# Behind a fence stands a language or nothing, as on Discord: more would be lost
_FENCED = re.compile(r"^```[\w+#.-]*\n(.*?)\n?^```[ \t]*$", re.MULTILINE | re.DOTALL)
_PARAGRAPH = re.compile(r"[^\n]+(?:\n[^\n]+)*")
_INDENTED = re.compile(r"^(?: {2}|\t)", re.MULTILINE)
# Text in Chinese or Japanese goes on without a space, after punctuation of its own
_LINK = re.compile(r"(?P<link>\bhttps?://[^\s<>\"`…。、，！？：；「」『』（）【】《》]+)", re.IGNORECASE)
_CODE_OR_LINK = re.compile(rf"(?<!`)`(?P<code>[^`\n]+)`(?!`)|{_LINK.pattern}", re.IGNORECASE)
_ENDS_NO_LINK = ".,:;!?'*_~"
_BRACKETS = {")": "(", "]": "[", "}": "{"}


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text. A `block` of code stands on lines of its own, without those of its fence."""

    kind: Literal["text", "link", "code", "block"]
    text: str


def pieces(text: str) -> list[Piece]:
    """Return the text in parts; what is missing are backticks around code and line ends beside blocks."""
    parts: list[Piece] = []
    end = 0
    for fenced in _FENCED.finditer(text):
        parts += _paragraphs(text[end : fenced.start()])
        parts.append(Piece("block", fenced[1]))
        end = fenced.end()
    parts += _paragraphs(text[end:])
    return _without_line_ends_beside_blocks(parts)


def linked(text: str) -> list[Piece]:
    """Return a block of code in parts, its links told from the rest."""
    return [piece for piece in _split(text, _LINK) if piece.text]


def _paragraphs(text: str) -> Iterator[Piece]:
    """Yield what is indented, such as a traceback or JSON, as blocks."""
    end = 0
    for paragraph in _PARAGRAPH.finditer(text):
        if "\n" in paragraph[0] and _INDENTED.search(paragraph[0]):
            yield from _split(text[end : paragraph.start()], _CODE_OR_LINK)
            yield Piece("block", paragraph[0])
            end = paragraph.end()
    yield from _split(text[end:], _CODE_OR_LINK)


def _split(text: str, pattern: re.Pattern[str]) -> Iterator[Piece]:
    end = 0
    for found in pattern.finditer(text):
        if code := found.groupdict().get("code"):
            piece, until = Piece("code", code), found.end()
        else:
            link = _link_in(found["link"])
            piece, until = Piece("link", link), found.start() + len(link)
        yield Piece("text", text[end : found.start()])
        yield piece
        end = until
    yield Piece("text", text[end:])


def _link_in(text: str) -> str:
    """Return the link without what ends a sentence, or closes a bracket that was opened before it."""
    while text:
        last = text[-1]
        opener = _BRACKETS.get(last)
        if last not in _ENDS_NO_LINK and not (opener and text.count(last) > text.count(opener)):
            return text
        text = text[:-1]
    return text


def _without_line_ends_beside_blocks(parts: list[Piece]) -> list[Piece]:
    """Return the parts with no empty lines around blocks, which have a margin."""
    shown = [part for part in parts if part.text]
    trimmed: list[Piece] = []
    for number, part in enumerate(shown):
        text = part.text
        if part.kind == "text":
            if number > 0 and shown[number - 1].kind == "block":
                text = text.lstrip("\n")
            if number + 1 < len(shown) and shown[number + 1].kind == "block":
                text = text.rstrip("\n")
        trimmed.append(Piece(part.kind, text))
    return [part for part in trimmed if part.text]
