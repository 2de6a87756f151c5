"""Deleting accounts: in small pieces, and for their owners in the background."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import structlog

from models import Account, ApiKey, Destination, Fact, LinkCode, Session, SignInLink, SignUpLink
from models.backends.errors import IntegrityConflict
from models.database import aside, checkpoint, connection, transaction, unit_of_work, write_aside
from models.sql import is_postgres, query
from pingpilot.accounts.pieces import Pieces
from pingpilot.clock import Clock
from pingpilot.errors import DatabaseUnavailable
from pingpilot.storage.watch import DatabaseWatch

_ASKED_FOR = "deleting."  # and the account's id: a fact that outlives the daemon
_LOOKS_EVERY = timedelta(minutes=10)  # for what another daemon began and did not end
_TRIES_AGAIN = timedelta(seconds=10)
_LAST_REQUESTS = 1.0  # seconds in which requests that had passed the key's check are stored
# On SQLite all others who write wait for a piece: it is short, and the work takes a fifth of the time. On
# PostgreSQL nobody does, and what they lack is a share of a core.
_ON_SQLITE = partial(Pieces, share=0.11, most=1000, longest=timedelta(milliseconds=8))
_ON_POSTGRES = partial(Pieces, share=0.33, most=1000)
_CHECKPOINT = 10_000  # rows after which SQLite's log has some 16 MB

# From the last one on: PostgreSQL would go over all that were deleted before, again and again. Counted before
# they are deleted, since each row of a RETURNING would wait for the loop to let go of Python's lock.
_NEXT_EVENTS = """
SELECT max(CAST(id AS TEXT)) AS last, count(*) AS count FROM (
    SELECT id FROM events WHERE account_id = ? AND id > ? ORDER BY id LIMIT ?
) AS page
"""
# Deliveries, attempts and keys go with their event (ON DELETE CASCADE)
_DELETE_EVENTS = "DELETE FROM events WHERE account_id = ? AND id > ? AND id <= ?"
_COUNTS = ("category_activity", "number_totals", "delivery_activity", "category_usage")
_NEXT_COUNTS = "SELECT count(*) AS count FROM (SELECT 1 FROM {table} WHERE account_id = ? LIMIT ?) AS page"
_DELETE_COUNTS = "DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE account_id = ? LIMIT ?)"

log = structlog.get_logger(__name__)


async def is_being_deleted(account: Account) -> bool:
    """Return whether its owner asked for it to be deleted."""
    return await Fact.exists(name=f"{_ASKED_FOR}{account.id}")


async def delete_account(account: Account, now: datetime) -> int:
    """Delete the account and all that is stored of it; return how many events went.

    Its keys and channels go first, so that nothing new comes in, then its events and counts a few at a time,
    so that intake never waits for it. Cut off half-way, it can be called again.
    """
    await _retire(account, now)
    await asyncio.sleep(_LAST_REQUESTS)
    rows, removed = _Rows(account.id), 0
    while count := await rows.delete_events():
        removed += count  # and once more, for what came in below those that went
    for table in _COUNTS:
        await rows.delete_counts(table)
    await SignUpLink.filter(email=account.email).delete()
    await unit_of_work(account.delete)()
    return removed


class _Rows:
    """What an account has many of, deleted piece by piece."""

    def __init__(self, account_id: int) -> None:
        self._account_id = account_id
        self._pieces = (_ON_POSTGRES if is_postgres(connection()) else _ON_SQLITE)()
        self._in_log = 0

    async def delete_events(self) -> int:
        """Delete the events, the oldest first; return how many."""
        removed, last = 0, UUID(int=0)
        while True:
            [page] = await query(aside(), _NEXT_EVENTS, [self._account_id, last, self._pieces.size])
            if not page["count"]:
                return removed
            before, last = last, UUID(page["last"])
            await self._delete(_DELETE_EVENTS, [self._account_id, before, last], page["count"])
            removed += page["count"]

    async def delete_counts(self, table: str) -> None:
        """Delete the rows of a table that counts events."""
        next_rows, delete = _NEXT_COUNTS.format(table=table), _DELETE_COUNTS.format(table=table)
        while True:
            values = [self._account_id, self._pieces.size]
            [page] = await query(aside(), next_rows, values)
            if not page["count"]:
                return
            await self._delete(delete, values, page["count"])

    async def _delete(self, sql: str, values: Sequence[Any], rows: int) -> None:
        await self._pieces.rest()
        self._pieces.done(await write_aside(sql, values))
        self._in_log += rows
        if self._in_log >= _CHECKPOINT:
            self._in_log = 0
            await checkpoint()


async def retire_account(account: Account, now: datetime) -> None:
    """Revoke the account's keys, switch its destinations off and end its sessions, within the caller's
    transaction: nothing comes or goes any more, and the bots know its chats no longer.
    """
    await ApiKey.filter(account_id=account.id, revoked_at__isnull=True).update(revoked_at=now)
    await Destination.filter(account_id=account.id).update(enabled=False, user_id=None)
    await Session.filter(account_id=account.id).delete()
    await SignInLink.filter(account_id=account.id).delete()
    await LinkCode.filter(account_id=account.id).delete()


@unit_of_work
async def _retire(account: Account, now: datetime) -> None:
    async with transaction():
        await retire_account(account, now)


class Deletions:
    """Deletes accounts in the background; what a stop cuts off goes on at the next start."""

    def __init__(self, *, clock: Clock, database: DatabaseWatch) -> None:
        self._clock = clock
        self._database = database
        self._asked = asyncio.Event()

    @unit_of_work
    async def ask_for(self, account: Account) -> None:
        """Retire an account at once, and delete it and all that is stored of it soon."""
        now = self._clock.now()
        async with transaction():
            await Account.lock(account.id)
            asked = Fact(name=f"{_ASKED_FOR}{account.id}", value=now.isoformat())
            await Fact.bulk_create([asked], ignore_conflicts=True)
            await retire_account(account, now)
        self._asked.set()

    async def run(self) -> None:
        """Delete what was asked for, until cancelled."""
        while True:
            self._asked.clear()
            pause = _LOOKS_EVERY
            try:
                await self.finish()
            except (DatabaseUnavailable, IntegrityConflict) as exc:
                self._database.failed(exc, "Accounts could not be deleted yet")
                pause = _TRIES_AGAIN
            try:
                async with asyncio.timeout(pause.total_seconds()):
                    await self._asked.wait()
            except TimeoutError:
                pass

    async def finish(self) -> None:
        """Delete all accounts that this was asked for."""
        for fact in await Fact.filter(name__startswith=_ASKED_FOR).order_by("name"):
            account_id = int(fact.name.removeprefix(_ASKED_FOR))
            if account := await Account.get_or_none(id=account_id):
                events = await delete_account(account, self._clock.now())
                log.info("An account was deleted", account_id=account_id, events=events)
            await unit_of_work(fact.delete)()
