"""The API on a free port, over each kind of database unless a test says `ON_SQLITE`."""

from collections.abc import AsyncIterator

import pytest

from tests.support.clock import ManualClock

from .api import Api, Program, serving


@pytest.fixture
async def api(database: str, clock: ManualClock) -> AsyncIterator[Api]:
    async with serving(clock) as served:
        yield served


@pytest.fixture
async def shop(api: Api) -> Program:
    """A program on the free plan, with every channel off."""
    return await api.sign_up()
