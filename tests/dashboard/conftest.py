"""The dashboard on a free port, over each kind of database unless a test says `ON_SQLITE`."""

from collections.abc import AsyncIterator

import pytest

from models import Account
from tests.http.api import Api, serving
from tests.support.clock import ManualClock

from .people import Person, a_person


@pytest.fixture
async def api(database: str, clock: ManualClock) -> AsyncIterator[Api]:
    async with serving(clock) as served:
        yield served


@pytest.fixture
async def person(api: Api) -> AsyncIterator[Person]:
    """A browser that nobody is signed in with."""
    async with a_person(api) as somebody:
        yield somebody


@pytest.fixture
async def ada(api: Api) -> Account:
    return (await api.sign_up("ada@example.com", channels=["email"])).account


@pytest.fixture
async def eve(api: Api) -> Account:
    return (await api.sign_up("eve@example.com", channels=["email"])).account
