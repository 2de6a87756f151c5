"""One daemon after the other is upgraded: two versions run on one PostgreSQL, by the schema of the newer."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from pkgutil import iter_modules

import pytest

from models import Delivery, DeliveryStatus, migrations
from models.database import connection, open_database
from models.sql import query
from tests.support.daemon import Daemon, a_daemon
from tests.support.databases import PostgresCopies
from tests.support.platforms import Platforms
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
MIGRATION = """
from tortoise import migrations
from tortoise.migrations import operations as ops

STATEMENTS = (
    "ALTER TABLE deliveries ADD COLUMN made_by VARCHAR(9) NOT NULL DEFAULT 'today'",
    "ALTER TABLE events ADD COLUMN made_by VARCHAR(9)",
    "CREATE INDEX idx_deliveries_tomorrow ON deliveries (made_by)",
    "CREATE TABLE tomorrow (delivery_id BIGINT NOT NULL REFERENCES deliveries ON DELETE CASCADE)",
)


async def _add(_apps, editor):
    for each in STATEMENTS:
        await editor.client.execute_query(each)


class Migration(migrations.Migration):
    dependencies = [("models", "LAST")]
    initial = False
    operations = [ops.RunPython(_add)]
"""
MODELS = {
    "delivery": 'Delivery._meta.add_field("made_by", fields.CharField(max_length=9, default="tomorrow"))',
    "event": 'Event._meta.add_field("made_by", fields.CharField(max_length=9, null=True))',
}


@pytest.fixture
def url(postgres_copies: PostgresCopies, tmp_path: Path) -> Iterator[str]:
    made = postgres_copies.new(tmp_path)
    yield made
    postgres_copies.drop(made)


@pytest.fixture
def tomorrow(tmp_path: Path) -> Path:
    """The folder of a version with one more migration, whose models have what it adds."""
    folder = tmp_path / "tomorrow"
    for package in ("pingpilot", "bots", "api", "models"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    last = max(each.name for each in iter_modules(migrations.__path__))
    file = folder / "models" / "migrations" / "9999_of_tomorrow.py"
    file.write_text(MIGRATION.replace("LAST", last))
    for name, line in MODELS.items():
        with (folder / "models" / f"{name}.py").open("a") as module:
            module.write(f"\n\n{line}\n")
    return folder


async def post(daemon: Daemon, key: str, name: str) -> None:
    answer = await daemon.post(key, {"category": "sale", "description": name})
    assert answer.status == 200, answer.body


async def test_the_version_before_goes_on_and_starts_again_beside_the_newer_one(
    platforms: Platforms, url: str, tomorrow: Path, tmp_path: Path
) -> None:
    settings = {name: value for name, value in platforms.settings.items() if "SMTP" in name}
    newer = {**settings, "PYTHONPATH": str(tomorrow)}
    async with (
        a_daemon(settings, database_url=url, folder=tmp_path) as before,
        a_daemon(newer, database_url=url, folder=tomorrow) as after,
    ):
        await before.start()
        key = await before.create_account(channels=["email"], monthly_events=100_000)
        upgrade = asyncio.create_task(after.start())
        posted = 0
        while not upgrade.done():  # the schema changes under its hands
            posted += 1
            await post(before, key, f"event {posted}")
        await upgrade
        await asyncio.gather(*(post(each, key, "beside each other") for each in (before, after) * 5))
        await before.stop()
        await before.start()
        await asyncio.gather(*(post(each, key, "started again") for each in (before, after) * 5))

        async def delivered() -> int:
            async with open_database(url):
                return await Delivery.filter(status=DeliveryStatus.DELIVERED).count()

        await eventually(delivered, posted + 20)
    async with open_database(url):
        rows = await query(connection(), "SELECT made_by, count(*) FROM deliveries GROUP BY made_by")

    assert [(row["made_by"], row["count"]) for row in rows] == [("today", posted + 20)]
