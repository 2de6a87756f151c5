"""The Discord gateway: one websocket a client, sessions that can be resumed.

Protocol: Discord's developer documentation, "Gateway"; frames are sent uncompressed, which clients take.
"""

import asyncio
import json
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web

from pingpilot.sandbox.discord.limits import OVER_A_DAY, SessionStartLimit
from pingpilot.sandbox.discord.model import Json, snowflake
from pingpilot.sandbox.inbox import Changes
from pingpilot.sandbox.server import Takeover, reset_connection

DISPATCH, HEARTBEAT, IDENTIFY, RESUME, INVALID_SESSION, HELLO, HEARTBEAT_ACK = 0, 1, 2, 6, 9, 10, 11
UNKNOWN_OPCODE, DECODE_ERROR, NOT_AUTHENTICATED = 4001, 4002, 4003
AUTHENTICATION_FAILED, ALREADY_AUTHENTICATED = 4004, 4005
INVALID_INTENTS, DISALLOWED_INTENTS = 4013, 4014

GUILDS_INTENT = 1 << 0
PRIVILEGED_INTENTS = 1 << 1 | 1 << 8 | 1 << 15
"""Members, presences, message content: they have to be switched on for a bot."""
HIGHEST_INTENT = 1 << 25

OF_GUILDS = {
    *(f"GUILD_{what}" for what in ("CREATE", "UPDATE", "DELETE")),
    *(f"{kind}_{what}" for kind in ("CHANNEL", "THREAD") for what in ("CREATE", "UPDATE", "DELETE")),
}
"""Events that only sessions with the intent GUILDS hear."""

CLOSE_SECONDS = 0.5
"""How long a client may take to answer a close frame."""

TRAVEL_SECONDS = 0.05
"""How long a heartbeat and its answer travel: discord.py notes only after sending when it sent, so that an
answer from the same machine may come before that, and looks a whole interval late ("Can't keep up")."""


class _Close(Exception):
    """The server closes the websocket with this code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(eq=False, slots=True)
class Session:
    """What the gateway remembers of a client, so that it can resume where it left off."""

    intents: int
    id: str = field(default_factory=snowflake)
    sequence: int = 0
    sent: deque[Json] = field(default_factory=lambda: deque(maxlen=1000))

    def frame(self, event: str, data: Json) -> Json:
        """Number an event and keep it for a later RESUME."""
        self.sequence += 1
        frame = {"op": DISPATCH, "t": event, "s": self.sequence, "d": data}
        self.sent.append(frame)
        return frame


@dataclass(eq=False, slots=True)
class Connection:
    """One open websocket, with its session once the client has identified itself."""

    socket: web.WebSocketResponse
    request: web.Request
    session: Session | None = None

    async def send(self, frame: Json) -> None:
        """Send a frame; one that doesn't arrive stays in the session for a RESUME."""
        with suppress(ConnectionError):
            await self.socket.send_str(json.dumps(frame))

    def reset(self) -> None:
        """Cut the connection without a close frame."""
        reset_connection(self.request.transport)


class Gateway:
    """Keeps the clients' websockets and tells them what happens.

    `takeovers` are the sessions that began, or were resumed, while another client of the token was connected.
    """

    def __init__(
        self,
        *,
        accepts: Callable[[str], bool],
        ready: Callable[[str], Json],
        exceeded: Counter[str],
        guilds: Callable[[], list[Json]],
        changes: Changes,
        others: Callable[[], list["Gateway"]],
    ) -> None:
        self.heartbeat_interval = 41.25
        self.refusing = False
        self.limit = SessionStartLimit()
        self._exceeded = exceeded
        self.takeovers: list[Takeover] = []
        self.most_connections = 0
        self._accepts = accepts
        self._ready = ready
        self._guilds = guilds
        self._changes = changes
        self._others = others
        self._live: list[Connection] = []
        self._sessions: dict[str, Session] = {}

    @property
    def connections(self) -> int:
        """How many clients are connected and identified."""
        return sum(connection.session is not None for connection in self._live)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Speak the protocol on one websocket until it closes."""
        if self.refusing:
            return web.Response(status=503)
        socket = web.WebSocketResponse(timeout=CLOSE_SECONDS)
        await socket.prepare(request)
        connection, keeper = Connection(socket, request), self
        self._live.append(connection)
        try:
            interval = round(self.heartbeat_interval * 1000)
            await connection.send({"op": HELLO, "d": {"heartbeat_interval": interval}})
            async for message in socket:
                if message.type is not WSMsgType.TEXT:
                    continue
                try:
                    frame = json.loads(message.data)
                except ValueError:
                    raise _Close(DECODE_ERROR) from None
                if frame["op"] in (IDENTIFY, RESUME) and connection.session is None:
                    keeper = keeper._pass_on(connection, frame["d"].get("token", ""))
                await keeper._answer(connection, frame["op"], frame.get("d"))
        except _Close as close:
            await socket.close(code=close.code)
        finally:
            if connection in keeper._live:
                keeper._live.remove(connection)
            keeper._changes.announce()
        return socket

    def _pass_on(self, connection: Connection, token: str) -> "Gateway":
        """Return the gateway of the bot whose token a client shows, which has the connection from then on."""
        keeper = next((each for each in self._others() if each._accepts(token)), self)
        if connection in self._live:  # else it was dropped just now
            self._live.remove(connection)
            keeper._live.append(connection)
        return keeper

    async def dispatch(self, event: str, data: Json) -> None:
        """Tell the client that identified or resumed last; if it's away, it learns on its RESUME."""
        if not self._sessions:
            raise RuntimeError("no client has connected to the gateway yet")
        session = list(self._sessions.values())[-1]
        if event in OF_GUILDS and not session.intents & GUILDS_INTENT:
            return
        frame = session.frame(event, data)
        for connection in self._live:
            if connection.session is session:
                await connection.send(frame)

    async def drop(self, code: int | None) -> None:
        """Close all websockets with `code`, or cut them if it is `None`; sessions can be resumed."""
        dropped, self._live = self._live, []
        for connection in dropped:
            if code is None:
                connection.reset()
            else:
                await connection.socket.close(code=code)
        self._changes.announce()

    async def invalidate(self, *, resumable: bool) -> None:
        """Tell all clients to start a new session, or to resume the one they have."""
        if not resumable:
            self._sessions.clear()
        told, self._live = self._live, []
        for connection in told:
            await connection.send({"op": INVALID_SESSION, "d": resumable})
        self._changes.announce()

    async def _answer(self, connection: Connection, opcode: int, data: Json) -> None:
        if opcode == HEARTBEAT:
            await asyncio.sleep(TRAVEL_SECONDS)
            await connection.send({"op": HEARTBEAT_ACK})
        elif opcode == IDENTIFY:
            if connection.session is not None:
                raise _Close(ALREADY_AUTHENTICATED)
            self._check_token(data)
            if not await self._may_begin(connection):
                return
            session = Session(_checked_intents(data))
            self._sessions[session.id] = session
            ready = {**self._ready(connection.request.host), "session_id": session.id}
            await connection.send(session.frame("READY", ready))
            self._attach(connection, session)
            for guild in self._guilds() if session.intents & GUILDS_INTENT else ():
                await connection.send(session.frame("GUILD_CREATE", guild))
        elif opcode == RESUME:
            await self._resume(connection, data)
        elif connection.session is None:
            raise _Close(NOT_AUTHENTICATED)
        elif opcode not in (3, 4, 8):  # presence, voice state, guild members: taken, without effect
            raise _Close(UNKNOWN_OPCODE)

    async def _resume(self, connection: Connection, data: Json) -> None:
        self._check_token(data)
        session = self._sessions.pop(data["session_id"], None)
        if session is None:
            await connection.send({"op": INVALID_SESSION, "d": False})
            return
        self._sessions[session.id] = session  # the last one is the one that is told
        missed = [frame for frame in session.sent if frame["s"] > (data["seq"] or 0)]
        for frame in [*missed, session.frame("RESUMED", {})]:
            await connection.send(frame)
        self._attach(connection, session)

    def _check_token(self, data: Json) -> None:
        if not self._accepts(data.get("token", "")):
            raise _Close(AUTHENTICATION_FAILED)

    async def _may_begin(self, connection: Connection) -> bool:
        """Count a session that begins; False where too many have within a few seconds, of which its client is
        told. Raises `_Close` where too many have within a day.
        """
        exceeded = self.limit.count()
        if exceeded:
            self._exceeded[exceeded] += 1
        if exceeded == OVER_A_DAY:  # Discord resets the token, too
            raise _Close(AUTHENTICATION_FAILED)
        if exceeded:
            await connection.send({"op": INVALID_SESSION, "d": False})
        return not exceeded

    def _attach(self, connection: Connection, session: Session) -> None:
        for other in self._live:
            if other.session is not None and other is not connection:
                self.takeovers.append(Takeover(other.request.host, connection.request.host))
        connection.session = session
        self.most_connections = max(self.most_connections, self.connections)
        self._changes.announce()


def _checked_intents(data: Json) -> int:
    """Return the intents of an IDENTIFY, which must be named, known, and none that a bot has to ask for."""
    intents = data.get("intents")
    if not isinstance(intents, int) or not 0 <= intents <= 2 * HIGHEST_INTENT - 1:
        raise _Close(INVALID_INTENTS)
    if intents & PRIVILEGED_INTENTS:
        raise _Close(DISALLOWED_INTENTS)
    return intents
