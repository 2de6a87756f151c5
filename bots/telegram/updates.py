"""Updates that python-telegram-bot can't read, which would otherwise come again for ever."""

import json
import math
from http import HTTPStatus
from typing import Any

import structlog
from telegram import Update
from telegram.error import RetryAfter, TelegramError
from telegram.request import HTTPXRequest, RequestData

from pingpilot.delivery.parts import Place
from pingpilot.errors import RateLimited

MOST_UPDATES = 100  # https://core.telegram.org/bots/api#getupdates
IDS_END = 2**63
WANTED = [Update.MESSAGE, Update.CHANNEL_POST, Update.CALLBACK_QUERY, Update.MY_CHAT_MEMBER]
"""The kinds of update that Telegram is asked for."""

_MESSAGES = ("/sendMessage", "/editMessageText")

log = structlog.get_logger(__name__)


class BotRequests(HTTPXRequest):
    """What the bot that people talk to asks of Telegram: a message waits for its `place`, or fails as by
    Telegram's flood control, and of an update that the library can't read, the id alone is left.

    The library reads all of an answer's updates or none, and logs them whole. With the id alone, the update
    counts as received, no handler takes it, and those after it are answered.
    """

    def __init__(self, *, place: Place, **options: Any) -> None:
        super().__init__(**options)
        self._place = place

    async def do_request(self, url: str, *args: Any, **options: Any) -> tuple[int, bytes]:
        """Return status and body of a request's answer. Raises `RetryAfter` where a room has its messages."""
        if url.endswith(_MESSAGES):
            data: RequestData = options["request_data"]
            chat_id = str(data.parameters["chat_id"])
            try:
                async with self._place(chat_id, in_room=chat_id.startswith("-")):
                    return await super().do_request(url, *args, **options)
            except RateLimited as exc:
                raise RetryAfter(math.ceil(exc.retry_after.total_seconds())) from None
        status, body = await super().do_request(url, *args, **options)
        is_updates = status == HTTPStatus.OK and url.endswith("/getUpdates")
        return status, _readable(body) if is_updates else body


def _readable(body: bytes) -> bytes:
    """Return the answer without what the library can't read. Raises `TelegramError` if that is all of it."""
    try:
        answer = json.loads(body)
        updates = answer["result"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise TelegramError("Its answer can't be read.") from None
    if not isinstance(updates, list) or len(updates) > MOST_UPDATES:
        raise TelegramError(f"It sent no list of up to {MOST_UPDATES} updates.")
    readable = [checked(update) for update in updates]
    return body if readable == updates else json.dumps({**answer, "result": readable}).encode()


def checked(update: Any) -> dict[str, Any]:
    """Return an update, or what can be read of it. Raises `TelegramError` where that is not even an id, which
    is where the next poll begins.
    """
    update_id = update.get("update_id") if isinstance(update, dict) else None
    if type(update_id) is not int or not 0 <= update_id < IDS_END:
        raise TelegramError("It sent an update without an id.")
    try:
        Update.de_json(update, None)
    except Exception as exc:  # noqa: BLE001  # whatever the library stumbles over
        kind = next((name for name in update if name != "update_id"), "")
        log.warning(
            "An update from Telegram can't be read and is skipped",
            update_id=update_id,
            kind=kind[:40],
            error=type(exc).__name__,
        )
        return {"update_id": update_id}
    return dict(update)
