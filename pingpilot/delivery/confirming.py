"""Asking the reader of a mailbox to confirm it, with a link that is sent there."""

import asyncio
from datetime import datetime

from models import Account, Destination, DestinationKind
from pingpilot.accounts.destinations import NewDestination, add_destination
from pingpilot.accounts.email_change import EmailChanges
from pingpilot.accounts.mailboxes import Mailboxes, count_asking, words_for
from pingpilot.channels import ChannelKind
from pingpilot.delivery.channel import Channel, Recipient
from pingpilot.delivery.own_words import own_words
from pingpilot.errors import DeliveryFailure, PingPilotError
from pingpilot.events.notices import post_notice

_SENT_WITHIN = 20.0  # seconds


class ConfirmationNotSent(PingPilotError):
    """A mailbox could not be asked; `reason` is the mail server's or ours, as a sentence."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"The link could not be sent to {address}: {reason}")
        self.address = address
        self.reason = reason


async def add_and_ask(
    account: Account,
    name: str,
    kind: ChannelKind,
    address: str,
    *,
    sender: Channel | None,
    base_url: str,
    now: datetime,
) -> NewDestination:
    """Add a destination as `add_destination` does; a mailbox is asked, and not added where it can't be.

    Only a mailbox needs a `sender`. Raises as `add_destination` and `ask_mailbox`.
    """
    new = await add_destination(account, name, kind, address, now)
    if sender and new.destination.kind == DestinationKind.MAILBOX:
        try:
            await ask_mailbox(account, new.destination, sender=sender, base_url=base_url, now=now)
        except PingPilotError:
            await new.destination.delete()
            raise
    return new


async def ask_mailbox(
    account: Account, mailbox: Destination, *, sender: Channel, base_url: str, now: datetime
) -> None:
    """Send a mailbox the link that confirms it.

    Raises `TooMany` for an account that asks all the time, or `ConfirmationNotSent`.
    """
    await count_asking(account, now)
    url = (await Mailboxes.load()).url_for(mailbox, base_url, now)
    recipient = Recipient(account.id, str(mailbox.title), destination=mailbox.name)
    await send_link(sender, recipient, words_for(mailbox, account, url), now, account.time_zone)


async def ask_new_address(
    account: Account, new: str, *, sender: Channel, base_url: str, now: datetime
) -> tuple[str, set[str]]:
    """Send a link to the account's new address, and tell its channels.

    Returns the address as it is stored, and the channels that have something to do. Raises `InvalidInput`,
    `AlreadyExists` where the address has an account, or as `ask_mailbox`.
    """
    address, token = await (await EmailChanges.load()).prepare(account, new, now)
    await count_asking(account, now)
    text = (
        f"Open this link within a day to make {address} the address of the PingPilot account "
        f"{account.email}: {base_url}/confirm-email/{token}\n\n"
        "If you did not ask for this, do nothing."
    )
    recipient = Recipient(account.id, address, destination=sender.name, is_stranger=True)
    await send_link(sender, recipient, text, now, account.time_zone)
    told = (
        f"Somebody asked to change your account's address to {address}: it is, once a link there is opened."
    )
    return address, await post_notice(account.id, told, now=now)


async def send_link(
    sender: Channel, recipient: Recipient, text: str, now: datetime, time_zone: str = "UTC"
) -> None:
    """Send a text with a link, which no delivery stands for. Raises `ConfirmationNotSent`."""
    try:
        async with asyncio.timeout(_SENT_WITHIN):
            await sender.send(recipient, own_words(text, now, time_zone))
    except DeliveryFailure as exc:
        raise ConfirmationNotSent(recipient.address, exc.reason) from exc
    except TimeoutError:
        reason = f"the mail server did not answer within {_SENT_WITHIN:.0f} s."
        raise ConfirmationNotSent(recipient.address, reason) from None
