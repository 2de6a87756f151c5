"""Deleting accounts for their owners, who don't wait for it: a large one takes minutes."""

import asyncio
from datetime import timedelta

import structlog

from models import Account, Fact
from models.backends.errors import IntegrityConflict
from models.database import transaction, unit_of_work
from pingpilot.accounts.accounts import delete_account, retire_account
from pingpilot.clock import Clock
from pingpilot.errors import DatabaseUnavailable
from pingpilot.storage.watch import DatabaseWatch

_ASKED_FOR = "deleting."  # and the account's id: a fact that outlives the daemon
_LOOKS_EVERY = timedelta(minutes=10)  # for what another daemon began and did not end
_TRIES_AGAIN = timedelta(seconds=10)

log = structlog.get_logger(__name__)


async def is_being_deleted(account: Account) -> bool:
    """Return whether its owner asked for it to be deleted."""
    return await Fact.exists(name=f"{_ASKED_FOR}{account.id}")


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
