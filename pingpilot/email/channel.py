"""Sending: HTML e-mails over kept-open SMTP connections."""

import asyncio
from collections.abc import Callable

from pingpilot.channels import EMAIL
from pingpilot.delivery.channel import Notification, Recipient
from pingpilot.email.message import build_message
from pingpilot.email.sender import Mailbox
from pingpilot.email.smtp import SmtpPool
from pingpilot.errors import ChannelUnavailable, Misconfigured, PermanentFailure, TemporaryFailure
from pingpilot.telemetry.health import Health, State


class EmailChannel:
    """Sends notifications as e-mails, each with a Message-ID that stays the same over retries.

    `unsubscribe_url` gives the one-click link of an account's destination at an address, None leaves it out.
    """

    name = EMAIL.name

    def __init__(
        self,
        pool: SmtpPool,
        *,
        sender: Mailbox,
        unsubscribe_url: Callable[[int, str, str], str] | None,
        health: Health,
    ) -> None:
        self._pool = pool
        self._sender = sender
        self._unsubscribe_url = unsubscribe_url
        self._health = health
        self._trouble = asyncio.Event()

    async def send(self, recipient: Recipient, notification: Notification) -> None:
        """Send one e-mail. Raises the failures of `Channel.send`."""
        unsubscribe_url = None
        if self._unsubscribe_url and not recipient.is_stranger:
            unsubscribe_url = self._unsubscribe_url(
                recipient.account_id, recipient.destination, recipient.address
            )
        try:
            message = build_message(
                notification,
                sender=self._sender,
                recipient=recipient.address,
                unsubscribe_url=unsubscribe_url,
            )
        except ValueError as exc:
            reason = f"No mail can be sent to this address: {exc}"
            raise PermanentFailure(reason, recipient_gone=True) from exc
        try:
            await self._pool.send(self._sender.address, recipient.address, message)
        except (ChannelUnavailable, TemporaryFailure):
            self._trouble.set()
            raise

    async def run(self) -> None:
        """Report whether the mail server can be used: now, and again after each trouble with a send.

        Raises `Misconfigured` where a person must act, `TemporaryFailure` where the server is away.
        """
        while True:
            self._trouble.clear()
            try:
                await self._pool.check(self._sender.address)
            except ChannelUnavailable as exc:
                raise Misconfigured(exc.reason) from exc
            self._health.report(self.name, State.UP)
            await self._trouble.wait()

    async def close(self) -> None:
        """Close the idle connections."""
        await self._pool.close()
