"""The person at the sandbox: what is typed, at the prompt or in the window, becomes what they do."""

from collections.abc import Awaitable, Callable, Mapping

from pingpilot.channels import CHANNELS
from pingpilot.errors import PingPilotError
from pingpilot.sandbox.platforms import Platform

HELP = """Type a command to a bot: `discord /quota`, `telegram /categories`, `telegram /help`.
`refuse telegram` makes Telegram refuse the next message; `discord /failed` then lists it, and
`discord press Retry 1` presses a button of that reply.
`code` makes a new link code, for `discord /link CODE`. `curl` shows the command above again.
A room of a team: `telegram add group ops` (or `topic`, `channel`) puts the bot into one, and
`telegram #ops /link CODE` links it; `telegram remove ops` takes the bot out. A server's
channel: `discord #ops /link code:CODE where:This channel`; `discord add channel deploys` (or
`thread`) makes another one. `code ops` makes a code that names the room.
`dashboard` makes a new link that signs a browser in to the dashboard.
`quit` or Ctrl-C ends the sandbox."""


class Person:
    """Does what is typed. `new_code` makes a link code, for a room if it is given a name; `new_link` makes
    one to the dashboard; `curl` is the command that sends an event.
    """

    def __init__(
        self,
        platforms: Mapping[str, Platform],
        *,
        new_code: Callable[[str | None], Awaitable[str]],
        new_link: Callable[[], Awaitable[str]],
        curl: str,
    ) -> None:
        self._platforms = platforms
        self._new_code = new_code
        self._new_link = new_link
        self._curl = curl

    async def do(self, line: str) -> str:
        """Carry out one line; return what there is to tell of it, besides what the screens show."""
        return await self._told(self._do(line))

    async def press(self, platform: str, message: str, action: str) -> str:
        """Press a button of a message, by their ids; return as `do`."""
        return await self._told(self._platforms[platform].press(message, action))

    async def _told(self, deed: Awaitable[str]) -> str:
        try:
            return await deed
        except (ValueError, TimeoutError, PingPilotError) as exc:
            return str(exc)

    async def _do(self, line: str) -> str:
        first, _, rest = line.partition(" ")
        words = rest.strip()
        if first in self._platforms and words:
            return await self._platforms[first].act(words)
        if first == "refuse" and words:
            return self._refuse(words)
        if first == "code":
            return f"Code: {await self._new_code(words.removeprefix('#') or None)}"
        if line == "dashboard":
            return await self._new_link()
        if line == "curl":
            return self._curl
        return HELP if line else ""

    def _refuse(self, name: str) -> str:
        if name in self._platforms:
            self._platforms[name].refuse_next()
            return f"The next message to {name} will be refused."
        bots = [each for each in self._platforms if CHANNELS[each].needs_link]
        return f"'{name}' is not a platform: try {' or '.join(bots)}."
