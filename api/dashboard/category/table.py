"""The table of a category's latest events, with its fields as columns."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from models.ids import event_id_text
from pingpilot.delivery.channel import field_text
from pingpilot.events.spans import SpannedEvent
from pingpilot.rendering.text import cut_end, one_line

PER_PAGE = 50
SORTED = 200
"""Events that a sort looks at, the latest of the span: no index has them in the order of a field."""
USUAL_COLUMNS, MOST_COLUMNS = 6, 20
LONGEST_NAME = 256
TIME, TEXT, FIELD = "time", "event", "field:"
"""What a table is sorted by in an address; a field has its name behind `field:`."""
_LONGEST = 200  # characters of a cell
_LONGEST_HEADING = 40


@dataclass(frozen=True, slots=True)
class Column:
    """A field as a column; one with numbers is aligned to the right."""

    name: str
    heading: str
    is_number: bool


@dataclass(frozen=True, slots=True)
class Cell:
    """What an event says in a column, nothing where it has no such field."""

    text: str
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class TableRow:
    """An event as a row: `cells` go with the columns."""

    id: str
    at: datetime
    headline: str
    cells: list[Cell]


@dataclass(frozen=True, slots=True)
class Order:
    """What a table is sorted by."""

    by: str = TIME
    descending: bool = True

    @property
    def is_usual(self) -> bool:
        """Whether the newest come first, as in the index."""
        return self == Order()


def fields_in(events: Sequence[SpannedEvent]) -> list[str]:
    """Return the names of the events' fields, those that most have first, then in the senders' order."""
    counts = Counter(name for event in events for name in event.fields)
    return sorted(counts, key=lambda name: -counts[name])


def sorted_by(order: Order, events: Sequence[SpannedEvent]) -> list[SpannedEvent]:
    """Return events, newest first before, in an order: numbers before texts, those without a value last."""
    keys = {event.id: _key(order.by, event) for event in events}
    there = [event for event in events if keys[event.id] is not None]
    there.sort(key=lambda event: keys[event.id] or (0, 0.0, ""), reverse=order.descending)
    return there + [event for event in events if keys[event.id] is None]


def heading_of(name: str) -> str:
    """Return a field's name as people read it, on a line of its own."""
    return cut_end(one_line(name), _LONGEST_HEADING)


def columns_of(names: Sequence[str], rows: Sequence[TableRow]) -> list[Column]:
    """Return these fields as columns of the rows that were made with them."""
    return [
        Column(name, heading_of(name), any(row.cells[place].is_number for row in rows))
        for place, name in enumerate(names)
    ]


def rows_of(events: Sequence[SpannedEvent], columns: Sequence[str]) -> list[TableRow]:
    """Return events as rows with these fields as columns."""
    return [
        TableRow(
            event_id_text(event.id),
            event.at,
            one_line(event.title or event.description)[:_LONGEST],
            [_cell(event.fields.get(name)) for name in columns],
        )
        for event in events
    ]


def _cell(value: Any) -> Cell:
    if value is None:
        return Cell("")
    return Cell(one_line(field_text(value))[:_LONGEST], type(value) in (int, float))


def _key(by: str, event: SpannedEvent) -> tuple[int, float, str] | None:
    if by == TIME:
        return 0, event.at.timestamp(), ""
    if by == TEXT:
        return 1, 0.0, (event.title or event.description).casefold()
    value = event.fields.get(by.removeprefix(FIELD))
    if value is None:
        return None
    if type(value) in (int, float):
        return 0, value, ""
    return 1, 0.0, field_text(value).casefold()
