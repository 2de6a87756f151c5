"""Updates that wait to be fetched, and the one client that may wait for them."""

import asyncio
import itertools
from collections.abc import Callable

from pingpilot.sandbox.inbox import Changes
from pingpilot.sandbox.telegram.model import Json
from pingpilot.sandbox.telegram.params import Params, refused

MAX_UPDATES = 100
NOT_SENT_UNASKED = {"chat_member", "message_reaction", "message_reaction_count"}
"""Kinds of update that a bot gets only if it asks for them."""

CONFLICT = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"


class _Poll:
    """One getUpdates request that is being answered."""

    def __init__(self, *, is_long: bool, is_heard: Callable[[], bool]) -> None:
        self.superseded = False
        self.interrupted = False
        self.is_long = is_long
        self.is_heard = is_heard


class UpdateQueue:
    """Updates by id, kept until the bot confirms them by asking for later ones."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._updates: list[Json] = []
        self._ids = itertools.count(100_000_001)
        self._allowed: list[str] = []
        self._poll: _Poll | None = None

    @property
    def is_polled(self) -> bool:
        """Whether somebody is long polling just now."""
        return self._poll is not None and self._poll.is_long and self._poll.is_heard()

    def add(self, kind: str, content: object) -> None:
        """Queue an update, unless the bot has said that it wants none of this kind."""
        wanted = kind in self._allowed if self._allowed else kind not in NOT_SENT_UNASKED
        if wanted:
            self._updates.append({"update_id": next(self._ids), kind: content})
            self._changes.announce()

    def interrupt(self) -> None:
        """Let the poll that is under way, if any, return at once."""
        if self._poll is not None:
            self._poll.interrupted = True
            self._changes.announce()

    async def fetch(
        self, params: Params, *, is_heard: Callable[[], bool], halted: asyncio.Event
    ) -> list[Json]:
        """Answer getUpdates; raises `Refused` (409) as soon as another one comes in.

        `is_heard` tells whether the client is still there; `halted` ends the wait.
        """
        if "allowed_updates" in params:
            self._allowed = params.structure("allowed_updates")
        offset = params.integer("offset")
        if offset < 0:  # counts from the end
            self._updates = self._updates[offset:]
        elif offset > 0:  # confirms all before it
            self._updates = [update for update in self._updates if update["update_id"] >= offset]
        seconds = params.integer("timeout")
        if self._poll is not None:
            self._poll.superseded = True
        poll = self._poll = _Poll(is_long=seconds > 0, is_heard=is_heard)
        self._changes.announce()
        try:
            await self._wait_for_updates(poll, seconds, halted)
        finally:
            if self._poll is poll:
                self._poll = None
        return self._updates[: min(params.integer("limit", MAX_UPDATES), MAX_UPDATES)]

    async def _wait_for_updates(self, poll: _Poll, seconds: int, halted: asyncio.Event) -> None:
        def is_over() -> bool:
            return bool(self._updates) or poll.superseded or poll.interrupted or halted.is_set()

        try:
            await self._changes.until(is_over, timeout=seconds, what="updates")
        except TimeoutError:
            return
        if poll.superseded:
            raise refused(409, CONFLICT)
