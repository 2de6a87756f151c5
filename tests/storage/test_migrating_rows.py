"""A database of the first release, with rows in every table, is brought up to date without losing one."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from tortoise import Tortoise
from tortoise.migrations.api import migrate as apply_migrations

from models import (
    Account,
    Category,
    CategoryActivity,
    Delivery,
    DeliveryActivity,
    DeliveryAttempt,
    Destination,
    NumberTotals,
)
from models.activity import slot_of
from models.backends.errors import IntegrityConflict
from models.database import connection, is_current, migrate, open_database, tortoise_config
from models.sql import Row, as_datetime, as_uuid, insert_rows, query
from pingpilot.events.numbers import numbers_in
from tests.support.databases import PostgresCopies

AT = datetime(2026, 1, 31, 23, 59, 59, 123456, tzinfo=UTC)
EVENT = UUID("019c1c0e-0000-7000-8000-000000000001")
ROWS: dict[str, dict[str, Any]] = {
    "accounts": {
        "id": 7,
        "email": "alice@example.com",
        "plan": "pro",
        "monthly_events": None,
        "time_zone": "Europe/Berlin",
        "created_at": AT,
    },
    "account_channels": {
        "account_id": 7,
        "channel": "discord",
        "enabled": True,
        "address": "81384788765712385",
        "user_id": "81384788765712384",
        "username": "ada",
        "linked_at": AT,
        "suspended_reason": "Ada has closed her messages.",
    },
    "api_keys": {
        "id": 9,
        "account_id": 7,
        "name": "default",
        "prefix": "pp_abcde",
        "hash": "a" * 64,
        "created_at": AT,
        "last_used_at": AT,
        "revoked_at": None,
    },
    "categories": {
        "id": 10,
        "account_id": 7,
        "name": "sale",
        "color": "#2ecc71",
        "emoji": "💰",
        "created_at": AT,
    },
    "category_usage": {
        "id": 11,
        "account_id": 7,
        "category": "sale",
        "month": "2026-01",
        "events": 41,
        "last_event_at": AT,
    },
    "events": {
        "id": EVENT,
        "account_id": 7,
        "category": "sale",
        "description": "Somebody bought a lamp ✨",
        "fields_json": '{"z":1,"a":true}',
        "notice": False,
        "created_at": AT,
    },
    "deliveries": {
        "id": 12,
        "event_id": EVENT,
        "account_id": 7,
        "channel": "discord",
        "status": "sending",
        "attempts": 2,
        "next_attempt_at": AT,
        "leased_by": "host:8080",
        "lease_until": AT,
        "last_error": "No answer within 90 seconds.",
        "delivered_at": None,
    },
    "delivery_attempts": {
        "id": 13,
        "delivery_id": 12,
        "started_at": AT,
        "duration_ms": 90_000,
        "outcome": "retry",
        "reason": "No answer within 90 seconds.",
    },
    "facts": {"name": "unsubscribe_key", "value": "c" * 64},
    "idempotency_keys": {
        "id": 14,
        "account_id": 7,
        "key": "order-1",
        "body_hash": "b" * 64,
        "event_id": EVENT,
        "created_at": AT,
    },
    "link_codes": {
        "id": 15,
        "account_id": 7,
        "hash": "d" * 64,
        "created_at": AT,
        "expires_at": AT,
        "used_at": None,
    },
    "link_guesses": {"id": 16, "channel": "telegram", "user_id": "7123456789", "guessed_at": AT},
    "monthly_usage": {"id": 17, "account_id": 7, "month": "2026-01", "events": 41},
}
"""A row of each table, with the columns that the first migration made."""
_NOW_IN = {"account_channels": "destinations"}


_UNCHOSEN = {
    **dict.fromkeys(("address", "suspended_reason", "quiet_from", "quiet_until", "muted_until")),
    "quiet_silently": False,
}


@pytest.fixture(params=["sqlite", "postgres"])
async def empty_url(
    request: pytest.FixtureRequest, tmp_path: Path, postgres_copies: PostgresCopies
) -> AsyncIterator[str]:
    """A database without a table."""
    url = f"sqlite://{tmp_path / 'old.sqlite3'}" if request.param == "sqlite" else postgres_copies.new_empty()
    yield url
    if request.param == "postgres":
        postgres_copies.drop(url)


@pytest.fixture
async def old_url(empty_url: str) -> str:
    """A database as the first migration left it, with its rows."""
    await _apply_migrations(empty_url, "models.0001_initial")
    async with open_database(empty_url):
        for table, row in ROWS.items():
            await _insert(table, row)
    return empty_url


async def test_every_row_is_kept_and_can_be_used(old_url: str) -> None:
    was_current = await is_current(old_url)

    await migrate(old_url)

    assert not was_current
    assert await is_current(old_url)
    async with open_database(old_url):
        kept = {table: await _read(table) for table in ROWS}
        assert kept == {name: [row] for name, row in ROWS.items()}
        account, delivery = await Account.get(), await Delivery.get()
        destination = await Destination.get()
        await account.delete()
        rest = [await model.all().count() for model in (Destination, Delivery, DeliveryAttempt)]
    assert account.combine
    assert (account.is_operator, account.suspended_at) == (False, None)  # nobody is made one unasked
    assert not destination.quiet_silently
    assert (destination.kind, destination.name, delivery.destination) == ("direct", "discord", "discord")
    assert delivery.forgiven == 0
    assert rest == [0, 0, 0]  # the foreign keys still lead to their tables


async def test_what_came_lately_is_counted(old_url: str) -> None:
    async with open_database(old_url):
        for number, ago in enumerate((timedelta(), timedelta(days=39), timedelta(days=41)), start=2):
            at = datetime.now(UTC) - ago
            event = {**ROWS["events"], "id": UUID(int=number), "created_at": at}
            delivery = {**ROWS["deliveries"], "id": number, "event_id": UUID(int=number), "delivered_at": at}
            delivery["status"] = "delivered"
            await insert_rows(connection(), "events", list(event), [list(event.values())])
            await insert_rows(connection(), "deliveries", list(delivery), [list(delivery.values())])

    await migrate(old_url)

    async with open_database(old_url):
        came = await CategoryActivity.all().order_by("slot")
        went = await DeliveryActivity.all().order_by("slot")
    assert [(each.category, each.events) for each in came] == [("sale", 1)] * 2
    assert [(each.destination, each.delivered, each.failed) for each in went] == [("discord", 1, 0)] * 2
    assert came[-1].slot == went[-1].slot == slot_of(at + timedelta(days=41))


async def test_the_numbers_of_what_came_lately_are_added_up_as_intake_does(old_url: str) -> None:
    fields = {'a "b"\\ é✨': 1, "yes": True, "text": "5", "huge": 10**399, "large": 1e301, "n": -0.5}
    fields |= {f"n{number}": number for number in range(12)}
    async with open_database(old_url):
        for number, ago in enumerate((timedelta(), timedelta(), timedelta(days=41)), start=2):
            event = {**ROWS["events"], "id": UUID(int=number), "created_at": datetime.now(UTC) - ago}
            event["fields_json"] = json.dumps(fields, ensure_ascii=number == 2)
            await insert_rows(connection(), "events", list(event), [list(event.values())])

    await migrate(old_url)

    async with open_database(old_url):
        found = {row.field: row for row in await NumberTotals.all()}
        in_slots = sum(row.events for row in await NumberTotals.all())
    expected = numbers_in(fields)
    assert len(expected) == 10
    assert found.keys() == {name for name, _ in expected}
    assert in_slots == 2 * 10  # two slots where a quarter of an hour began meanwhile
    assert {name: (found[name].smallest, found[name].largest) for name, _ in expected} == {
        name: (number, number) for name, number in expected
    }


async def test_what_was_chosen_for_channels_goes_on_for_their_direct_destinations(empty_url: str) -> None:
    await _apply_migrations(empty_url, "models.0005_title_url")
    channels = {
        "discord": {"enabled": True, "address": "8138", "quiet_from": 1320, "quiet_until": 420},
        "telegram": {"enabled": True, "address": "42", "quiet_silently": True, "muted_until": AT},
        "email": {"enabled": False, "suspended_reason": "No such mailbox."},
    }
    deliveries = {"discord": "held", "telegram": "pending", "email": "failed"}
    category = {**ROWS["categories"], "urgent": True, "channels": "discord,email", "fallback": "telegram"}
    async with open_database(empty_url):
        await _insert("accounts", ROWS["accounts"])
        await _insert("categories", category)
        await _insert("events", ROWS["events"])
        for name, row in channels.items():
            await _insert("account_channels", {"account_id": 7, "channel": name, **_UNCHOSEN, **row})
        for name, status in deliveries.items():
            row = {"event_id": EVENT, "account_id": 7, "channel": name, "status": status}
            await _insert("deliveries", row | {"last_error": name, "next_attempt_at": AT})

    await migrate(empty_url)

    async with open_database(empty_url):
        kept = {each.name: each for each in await Destination.all()}
        sale = await Category.get()
        queued = {each.destination: each.status for each in await Delivery.all()}
        with pytest.raises(IntegrityConflict):  # the names of an account's categories are unique still
            await _insert("categories", category | {"id": 99})
    for name, row in channels.items():
        assert {column: getattr(kept[name], column) for column in row} == row
        assert (kept[name].kind, kept[name].channel) == ("direct", name)
    assert (sale.urgent, sale.channels, sale.fallback) == (True, "discord,email", "telegram")
    assert queued == deliveries


async def _insert(table: str, row: dict[str, Any]) -> None:
    await insert_rows(connection(), table, list(row), [list(row.values())])


async def _apply_migrations(url: str, target: str) -> None:
    try:
        await apply_migrations(config=tortoise_config(url), target=target)
    finally:
        await Tortoise.close_connections()


async def _read(table: str) -> list[Row]:
    """Return the rows with the columns they had, as they were given, from where they are now."""
    columns = ROWS[table]
    now = _NOW_IN.get(table, table)
    rows = await query(connection(), f"SELECT {', '.join(columns)} FROM {now}")  # noqa: S608
    return [{name: _alike(value, columns[name]) for name, value in row.items()} for row in rows]


def _alike(value: Any, given: Any) -> Any:
    """Return a raw value as the class of the one given, where a database has another."""
    if isinstance(given, datetime) and value:
        return as_datetime(value)
    if isinstance(given, UUID):
        return as_uuid(value)
    return bool(value) if isinstance(given, bool) else value
