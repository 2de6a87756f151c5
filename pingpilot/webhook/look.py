"""How a notification looks to a program."""

from pingpilot.delivery.channel import Notification, Recipient
from pingpilot.rendering.looks import WebhookLook, webhook_look
from pingpilot.webhook.message import HEADERS, build_body
from pingpilot.webhook.settings import WebhookSettings
from pingpilot.webhook.signing import message_id

_SIGNATURE = "v1,…"
"""In place of the signature, which differs with each secret and each attempt."""


def look(notification: Notification, _recipient: Recipient, _settings: WebhookSettings) -> WebhookLook:
    """Return the request as it is sent there, drawn, without its signature."""
    headers = {
        **HEADERS,
        "webhook-id": message_id(notification),
        "webhook-timestamp": f"{notification.created_at.timestamp():.0f}",
        "webhook-signature": _SIGNATURE,
    }
    return webhook_look(headers, build_body(notification))
