"""Asking the reader of a mailbox to confirm it, from the command line."""

from datetime import UTC, datetime

from models import Account, Destination
from pingpilot.accounts.email_change import EmailChanges
from pingpilot.accounts.mailboxes import Mailboxes, count_asking, words_for
from pingpilot.accounts.quota import PlanLimits
from pingpilot.channels import EMAIL, load
from pingpilot.clock import SystemClock
from pingpilot.config import Settings
from pingpilot.delivery.channel import NO_ACCOUNT, Recipient
from pingpilot.delivery.own_words import own_words
from pingpilot.delivery.parts import ChannelParts, Surroundings
from pingpilot.errors import DeliveryFailure, InvalidInput, PingPilotError
from pingpilot.events import notices
from pingpilot.telemetry.health import Health


async def ask_to_confirm(account: Account, new: str, settings: Settings) -> str:
    """Send a link to the account's new address, and tell its channels; return the address as it is stored.

    Raises `InvalidInput`, `AlreadyExists` where the address has an account, or `PingPilotError` where the
    mail can't be sent.
    """
    now = datetime.now(UTC)
    check_mail_is_set_up(settings)
    address, token = await (await EmailChanges.load()).prepare(account, new, now)
    text = (
        f"Open this link within a day to make {address} the address of the PingPilot account "
        f"{account.email}: {_base_url(settings)}/confirm-email/{token}\n\n"
        "If you did not ask for this, do nothing."
    )
    await send_words(account, address, text, settings)
    told = (
        f"Somebody asked to change your account's address to {address}: it is, once a link there is opened."
    )
    await notices.post_notice(account.id, told, now=now)
    return address


async def ask_mailbox(account: Account, mailbox: Destination, settings: Settings) -> None:
    """Send a new mailbox the link that confirms it.

    Raises `TooMany` for an account that asks all the time, or `PingPilotError` where the mail can't be sent.
    """
    now = datetime.now(UTC)
    await count_asking(account, now)
    url = (await Mailboxes.load()).url_for(mailbox, _base_url(settings), now)
    await send_words(account, str(mailbox.title), words_for(mailbox, account, url), settings)


def check_mail_is_set_up(settings: Settings) -> None:
    """Raise `InvalidInput` where no mail can be sent."""
    if missing := settings.channels[EMAIL.name].missing:
        raise InvalidInput(f"The new address is confirmed by a link sent there: set {missing} first.")


def _base_url(settings: Settings) -> str:
    return settings.base_url(settings.http_port)


async def send_words(account: Account | None, address: str, text: str, settings: Settings) -> None:
    """Send a link to an address, the account's whose affair it is, if any.

    Raises `PingPilotError` where it can't be sent.
    """
    around = Surroundings(
        limits=PlanLimits.of(settings),
        clock=SystemClock(),
        health=Health(),
        unsubscriber=None,  # whoever reads it may be a stranger, who has nothing to switch off
        on_deliveries=lambda _channels: None,
    )
    parts: ChannelParts = load(EMAIL.part)(settings.channels[EMAIL.name], around)
    recipient = Recipient(account.id if account else NO_ACCOUNT, address, destination=EMAIL.name)
    try:
        await parts.channel.send(
            recipient, own_words(text, datetime.now(UTC), account.time_zone if account else "UTC")
        )
    except DeliveryFailure as exc:
        raise PingPilotError(f"The link could not be sent to {address}: {exc.reason}") from exc
    finally:
        await parts.close()
