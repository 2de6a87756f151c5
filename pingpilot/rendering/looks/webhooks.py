"""A webhook's request as it is drawn: its headers, and its JSON set out in lines."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class WebhookLook:
    """A request to a webhook."""

    platform: ClassVar[str] = "webhook"

    headers: tuple[tuple[str, str], ...]
    body: str


def webhook_look(headers: Mapping[str, str], body: bytes) -> WebhookLook:
    """Return how a request looks. The caller leaves out headers that nobody should see."""
    return WebhookLook(tuple(headers.items()), json.dumps(json.loads(body), ensure_ascii=False, indent=2))
