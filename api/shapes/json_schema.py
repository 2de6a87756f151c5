"""What pydantic can't say by itself: one emoji, a time zone, two different times, a patch.

Made when the document is, and not before: the emoji take 10 MB, the time zones many files.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from pingpilot.accounts.quiet_hours import time_zones

Json = dict[str, Any]

_DIGITS_OF_A_TIME = (("^{}", 3), ("^.{}", 10), ("^...{}", 6), ("{}$", 10))  # where each stands, how many


def one_emoji(schema: Json) -> None:
    """Say that a text is one emoji."""
    from emoji import EMOJI_DATA  # noqa: PLC0415

    schema["pattern"] = f"^(?:{_one_of(EMOJI_DATA)})$"


def time_zone(schema: Json) -> None:
    """Say that a text is the name of a time zone."""
    schema["enum"] = sorted(time_zones())


def other_end(schema: Json) -> None:
    """Say that `from` and `until` are different times: not alike in every digit."""
    schema["not"] = {"required": ["from", "until"], "allOf": [*_alike()]}


def stays_as_it_is(schema: Json) -> None:
    """Say of no member what leaving it out means: in a patch, that it stays as it is."""
    for member in schema["properties"].values():
        member.pop("default", None)


def _alike() -> Iterator[Json]:
    for place, digits in _DIGITS_OF_A_TIME:
        patterns = [{"pattern": place.format(digit)} for digit in range(digits)]
        yield {"anyOf": [{"properties": {"from": each, "until": each}} for each in patterns]}


def _one_of(words: Iterable[str]) -> str:
    """Return a pattern that matches the words, none of them empty, and nothing else.

    First letters that the same may follow share a set, so that it is a fifth as long as a list.
    """
    rests, letters = defaultdict(list), defaultdict(list)
    for word in words:
        rests[word[0]].append(word[1:])
    for letter, rest in sorted(rests.items()):
        letters[_what_follows(rest)].append(letter)
    return "|".join(f"[{''.join(alike)}]{tail}" for tail, alike in letters.items())


def _what_follows(rests: list[str]) -> str:
    longer = [rest for rest in rests if rest]
    if not longer:
        return ""
    return f"(?:{_one_of(longer)}){'?' if len(longer) < len(rests) else ''}"
