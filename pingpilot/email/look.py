"""How a notification looks in a mailbox."""

import email.policy
from email import message_from_bytes

from pingpilot.delivery.channel import Notification, Recipient
from pingpilot.email.message import build_message
from pingpilot.email.sender import mailbox
from pingpilot.email.settings import EmailSettings
from pingpilot.rendering.looks import MailLook, mail_look

_SENDER = "PingPilot <pingpilot@example.com>"
"""Where no mail server is set up."""
_NOWHERE = "#"
"""In place of the link that ends the e-mails: whoever looks at one is not its reader."""


def look(notification: Notification, recipient: Recipient, settings: EmailSettings) -> MailLook:
    """Return the mail as it is sent there, drawn. Raises `ValueError` where none can be."""
    sent = build_message(
        notification,
        sender=mailbox(settings.sender or _SENDER),
        recipient=recipient.address,
        unsubscribe_url=_NOWHERE,
    )
    return mail_look(message_from_bytes(sent, policy=email.policy.default))
