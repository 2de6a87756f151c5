"""The state of each part of the daemon, for `/readyz` and the log."""

from dataclasses import dataclass
from enum import StrEnum

import structlog

log = structlog.get_logger(__name__)


class State(StrEnum):
    """How a part stands. `OFF`: not configured. `PAUSED`: needs a person, and is tried again now and then."""

    OFF = "off"
    CONNECTING = "connecting"
    UP = "up"
    RETRYING = "retrying"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class PartState:
    """A part's state and, where it is not well, the reason."""

    state: State
    reason: str | None = None


class Health:
    """The board every part writes its state on; a change is logged once."""

    def __init__(self) -> None:
        self.parts: dict[str, PartState] = {}

    def report(self, part: str, state: State, reason: str | None = None) -> None:
        """Note a part's state."""
        new = PartState(state, reason)
        if self.parts.get(part) == new:
            return
        self.parts[part] = new
        level = log.warning if state in (State.RETRYING, State.PAUSED) else log.info
        level(f"{part} is {state}", **({"reason": reason} if reason else {}))
