"""Every error code the API answers: its status, when it comes, and what its body holds.

OpenAPI is made from this table; tests hold it equal to what the code raises and what the README lists.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from aiohttp import web
from pydantic import BaseModel

from api.replies import json_reply
from api.shapes.errors import EventFailure, InvalidJson, InvalidRequest, Problem, QuotaUsedUp


@dataclass(frozen=True, slots=True)
class Code:
    """One code. `says` is an example of its sentence, `adds` one of what `shape` has beside it."""

    status: HTTPStatus
    when: str
    says: str
    shape: type[BaseModel] = Problem
    adds: Mapping[str, Any] = field(default_factory=dict)


CODES: Mapping[str, Code] = {
    "missing_authorization": Code(
        HTTPStatus.UNAUTHORIZED,
        "there is no Authorization header",
        "Send your API key in the header `Authorization: Bearer pp_…`.",
    ),
    "invalid_authorization_format": Code(
        HTTPStatus.UNAUTHORIZED,
        "the Authorization header is not `Bearer <key>`",
        "The Authorization header is not of the form `Bearer pp_…`: write it like that.",
    ),
    "invalid_api_key": Code(
        HTTPStatus.UNAUTHORIZED,
        "the key is empty, unknown or revoked",
        "This API key is not valid: check it, or make a new one with `pingpilot key create`.",
    ),
    "bad_request": Code(
        HTTPStatus.BAD_REQUEST,
        "the request is not HTTP as it should be",
        "The request can't be taken: Bad Request.",
    ),
    "too_many_requests": Code(
        HTTPStatus.TOO_MANY_REQUESTS,
        "many invalid API keys came from this address",
        "Too many invalid API keys came from your address: check the key, and try again in 3 s.",
    ),
    "request_timeout": Code(
        HTTPStatus.REQUEST_TIMEOUT,
        "the body did not come in time",
        "The body did not come within 20 s: send it at once.",
    ),
    "payload_too_large": Code(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "the body is over 64 KiB",
        "The body is over 64 KiB: send less, such as a link to the rest.",
    ),
    "invalid_json": Code(
        HTTPStatus.BAD_REQUEST,
        "the body is not JSON",
        "The body is not JSON: Expecting value at line 1, column 14: send an object.",
        InvalidJson,
        {"line": 1, "column": 14},
    ),
    "validation_error": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "members, headers or parameters are not as they must be; all of them are named",
        "The request is not valid: category: is required.",
        InvalidRequest,
        {"errors": [{"field": "category", "message": "is required."}]},
    ),
    "insufficient_scope": Code(
        HTTPStatus.FORBIDDEN,
        "the key may only send events, or not to this category",
        "This API key may only send events: use one made with the scope 'manage' for this call.",
    ),
    "discord_id_not_set": Code(
        HTTPStatus.FORBIDDEN,
        "Discord is switched on and not linked",
        "Discord is switched on for this account but not linked: get a code with `pingpilot link-code "
        "--account alice@example.com` and send `/link CODE` to the Discord bot, or switch Discord off.",
    ),
    "telegram_username_not_set": Code(
        HTTPStatus.FORBIDDEN,
        "Telegram is switched on and not linked",
        "Telegram is switched on for this account but not linked: get a code with `pingpilot link-code "
        "--account alice@example.com` and send `/link CODE` to the Telegram bot, or switch Telegram off.",
    ),
    "category_not_found": Code(
        HTTPStatus.NOT_FOUND,
        "the account has no such category",
        "There is no category 'sales': did you mean 'sale'?",
    ),
    "not_found": Code(
        HTTPStatus.NOT_FOUND,
        "there is nothing at this address",
        "There is nothing at this address: check the path.",
    ),
    "method_not_allowed": Code(
        HTTPStatus.METHOD_NOT_ALLOWED,
        "the method is not possible at this address; `Allow` names those that are",
        "PUT is not possible here: use POST.",
    ),
    "idempotency_key_reused": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "the Idempotency-Key was used for another event in the last 24 hours",
        "This Idempotency-Key was used for another event in the last 24 hours: use a new one.",
    ),
    "category_exists": Code(
        HTTPStatus.CONFLICT,
        "the account has a category of this name",
        "shop@example.com has a category 'sale' already.",
    ),
    "too_many_categories": Code(
        HTTPStatus.CONFLICT,
        "the account has 1,000 categories",
        "An account has 1,000 categories at most: remove one first.",
    ),
    "channel_not_configured": Code(
        HTTPStatus.CONFLICT,
        "this server has no settings for the channel",
        "Discord can't be switched on: this server is not set up for it.",
    ),
    "key_exists": Code(
        HTTPStatus.CONFLICT,
        "the account has a key of this name",
        "There is a key named 'ci' already: choose another name or revoke that one.",
    ),
    "key_rotated": Code(
        HTTPStatus.CONFLICT,
        "the key was rotated before",
        "The key 'ci' was rotated already: rotate the one that took over.",
    ),
    "too_many_keys": Code(
        HTTPStatus.CONFLICT,
        "the account has 100 keys in force",
        "An account has 100 keys in force at most: revoke one first.",
    ),
    "last_manage_key": Code(
        HTTPStatus.CONFLICT,
        "no other key of the account could make keys",
        "This is the last key that can manage the account. Make another first, or rotate it with "
        "`overlapSeconds` 0.",
    ),
    "quota_exceeded": Code(
        HTTPStatus.TOO_MANY_REQUESTS,
        "the month's quota is used up",
        "This month's 100 events are used up: wait until 2026-12-01T00:00:00.000Z, or choose a larger plan.",
        QuotaUsedUp,
        {"limit": 100, "resetDate": "2026-12-01T00:00:00.000Z"},
    ),
    "processing_failed": Code(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "something failed on our side; or the caller waited, and a delivery failed for good",
        "The event could not be stored, and nothing was charged: try again in a moment.",
        EventFailure,
    ),
    "shutting_down": Code(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "the daemon is stopping",
        "The daemon is stopping: try again in a few seconds.",
    ),
}
"""All codes, in the order they are checked."""


class ApiError(Exception):
    """An error reply in the making: `code` is stable, `message` says what to do, `adds` join the body."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        **adds: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers
        self.adds = adds

    def reply(self) -> web.Response:
        body = {"message": str(self), "code": self.code, **self.adds}
        return json_reply(body, status=self.status, headers=self.headers)


MAX_BODY = 64 * 1024


def payload_too_large() -> ApiError:
    """Return the error for a body of more than `MAX_BODY` bytes."""
    message = f"The body is over {MAX_BODY // 1024} KiB: send less, such as a link to the rest."
    return ApiError(413, "payload_too_large", message)
