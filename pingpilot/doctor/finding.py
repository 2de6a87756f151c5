"""What the doctor says."""

from dataclasses import dataclass
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
