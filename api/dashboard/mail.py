"""E-mails with a link, as pages have them sent: no event and no delivery stands for them."""

from api.services import Services
from models import Account
from pingpilot.channels import EMAIL
from pingpilot.delivery.channel import NO_ACCOUNT, Recipient
from pingpilot.delivery.confirming import ConfirmationNotSent, send_link


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
    recipient = Recipient(
        account.id if account else NO_ACCOUNT, address, destination=EMAIL.name, is_stranger=account is None
    )
    try:
        zone = account.time_zone if account else "UTC"
        await send_link(sender, recipient, text, services.clock.now(), zone)
    except ConfirmationNotSent as exc:
        return exc.reason
    return None
