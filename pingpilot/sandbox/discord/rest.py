"""The part of Discord's REST API v10 that a bot needs to send messages and register commands."""

import time
from collections.abc import Callable
from typing import Any

from aiohttp import web

from pingpilot.sandbox.discord.commands import check_commands
from pingpilot.sandbox.discord.guilds import Guild, GuildChannel
from pingpilot.sandbox.discord.limits import RateLimits
from pingpilot.sandbox.discord.mentions import check_allowed_mentions, pinged_by
from pingpilot.sandbox.discord.model import DiscordMessage, DiscordUser, Json, message_json, snowflake
from pingpilot.sandbox.discord.payloads import dm_channel_json
from pingpilot.sandbox.discord.validation import check_message
from pingpilot.sandbox.inbox import Inbox
from pingpilot.sandbox.server import Refused, json_answer

BASE = "/api/v10"

NONCE_SECONDS = 300.0
"""How long a nonce is remembered; Discord says "the past few minutes"."""


class RestApi:
    """People, their direct messages with the bot, servers, and the bot's commands."""

    def __init__(
        self,
        *,
        bot: Callable[[], Json],
        inbox: Inbox[DiscordMessage],
        posted: list[Json],
        limits: RateLimits,
    ) -> None:
        self.commands: list[Json] = []
        self.closed: dict[str, int] = {}
        self.guilds: dict[str, Guild] = {}
        self._bot = bot
        self._inbox = inbox
        self._posted = posted
        self._limits = limits
        self._people: dict[str, DiscordUser] = {}
        self._dms: dict[str, str] = {}
        self._command_ids: dict[str, str] = {}
        self._nonces: dict[str, tuple[float, Json]] = {}

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the endpoints; all of them ask for the bot's token."""
        router.add_get(BASE + "/users/@me", self._show_bot)
        router.add_get(BASE + "/users/{user}", self._show_user)
        router.add_get(BASE + "/oauth2/applications/@me", self._show_application)
        router.add_get(BASE + "/applications/{application}/commands", self._list_commands)
        router.add_put(BASE + "/applications/{application}/commands", self._replace_commands)
        router.add_post(BASE + "/users/@me/channels", self._open_dm)
        router.add_get(BASE + "/guilds/{guild}", self._show_guild)
        router.add_get(BASE + "/channels/{channel}", self._show_channel)
        router.add_post(BASE + "/channels/{channel}/messages", self._send_message)

    def meet(self, user: DiscordUser) -> str:
        """Remember a person and return the id of their direct messages with the bot."""
        self._people[user.id] = user
        for channel_id, user_id in self._dms.items():
            if user_id == user.id:
                return channel_id
        channel_id = snowflake()
        self._dms[channel_id] = user.id
        return channel_id

    def command_id(self, name: str) -> str:
        """Return the id of a command; it keeps it when commands are registered again."""
        return self._command_ids.setdefault(name, snowflake())

    async def _show_bot(self, _request: web.Request) -> web.Response:
        return json_answer(self._bot())

    async def _show_user(self, request: web.Request) -> web.Response:
        user = self._people.get(request.match_info["user"])
        if user is None:
            raise Refused(404, {"message": "Unknown User", "code": 10013})
        return json_answer(user.as_json())

    async def _show_application(self, _request: web.Request) -> web.Response:
        bot = self._bot()
        application = {
            "id": bot["id"],
            "name": bot["username"],
            "icon": None,
            "description": "",
            "rpc_origins": None,
            "bot_public": True,
            "bot_require_code_grant": False,
            "verify_key": "0" * 64,
            "owner": bot,
            "team": None,
            "flags": 0,
            "bot": bot,
        }
        return json_answer(application)

    async def _list_commands(self, _request: web.Request) -> web.Response:
        usual = {"type": 1, "default_member_permissions": None, "nsfw": False}
        own = {"application_id": self._bot()["id"], "version": "1"}
        return json_answer(
            [usual | each | own | {"id": self.command_id(each["name"])} for each in self.commands]
        )

    async def _replace_commands(self, request: web.Request) -> web.Response:
        commands = await _json_body(request)
        check_commands(commands)
        self.commands = commands
        return await self._list_commands(request)

    async def _open_dm(self, request: web.Request) -> web.Response:
        user_id = str((await _json_body(request)).get("recipient_id"))
        if not user_id.isdigit():
            raise Refused(400, {"message": "Invalid Recipient(s)", "code": 50033})
        user = self._people.get(user_id) or DiscordUser(user_id, f"user{user_id}")
        return json_answer(dm_channel_json(self.meet(user), user))

    async def _show_guild(self, request: web.Request) -> web.Response:
        guild = self.guilds.get(request.match_info["guild"])
        if guild is None or not guild.has_member(self._bot()["id"]):
            raise Refused(404, {"message": "Unknown Guild", "code": 10004})
        return json_answer(guild.as_json())

    async def _show_channel(self, request: web.Request) -> web.Response:
        channel_id = request.match_info["channel"]
        if channel := self._guild_channel(channel_id):
            channel.guild.check_seen(self._bot()["id"], channel)
            return json_answer(channel.as_json())
        return json_answer(dm_channel_json(channel_id, self._people[self._recipient(channel_id)]))

    async def _send_message(self, request: web.Request) -> web.Response:
        channel_id = request.match_info["channel"]
        channel = self._guild_channel(channel_id)
        user_id = "" if channel else self._recipient(channel_id)
        headers = self._limits.count_message(channel_id)
        if user_id in self.closed:
            sentence = "Cannot send messages to this user"
            raise Refused(403, {"message": sentence, "code": self.closed[user_id]}, headers)
        payload = await _json_body(request)
        if channel:
            channel.guild.check_sending(self._bot()["id"], channel, payload)
        check_message(payload)
        check_allowed_mentions(payload.get("allowed_mentions"))
        if payload.get("enforce_nonce") and payload.get("nonce") is not None:
            # Unique to the author, not to the channel: "by the same user" (discord-api-docs#6647)
            sent_at, known = self._nonces.get(str(payload["nonce"]), (0.0, None))
            if known is not None and time.monotonic() - sent_at < NONCE_SECONDS:
                if known not in self._posted:
                    raise Refused(404, {"message": "Unknown Message", "code": 10008})
                return json_answer(known, headers=headers)
        if channel and channel.is_thread:  # sending joins it, and opens one that was archived
            channel.members.add(self._bot()["id"])
            channel.archived = False
        shown = self._deliver(channel_id, user_id, payload, channel, via=request.host)
        return json_answer(shown, headers=headers)

    def _recipient(self, channel_id: str) -> str:
        user_id = self._dms.get(channel_id)
        if user_id is None:
            raise Refused(404, {"message": "Unknown Channel", "code": 10003})
        return user_id

    def _guild_channel(self, channel_id: str) -> GuildChannel | None:
        for guild in self.guilds.values():
            if channel := guild.channels.get(channel_id):
                return channel
        return None

    def _deliver(
        self, channel_id: str, user_id: str, payload: Json, channel: GuildChannel | None, *, via: str
    ) -> Json:
        shown = message_json(payload, channel_id=channel_id, author=self._bot())
        pinged = pinged_by(payload, self._bot()["id"], channel)
        shown["mention_everyone"] = "everyone" in pinged or "here" in pinged
        shown["mention_roles"] = [each.removeprefix("role ") for each in pinged if each.startswith("role ")]
        nonce = payload.get("nonce")
        if nonce is not None:
            self._nonces[str(nonce)] = (time.monotonic(), shown)
        message = DiscordMessage(
            id=shown["id"],
            channel_id=channel_id,
            user_id=user_id,
            content=shown["content"],
            embeds=shown["embeds"],
            components=shown["components"],
            nonce=None if nonce is None else str(nonce),
            flags=shown["flags"],
            allowed_mentions=payload.get("allowed_mentions"),
            pinged=pinged,
            via=via,
        )
        self._posted.append(shown)
        self._inbox.take(message)
        return shown


async def _json_body(request: web.Request) -> Any:
    try:
        return await request.json()
    except ValueError:
        sentence = "The request body contains invalid JSON."
        raise Refused(400, {"message": sentence, "code": 50109}) from None
