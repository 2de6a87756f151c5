"""Databases of all sizes, filled with SQL: what benchmarks/growth.py compares."""

import asyncio
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from benchmarks.postgres import Postgres
from models import DestinationKind, Plan
from models.database import migrate
from models.ids import uuid7
from pingpilot.accounts.keys import key_hash, key_prefix, new_key
from pingpilot.accounts.quota import month_of
from pingpilot.channels import DISCORD, TELEGRAM
from tests.support.many_events import fill

EMPTY = "empty"
WAITS_FOR = DISCORD.name
"""The channel of the deliveries that wait; no event that is posted goes there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A database: each account has so many categories and destinations; `waiting` are deliveries."""

    events: int = 0
    accounts: int = 1
    categories: int = 1
    destinations: int = 1
    waiting: int = 1

    @property
    def category_names(self) -> list[str]:
        return [f"category-{number}" for number in range(self.categories)]


SIZES = {
    EMPTY: Size(),
    "100,000 events": Size(events=100_000),
    "2,000,000 events": Size(events=2_000_000),
    "1,000 accounts": Size(accounts=1_000),
    "100,000 accounts": Size(accounts=100_000),
    "10 categories": Size(categories=10),
    "100 categories": Size(categories=100),
    "10 destinations": Size(destinations=10),
    "20 destinations": Size(destinations=20),
    "1,000 waiting": Size(accounts=1_000, waiting=1_000),
    "100,000 waiting": Size(accounts=1_000, waiting=100_000),
}
ON_POSTGRES = (
    EMPTY,
    "2,000,000 events",
    "100,000 accounts",
    "100 categories",
    "20 destinations",
    "100,000 waiting",
)
"""Half of them show it: each takes a database of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A filled database: what it holds, its accounts' keys, and what gives the URL of one to use up."""

    name: str
    kind: str
    size: Size
    keys: list[str]
    fresh: Callable[[], AbstractContextManager[str]]


def databases(folder: Path, server: Postgres) -> Iterator[Made]:
    """Fill all databases; SQLite's come first."""
    taken_over = list[Made]()
    for number, (name, size) in enumerate(SIZES.items()):
        file = folder / f"{number}.sqlite3"
        keys = fill_file(file, size)
        if name in ON_POSTGRES:
            server.take_over(file, f"growth_{number}")
            fresh = partial(_of_server, server, f"growth_{number}", is_large=bool(size.events))
            taken_over.append(Made(name=name, kind="PostgreSQL", size=size, keys=keys, fresh=fresh))
        fresh = partial(_of_file, file, is_large=bool(size.events))
        yield Made(name=name, kind="SQLite", size=size, keys=keys, fresh=fresh)
    yield from taken_over


@contextmanager
def _of_file(file: Path, *, is_large: bool) -> Iterator[str]:
    """Give the URL of a copy, or of the file itself where the little that is added does not matter."""
    used = file if is_large else Path(shutil.copy(file, file.with_suffix(".copy")))
    yield f"sqlite://{used}"
    if not is_large:
        used.unlink()


@contextmanager
def _of_server(server: Postgres, name: str, *, is_large: bool) -> Iterator[str]:
    """Give the URL of a copy, or of the database itself where the little that is added does not matter."""
    if is_large:
        yield server.url(name)
    else:
        yield server.copy(name, f"{name}_copy")
        server.drop(f"{name}_copy")


def fill_file(file: Path, size: Size) -> list[str]:
    """Make an SQLite file of this size; return the accounts' keys."""
    asyncio.run(migrate(f"sqlite://{file}"))
    now, keys = datetime.now(UTC), [new_key() for _ in range(size.accounts)]
    _insert(file, _accounts(size, keys, now))
    if size.events:
        fill(file, range(1, size.accounts + 1), size.events, now)
    _insert(file, _waiting(size, now))
    return keys


def _insert(file: Path, rows: Mapping[str, Iterator[tuple[object, ...]]]) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("PRAGMA synchronous = OFF")
        for into, values in rows.items():
            given = ", ".join("?" * (into.count(",") + 1))
            database.executemany(f"INSERT INTO {into} VALUES ({given})", values)  # noqa: S608


def _accounts(size: Size, keys: list[str], now: datetime) -> dict[str, Iterator[tuple[object, ...]]]:
    at, accounts, plan = _at(now), range(1, size.accounts + 1), Plan.ENTERPRISE.value
    places = [(DestinationKind.DIRECT.value, TELEGRAM.name)]
    places += [(DestinationKind.ROOM.value, f"room-{number}") for number in range(2, size.destinations + 1)]
    rows: dict[str, Iterator[tuple[object, ...]]] = {
        "accounts (id, email, plan, time_zone, combine, created_at)": (
            (account, f"user{account}@example.com", plan, "UTC", 0, at) for account in accounts
        ),
        "api_keys (account_id, name, prefix, hash, created_at, last_used_at)": (
            (account, "first", key_prefix(key), key_hash(key), at, at)
            for account, key in zip(accounts, keys, strict=True)
        ),
        "categories (account_id, name, color, created_at)": (
            (account, name, "#0f766e", at) for account in accounts for name in size.category_names
        ),
        "destinations (account_id, channel, kind, name, enabled, address)": (
            (account, TELEGRAM.name, kind, name, 1, f"{account}{number:02}")
            for account in accounts
            for number, (kind, name) in enumerate(places)
        ),
    }
    if not size.events:  # they bring it along
        rows["monthly_usage (account_id, month, events)"] = (
            (account, month_of(now), 0) for account in accounts
        )
    return rows


def _waiting(size: Size, now: datetime) -> dict[str, Iterator[tuple[object, ...]]]:
    """Return deliveries that are due, in turn of all accounts."""
    events = [(str(uuid7()), number % size.accounts + 1) for number in range(size.waiting)]
    return {
        "events (id, account_id, category, description, fields_json, created_at)": (
            (event, account, "category-0", "Sold!", "{}", _at(now)) for event, account in events
        ),
        "deliveries (event_id, account_id, channel, destination, status, next_attempt_at)": (
            (event, account, WAITS_FOR, WAITS_FOR, "pending", _at(now)) for event, account in events
        ),
    }


def _at(now: datetime) -> str:
    return f"{now:%Y-%m-%d %H:%M:%S}+00:00"
