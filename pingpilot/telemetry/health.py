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


class Health:
    """The board every part writes its state on; a change is logged once.

    A part may be connected and still unable to send: what keeps its messages from going out shows before
    what is reported of its connection.
    """

    def __init__(self) -> None:
        self.parts: dict[str, PartState] = {}
        self._reported: dict[str, PartState] = {}
        self._obstacles: dict[str, PartState] = {}

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

    def is_off(self, part: str) -> bool:
        """Return whether the part is known to lack its settings."""
        return part in self.parts and self.parts[part].state is State.OFF

    def _show(self, part: str) -> None:
        new = self._obstacles.get(part) or self._reported.get(part, PartState(State.CONNECTING))
        if self.parts.get(part) == new:
            return
        self.parts[part] = new
        state, reason = new.state, new.reason
        level = log.warning if state in (State.RETRYING, State.PAUSED) else log.info
        level(f"{part} is {state}", **({"reason": reason} if reason else {}))
