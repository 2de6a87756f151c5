"""An engine over each kind of database."""

import pytest

from models import Account

from .scripted import Engine


@pytest.fixture
async def engine(database: str) -> Engine:
    return Engine()


@pytest.fixture
async def alice(engine: Engine) -> Account:
    return await engine.account("alice")


@pytest.fixture
async def bob(engine: Engine) -> Account:
    return await engine.account("bob")
