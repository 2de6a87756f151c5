"""Discord's two servers on one socket: the REST API and the gateway, and how they can be made to behave."""

import asyncio
import secrets
from functools import cached_property
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Handler

from pingpilot.sandbox.discord.gateway import AUTHENTICATION_FAILED, Gateway
from pingpilot.sandbox.discord.guilds import Guild
from pingpilot.sandbox.discord.interactions import Interactions
from pingpilot.sandbox.discord.limits import RateLimits, SessionStartLimit, throttle_body, throttle_headers
from pingpilot.sandbox.discord.model import DiscordMessage, Json, snowflake, user_json
from pingpilot.sandbox.discord.rest import BASE, RestApi
from pingpilot.sandbox.faults import Fault
from pingpilot.sandbox.inbox import Inbox
from pingpilot.sandbox.server import TOO_MANY_REQUESTS, HttpStandIn, Refused, Takeover, json_answer

WITHOUT_TOKEN = ("interactions/", "webhooks/")
"""Routes that ask for no token, and don't count against the bot's overall limit."""


class DiscordServer(HttpStandIn):
    """The network side of the stand-in.

    `others` are bots of their own that are reached at this one's address, as at the real platform: each has
    its limits, gateway sessions, people and messages. Calls and answers of 429 are counted here for all.
    """

    def __init__(self, *, token: str, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(host=host, port=port)
        self.token = token
        self.user_id = snowflake()
        self.application_id = self.user_id
        self.others: list[DiscordServer] = []
        self._posted: list[Json] = []
        self._limits = RateLimits(per_channel=(5, 5.0), overall=50)
        self._inbox = Inbox[DiscordMessage](self._changes)
        self._rest = RestApi(bot=self._bot, inbox=self._inbox, posted=self._posted, limits=self._limits)
        self._interactions = Interactions(author=self._bot, posted=self._posted, changes=self._changes)
        self._gateway = Gateway(
            accepts=self._is_token,
            ready=self._ready,
            guilds=self._created,
            exceeded=self.exceeded,
            changes=self._changes,
            others=lambda: [each._gateway for each in self.others],
        )
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """What takes the place of `https://discord.com/api/v10`."""
        return f"http://{self.host}:{self.port}{BASE}"

    @property
    def gateway_url(self) -> str:
        """What takes the place of `wss://gateway.discord.gg`."""
        return _gateway_at(f"{self.host}:{self.port}")

    async def stop(self) -> None:
        """Vanish from the network, websockets included, without a close frame."""
        for each in (self, *self.others):
            await each._gateway.drop(None)
        await super().stop()

    @property
    def channel_limit(self) -> tuple[int, float] | None:
        """Messages per channel in so many seconds; `None` for no limit."""
        return self._limits.per_channel

    @channel_limit.setter
    def channel_limit(self, limit: tuple[int, float] | None) -> None:
        self._limits.per_channel = limit

    @property
    def global_limit(self) -> int | None:
        """Requests per second over all routes; `None` for no limit."""
        return self._limits.overall

    @global_limit.setter
    def global_limit(self, limit: int | None) -> None:
        self._limits.overall = limit

    @property
    def interaction_deadline(self) -> float:
        """Seconds within which a command must be answered or deferred."""
        return self._interactions.deadline_seconds

    @interaction_deadline.setter
    def interaction_deadline(self, seconds: float) -> None:
        self._interactions.deadline_seconds = seconds

    def close_dms(self, user_id: str, code: int = 50007) -> None:
        """Let this person take no direct messages from the bot any more."""
        self._rest.closed[user_id] = code

    def open_dms(self, user_id: str) -> None:
        """Undo `close_dms`."""
        self._rest.closed.pop(user_id, None)

    def revoke_token(self) -> asyncio.Task[None]:
        """Take the token away at once; the returned task, which needs no waiting for, closes the gateways."""
        self.token = secrets.token_hex(16)
        task = asyncio.create_task(self._gateway.drop(AUTHENTICATION_FAILED), name="discord-revoke")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
        return task

    @property
    def connections(self) -> int:
        """How many clients are connected to the gateway and identified."""
        return self._gateway.connections

    @property
    def takeovers(self) -> list[Takeover]:
        """Sessions that began, or were resumed, while another client was connected."""
        return self._gateway.takeovers

    @property
    def session_limit(self) -> SessionStartLimit:
        """How many sessions may begin, which may be changed, and how many have."""
        return self._gateway.limit

    @property
    def counts(self) -> Json:
        """What `GET /counts` shows; sessions and connections are this bot's."""
        return {
            **super().counts,
            "sessions_begun": len(self.session_limit.begun),
            "most_connections": self._gateway.most_connections,
            "takeovers": [each.as_json() for each in self.takeovers],
            "others": [each.counts for each in self.others],
        }

    @property
    def heartbeat_interval(self) -> float:
        """Seconds between the heartbeats that clients are asked for when they connect."""
        return self._gateway.heartbeat_interval

    @heartbeat_interval.setter
    def heartbeat_interval(self, seconds: float) -> None:
        self._gateway.heartbeat_interval = seconds

    @property
    def refuse_gateway(self) -> bool:
        """While true, new websockets get a 503."""
        return self._gateway.refusing

    @refuse_gateway.setter
    def refuse_gateway(self, refuse: bool) -> None:
        self._gateway.refusing = refuse

    async def wait_connected(self, timeout: float = 10) -> None:
        """Return once a client is connected to the gateway; raises `TimeoutError`."""
        await self._changes.until(lambda: self.connections > 0, timeout=timeout, what="a gateway client")

    async def drop_gateways(self, code: int | None = None) -> None:
        """Close all websockets with `code`, or without a close frame; sessions may be resumed."""
        await self._gateway.drop(code)

    async def send_event(self, event: str, data: Json) -> None:
        """Send a client an event, now and each time it resumes its session before that."""
        await self._gateway.dispatch(event, data)

    async def invalidate_sessions(self, resumable: bool = False) -> None:
        """Tell all clients that their session is invalid (opcode 9)."""
        await self._gateway.invalidate(resumable=resumable)

    def _bot(self) -> Json:
        return user_json(self.user_id, "PingPilot", bot=True)

    def _is_token(self, token: str) -> bool:
        return token.removeprefix("Bot ") == self.token

    def _ready(self, host: str) -> Json:
        return {
            "v": 10,
            "user": self._bot(),
            "guilds": [{"id": guild.id, "unavailable": True} for guild in self._joined()],
            "resume_gateway_url": _gateway_at(host),
            "application": {"id": self.application_id, "flags": 0},
        }

    def _joined(self) -> list[Guild]:
        return [each for each in self._rest.guilds.values() if each.has_member(self.user_id)]

    def _created(self) -> list[Json]:
        return [each.create_event(self._bot()) for each in self._joined() if each.available]

    def _add_routes(self, router: web.UrlDispatcher) -> None:
        self._rest.add_routes(router)
        self._interactions.add_routes(router, BASE)
        router.add_get(BASE + "/gateway", self._show_gateway)
        router.add_get(BASE + "/gateway/bot", self._show_gateway)
        router.add_get("/gateway", self._gateway.serve)
        router.add_get("/gateway/", self._gateway.serve)

    async def _show_gateway(self, request: web.Request) -> web.Response:
        answer: Json = {"url": _gateway_at(request.host)}
        if request.path.endswith("/bot"):
            answer |= {"shards": 1, "session_start_limit": self.session_limit.as_json()}
        return json_answer(answer)

    def _route_of(self, request: web.Request) -> str | None:
        if not request.path.startswith(BASE):
            return None  # websockets have switches of their own
        return f"{request.method} {_below_base(request.path)}"

    def _name_of(self, request: web.Request) -> str:
        resource = request.match_info.route.resource
        return f"{request.method} {_below_base(resource.canonical if resource else request.path)}"

    def _accepts_message(self, request: web.Request) -> bool:
        path = _below_base(request.path)
        return request.method == "POST" and path.startswith("channels/") and path.endswith("/messages")

    @cached_property
    def _own_routes(self) -> web.UrlDispatcher:
        router = web.UrlDispatcher()
        self._add_routes(router)
        return router

    def _is_meant(self, request: web.Request) -> bool:
        """Return whether a request is this bot's, by its token or that of an interaction."""
        path = _below_base(request.path)
        if path.startswith(WITHOUT_TOKEN):
            return self._interactions.has_begun(request.match_info.get("token", ""))
        return self._is_token(request.headers.get("Authorization", ""))

    async def _take(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        for other in self.others:
            if other._is_meant(request):
                found = await other._own_routes.resolve(request)
                try:
                    return await other._take(request, found.handler)
                except Refused as refusal:
                    other._note(refusal)
                    raise
        path = _below_base(request.path)
        if path.strip("/") != "gateway" and not path.startswith(WITHOUT_TOKEN):
            authorization = request.headers.get("Authorization", "")
            if not authorization.startswith("Bot ") or not self._is_token(authorization):
                raise Refused(401, {"message": "401: Unauthorized", "code": 0})
            self._limits.count_request()
        try:
            return await handler(request)
        except web.HTTPNotFound:
            raise Refused(404, {"message": "404: Not Found", "code": 0}) from None
        except web.HTTPMethodNotAllowed:
            raise Refused(405, {"message": "405: Method Not Allowed", "code": 0}) from None

    def _answer_fault(self, fault: Fault) -> web.Response:
        body = fault.body
        headers: dict[str, str] = {}
        if fault.code == TOO_MANY_REQUESTS:
            body = body or throttle_body(fault.retry_after)
            headers = throttle_headers(fault.retry_after)
        if body is None:
            sentence = fault.text or f"{fault.code}: {HTTPStatus(fault.code).phrase}"
            body = {"message": sentence, "code": fault.platform_code}
        merged = {**headers, **(fault.headers or {})}
        kept = {name: value for name, value in merged.items() if value}  # an empty value removes a header
        return json_answer(body, status=fault.code, headers=kept)


def _below_base(path: str) -> str:
    return path.removeprefix(BASE).lstrip("/")


def _gateway_at(host: str) -> str:
    """Return the gateway's address at the host and port that a client has named: it is known by them."""
    return f"ws://{host}/gateway"
