"""Sending the link that confirms an account's new address."""

from datetime import UTC, datetime

from models import Account
from models.ids import uuid7
from pingpilot.accounts.email_change import EmailChanges
from pingpilot.accounts.quota import PlanLimits
from pingpilot.channels import EMAIL, load
from pingpilot.clock import SystemClock
from pingpilot.config import Settings
from pingpilot.delivery.channel import Notification, Recipient
from pingpilot.delivery.parts import ChannelParts, Surroundings
from pingpilot.errors import DeliveryFailure, InvalidInput, PingPilotError
from pingpilot.events import notices
from pingpilot.telemetry.health import Health


async def ask_to_confirm(account: Account, new: str, settings: Settings) -> str:
    """Send the new address a link that makes it the account's, and tell the account; return the address.

    Raises `InvalidInput`, `AlreadyExists`, or `PingPilotError` where the mail is not taken.
    """
    own, now = settings.channels[EMAIL.name], datetime.now(UTC)
    if own.missing:
        raise InvalidInput(f"The new address is confirmed by a link sent there: set {own.missing} first.")
    address, token = await (await EmailChanges.load()).prepare(account, new, now)
    base_url = settings.base_url(settings.http_port)
    text = (
        f"Open this link within a day to make {address} the address of the PingPilot account "
        f"{account.email}: {base_url}/confirm-email/{token}\n\nIf you did not ask for this, do nothing."
    )
    around = Surroundings(
        limits=PlanLimits.of(settings),
        clock=SystemClock(),
        health=Health(),
        unsubscriber=None,  # whoever reads the new mailbox has not proven to be the account's owner yet
        on_deliveries=lambda _channels: None,
    )
    parts: ChannelParts = load(EMAIL.part)(own, around)
    message = Notification(uuid7(), 0, notices.SENDER, notices.EMOJI, notices.COLOR, text, (), now)
    try:
        await parts.channel.send(Recipient(account.id, address), message)
    except DeliveryFailure as exc:
        raise PingPilotError(f"The link could not be sent to {address}: {exc.reason}") from exc
    finally:
        await parts.close()
    told = (
        f"Somebody asked to change your account's address to {address}: it is, once a link there is opened."
    )
    await notices.post_notice(account.id, told, now=now)
    return address
