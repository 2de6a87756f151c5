"""Sending: HTML e-mails over kept-open SMTP connections."""

import asyncio
from collections.abc import Callable
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.utils import parseaddr

from pingpilot.channels import EMAIL
from pingpilot.delivery.channel import Notification, Recipient
from pingpilot.email.message import build_message
from pingpilot.email.smtp import SmtpPool
from pingpilot.errors import ChannelUnavailable, Misconfigured, PermanentFailure, TemporaryFailure
from pingpilot.telemetry.health import Health, State


class EmailChannel:
    """Sends notifications as e-mails, each with a Message-ID that stays the same over retries.

    `sender` is the address of the From header; `unsubscribe_url` gives an account's one-click link.
    """

    name = EMAIL.name

    def __init__(
        self,
        pool: SmtpPool,
        *,
        sender: str,
        unsubscribe_url: Callable[[int], str],
        health: Health,
    ) -> None:
        self._pool = pool
        self._sender = sender
        self._envelope_sender = parseaddr(sender)[1]
        self._unsubscribe_url = unsubscribe_url
        self._health = health
        self._trouble = asyncio.Event()

    async def send(self, recipient: Recipient, notification: Notification) -> None:
        """Send one e-mail. Raises the failures of `Channel.send`."""
        message = self._build(recipient, notification)
        try:
            await self._pool.send(self._envelope_sender, recipient.address, message)
        except (ChannelUnavailable, TemporaryFailure):
            self._trouble.set()
            raise

    def _build(self, recipient: Recipient, notification: Notification) -> bytes:
        """Return the message. Raises `PermanentFailure`; `ChannelUnavailable` if the sender is to blame."""
        try:
            return build_message(
                notification,
                sender=self._sender,
                recipient=recipient.address,
                message_id_domain=self._envelope_sender.partition("@")[2],
                unsubscribe_url=self._unsubscribe_url(recipient.account_id),
            )
        except ValueError as exc:
            try:
                Address(addr_spec=recipient.address)
            except (ValueError, HeaderParseError):
                reason = f"No mail can be sent to this address: {exc}"
                raise PermanentFailure(reason, recipient_gone=True) from exc
            raise ChannelUnavailable(f"The sender's address can't be used: {exc}") from exc

    async def run(self) -> None:
        """Report whether the mail server can be used: now, and again after each trouble with a send.

        Raises `Misconfigured` where a person must act, `TemporaryFailure` where the server is away.
        """
        while True:
            self._trouble.clear()
            try:
                await self._pool.check()
            except ChannelUnavailable as exc:
                raise Misconfigured(exc.reason) from exc
            self._health.report(self.name, State.UP)
            await self._trouble.wait()

    async def close(self) -> None:
        """Close the idle connections."""
        await self._pool.close()
