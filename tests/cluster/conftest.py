"""An open PostgreSQL: on SQLite there is one daemon."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from models.database import open_database
from tests.conftest import PATIENT
from tests.support.databases import PostgresCopies


@pytest.fixture
async def postgres(postgres_copies: PostgresCopies, tmp_path: Path) -> AsyncIterator[str]:
    """An open PostgreSQL database; returns its URL."""
    url = postgres_copies.new(tmp_path)
    async with open_database(url, patience=PATIENT):
        yield url
    postgres_copies.drop(url)
