"""What the doctor says of each thing it looks at."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum


class Level(StrEnum):
    """How bad it is. `OFF`: not configured, which may well be meant."""

    OK = "ok"
    OFF = "off"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: what was found, and what to do about it where that is not well."""

    subject: str
    level: Level
    text: str
    advice: str | None = None


@dataclass(frozen=True, slots=True)
class Examination:
    """What the doctor found, and when."""

    at: datetime
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Visit:
    """What a channel's check is told, and what it notes: `incoming` is where the platform posts to this
    server, if it is to; `seen` is what time it is elsewhere: by name, how far each clock is ahead of ours.
    """

    incoming: str = ""
    seen: list[tuple[str, timedelta]] = field(default_factory=list)

    def note(self, name: str, date: str) -> None:
        """Remember an answer's `Date` header; what can't be read tells nothing."""
        try:
            there = parsedate_to_datetime(date)
        except ValueError:
            return
        self.seen.append((name, there.replace(tzinfo=there.tzinfo or UTC) - datetime.now(UTC)))
