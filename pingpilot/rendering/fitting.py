"""Sharing out the room in a message: the longest texts are cut first, what is short stays whole."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from pingpilot.delivery.channel import Notification
from pingpilot.rendering.text import Measure, cut_middle, readable, readable_fields, utf16_length

DESCRIPTION_WEIGHT = 8
"""In a crowded message the description gets the room of so many names or values."""

LEAST_SHARE = 96
"""Texts are not cut below this length; fields are left out instead."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a platform takes: of each part of a notification, and of them all together.

    `per_field` is what a field costs beside its name and value. A name may be escaped, and so
    measured, in another way than the rest.
    """

    total: int
    description: int
    fields: int
    name: int
    value: int
    per_field: int = 0
    measure: Measure = utf16_length
    measure_name: Measure = utf16_length


@dataclass(frozen=True, slots=True)
class Fitted:
    """A notification's texts, not yet escaped, as they fit into a platform's limits."""

    description: str
    fields: tuple[tuple[str, str], ...]


class _Part:
    """One text on its way into a crowded message."""

    def __init__(
        self, text: str, limit: int, measure: Measure, *, weight: int = 1, joint: str = "\n"
    ) -> None:
        self.length = min(measure(text), limit)
        self.weight = weight
        self._text = text
        self._measure = measure
        self._joint = joint

    def cut_to(self, share: float) -> str:
        """Return the text within its share of the room, which is its limit where room is no matter."""
        limit = int(min(self.length, share * self.weight))
        return cut_middle(self._text, limit, measure=self._measure, joint=self._joint)


_Field = tuple[_Part, _Part]


def fit(notification: Notification, limits: Limits) -> Fitted:
    """Return the notification's texts, each of them and all together within `limits`.

    Where there are too many fields, the first and the last stay and a field in between says so.
    """
    description = _Part(
        readable(notification.description), limits.description, limits.measure, weight=DESCRIPTION_WEIGHT
    )
    fields = [
        (_Part(name, limits.name, limits.measure_name, joint=" "), _Part(value, limits.value, limits.measure))
        for name, value in readable_fields(notification)
    ]
    share, shown = 0.0, []
    for shown in _ever_fewer(fields, limits.fields):
        room = limits.total - limits.per_field * len(shown)
        share = _share_per_weight([description, *chain.from_iterable(shown)], room)
        if share >= LEAST_SHARE:
            break
    fitted = tuple((name.cut_to(share), value.cut_to(share)) for name, value in shown)
    return Fitted(description.cut_to(share), fitted)


def _ever_fewer(fields: list[_Field], most: int) -> Iterator[list[_Field]]:
    """Yield the fields as long as they are few enough, then with a gap that widens from the middle."""
    if len(fields) <= most:
        yield fields
    for kept in range(min(len(fields), most) - 1, -1, -1):
        first, last = kept - kept // 2, len(fields) - kept // 2
        count = last - first
        note = f"{count} field{'s' if count > 1 else ''} left out"
        gap = (_Part("…", 1, utf16_length), _Part(note, len(note), utf16_length))
        yield [*fields[:first], gap, *fields[last:]]


def _share_per_weight(parts: Sequence[_Part], room: int) -> float:
    """Return how long a part of weight 1 may be so that all find room; infinite where none is too long."""
    weights = sum(part.weight for part in parts)
    for part in sorted(parts, key=lambda part: part.length / part.weight):
        if part.length * weights > room * part.weight:
            return room / weights
        room -= part.length
        weights -= part.weight
    return math.inf
