"""What the numbers in a category's fields come to: added up as events come, never by reading events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from models import Account
from models.database import reader
from models.sql import marks, query
from models.work import Insert
from pingpilot.events.activity import last_days

Numbers = tuple[tuple[str, float], ...]
"""An event's numbers, each with its field's name."""

MOST_NUMBERS = 10
"""Numbers of one event that are added up: its first ones."""
LARGEST = 1e300
"""What is further from zero is left out: a sum of such would be no number any more."""
_ADD_UP = """
ON CONFLICT (account_id, category, field, slot) DO UPDATE SET
    events = number_totals.events + excluded.events, total = number_totals.total + excluded.total,
    smallest = CASE WHEN excluded.smallest < number_totals.smallest
        THEN excluded.smallest ELSE number_totals.smallest END,
    largest = CASE WHEN excluded.largest > number_totals.largest
        THEN excluded.largest ELSE number_totals.largest END
"""


def numbers_in(fields: Mapping[str, Any]) -> Numbers:
    """Return the numbers among an event's fields that are added up."""
    found = [
        (name, float(value))
        for name, value in fields.items()
        if type(value) in (float, int) and -LARGEST <= value <= LARGEST  # not `isinstance`: a bool is an int
    ]
    return tuple(found[:MOST_NUMBERS])


@dataclass(slots=True)
class Totals:
    """What some numbers come to."""

    events: int = 0
    total: float = 0.0
    smallest: float = LARGEST
    largest: float = -LARGEST

    @property
    def mean(self) -> float:
        return self.total / self.events

    def add(self, number: float) -> None:
        self.events += 1
        self.total += number
        self.smallest = min(self.smallest, number)
        self.largest = max(self.largest, number)

    def join(self, other: "Totals") -> None:
        """Add what other numbers come to."""
        self.events += other.events
        self.total += other.total
        self.smallest = min(self.smallest, other.smallest)
        self.largest = max(self.largest, other.largest)


@dataclass(slots=True)
class Sums:
    """What a batch's numbers come to, by account, category and field."""

    _totals: dict[tuple[int, str, str], Totals] = field(default_factory=dict)

    def add(self, account_id: int, category: str, numbers: Numbers) -> None:
        for name, number in numbers:
            key = (account_id, category, name)
            totals = self._totals.get(key)
            if totals is None:
                totals = self._totals[key] = Totals()
            totals.add(number)

    def inserts(self, slot: int) -> list[Insert]:
        """Return what adds all of it to what is stored, in the order of the keys, lest two daemons wait for
        each other.
        """
        columns = ("account_id", "category", "field", "slot", "events", "total", "smallest", "largest")
        rows = [
            (*key, slot, each.events, each.total, each.smallest, each.largest)
            for key, each in sorted(self._totals.items(), key=lambda item: item[0])
        ]
        return [Insert("number_totals", columns, rows, _ADD_UP)] if rows else []


# From name to name by the index: as many looks as names, however many rows each has
_NAMES = """
WITH RECURSIVE named (name, place) AS (
    SELECT CAST(MIN(field) AS TEXT), 1 FROM number_totals WHERE account_id = ? AND category = ?
    UNION ALL
    SELECT CAST((
        SELECT MIN(n.field) FROM number_totals n
        WHERE n.account_id = ? AND n.category = ? AND n.field > named.name
    ) AS TEXT), place + 1 FROM named WHERE name IS NOT NULL AND place < ?
)
SELECT name FROM named WHERE name IS NOT NULL
"""
_PER_DAY = """
WITH days (day, first, after) AS (VALUES {days})
SELECT days.day, n.field, SUM(n.events) AS events, SUM(n.total) AS total,
    MIN(n.smallest) AS smallest, MAX(n.largest) AS largest
FROM days JOIN number_totals n ON n.account_id = ? AND n.category = ? AND n.field IN ({names})
    AND n.slot >= days.first AND n.slot < days.after
GROUP BY days.day, n.field
"""


async def number_fields_of(account: Account, category: str, most: int) -> list[str]:
    """Return the names of a category's fields that had numbers lately, up to `most`, in their order."""
    whose = [account.id, category]
    return [row["name"] for row in await query(reader(), _NAMES, [*whose, *whose, most])]


async def totals_of(
    account: Account, category: str, names: Sequence[str], now: datetime, days: int
) -> dict[str, dict[date, Totals]]:
    """Return what the numbers of each field came to on each of the account's last days that had some."""
    found: dict[str, dict[date, Totals]] = {name: {} for name in names}
    if not names:
        return found
    dates, values = last_days(account, now, days)
    sql = _PER_DAY.format(days=values, names=marks(names))
    for row in await query(reader(), sql, [account.id, category, *names]):
        totals = Totals(int(row["events"]), row["total"], row["smallest"], row["largest"])
        found[row["field"]][dates[row["day"]]] = totals
    return found
