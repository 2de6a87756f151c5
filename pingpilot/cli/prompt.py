"""The sandbox's prompt: what a person types becomes what they do on the platforms."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping

import typer

from pingpilot.sandbox.discord import DiscordStandIn, DiscordUser
from pingpilot.sandbox.faults import Fault
from pingpilot.sandbox.telegram import TelegramStandIn, TelegramUser
from pingpilot.sandbox.terminal import Terminal, discord_buttons, telegram_buttons

ON_DISCORD = DiscordUser(id="80351110224678912", name="you")
ON_TELEGRAM = TelegramUser(id=5_550_001_111, username="you", first_name="You")
HELP = """Type a command to a bot: `discord /quota`, `telegram /categories`, `telegram /help`.
`refuse telegram` lets Telegram refuse the next message; `discord /failed` then shows that, and
`discord press Retry 1` presses a button of the answer.
`code` makes a new link code, for `discord /link CODE`. `quit` or Ctrl-C ends the sandbox."""

_PRESS = "press "
_REFUSALS = {
    "discord": (Fault.error(400, "Invalid Form Body", code=50035), "POST channels/"),
    "telegram": (Fault.error(400, "Bad Request: refused by the sandbox"), "sendMessage"),
}
"""How each platform refuses a message for good, and which requests that strikes."""


class Prompt:
    """Reads lines from the terminal without holding up the loop. `new_code` makes a link code."""

    def __init__(
        self,
        *,
        discord: DiscordStandIn,
        telegram: TelegramStandIn,
        terminal: Terminal,
        new_code: Callable[[], Awaitable[str]],
        stop: asyncio.Event,
    ) -> None:
        self._discord = discord
        self._telegram = telegram
        self._terminal = terminal
        self._new_code = new_code
        self._stop = stop

    async def run(self) -> None:
        """Carry out lines until the input ends."""
        loop, lines = asyncio.get_running_loop(), asyncio.Queue[str]()
        loop.add_reader(sys.stdin.fileno(), lambda: lines.put_nowait(sys.stdin.readline()))
        try:
            while line := await lines.get():
                await self._heed(line.strip())
        finally:
            loop.remove_reader(sys.stdin.fileno())
        self._stop.set()

    async def _heed(self, line: str) -> None:
        platform, _, words = line.partition(" ")
        actions: dict[str, Callable[[str], Awaitable[None]]] = {
            "discord": self._on_discord,
            "telegram": self._on_telegram,
            "refuse": self._refuse,
        }
        try:
            if platform in actions and words.strip():
                await actions[platform](words.strip())
            elif line == "code":
                typer.echo(f"Code: {await self._new_code()}")
            elif line in ("quit", "exit"):
                self._stop.set()
            elif line:
                typer.echo(HELP)
        except (ValueError, TimeoutError) as exc:
            typer.echo(str(exc))

    async def _on_discord(self, words: str) -> None:
        if words.startswith(_PRESS):
            button = _button(discord_buttons(self._discord.replies[-1]), words)
            reply = await self._discord.press(ON_DISCORD, button)
        else:
            reply = await self._discord.command(ON_DISCORD, words)
        self._terminal.discord_reply(reply)

    async def _on_telegram(self, words: str) -> None:
        if not words.startswith(_PRESS):
            await self._telegram.say(ON_TELEGRAM, words)
            return
        messages = self._telegram.messages
        message = next((each for each in reversed(messages) if telegram_buttons(each)), messages[-1])
        await self._telegram.press(ON_TELEGRAM, _button(telegram_buttons(message), words), message)

    async def _refuse(self, platform: str) -> None:
        if platform not in _REFUSALS:
            raise ValueError(f"no platform {platform}; there are: {', '.join(_REFUSALS)}")
        fault, route = _REFUSALS[platform]
        (self._discord if platform == "discord" else self._telegram).faults.add(fault, route=route)
        typer.echo(f"The next message to {platform} is refused.")


def _button(offered: Mapping[str, str], words: str) -> str:
    """Return what pressing the named button sends. Raises `ValueError` saying which there are."""
    wanted = words.removeprefix(_PRESS).strip()
    for label, action in offered.items():
        if label.lower() == wanted.lower():
            return action
    raise ValueError(f"no button {wanted}; the latest message has: {', '.join(offered) or 'none'}")
