"""Interactions: what people do with the bot, and the endpoints on which it answers them.

Discord's developer documentation, "Receiving and Responding to Interactions".
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web

from pingpilot.sandbox.discord.model import EPHEMERAL, InteractionReply, Json, message_json, snowflake
from pingpilot.sandbox.discord.validation import check_message
from pingpilot.sandbox.inbox import Changes, Inbox
from pingpilot.sandbox.server import Refused, json_answer

MESSAGE, DEFERRED_MESSAGE, DEFERRED_UPDATE, UPDATE = 4, 5, 6, 7
"""Kinds of callback that are taken; modals and autocompletion are not."""


@dataclass(eq=False, slots=True)
class Interaction:
    """One use of a command or button, waiting for the bot's answer.

    `message` is what the person sees as the answer: a new message, or the one the button is on.
    """

    kind: int
    channel_id: str
    deadline: float
    id: str = field(default_factory=snowflake)
    token: str = field(default_factory=lambda: f"interaction-{snowflake()}")
    callback: int | None = None
    message: Json | None = None
    reply: asyncio.Future[InteractionReply] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    @property
    def deferred(self) -> bool:
        return self.callback in (DEFERRED_MESSAGE, DEFERRED_UPDATE)


class Interactions:
    """All interactions by token, and what the bot has answered.

    A callback must come within `deadline_seconds`; Discord gives three.
    """

    def __init__(self, *, author: Callable[[], Json], posted: list[Json], changes: Changes) -> None:
        self.deadline_seconds = 3.0
        self.inbox = Inbox[InteractionReply](changes)
        self._author = author
        self._posted = posted
        self._by_token: dict[str, Interaction] = {}

    def begin(self, kind: int, channel_id: str, *, message: Json | None = None) -> Interaction:
        """Register an interaction that is about to be told to the bot."""
        deadline = asyncio.get_running_loop().time() + self.deadline_seconds
        interaction = Interaction(kind, channel_id, deadline, message=message)
        self._by_token[interaction.token] = interaction
        return interaction

    def has_begun(self, token: str) -> bool:
        """Return whether this is the token of an interaction."""
        return token in self._by_token

    def add_routes(self, router: web.UrlDispatcher, base: str) -> None:
        """Add the endpoints under `base`; none of them asks for the bot's token."""
        router.add_post(base + "/interactions/{id}/{token}/callback", self._take_callback)
        router.add_post(base + "/webhooks/{application}/{token}", self._follow_up)
        original = base + "/webhooks/{application}/{token}/messages/{message}"
        router.add_get(original, self._show)
        router.add_patch(original, self._edit)
        router.add_delete(original, self._delete)

    async def _take_callback(self, request: web.Request) -> web.Response:
        interaction = self._by_token.get(request.match_info["token"])
        now = asyncio.get_running_loop().time()
        if interaction is None or (interaction.callback is None and now > interaction.deadline):
            raise Refused(404, {"message": "Unknown interaction", "code": 10062})
        if interaction.callback is not None:
            sentence = "Interaction has already been acknowledged."
            raise Refused(400, {"message": sentence, "code": 40060})
        body = await request.json()
        self._answer(interaction, body["type"], body.get("data") or {})
        if request.query.get("with_response") not in ("1", "true"):
            return web.Response(status=204)
        message = interaction.message or {}
        told = {
            "id": interaction.id,
            "type": interaction.kind,
            "response_message_id": message.get("id"),
            "response_message_loading": interaction.callback == DEFERRED_MESSAGE,
            "response_message_ephemeral": bool(message.get("flags", 0) & EPHEMERAL),
        }
        resource = {"type": interaction.callback, **({"message": message} if message else {})}
        return json_answer({"interaction": told, "resource": resource})

    def _answer(self, interaction: Interaction, callback: int, data: Json) -> None:
        if callback == MESSAGE:
            check_message(data)
        if callback in (MESSAGE, DEFERRED_MESSAGE):
            interaction.message = self._post(interaction, data)
        elif callback == UPDATE:
            _change(interaction.message or {}, data)
        elif callback != DEFERRED_UPDATE:
            raise Refused(400, {"message": "Invalid Form Body", "code": 50035})
        interaction.callback = callback
        if not interaction.deferred:
            self._show_reply(interaction, interaction.message or {})

    async def _follow_up(self, request: web.Request) -> web.Response:
        interaction = self._acknowledged(request)
        payload = await request.json()
        check_message(payload)
        message = self._post(interaction, payload)
        self._show_reply(interaction, message)
        return json_answer(message)

    async def _show(self, request: web.Request) -> web.Response:
        return json_answer(self._message(request))

    async def _edit(self, request: web.Request) -> web.Response:
        message = self._message(request)
        _change(message, await request.json())
        self._show_reply(self._acknowledged(request), message)
        return json_answer(message)

    async def _delete(self, request: web.Request) -> web.Response:
        self._posted.remove(self._message(request))
        return web.Response(status=204)

    def _acknowledged(self, request: web.Request) -> Interaction:
        interaction = self._by_token.get(request.match_info["token"])
        if interaction is None or interaction.callback is None:
            raise Refused(404, {"message": "Unknown Webhook", "code": 10015})
        return interaction

    def _message(self, request: web.Request) -> Json:
        interaction = self._acknowledged(request)
        message_id = request.match_info["message"]
        for message in self._posted:
            if message is interaction.message and message_id == "@original":
                return message
            if message["id"] == message_id:
                return message
        raise Refused(404, {"message": "Unknown Message", "code": 10008})

    def _post(self, interaction: Interaction, data: Json) -> Json:
        message = message_json(data, channel_id=interaction.channel_id, author=self._author())
        self._posted.append(message)
        return message

    def _show_reply(self, interaction: Interaction, message: Json) -> None:
        reply = InteractionReply(
            content=message["content"],
            embeds=list(message["embeds"]),
            components=list(message["components"]),
            ephemeral=bool(message["flags"] & EPHEMERAL),
            deferred=interaction.deferred,
            updated=interaction.callback in (DEFERRED_UPDATE, UPDATE),
            message_id=message["id"],
            channel_id=message["channel_id"],
        )
        self.inbox.take(reply)
        if not interaction.reply.done():
            interaction.reply.set_result(reply)


def _change(message: Json, payload: Json) -> None:
    """Put the parts that `payload` names over the message; the rest stays."""
    changed: Json = {part: payload[part] or [] for part in ("embeds", "components") if part in payload}
    if "content" in payload:
        changed["content"] = (payload["content"] or "").strip()
    check_message({**message, "nonce": None, **changed})
    message.update(changed)
