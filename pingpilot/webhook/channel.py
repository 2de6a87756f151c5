"""Sending: one signed POST request, to an address that was looked at, over a connection of its own."""

import asyncio
import ssl
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

import aiohttp
from yarl import URL

from pingpilot.accounts.webhooks import read_webhook_url
from pingpilot.channels import WEBHOOK
from pingpilot.clock import Clock
from pingpilot.delivery.channel import Notification, Recipient
from pingpilot.errors import InvalidInput, PermanentFailure, TemporaryFailure
from pingpilot.networks import Network
from pingpilot.telemetry.health import Health, State
from pingpilot.webhook.answers import failure_of_asking, failure_of_status
from pingpilot.webhook.connecting import LookUp, Resolver, addresses_to_use, pinned_session
from pingpilot.webhook.message import HEADERS, build_body
from pingpilot.webhook.signing import message_id, signed_headers

TIMEOUT = timedelta(seconds=15)
"""For all of it: looking the name up, connecting, and the answer's first lines."""
MOST_READ = 16 * 1024
"""Bytes of an answer's body that are waited for, for politeness: what they say does not matter."""
_LONGEST_READ = 1.0  # seconds


class WebhookChannel:
    """Posts notifications to programs of people's own, signed by the Standard Webhooks specification.

    A message keeps its id over retries, by which a receiver drops a repeat. Each receiver is a platform of
    its own: no failure speaks of another. `tls` None: the system's certificates.
    """

    name = WEBHOOK.name

    def __init__(
        self,
        *,
        health: Health,
        clock: Clock,
        allowed: Sequence[Network] = (),
        look_up: LookUp | None = None,
        tls: ssl.SSLContext | None = None,
        timeout: timedelta = TIMEOUT,
    ) -> None:
        self._health = health
        self._clock = clock
        self._allowed = allowed
        self._look_up = look_up or Resolver().look_up
        self._tls = tls
        self._timeout = timeout.total_seconds()

    async def send(self, recipient: Recipient, notification: Notification) -> None:
        """Post one notification. Raises `TemporaryFailure` or `PermanentFailure`."""
        try:
            url = read_webhook_url(recipient.address, self._allowed)  # the settings may have changed
        except InvalidInput as exc:
            raise PermanentFailure(str(exc), recipient_refused=True) from exc
        body = build_body(notification)
        now = self._clock.now()
        headers = {
            **HEADERS,
            **signed_headers(
                recipient.secrets,
                message=message_id(notification),
                timestamp=int(now.timestamp()),
                body=body,
            ),
        }
        session: aiohttp.ClientSession | None = None
        try:
            async with asyncio.timeout(self._timeout):
                addresses = await addresses_to_use(url, allowed=self._allowed, look_up=self._look_up)
                session = pinned_session(addresses, tls=self._tls)
                reply = await session.post(
                    URL(url.text, encoded=True), data=body, headers=headers, allow_redirects=False
                )
            failure = failure_of_status(reply.status, reply.headers, now)
            await _hear_out(reply)
        except TimeoutError:  # before OSError, its base class
            reason = f"The webhook did not answer within {self._timeout:g} seconds."
            raise TemporaryFailure(reason, recipient_alone=True) from None
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            raise failure_of_asking(exc) from exc
        finally:
            if session is not None:
                await session.close()
        if failure:
            raise failure

    async def run(self) -> None:
        """Report that the channel is up: there is no platform to connect to."""
        self._health.report(self.name, State.UP)
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Nothing is kept open."""


async def _hear_out(reply: aiohttp.ClientResponse) -> None:
    """Let a receiver say what it has to say, within bounds, instead of resetting its connection."""
    with suppress(TimeoutError, aiohttp.ClientError, OSError, EOFError):
        async with asyncio.timeout(_LONGEST_READ):
            await reply.content.readexactly(MOST_READ)
    reply.close()
