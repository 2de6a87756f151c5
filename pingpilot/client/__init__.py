"""The Python client of PingPilot: send events, and log records as events.

It imports nothing else of PingPilot, and neither its server nor its bots.
"""

from pingpilot.client.async_client import AsyncClient
from pingpilot.client.errors import (
    ApiError,
    BadRequest,
    CategoryNotFound,
    ClientError,
    DeliveryFailed,
    DiscordIdNotSet,
    FieldError,
    IdempotencyKeyReused,
    InvalidApiKey,
    InvalidAuthorizationFormat,
    InvalidJson,
    MethodNotAllowed,
    MissingAuthorization,
    NotAPingPilot,
    NotConfigured,
    NotFound,
    PayloadTooLarge,
    ProcessingFailed,
    QuotaExceeded,
    RequestTimeout,
    ShuttingDown,
    TelegramUsernameNotSet,
    TooManyRequests,
    Unreachable,
    ValidationError,
)
from pingpilot.client.handler import PingPilotHandler
from pingpilot.client.results import Accepted, Delivery, Event, FieldValue, Quota
from pingpilot.client.sync_client import Client

__all__ = [
    "Accepted",
    "ApiError",
    "AsyncClient",
    "BadRequest",
    "CategoryNotFound",
    "Client",
    "ClientError",
    "Delivery",
    "DeliveryFailed",
    "DiscordIdNotSet",
    "Event",
    "FieldError",
    "FieldValue",
    "IdempotencyKeyReused",
    "InvalidApiKey",
    "InvalidAuthorizationFormat",
    "InvalidJson",
    "MethodNotAllowed",
    "MissingAuthorization",
    "NotAPingPilot",
    "NotConfigured",
    "NotFound",
    "PayloadTooLarge",
    "PingPilotHandler",
    "ProcessingFailed",
    "Quota",
    "QuotaExceeded",
    "RequestTimeout",
    "ShuttingDown",
    "TelegramUsernameNotSet",
    "TooManyRequests",
    "Unreachable",
    "ValidationError",
]
