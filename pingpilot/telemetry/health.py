"""The state of each part of the daemon, for `/readyz` and the log."""

from dataclasses import dataclass
from enum import StrEnum

import structlog

log = structlog.get_logger(__name__)


class State(StrEnum):
    """What a part does. `OFF`: not configured. `PAUSED`: needs a person, and is tried now and then.

    `STANDBY`: another daemon leads its bot.
    """

    OFF = "off"
    CONNECTING = "connecting"
    UP = "up"
    STANDBY = "standby"
    RETRYING = "retrying"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class PartState:
    """A part's state and, where it is not well, the reason."""

    state: State
    reason: str | None = None


# What shows of a channel with several bots: what needs somebody, before what runs
_BEFORE = (State.PAUSED, State.RETRYING, State.CONNECTING, State.UP, State.STANDBY, State.OFF)


class Health:
    """The board every part writes its state on; a change is logged once.

    A part may be connected and still unable to send: what keeps its messages from going out shows before
    what is reported of its connection.
    """

    def __init__(self) -> None:
        self.parts: dict[str, PartState] = {}
        self._reported: dict[str, PartState] = {}
        self._obstacles: dict[str, PartState] = {}
        self._bots: dict[str, set[str]] = {}

    def report(self, part: str, state: State, reason: str | None = None) -> None:
        """Note the state of a part's connection."""
        self._reported[part] = PartState(state, reason)
        self._show(part)

    def cannot_send(self, part: str, reason: str) -> None:
        """Show the part as paused until `can_send`: its messages can't go out before a person acts."""
        self._obstacles[part] = PartState(State.PAUSED, reason)
        self._show(part)

    def can_send(self, part: str) -> None:
        """Take back `cannot_send`."""
        if self._obstacles.pop(part, None):
            self._show(part)

    def of_bot(self, channel: str, bot: str) -> "Health":
        """Return the board for one of a channel's several bots: what is reported of the channel there stands
        under the bot's name here, and the channel shows the state of the one that is worst off.
        """
        self._bots.setdefault(channel, set()).add(bot)
        return _BotsHealth(self, channel, bot)

    def state_of(self, part: str) -> State | None:
        """Return how a part stands, None where it has reported nothing yet."""
        return self.parts[part].state if part in self.parts else None

    def is_off(self, part: str) -> bool:
        """Return whether the part is known to lack its settings."""
        return part in self.parts and self.parts[part].state is State.OFF

    def _show(self, part: str) -> None:
        new = self._obstacles.get(part) or self._reported.get(part, PartState(State.CONNECTING))
        if self.parts.get(part) == new:
            return
        self.parts[part] = new
        for channel, bots in self._bots.items():
            if part in bots:
                shown = {name: self.parts[name] for name in sorted(bots) if name in self.parts}
                worst = min(shown, key=lambda name: _BEFORE.index(shown[name].state))
                self.parts[channel] = shown[worst]
        state, reason = new.state, new.reason
        level = log.warning if state in (State.RETRYING, State.PAUSED) else log.info
        level(f"{part} is {state}", **({"reason": reason} if reason else {}))


class _BotsHealth(Health):
    """The board as one of several bots of a channel sees it."""

    def __init__(self, board: Health, channel: str, bot: str) -> None:
        self._board = board
        self._names = {channel: bot}
        self.parts = board.parts

    def report(self, part: str, state: State, reason: str | None = None) -> None:
        self._board.report(self._names.get(part, part), state, reason)

    def cannot_send(self, part: str, reason: str) -> None:
        self._board.cannot_send(self._names.get(part, part), reason)

    def can_send(self, part: str) -> None:
        self._board.can_send(self._names.get(part, part))

    def state_of(self, part: str) -> State | None:
        return self._board.state_of(self._names.get(part, part))
