"""What a webhook's answers mean, and the troubles of asking it.

Nothing that a receiver says is repeated: an answer may be one of somebody else's program, which the
webhook's owner could read that way.
"""

import os
import re
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import aiohttp

from pingpilot.delivery.attempts import ASKED_FOR
from pingpilot.errors import DeliveryFailure, PermanentFailure, TemporaryFailure

_WORDS: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "does it have the webhook's present secret?",
    HTTPStatus.FORBIDDEN: "does it have the webhook's present secret?",
    HTTPStatus.NOT_FOUND: "is its address still right?",
    HTTPStatus.METHOD_NOT_ALLOWED: "it must take POST.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "it must take bodies of up to 100 KB.",
}


def failure_of_status(status: int, headers: Mapping[str, str], now: datetime) -> DeliveryFailure | None:
    """Return what an answer means, None where the receiver has taken the message.

    All but 2xx and 410 may pass: a receiver that is being deployed answers 404 or 405 for a while, one whose
    secret is being changed 401. `Retry-After` is obeyed up to an hour.
    """
    if status // 100 == 2:  # noqa: PLR2004
        return None
    phrase = next((each.phrase for each in HTTPStatus if each == status), "")
    said = f"The webhook answered {status} {phrase}".rstrip()
    if status == HTTPStatus.GONE:
        return PermanentFailure(f"{said}: it wants no more messages.", recipient_gone=True)
    if status // 100 == 3:  # noqa: PLR2004
        said += ": redirects are not followed. Add another webhook with the address that this one leads to."
    else:
        said += f": {_WORDS[status]}" if status in _WORDS else "."
    wait = pause_named_by(headers.get("Retry-After"), now)
    return TemporaryFailure(said, retry_after=wait, recipient_alone=True)


def pause_named_by(retry_after: str | None, now: datetime) -> timedelta | None:
    """Return the wait of a `Retry-After` header, at most an hour; None where it names none.

    RFC 9110, 10.2.3: seconds, or a date.
    """
    if retry_after is None:
        return None
    if re.fullmatch(r"[0-9]{1,10}", text := retry_after.strip()):
        wait = timedelta(seconds=int(text))
    else:
        try:
            until = parsedate_to_datetime(text)
        except ValueError:
            return None
        wait = until.replace(tzinfo=until.tzinfo or UTC) - now
    return min(max(wait, timedelta()), ASKED_FOR)


def failure_of_asking(exc: aiohttp.ClientError | OSError | ValueError) -> TemporaryFailure:
    """Return what kept an answer from coming; each may pass, and is this receiver's alone."""
    if isinstance(exc, aiohttp.ClientConnectorCertificateError):
        inner = exc.certificate_error
        words = getattr(inner, "verify_message", "") or "it could not be verified"
        reason = f"The webhook's certificate is not accepted: {words.rstrip('.')}."
    elif isinstance(exc, aiohttp.ClientConnectorSSLError | ssl.SSLError):
        words = (getattr(exc, "reason", None) or "").replace("_", " ").lower()
        reason = f"The webhook does not speak TLS as it should{f': {words}' if words else ''}."
    elif isinstance(exc, aiohttp.ClientConnectorError):
        errno = exc.os_error.errno  # its own words repeat the address; several addresses have no one reason
        words = os.strerror(errno) if errno else "none of its addresses can be connected to"
        reason = f"The webhook can't be reached: {words}."
    elif isinstance(exc, aiohttp.ServerDisconnectedError):
        reason = "The webhook closed the connection before it answered."
    elif isinstance(exc, aiohttp.ClientResponseError | aiohttp.ClientPayloadError):
        reason = "The webhook's answer is not one of HTTP."
    elif isinstance(exc, OSError):
        words = os.strerror(exc.errno) if exc.errno else type(exc).__name__
        reason = f"The connection to the webhook broke: {words}."
    else:
        reason = f"The webhook could not be asked: {type(exc).__name__}."
    return TemporaryFailure(reason, recipient_alone=True)
