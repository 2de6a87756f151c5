"""Durations as people write them."""

import re
from datetime import timedelta

_DURATION = re.compile(r"(\d{1,4})\s*(m|min|h|d)", re.ASCII)
_UNITS = {
    "m": timedelta(minutes=1),
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}


def read_duration(text: str) -> timedelta | None:
    """Return the time of `30m`, `2h` or `1d`, None for any other text."""
    match = _DURATION.fullmatch(text.strip().lower())
    return int(match[1]) * _UNITS[match[2]] if match else None
