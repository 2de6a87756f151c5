"""Both clients through one door, the real API, and a server that misbehaves."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from pingpilot.client import AsyncClient, Client
from tests.http.api import Api, Program, serving
from tests.support.clock import ManualClock

from .flaky import FlakyPingPilot


class Caller:
    """Calls a client of either kind by the name of its method."""

    def __init__(self, client: Client | AsyncClient) -> None:
        self.client = client

    async def __call__(self, method: str, *args: Any, **options: Any) -> Any:
        call = getattr(self.client, method)
        if isinstance(self.client, Client):
            return await asyncio.to_thread(call, *args, **options)
        return await call(*args, **options)

    async def send(self, category: str = "sale", description: str = "", **options: Any) -> Any:
        return await self("send", category, description, **options)

    async def close(self) -> None:
        await self("close" if isinstance(self.client, Client) else "aclose")


Connect = Callable[..., Caller]


@pytest.fixture(params=[Client, AsyncClient], ids=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> type[Client] | type[AsyncClient]:
    """Each of the clients."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
async def connect(kind: type[Client] | type[AsyncClient]) -> AsyncIterator[Connect]:
    """Makes callers with the arguments of a client, and closes them after the test."""
    callers: list[Caller] = []

    def make(*args: Any, **options: Any) -> Caller:
        callers.append(Caller(kind(*args, **options)))
        return callers[-1]

    yield make
    for caller in callers:
        await caller.close()


@pytest.fixture
async def api(sqlite: str, clock: ManualClock) -> AsyncIterator[Api]:
    async with serving(clock) as served:
        yield served


@pytest.fixture
async def shop(api: Api) -> Program:
    """An account on the free plan, with every channel off."""
    return await api.sign_up()


@pytest.fixture
async def flaky() -> AsyncIterator[FlakyPingPilot]:
    async with FlakyPingPilot() as server:
        yield server


@pytest.fixture
def patient(connect: Connect, flaky: FlakyPingPilot) -> Caller:
    """A client of the server that misbehaves."""
    return connect(flaky.url, "pp_key")
