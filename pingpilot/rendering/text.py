"""Text as platforms take it: clean, never blank, and cut in its middle where it is too long.

Lengths are UTF-16 code units unless a platform brings its own measure: Telegram counts them, and
for Discord they are the cautious reading of "characters".
"""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Callable

from pingpilot.delivery.channel import Notification, field_text

Measure = Callable[[str], int]
"""Counts a text as its platform does, with what escaping adds to it."""

BLANK = "—"
"""Stands where a platform would otherwise show, or refuse, nothing at all."""

# What steers a terminal (ECMA-48), whole, lest "[31m" be left of it: colours and the like, also where a text
# was cut off within one; titles, pictures and the addresses of links, up to their end, of those without one
# the numbers they begin with; the short codes.
# Each begins with ESC and a letter, or with one character of the C1 range.
_TERMINAL_CODE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x18\x1a\x1b\x80-\x9f]*(?:\x07|\x1b\\|\x9c)"
    r"|(?:\x1b\]|\x9d)[\d;]*"
    r"|\x1b[ -/]*[0-~]"
)
_LINE_END = re.compile(r"\r\n|[\r\v\f\x85\u2028\u2029]")
_UNWANTED = re.compile(
    r"[\x00-\x08\x0e-\x1f\x7f-\x9f]"  # controls: platforms refuse or mangle them
    r"|[\u202a-\u202e\u2066-\u2069]"  # bidi overrides and isolates: they can disguise what is written
    r"|[\ud800-\udfff\ufeff]"  # lone surrogates: no encoding takes them; byte order marks
)
_INVISIBLE_CATEGORIES = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})
_INVISIBLE = frozenset("\u034f\u115f\u1160\u2800\u3164\uffa0\ufe0e\ufe0f")

# What people see as one character (UAX 29). Flags, two letters each, come first: for each of them `\X` looks
# at all flags before it, which takes seconds where there are thousands.
_CHARACTER = r"\p{RI}{2}[\p{GCB=Extend}\p{GCB=ZWJ}\p{GCB=SpacingMark}]*|\X"
_LONGEST_CHARACTER = 32
"""In code points. A pile of accents longer than any script's is cut like anything else."""


def utf16_length(text: str) -> int:
    """Return the length of `text` in UTF-16 code units."""
    return len(text.encode("utf-16-le")) // 2


def clean_text(text: str) -> str:
    r"""Return `text` with `\n` as its only line end, without terminal codes, control characters and bidi
    overrides.
    """
    plain = _LINE_END.sub("\n", _TERMINAL_CODE.sub("", text))
    return _UNWANTED.sub("", _overwritten(plain) if "\b" in plain else plain)


def _overwritten(text: str) -> str:
    """Return what a terminal shows of a text that goes back to write over itself: bold names, spinners."""
    lines = []
    for line in text.split("\n"):
        shown, at = list[str](), 0
        for char in line:
            if char == "\b":
                at = max(0, at - 1)
            else:
                shown[at : at + 1] = [char]
                at += 1
        lines.append("".join(shown))
    return "\n".join(lines)


def readable(text: str) -> str:
    """Return `text` clean and stripped, or a dash where nobody would see any of it."""
    cleaned = clean_text(text).strip()
    return cleaned if is_visible(cleaned) else BLANK


def is_visible(text: str) -> bool:
    """Return whether people would see any of the text."""
    return any(
        # a character too new for this Python has no known category, and is taken to be visible
        char not in _INVISIBLE and unicodedata.category(char) not in _INVISIBLE_CATEGORIES
        for char in text
    )


def one_line(text: str) -> str:
    """Return `text` as people shall read it, on one line."""
    return " ".join(readable(text).split())


def title_of(notification: Notification) -> str:
    """Return the emoji and the title, on one line."""
    return f"{notification.lead}{one_line(notification.name)}"


def readable_fields(notification: Notification) -> list[tuple[str, str]]:
    """Return the fields as people shall read them, each name on one line."""
    return [(one_line(name), readable(field_text(value))) for name, value in notification.fields]


def cut_middle(text: str, limit: int, *, measure: Measure = utf16_length, joint: str = "\n") -> str:
    """Return `text`, with a note in place of its middle where it is longer than `limit`.

    The note says how many characters are missing, between two `joint`s; where not even that finds
    room it is a bare `…`. The end is kept as well as the beginning, and no emoji or accented letter
    is cut in two. `measure` must not make a text shorter than its number of characters.
    """
    if measure(text) <= limit:
        return text
    places = _places_to_cut(text)

    def cut(kept: int) -> str:
        """Leave at most `kept` characters: half from the beginning, half from the end."""
        begins = places[bisect_right(places, kept - kept // 2) - 1]
        ends = places[bisect_left(places, len(text) - kept // 2)]
        return f"{text[:begins]}{joint}… {ends - begins:,} characters left out …{joint}{text[ends:]}"

    kept = bisect_right(range(min(len(text), limit)), limit, key=lambda kept: measure(cut(kept))) - 1
    return cut(kept) if kept >= 0 else "…"


def cut_end(text: str, limit: int) -> str:
    """Return `text` with `…` as its last character where it has more than `limit` of them."""
    if len(text) <= limit:
        return text
    places = _places_to_cut(text)
    return f"{text[: places[bisect_right(places, limit - 1) - 1]].rstrip()}…"


def _places_to_cut(text: str) -> list[int]:
    """Return the places, both ends among them, where a cut parts nothing that people see as one character."""
    import regex  # noqa: PLC0415  # 1 MB and 15 ms of a start

    places = [0]
    for character in regex.finditer(_CHARACTER, text):
        start, end = character.span()
        places += [end] if end - start <= _LONGEST_CHARACTER else range(start + 1, end + 1)
    return places
