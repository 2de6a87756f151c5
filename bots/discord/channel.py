"""Sending: Discord DMs over the REST API, whether the gateway is connected or not."""

import asyncio
from datetime import timedelta
from http import HTTPStatus

import aiohttp
import discord
from pydantic import SecretStr

from bots.discord.bounds import bound_answers
from bots.discord.message import nonce_for, render_embed
from bots.discord.pauses import DEFAULT_PAUSE, watch_for_pauses
from pingpilot.channels import DISCORD
from pingpilot.delivery.channel import Notification, Recipient
from pingpilot.errors import (
    ChannelUnavailable,
    DeliveryFailure,
    PermanentFailure,
    RateLimited,
    TemporaryFailure,
)
from pingpilot.rendering.links import with_link_in_text

# https://discord.com/developers/docs/topics/opcodes-and-status-codes#json
UNKNOWN_CHANNEL, UNKNOWN_USER = 10003, 10013
INVALID_FORM_BODY = 50035
CANNOT_MESSAGE_USER, CANNOT_MESSAGE_USER_YET = 50007, 50278
_GONE = {
    UNKNOWN_CHANNEL: "the conversation no longer exists.",
    UNKNOWN_USER: "the user no longer exists.",
    CANNOT_MESSAGE_USER: "the user does not accept direct messages from the bot.",
    CANNOT_MESSAGE_USER_YET: "the user does not accept direct messages from the bot.",
}
_LONGEST_WAIT = 30.0  # seconds a rate limit may hold a slot; discord.py takes no less


class DiscordChannel:
    """Sends notifications as embeds to DM channels.

    Every send carries a nonce made from the event, so that Discord answers a retry within a few minutes
    with the first message instead of a second one.
    """

    name = DISCORD.name

    def __init__(self, *, token: SecretStr) -> None:
        self._token = token
        self._client: discord.Client | None = None
        self._opening = asyncio.Lock()

    async def send(self, recipient: Recipient, notification: Notification) -> None:
        """Send one DM; a conversation's own rate limit of up to 30 s is waited for here, by discord.py.

        Raises the failures of `Channel.send`.
        """
        try:
            client = await self._logged_in()
            channel = client.get_partial_messageable(int(recipient.address), type=discord.ChannelType.private)
            try:
                await _post(channel, notification)
            except discord.HTTPException as exc:
                if not notification.url or exc.code != INVALID_FORM_BODY:
                    raise
                # Which addresses are well formed to Discord is written nowhere: the event comes all the same
                await _post(channel, with_link_in_text(notification))
        except discord.RateLimited as exc:
            wait = timedelta(seconds=exc.retry_after)
            raise RateLimited("Discord asks for a pause.", retry_after=wait, whole_channel=False) from exc
        except discord.HTTPException as exc:
            raise _failure(exc) from exc
        except (aiohttp.ClientError, OSError) as exc:
            raise TemporaryFailure(f"Discord can't be reached: {exc}") from exc
        except ValueError as exc:  # broken JSON; its text may hold the message, which is nothing for a log
            raise TemporaryFailure("Discord's answer can't be read.") from exc

    async def close(self) -> None:
        """Close the connections; a later send opens new ones."""
        client, self._client = self._client, None
        if client:
            await client.close()

    async def _logged_in(self) -> discord.Client:
        async with self._opening:
            if self._client is not None:
                return self._client
            client = discord.Client(
                intents=discord.Intents.none(),
                max_messages=None,
                allowed_mentions=discord.AllowedMentions.none(),
                max_ratelimit_timeout=_LONGEST_WAIT,
                http_trace=watch_for_pauses(bound_answers(aiohttp.TraceConfig())),
            )
            try:
                await client.login(self._token.get_secret_value())
            except BaseException as exc:
                await client.close()
                if isinstance(exc, discord.LoginFailure):
                    raise ChannelUnavailable("Discord refuses the bot's token: set a valid one.") from exc
                raise
            self._client = client
        return client


async def _post(channel: discord.PartialMessageable, notification: Notification) -> None:
    await channel.send(
        embed=render_embed(notification), nonce=nonce_for(notification), silent=notification.silent
    )


def _failure(exc: discord.HTTPException) -> DeliveryFailure:
    """Sort an answer of Discord; codes are looked at before the status, which has been seen to vary."""
    if exc.code in _GONE:
        return PermanentFailure(f"Discord: {_GONE[exc.code]}", recipient_gone=True)
    reason = f"Discord answered {exc.status}: {exc.text or 'no reason given'}"
    if exc.status == HTTPStatus.UNAUTHORIZED:
        return ChannelUnavailable("Discord refuses the bot's token: set a valid one.")
    if exc.status == HTTPStatus.TOO_MANY_REQUESTS:  # discord.py has waited some times and given up
        return RateLimited(reason, retry_after=DEFAULT_PAUSE, whole_channel=False)
    is_refusal = HTTPStatus.BAD_REQUEST <= exc.status < HTTPStatus.INTERNAL_SERVER_ERROR
    is_discords = exc.response.headers.get("Content-Type") == "application/json"  # not a page on the way
    if is_refusal and is_discords and exc.status != HTTPStatus.REQUEST_TIMEOUT:
        return PermanentFailure(reason)
    return TemporaryFailure(reason)
