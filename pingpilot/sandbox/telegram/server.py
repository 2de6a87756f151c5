"""The Bot API server: tokens, methods, faults."""

import secrets
from http import HTTPStatus
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from pingpilot.sandbox.faults import Fault
from pingpilot.sandbox.server import TOO_MANY_REQUESTS, HttpStandIn, Refused, Takeover, json_answer
from pingpilot.sandbox.telegram.chats import Chats
from pingpilot.sandbox.telegram.limits import RateLimits, throttled
from pingpilot.sandbox.telegram.methods import BotApi
from pingpilot.sandbox.telegram.model import Json
from pingpilot.sandbox.telegram.params import Params, refused
from pingpilot.sandbox.telegram.updates import UpdateQueue
from pingpilot.sandbox.telegram.webhook import WebhookPoster

DEFAULT_BOT_ID = 7_000_000_001


class TelegramServer(HttpStandIn):
    """The network side of the stand-in.

    `others` are bots of their own that are reached at this one's address, as at the real platform. Calls
    and answers of 429 are counted here for all.
    """

    def __init__(
        self, *, token: str, username: str = "pingpilot_bot", host: str = "127.0.0.1", port: int = 0
    ) -> None:
        super().__init__(host=host, port=port)
        self.token = token
        self.username = username
        bot_id = token.partition(":")[0]  # real tokens begin with the bot's id
        self.bot_id = int(bot_id) if bot_id.isdigit() else DEFAULT_BOT_ID
        self.others: list[TelegramServer] = []
        self._chats = Chats()
        self._limits = RateLimits()
        self._updates = UpdateQueue(self._changes)
        self.webhook = WebhookPoster(self._updates)
        self._api = BotApi(
            bot=self._bot,
            chats=self._chats,
            limits=self._limits,
            webhook=self.webhook,
            changes=self._changes,
        )

    @property
    def url(self) -> str:
        """What takes the place of `https://api.telegram.org`; requests go to {url}/bot<token>/<method>."""
        return f"http://{self.host}:{self.port}"

    async def start(self) -> None:
        """Listen, and post what waits for a webhook that was set before."""
        await super().start()
        self.webhook.resume()

    async def stop(self) -> None:
        """Vanish from the network; long polls end without an answer."""
        self._halted.set()
        self._changes.announce()
        await self.webhook.pause()
        await super().stop()

    @property
    def counts(self) -> dict[str, Any]:
        """What `GET /counts` shows; `conflicts` are this bot's polls that another one ended."""
        return {
            **super().counts,
            "conflicts": [each.as_json() for each in self.conflicts],
            "refused_polls": self.refused_polls,
            "webhook_answers": dict(self.webhook.answers),
            "others": [each.counts for each in self.others],
        }

    @property
    def conflicts(self) -> list[Takeover]:
        """Polls that ended with 409 because another one came in, while their client was still there."""
        return self._updates.conflicts

    @property
    def refused_polls(self) -> int:
        """How many polls came while a webhook was set."""
        return self._updates.refused_polls

    def revoke_token(self) -> None:
        """Take the token away at once; a long poll ends with a 401."""
        self.token = f"{self.bot_id}:{secrets.token_hex(16)}"
        self._updates.interrupt()

    def _bot(self) -> Json:
        return {"id": self.bot_id, "is_bot": True, "first_name": "PingPilot", "username": self.username}

    def _add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_route("*", "/bot{token}/{method}", self._call)

    def _name_of(self, request: web.Request) -> str:
        return request.match_info.get("method", request.path)

    def _route_of(self, request: web.Request) -> str:
        return self._name_of(request)

    def _accepts_message(self, request: web.Request) -> bool:
        return self._name_of(request).lower() == "sendmessage"

    async def _take(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPNotFound:
            raise refused(404, "Not Found") from None

    async def _call(self, request: web.Request) -> web.Response:
        for other in self.others:
            if request.match_info["token"] == other.token:
                try:
                    return await other._call(request)
                except Refused as refusal:
                    other._note(refusal)
                    raise
        self._check_token(request)
        params = await Params.of(request)
        method = request.match_info["method"]
        if method.lower() != "getupdates":
            return json_answer({"ok": True, "result": self._api.call(method, params)})
        halted, is_heard = self._halted, lambda: request.transport is not None
        updates = await self._updates.fetch(params, is_heard=is_heard, halted=halted)
        if halted.is_set():
            return self._hang_up(request)
        self._check_token(request)  # it may have been revoked meanwhile
        return json_answer({"ok": True, "result": updates})

    def _check_token(self, request: web.Request) -> None:
        if request.match_info["token"] != self.token:
            raise refused(401, "Unauthorized")

    def _answer_fault(self, fault: Fault) -> web.Response:
        usual = refused(fault.code, fault.text or HTTPStatus(fault.code).phrase)
        if fault.code == TOO_MANY_REQUESTS and not fault.text:
            usual = throttled(fault.retry_after)
        return json_answer(fault.body or usual.body, status=fault.code, headers=fault.headers)
