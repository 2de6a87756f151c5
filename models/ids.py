"""Event ids: UUIDv7 (RFC 9562), so that new rows land at the end of every index.

Migrations may import this module: its names stay.
"""

import random
import re
import threading
import time
from datetime import UTC, datetime
from uuid import UUID

EVENT_PREFIX = "evt_"
_EVENT_ID = re.compile(r"evt_([0-9a-f]{32})")
_COUNTER_BITS = 12


class _Sequence:
    """Hands out (milliseconds, counter) pairs that only ever grow within this process."""

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()

    def take(self) -> int:
        """Return the next value: the present millisecond above a 12-bit counter (RFC 9562, 6.2)."""
        with self._lock:
            self._last = max((time.time_ns() // 1_000_000) << _COUNTER_BITS, self._last + 1)
            return self._last


_sequence = _Sequence()


def uuid7() -> UUID:
    """Return a new UUIDv7, greater than every one this process made before."""
    milliseconds, counter = divmod(_sequence.take(), 1 << _COUNTER_BITS)
    random_bits = random.getrandbits(62)  # tells ids apart; who may read an event is checked
    return UUID(int=milliseconds << 80 | 0x7 << 76 | counter << 64 | 0b10 << 62 | random_bits)


def first_id_at(instant: datetime) -> UUID:
    """Return an id that is below all made at or after an instant, and above all made before."""
    milliseconds = int(instant.timestamp() * 1000)
    return UUID(int=milliseconds << 80)


def made_at(event_id: UUID) -> datetime:
    """Return when an id was made, to the millisecond."""
    return datetime.fromtimestamp((event_id.int >> 80) / 1000, UTC)


def next_to(event_id: UUID, step: int) -> UUID:
    """Return the id so many steps above, or below, whether it was ever made or not."""
    return UUID(int=min(max(event_id.int + step, 0), 2**128 - 1))


def event_id_text(event_id: UUID) -> str:
    """Return an event's id as the API shows it: `evt_` and 32 hexadecimal digits."""
    return f"{EVENT_PREFIX}{event_id.hex}"


def parse_event_id(text: str) -> UUID | None:
    """Return the id behind `evt_…`, or None where the text is not an event id."""
    match = _EVENT_ID.fullmatch(text)
    return UUID(hex=match[1]) if match else None
