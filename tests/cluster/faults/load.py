"""The load: events posted to all daemons in turn, each again and again until one of them accepts it."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

import aiohttp

from models import Destination, DestinationKind, Plan
from models.database import open_database
from pingpilot.accounts.accounts import create_account, set_combine
from pingpilot.channels import DISCORD, TELEGRAM, direct_channels
from tests.cluster.faults.daemons import Daemon
from tests.cluster.faults.platforms import FIRST_CHAT, FIRST_ROOM

_PATIENCE = aiohttp.ClientTimeout(total=4)
"""How long a client waits for one daemon before it asks another."""
_PAUSE = 0.2  # seconds that it waits after a refusal


class Load:
    """Posts events of many accounts; those of `busy` accounts go to a group besides, some at a time."""

    def __init__(
        self,
        keys: Sequence[str],
        *,
        busy: int,
        daemons: Sequence[Daemon],
        http: aiohttp.ClientSession,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self.accepted: dict[int, float] = {}
        """When each event was accepted, by the machine's monotonic clock."""
        self.of_busy: set[int] = set()
        self.refused: Counter[str] = Counter()
        self._keys = itertools.cycle(keys[busy:])
        self._busy = itertools.cycle(keys[:busy])
        self._daemons = daemons
        self._http = http
        self._tasks = tasks
        self._numbers = itertools.count(1)
        self._under_way: set[asyncio.Task[None]] = set()

    async def run(self, events_a_second: float) -> None:
        """Post at this rate until cancelled."""
        begin = time.monotonic()
        for count in itertools.count():
            await asyncio.sleep(max(0.0, begin + count / events_a_second - time.monotonic()))
            self._post(next(self._keys), next(self._numbers))

    def burst(self, events: int) -> None:
        """Post so many events of one busy account at once."""
        key = next(self._busy)
        for number in itertools.islice(self._numbers, events):
            self.of_busy.add(number)
            self._post(key, number)

    def places(self, event: int) -> tuple[str, ...]:
        """Return where an event has to arrive."""
        return (*direct_channels(), "room") if event in self.of_busy else tuple(direct_channels())

    def longest_pause(self, since: float, until: float) -> float:
        """Return the longest time between two events that were accepted then, in seconds."""
        moments = [since, *sorted(at for at in self.accepted.values() if since < at < until), until]
        return max(after - before for before, after in itertools.pairwise(moments))

    async def finish(self) -> None:
        """Return once all that is being posted is accepted."""
        await asyncio.gather(*self._under_way)

    def close(self) -> None:
        """Post nothing more, whatever became of it."""
        for each in self._under_way:
            each.cancel()

    def _post(self, key: str, number: int) -> None:
        task = self._tasks.create_task(self._post_until_accepted(key, number))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _post_until_accepted(self, key: str, number: int) -> None:
        for turn in itertools.count(number):
            if await self._posted(self._daemons[turn % len(self._daemons)], key, number):
                self.accepted[number] = time.monotonic()
                return
            await asyncio.sleep(_PAUSE)

    async def _posted(self, daemon: Daemon, key: str, number: int) -> bool:
        body = {"category": "sale", "description": f"event {number}."}
        headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": f"event-{number}"}
        try:
            async with self._http.post(
                f"{daemon.url}/api/v1/event", json=body, headers=headers, timeout=_PATIENCE
            ) as answer:
                if answer.status != 200:
                    said = await answer.json()
                    self.refused[f"{answer.status} {said['code']}"] += 1
                return answer.status == 200
        except (aiohttp.ClientError, OSError, TimeoutError) as exc:
            self.refused[type(exc).__name__] += 1
            return False


async def create_accounts(url: str, conversations: Sequence[str], *, busy: int, bots: int) -> list[str]:
    """Return the keys of new accounts, one for each conversation on Discord; the first have a group, too.

    They are linked with each platform's bots in turn.
    """

    async def create() -> list[str]:
        async with open_database(url):
            return [
                await _create_account(number, conversation, in_group=number < busy, lane=number % bots)
                for number, conversation in enumerate(conversations)
            ]

    # On a loop of its own: the caller may have this database, or another one, open
    return await asyncio.get_running_loop().run_in_executor(None, asyncio.run, create())


async def _create_account(number: int, conversation: str, *, in_group: bool, lane: int) -> str:
    now = datetime.now(UTC)
    new = await create_account(
        f"user{number}@example.com",
        plan=Plan.ENTERPRISE,
        monthly_events=None,
        channels=direct_channels(),
        now=now,
    )
    await set_combine(new.account, combine=False)  # each event must be seen to arrive
    for channel, address in ((DISCORD, conversation), (TELEGRAM, str(FIRST_CHAT + number))):
        await Destination.link(
            new.account.id, channel.name, address=address, user_id=address, username=None, at=now, lane=lane
        )
    if in_group:
        await Destination.create(
            account_id=new.account.id,
            channel=TELEGRAM.name,
            kind=DestinationKind.ROOM,
            name="group",
            title="Group",
            enabled=True,
            address=str(FIRST_ROOM - number),
            user_id=str(FIRST_CHAT + number),
            linked_at=now,
            lane=lane,
        )
    return new.api_key
