"""Sending: to people and to servers' channels, over the REST API, whether the gateway is connected or not."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus

import aiohttp
import discord
from discord.http import Route
from pydantic import SecretStr

from bots.discord.bounds import bound_answers, guard_requests
from bots.discord.message import mention_for, nonce_for, render_embed
from bots.discord.pauses import DEFAULT_PAUSE, watch_for_pauses
from pingpilot.channels import DISCORD
from pingpilot.delivery.channel import Notification, Recipient
from pingpilot.errors import (
    ChannelUnavailable,
    DeliveryFailure,
    NotLeading,
    PermanentFailure,
    RateLimited,
    TemporaryFailure,
)
from pingpilot.rendering.links import with_link_in_text

# https://discord.com/developers/docs/topics/opcodes-and-status-codes#json
UNKNOWN_CHANNEL, UNKNOWN_MESSAGE, UNKNOWN_USER = 10003, 10008, 10013
INVALID_FORM_BODY = 50035
CANNOT_MESSAGE_USER, CANNOT_MESSAGE_USER_YET = 50007, 50278
MISSING_ACCESS, MISSING_PERMISSIONS = 50001, 50013
NO_TEXT_CHANNEL, WRONG_CHANNEL_TYPE = 50008, 50024
THREAD_ARCHIVED, THREAD_LOCKED = 50083, 160005
_GONE = {
    UNKNOWN_CHANNEL: "the conversation no longer exists.",
    UNKNOWN_USER: "the user no longer exists.",
    CANNOT_MESSAGE_USER: "the user does not accept direct messages from the bot.",
    CANNOT_MESSAGE_USER_YET: "the user does not accept direct messages from the bot.",
}
_LOCKED = "the thread is locked: unlock it, or grant the bot Manage Threads."
_NO_MESSAGES = "a channel of this kind holds no messages: link another one, or a post or thread in it."
# None of these ends by itself, and a server has many members: whoever linked it is told what to grant
_ROOM_GONE = {
    UNKNOWN_CHANNEL: "the channel no longer exists.",
    MISSING_ACCESS: "the bot can't see the channel: grant it View Channel there, add it to a private thread, "
    "or invite it to the server again.",
    MISSING_PERMISSIONS: "the bot may not write in the channel: grant it Send Messages (in a thread, Send "
    "Messages in Threads) and Embed Links there.",
    NO_TEXT_CHANNEL: _NO_MESSAGES,
    WRONG_CHANNEL_TYPE: _NO_MESSAGES,
    THREAD_ARCHIVED: _LOCKED,  # opening one that is only archived comes with the message
    THREAD_LOCKED: _LOCKED,
}
_KEPT_OPEN = (
    60.0  # seconds that a connection may idle: longer than aiohttp's 15, a new one costs a TLS handshake
)
_LONGEST_WAIT = 30.0  # seconds a rate limit may hold a slot; discord.py takes no less


class DiscordChannel:
    """Sends notifications as embeds, to people's direct messages and to servers' channels alike.

    Every send carries a nonce made from event and recipient, so that Discord answers a retry within a few
    minutes with the first message instead of a second one. It asks for nothing unless it `may_act`.
    """

    name = DISCORD.name

    def __init__(self, *, token: SecretStr, may_act: Callable[[], bool] = lambda: True) -> None:
        self._token = token
        self._may_act = may_act
        self._client: discord.Client | None = None
        self._opening = asyncio.Lock()

    async def send(self, recipient: Recipient, notification: Notification) -> None:
        """Send one message; a channel's own rate limit of up to 30 s is waited for here, by discord.py.

        Raises the failures of `Channel.send`.
        """
        try:
            client = await self._logged_in()
            channel = client.get_partial_messageable(int(recipient.address))
            try:
                await _post(channel, recipient, notification)
            except discord.HTTPException as exc:
                if not notification.url or exc.code != INVALID_FORM_BODY:
                    raise
                # Which addresses are well formed to Discord is written nowhere: the event comes all the same
                await _post(channel, recipient, with_link_in_text(notification))
        except discord.RateLimited as exc:
            wait = timedelta(seconds=exc.retry_after)
            raise RateLimited("Discord asks for a pause.", retry_after=wait, whole_channel=False) from exc
        except discord.HTTPException as exc:
            if exc.code == UNKNOWN_MESSAGE:  # an earlier try had arrived, and somebody has deleted it since
                return
            raise _failure(exc, recipient) from exc
        except (aiohttp.ClientError, OSError) as exc:
            if isinstance(exc.__cause__, NotLeading):
                raise exc.__cause__ from None
            raise TemporaryFailure(f"Discord can't be reached: {exc}") from exc
        except ValueError as exc:  # broken JSON; its text may hold the message, which is nothing for a log
            raise TemporaryFailure("Discord's answer can't be read.") from exc

    async def reach(self) -> None:
        """Return once Discord has answered anything at all. Raises `aiohttp.ClientError` otherwise."""
        try:
            client = await self._logged_in()
            await client.http.request(Route("GET", "/gateway"))
        except (discord.HTTPException, discord.RateLimited, ChannelUnavailable, RateLimited):
            return

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
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEPT_OPEN),
                http_trace=guard_requests(
                    watch_for_pauses(bound_answers(aiohttp.TraceConfig())), self._may_act
                ),
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


async def _post(
    channel: discord.PartialMessageable, recipient: Recipient, notification: Notification
) -> None:
    content, allowed = mention_for(recipient.mention if recipient.is_room else None)
    await channel.send(
        content,
        embed=render_embed(notification),
        nonce=nonce_for(notification, recipient.address),
        allowed_mentions=allowed,
        silent=notification.silent,
    )


def _failure(exc: discord.HTTPException, recipient: Recipient) -> DeliveryFailure:
    """Sort an answer of Discord; codes are looked at before the status, which has been seen to vary."""
    gone = _ROOM_GONE if recipient.is_room else _GONE
    if exc.code in gone:
        return PermanentFailure(f"Discord: {gone[exc.code]}", recipient_gone=True)
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
