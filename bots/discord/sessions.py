"""Discord's limits for beginning a session with the gateway, kept over restarts and over daemons.

https://discord.com/developers/docs/events/gateway#session-start-limit-object
"""

from dataclasses import dataclass
from datetime import timedelta

from discord.http import HTTPClient

from models import Fact
from pingpilot.channels import DISCORD
from pingpilot.clock import Clock
from pingpilot.errors import PingPilotError
from pingpilot.telemetry.health import Health, State

WINDOW = timedelta(seconds=6)
"""Within which `max_concurrency` sessions begin. Discord counts five seconds, and two of them may take a
different time on their way there.
"""
_DAY = timedelta(days=1)
_ASK_AGAIN = timedelta(minutes=10)  # the limit may be raised meanwhile


@dataclass(frozen=True, slots=True)
class _Room:
    """What Discord says of the gateway: its address, and how many sessions may begin."""

    url: str
    total: int
    left: int
    reset_after: timedelta


class SessionStarts:
    """Lets a session begin where Discord's limits leave room for one.

    More than 1,000 within a day, and Discord resets the bot's token: a daemon that something makes restart
    each minute would be there before evening. The day's count is Discord's own; when the last one began is
    noted in the database, since its daemon may be gone.
    """

    def __init__(self, *, health: Health, clock: Clock, window: timedelta = WINDOW) -> None:
        self._health = health
        self._clock = clock
        self._window = window
        self._at_once = 1

    async def wait_for_room(self, http: HTTPClient) -> str:
        """Return the gateway's address once the day has a session left, before anything is connected.

        Raises `discord.GatewayNotFound` where Discord does not tell.
        """
        while not (room := await self._ask(http)).left:
            until = (self._clock.now() + room.reset_after).strftime("%H:%M")
            self._health.report(
                DISCORD.name,
                State.RETRYING,
                f"The bot's {room.total} sessions of today are used up: Discord lets it connect again at "
                f"{until} UTC. Messages go out all the same.",
            )
            await self._clock.sleep(max(1.0, min(room.reset_after, _ASK_AGAIN).total_seconds()))
        return room.url

    async def begin(self, http: HTTPClient, bot: int, *, initial: bool) -> None:
        """Wait until a session may begin, and note that one does. The `initial` one has waited for room.

        Raises `PingPilotError` where the day has none left: its connection is not kept waiting for hours.
        """
        if not initial and not (await self._ask(http)).left:
            raise PingPilotError("The bot's sessions of today are used up.")
        apart = self._window / self._at_once
        while wait := await Fact.take_turn(f"{DISCORD.name}.session.{bot}", apart):
            await self._clock.sleep(wait.total_seconds())

    async def _ask(self, http: HTTPClient) -> _Room:
        _, url, limit = await http.get_bot_gateway()
        self._at_once = max(1, limit["max_concurrency"])
        reset_after = timedelta(milliseconds=min(limit["reset_after"], _DAY // timedelta(milliseconds=1)))
        return _Room(url, limit["total"], max(0, limit["remaining"]), reset_after)
