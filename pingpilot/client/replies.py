"""From what came back over the wire to a result, or the error that stands for it."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from . import results
from .calls import Call
from .errors import (
    ApiError,
    BusyOrAway,
    DeliveryFailed,
    NotAPingPilot,
    ProcessingFailed,
    Refusal,
    Unreachable,
)

T = TypeVar("T")

MAX_REPLY = 8 * 1024 * 1024
"""Bytes of a reply that are read at most: a hundred events of 64 KiB fit."""
_SUCCESS, _REDIRECTS = range(200, 300), range(300, 400)
_BUSY_OR_AWAY = {429, 502, 503, 504}  # of a proxy that answers for the daemon
_OUT_OF_SHAPE = (KeyError, TypeError, ValueError, AttributeError)


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer whose body was read to its end or over `MAX_REPLY`; header names in any case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True, slots=True)
class Lost:
    """No answer, or not all of it, for this reason."""

    reason: str


def read_reply(call: Call[T], outcome: Reply | Lost, url: str) -> T:
    """Return the call's result, or raise the error that stands for the outcome; `url` is for its text."""
    if isinstance(outcome, Lost):
        raise Unreachable(f"{url} can't be reached: {outcome.reason}")
    body = None
    if len(outcome.content) <= MAX_REPLY:
        with suppress(ValueError, RecursionError):
            body = json.loads(outcome.content)
    if isinstance(body, dict):
        try:
            if outcome.status in _SUCCESS:
                return call.read(body, outcome.headers)
            error = _error(outcome, body)
        except _OUT_OF_SHAPE:
            pass
        else:
            raise error
    # Some other program answered
    if outcome.status in _BUSY_OR_AWAY:
        raise Unreachable(f"{url} answered {outcome.status}.", retry_after(outcome.headers))
    if outcome.status in _REDIRECTS:
        hint = "it redirects, and the key is not sent elsewhere: name the address it leads to"
    else:
        hint = f"it answered {outcome.status} in another form: check the address"
    raise NotAPingPilot(f"{url} is not a PingPilot: {hint}.")


def _error(reply: Reply, body: Mapping[str, Any]) -> ApiError:
    refusal = Refusal(
        status=reply.status,
        code=body["code"] + "",
        message=body["message"] + "",
        request_id=reply.headers.get("X-Request-Id"),
        retry_after=retry_after(reply.headers),
        details={name: body[name] for name in body if name not in {"code", "message"}},
    )
    other = BusyOrAway if reply.status in _BUSY_OR_AWAY else ApiError
    kind = ApiError.classes.get(refusal.code, other)
    if kind is ProcessingFailed and "eventId" in body:
        return DeliveryFailed(refusal, results.accepted(body, reply.headers))
    return kind(refusal)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that `Retry-After` names (RFC 9110, 10.2.3), None without it or if unreadable.

    A date is compared with the server's own clock where the reply has it.
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    until, now = _http_date(text), _http_date(headers.get("Date", ""))
    return max(0.0, (until - (now or datetime.now(UTC))).total_seconds()) if until else None


def _http_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
