"""E-mails with a link, as pages have them sent: no event and no delivery stands for them."""

import asyncio

from api.services import Services
from models import Account
from pingpilot.channels import EMAIL
from pingpilot.delivery.channel import NO_ACCOUNT, Recipient
from pingpilot.delivery.own_words import own_words
from pingpilot.errors import DeliveryFailure

_SENT_WITHIN = 60.0  # seconds


def has_mail(services: Services) -> bool:
    """Whether this server is set up to send e-mails."""
    return EMAIL.name in services.senders


async def mail(services: Services, address: str, text: str, account: Account | None = None) -> str | None:
    """Send a text to an address; return why that did not work, None where it did.

    `account` is the one whose address it is, if any.
    """
    sender = services.senders.get(EMAIL.name)
    if sender is None:
        return "this server is not set up to send e-mails."
    recipient = Recipient(account.id if account else NO_ACCOUNT, address, destination=EMAIL.name)
    notification = own_words(text, services.clock.now(), account.time_zone if account else "UTC")
    try:
        async with asyncio.timeout(_SENT_WITHIN):
            await sender.send(recipient, notification)
    except (DeliveryFailure, TimeoutError) as exc:
        return str(exc) or "the mail server gave no answer."
    return None
