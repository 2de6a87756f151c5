"""From log records to events that PingPilot takes, whatever was logged.

The limits are the contract's for `POST /api/v1/event`.
"""

import json
import logging
import math
import re
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .results import FieldValue

MAX_DESCRIPTION, MAX_FIELDS, MAX_NAME, MAX_VALUE = 4000, 100, 256, 4096
_MAX_BYTES = 64_000
"""Of the JSON: 64 KiB less what the category and the field `dropped` may take."""
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_NUMBER_BITS = 64  # what any reader of JSON can be expected to hold
_OF_EVERY_RECORD = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """A record as an event, within all limits even when one more short field joins."""

    description: str
    fields: dict[str, FieldValue]


def event_of(record: logging.LogRecord, message: str) -> LoggedEvent:
    """Return the event for a record whose text is `message`; what does not fit is cut or left out."""
    description = _text(message, MAX_DESCRIPTION)
    left = _MAX_BYTES - _size(description)
    fields: dict[str, FieldValue] = {}
    for given, value in _fields(record):
        name = _text(given, MAX_NAME)
        size = _size(name) + _size(value) + 2
        if name and name not in fields and size <= left and len(fields) < MAX_FIELDS - 1:
            fields[name] = value
            left -= size
    return LoggedEvent(description, fields)


def _fields(record: logging.LogRecord) -> Iterator[tuple[str, FieldValue]]:
    # None of the first is long, so that the exception always fits
    yield "level", _text(record.levelname, MAX_NAME)
    yield "logger", _text(record.name, MAX_NAME)
    yield "where", _text(f"{record.module}:{record.lineno}", MAX_NAME)
    if record.threadName:
        yield "thread", _text(record.threadName, MAX_NAME)
    trace = record.exc_text or ""
    if record.exc_info and record.exc_info[0]:
        trace = "".join(traceback.format_exception(*record.exc_info)).strip()
    if trace:
        yield "exception", _end_of(trace)  # which names the error
    if record.stack_info:
        yield "stack", _end_of(str(record.stack_info))  # where it was logged
    for name, value in vars(record).items():
        if name not in _OF_EVERY_RECORD and value is not None:
            yield str(name), _field_value(value)


def _field_value(value: Any) -> FieldValue:
    """Return what a field can hold of this value: a number, a boolean, else its text."""
    if isinstance(value, int):
        return value if value.bit_length() <= _NUMBER_BITS else _text(f"{value:#x}", MAX_VALUE)
    if isinstance(value, float) and math.isfinite(value):
        return value
    try:
        return _text(str(value), MAX_VALUE)
    except Exception as error:  # noqa: BLE001  # whatever an object does, the record is sent
        return _text(f"<{type(value).__name__}: {type(error).__name__} from its str()>", MAX_VALUE)


def _end_of(text: str) -> str:
    return _text(text if len(text) <= MAX_VALUE else "…" + text[1 - MAX_VALUE :], MAX_VALUE)


def _text(text: str, most: int) -> str:
    """Return a text that can be stored, cut at its end."""
    clean = _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", str(text))
    return clean if len(clean) <= most else clean[: most - 1] + "…"


def _size(value: FieldValue) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode()) + 1
