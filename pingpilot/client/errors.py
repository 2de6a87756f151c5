"""The error tree of the client: one class for each code of the HTTP contract.

`ClientError` is the base. What PingPilot answered is an `ApiError`, or the subclass that stands for its
code; the others tell that there was no such answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .results import Accepted


class ClientError(Exception):
    """Base of all errors of this package; the text is a sentence for people.

    `retry_after` is how many seconds the server asked to wait, where it named a time.
    """

    retry_after: float | None = None


class NotConfigured(ClientError):
    """The address or the API key is missing or can't be used; the text names the variable."""

    def __init__(self, problem: str, variable: str) -> None:
        super().__init__(problem, variable)
        self.problem = problem
        self.variable = variable

    def __str__(self) -> str:
        return f"{self.problem}: set {self.variable}, or pass it to the client."


class NotAPingPilot(ClientError):
    """Something answered that does not speak PingPilot's contract; the address is probably wrong."""


class Unreachable(ClientError):
    """Nobody answered, or a proxy answered for a daemon that is away."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message, retry_after)
        self.retry_after = retry_after

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error reply as it came; `details` are the members beside `message` and `code`."""

    status: int
    code: str
    message: str
    request_id: str | None = None
    retry_after: float | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FieldError:
    """One invalid member of a request: its name, such as `fields.amount`, and what it must be."""

    field: str
    message: str


class ApiError(ClientError):
    """PingPilot refused the request, with a code that has no class here."""

    classes: dict[str, type["ApiError"]] = {}  # noqa: RUF012  # filled below, by class
    """The class for each code."""

    def __init_subclass__(cls, *, code: str = "") -> None:
        super().__init_subclass__()
        if code:
            ApiError.classes[code] = cls

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal)
        self.status = refusal.status
        self.code = refusal.code
        self.message = refusal.message
        self.request_id = refusal.request_id
        self.retry_after = refusal.retry_after
        self.details = refusal.details

    def __str__(self) -> str:
        return self.message


class PreconditionFailed(ApiError, code="precondition_failed"):
    """A file of the server's pages is another than `If-Match` names."""


class MissingAuthorization(ApiError, code="missing_authorization"):
    """No Authorization header arrived; a proxy may take it away."""


class InvalidAuthorizationFormat(ApiError, code="invalid_authorization_format"):
    """The Authorization header is not of the form `Bearer <key>`."""


class InvalidApiKey(ApiError, code="invalid_api_key"):
    """The API key is unknown or revoked."""


class BadRequest(ApiError, code="bad_request"):
    """What arrived is not HTTP as it should be."""


class RequestTimeout(ApiError, code="request_timeout"):
    """The event took too long to arrive."""


class PayloadTooLarge(ApiError, code="payload_too_large"):
    """The event is over 64 KiB."""


class InvalidJson(ApiError, code="invalid_json"):
    """What arrived is not JSON."""


class ValidationError(ApiError, code="validation_error"):
    """The event breaks a rule of the contract; `errors` names every invalid member."""

    @property
    def errors(self) -> tuple[FieldError, ...]:
        invalid = self.details.get("errors") or ()
        return tuple(FieldError(str(each.get("field")), str(each.get("message"))) for each in invalid)


class InsufficientScope(ApiError, code="insufficient_scope"):
    """The key may only send events, or not to this category."""


class AccountSuspended(ApiError, code="account_suspended"):
    """Whoever runs the server has suspended the account; what waits is kept."""


class DiscordIdNotSet(ApiError, code="discord_id_not_set"):
    """Discord is switched on for the account, but not linked."""


class TelegramUsernameNotSet(ApiError, code="telegram_username_not_set"):
    """Telegram is switched on for the account, but not linked."""


class CategoryNotFound(ApiError, code="category_not_found"):
    """The account has no such category; the message names the nearest."""


class CategoryExists(ApiError, code="category_exists"):
    """The account has a category of this name."""


class TooManyCategories(ApiError, code="too_many_categories"):
    """The account has as many categories as it may have."""


class ChannelNotConfigured(ApiError, code="channel_not_configured"):
    """The server has no settings for this channel."""


class DestinationExists(ApiError, code="destination_exists"):
    """The account has a destination of this name."""


class TooManyDestinations(ApiError, code="too_many_destinations"):
    """The account has as many destinations as it may."""


class DestinationNotUsable(ApiError, code="destination_not_usable"):
    """Nothing can be sent to the destination now."""


class WrongKindOfDestination(ApiError, code="wrong_kind_of_destination"):
    """A direct destination can't be removed, and only a webhook has a secret."""


class ConfirmationNotSent(ApiError, code="confirmation_not_sent"):
    """The mail that asks a new mailbox to confirm could not be sent."""


class KeyExists(ApiError, code="key_exists"):
    """The account has a key of this name."""


class KeyRotated(ApiError, code="key_rotated"):
    """The key was rotated before."""


class TooManyKeys(ApiError, code="too_many_keys"):
    """The account has as many keys as it may have."""


class LastManageKey(ApiError, code="last_manage_key"):
    """No other key of the account could make keys."""


class NotFound(ApiError, code="not_found"):
    """The account has no such event, or the address has nothing there."""


class MethodNotAllowed(ApiError, code="method_not_allowed"):
    """The address does not take this method."""


class IdempotencyKeyReused(ApiError, code="idempotency_key_reused"):
    """The idempotency key was used for another event in the last 24 hours."""


class QuotaExceeded(ApiError, code="quota_exceeded"):
    """The month's events are used up; `retry_after` is the time to the reset."""

    @property
    def limit(self) -> int | None:
        """Events a month."""
        return self.details.get("limit")

    @property
    def reset_date(self) -> datetime | None:
        """When the next month begins, in UTC."""
        text = self.details.get("resetDate")
        return datetime.fromisoformat(text) if text else None


class TooManyRequests(ApiError, code="too_many_requests"):
    """Too many wrong keys came from here, or too many link codes were asked for; wait for `retry_after`."""


class ProcessingFailed(ApiError, code="processing_failed"):
    """The event could not be stored; nothing was charged."""


class ShuttingDown(ApiError, code="shutting_down"):
    """The daemon is stopping."""


class BusyOrAway(ApiError):
    """A code that has no class here, with a status that means "later"; a proxy may speak JSON, too."""


class DeliveryFailed(ApiError):
    """The event is stored, but a channel failed for good while `send` waited; sending again doubles it.

    `result` is the accepted event with its deliveries.
    """

    def __init__(self, refusal: Refusal, result: Accepted) -> None:
        super().__init__(refusal)
        self.args = (refusal, result)  # what pickle makes it from
        self.result = result
