"""The headers of the Standard Webhooks specification, version 1.0.0.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hmac
from collections.abc import Sequence

from pingpilot.accounts.webhooks import SECRET_PREFIX
from pingpilot.delivery.channel import Notification
from pingpilot.errors import PermanentFailure


def message_id(notification: Notification) -> str:
    """Return what a receiver knows a message by, the same for each attempt. It holds no full stop."""
    return f"msg_{notification.event_id.hex}_{notification.delivery_id}"


def signed_headers(secrets: Sequence[str], *, message: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers that sign a body, with one signature a secret.

    `timestamp` is that of the attempt, in seconds since 1970. Raises `PermanentFailure` without a secret, or
    for one that is none.
    """
    signed = b"%s.%d.%s" % (message.encode(), timestamp, body)
    if not secrets:
        raise PermanentFailure("The webhook has no secret to sign with: rotate its secret.")
    signatures = [hmac.digest(_key(each), signed, "sha256") for each in secrets]
    return {
        "webhook-id": message,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{base64.b64encode(each).decode()}" for each in signatures),
    }


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        # Without a cause, which may show the secret
        raise PermanentFailure("The webhook's secret can't be read: rotate it.") from None
