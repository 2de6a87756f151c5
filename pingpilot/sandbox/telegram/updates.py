"""Updates that wait to be fetched, and the one client that may wait for them."""

import asyncio
import itertools
from collections.abc import Callable

from pingpilot.sandbox.inbox import Changes
from pingpilot.sandbox.server import Takeover
from pingpilot.sandbox.telegram.model import Json
from pingpilot.sandbox.telegram.params import Params, refused

MAX_UPDATES = 100
NOT_SENT_UNASKED = {"chat_member", "message_reaction", "message_reaction_count"}
"""Kinds of update that a bot gets only if it asks for them."""

CONFLICT = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
ENDED_BY_WEBHOOK = "Conflict: terminated by setWebhook request"
WEBHOOK_IS_SET = (
    "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook "
    "first"
)


class _Poll:
    """One getUpdates request that is being answered; a `conflict` ends it with 409."""

    def __init__(self, *, via: str, is_long: bool, is_heard: Callable[[], bool]) -> None:
        self.via = via
        self.conflict = ""
        self.interrupted = False
        self.is_long = is_long
        self.is_heard = is_heard


class UpdateQueue:
    """Updates by id, kept until the bot confirms them: by asking for later ones, or by taking a POST.

    `on_add` is called with each new one. `conflicts` are the polls that ended because another one came in
    while their client was still there; `refused_polls` counts those that came while a webhook was set.
    """

    def __init__(self, changes: Changes) -> None:
        self.waiting: list[Json] = []
        self.allowed: list[str] = []
        self.on_add: Callable[[Json], None] = lambda _update: None
        self.conflicts: list[Takeover] = []
        self.refused_polls = 0
        self._changes = changes
        self._ids = itertools.count(100_000_001)
        self._poll: _Poll | None = None
        self._has_webhook = False

    @property
    def is_polled(self) -> bool:
        """Whether somebody is long polling just now."""
        return self._poll is not None and self._poll.is_long and self._poll.is_heard()

    @property
    def has_listener(self) -> bool:
        """Whether somebody is long polling, or a webhook is set."""
        return self.is_polled or self._has_webhook

    def add(self, kind: str, content: object) -> None:
        """Queue an update, unless the bot has said that it wants none of this kind."""
        wanted = kind in self.allowed if self.allowed else kind not in NOT_SENT_UNASKED
        if wanted:
            update = {"update_id": next(self._ids), kind: content}
            self.waiting.append(update)
            self.on_add(update)
            self._changes.announce()

    def confirm(self, update: Json) -> None:
        """Forget an update that the webhook has taken."""
        self.waiting = [each for each in self.waiting if each is not update]
        self._changes.announce()

    def interrupt(self) -> None:
        """Let the poll that is under way, if any, return at once."""
        if self._poll is not None:
            self._poll.interrupted = True
            self._changes.announce()

    def go_to_webhook(self, params: Params) -> None:
        """Refuse polls from now on; one that is under way ends with 409."""
        self._has_webhook = True
        self._note_allowed(params)
        if self._poll is not None:
            self._poll.conflict = ENDED_BY_WEBHOOK
        self._changes.announce()

    def wait_for_polls(self, *, forget: bool) -> None:
        """Take polls again; what waits may be forgotten."""
        self._has_webhook = False
        if forget:
            self.waiting = []

    async def fetch(
        self, params: Params, *, is_heard: Callable[[], bool], halted: asyncio.Event
    ) -> list[Json]:
        """Answer getUpdates; raises `Refused` (409) as soon as another one comes in, and at once where a
        webhook is set.

        `is_heard` tells whether the client is still there; `halted` ends the wait.
        """
        if self._has_webhook:
            self.refused_polls += 1
            raise refused(409, WEBHOOK_IS_SET)
        self._note_allowed(params)
        offset = params.integer("offset")
        if offset < 0:  # counts from the end
            self.waiting = self.waiting[offset:]
        elif offset > 0:  # confirms all before it
            self.waiting = [update for update in self.waiting if update["update_id"] >= offset]
        seconds = params.integer("timeout")
        if self._poll is not None:
            self._poll.conflict = CONFLICT
            if self._poll.is_heard():
                self.conflicts.append(Takeover(self._poll.via, params.via))
        poll = self._poll = _Poll(via=params.via, is_long=seconds > 0, is_heard=is_heard)
        self._changes.announce()
        try:
            await self._wait_for_updates(poll, seconds, halted)
        finally:
            if self._poll is poll:
                self._poll = None
        return self.waiting[: min(params.integer("limit", MAX_UPDATES), MAX_UPDATES)]

    async def _wait_for_updates(self, poll: _Poll, seconds: int, halted: asyncio.Event) -> None:
        def is_over() -> bool:
            return bool(self.waiting or poll.conflict) or poll.interrupted or halted.is_set()

        try:
            await self._changes.until(is_over, timeout=seconds, what="updates")
        except TimeoutError:
            return
        if poll.conflict:
            raise refused(409, poll.conflict)

    def _note_allowed(self, params: Params) -> None:
        if "allowed_updates" in params:
            self.allowed = params.structure("allowed_updates")
