"""What the list of events is asked for, as it stands in the page's address."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from models import Account
from pingpilot.accounts.destinations import label_of
from pingpilot.errors import InvalidInput
from pingpilot.events.history import EventStatus, Wanted
from pingpilot.events.searching import LONGEST_TEXT

NAMES = ("category", "status", "destination", "text", "from", "to")
_PRESETS = (("Today", 1), ("7 days", 7), ("30 days", 30))
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Shown:
    """One filter, or a preset of some: in words, the address that leads there, and whether it is in force."""

    words: str
    address: str
    is_on: bool = True


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters as people gave them, by their names in the address; those not given are empty."""

    given: Mapping[str, str]

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Filters":
        """Return the filters of an address; PostgreSQL takes no null character."""
        given = {name: query.get(name, "").replace("\0", "").strip() for name in NAMES}
        status = given["status"].upper().replace(" ", "_")  # as people write it
        return cls({**given, "status": status if status in EventStatus.__members__ else given["status"]})

    def __getitem__(self, name: str) -> str:
        return self.given[name]

    def __bool__(self) -> bool:
        return any(self.given.values())

    def wanted(self, account: Account, before: UUID | None = None, after: UUID | None = None) -> Wanted:
        """Return the events that are asked for. Raises `InvalidInput` where that makes no sense."""
        status, zone = self["status"], ZoneInfo(account.time_zone)
        if status and status not in EventStatus.__members__:
            known = ", ".join(f"'{words_of(each)}'" for each in EventStatus)
            raise InvalidInput(f"There is no status '{self['status'][:40]}': there are {known}.")
        if len(self["text"]) > LONGEST_TEXT:
            raise InvalidInput(f"A text to look for has at most {LONGEST_TEXT} characters.")
        since = _instant(self["from"], zone)[0] if self["from"] else None
        until = _instant(self["to"], zone)[1] if self["to"] else None
        if since and until and since >= until:
            raise InvalidInput("'From' is later than 'to', so nothing can lie between them.")
        return Wanted(
            account.id,
            self["category"] or None,
            EventStatus(status) if status else None,
            before,
            self["destination"] or None,
            self["text"] or None,
            since,
            until,
            after,
        )

    def address(self, **changes: str) -> str:
        """Return the list's address from the root, some filters changed; an empty one is left out."""
        given = {**self.given, **{name.rstrip("_"): value for name, value in changes.items()}}
        query = urlencode({name: value for name, value in given.items() if value})
        return f"events?{query}" if query else "events"

    def removable(self) -> list[Shown]:
        """Return each filter in force, with the address of the list without it."""
        words = {
            "category": f"category {self['category']}",
            "status": f"status {words_of(self['status'])}",
            "destination": f"destination {label_of(self['destination'])}",
            "text": f"text “{self['text']}”",
            "from": f"from {self['from'].replace('T', ' ')}",
            "to": f"to {self['to'].replace('T', ' ')}",
        }
        return [Shown(words[name], self.address(**{name: ""})) for name, value in self.given.items() if value]

    def presets(self, account: Account, now: datetime) -> list[Shown]:
        """Return spans of days up to now, each with the address of the list in it."""
        today = now.astimezone(ZoneInfo(account.time_zone)).date()
        spans = [(words, str(today - timedelta(days=days - 1))) for words, days in _PRESETS]
        return [
            Shown(
                words,
                self.address(from_=first, to=""),
                is_on=self["from"] == first and not self["to"],
            )
            for words, first in [*spans, ("Any time", "")]
        ]


def around(instant: datetime, account: Account) -> str:
    """Return the list's address with the minutes before and after an instant."""
    local = instant.astimezone(ZoneInfo(account.time_zone))
    ends = {
        name: f"{local + timedelta(minutes=minutes):%Y-%m-%dT%H:%M}"
        for name, minutes in (("from", -5), ("to", 5))
    }
    return f"events?{urlencode(ends)}"


def words_of(status: str) -> str:
    """Return an event's status as people read it."""
    return status.replace("_", " ").lower()


def _instant(text: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return when a day, or a time of the account's zone, begins and ends: its minute or second."""
    try:
        if len(text) <= len("2026-11-24"):
            day = date.fromisoformat(text)
            first, after = (datetime.combine(each, time(), zone) for each in (day, day + timedelta(days=1)))
        else:
            given = datetime.fromisoformat(text)
            first = given if given.tzinfo else given.replace(tzinfo=zone)
            is_minute = len(text) <= len("2026-11-24T12:30")
            after = first.astimezone(UTC) + timedelta(seconds=60 if is_minute else 1)
        ends = first.astimezone(UTC), after.astimezone(UTC)
    except (ValueError, OverflowError):
        ends = None
    if ends is None or not _EARLIEST < ends[0] < _LATEST:
        raise InvalidInput(
            f"'{text[:40]}' is not a time: write a day as 2026-11-24, or a time as 2026-11-24T12:30."
        )
    return ends
