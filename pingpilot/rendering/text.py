"""Text as platforms take it: clean, never blank, and cut in its middle where it is too long.

Lengths are UTF-16 code units unless a platform brings its own measure: Telegram counts them, and
for Discord they are the cautious reading of "characters".
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable

from pingpilot.delivery.channel import Notification, field_text

Measure = Callable[[str], int]
"""Counts a text as its platform does, with what escaping adds to it."""

BLANK = "—"
"""Stands where a platform would otherwise show, or refuse, nothing at all."""

_LINE_END = re.compile(r"\r\n|[\r\v\f\x85\u2028\u2029]")
_UNWANTED = re.compile(
    r"[\x00-\x08\x0e-\x1f\x7f-\x9f]"  # controls: platforms refuse or mangle them
    r"|[\u202a-\u202e\u2066-\u2069]"  # bidi overrides and isolates: they can disguise what is written
    r"|[\ud800-\udfff\ufeff]"  # lone surrogates: no encoding takes them; byte order marks
)
_INVISIBLE_CATEGORIES = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})
_INVISIBLE = frozenset("\u034f\u115f\u1160\u2800\u3164\uffa0\ufe0e\ufe0f")

_ZERO_WIDTH_JOINER = "\u200d"
_EMOJI_MODIFIERS = frozenset(map(chr, (*range(0x1F3FB, 0x1F400), *range(0xE0020, 0xE0080))))
_REGIONAL_INDICATORS = "".join(map(chr, range(0x1F1E6, 0x1F200)))
_LONGEST_CLUSTER = 32


def utf16_length(text: str) -> int:
    """Return the length of `text` in UTF-16 code units."""
    return len(text.encode("utf-16-le")) // 2


def clean_text(text: str) -> str:
    r"""Return `text` with `\n` as its only line end, without control characters and bidi overrides."""
    return _UNWANTED.sub("", _LINE_END.sub("\n", text))


def readable(text: str) -> str:
    """Return `text` clean and stripped, or a dash where nobody would see any of it."""
    cleaned = clean_text(text).strip()
    return cleaned if any(map(_is_visible, cleaned)) else BLANK


def readable_fields(notification: Notification) -> list[tuple[str, str]]:
    """Return the fields as people shall read them, each name on one line."""
    return [
        (" ".join(readable(name).split()), readable(field_text(value))) for name, value in notification.fields
    ]


def cut_middle(text: str, limit: int, *, measure: Measure = utf16_length, joint: str = "\n") -> str:
    """Return `text`, with a note in place of its middle where it is longer than `limit`.

    The note says how many characters are missing, between two `joint`s; where not even that finds
    room it is a bare `…`. The end is kept as well as the beginning, and no emoji or accented letter
    is cut in two. `measure` must not make a text shorter than its number of characters.
    """
    if measure(text) <= limit:
        return text

    def cut(kept: int) -> str:
        return _without_middle(text, kept, joint)

    kept = bisect_right(range(min(len(text), limit)), limit, key=lambda kept: measure(cut(kept))) - 1
    return cut(kept) if kept >= 0 else "…"


def cut_end(text: str, limit: int) -> str:
    """Return `text` with `…` as its last character where it has more than `limit` of them."""
    if len(text) <= limit:
        return text
    return f"{text[: _whole_cluster(text, limit - 1, step=-1)].rstrip()}…"


def _without_middle(text: str, kept: int, joint: str) -> str:
    """Return `text` with at most `kept` of its characters: half from the beginning, half from the end."""
    begins = _whole_cluster(text, kept - kept // 2, step=-1)
    ends = _whole_cluster(text, len(text) - kept // 2, step=1)
    return f"{text[:begins]}{joint}… {ends - begins:,} characters left out …{joint}{text[ends:]}"


def _whole_cluster(text: str, cut: int, *, step: int) -> int:
    """Return the next place at or beyond `cut`, in steps of `step`, where no character is cut in two."""
    for place in range(cut, cut + step * _LONGEST_CLUSTER, step):
        if not 0 < place < len(text) or not _belongs_to_the_one_before(text, place):
            return place
    return cut  # a pile of accents longer than any script's is cut like anything else


def _belongs_to_the_one_before(text: str, place: int) -> bool:
    """Tell whether people see the character at `place` as one with its forerunner.

    A short form of Unicode's rules for grapheme clusters (UAX 29).
    """
    before, here = text[place - 1], text[place]
    if here in _REGIONAL_INDICATORS:  # two of them are one flag
        return (place - len(text[:place].rstrip(_REGIONAL_INDICATORS))) % 2 == 1
    joined = _ZERO_WIDTH_JOINER in (before, here) or here in _EMOJI_MODIFIERS
    return joined or unicodedata.category(here).startswith("M")


def _is_visible(char: str) -> bool:
    """Tell whether `char` leaves a mark; a character too new for this Python is taken to."""
    return char not in _INVISIBLE and unicodedata.category(char) not in _INVISIBLE_CATEGORIES
