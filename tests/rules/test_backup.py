"""Backups: consistent while a daemon writes, restorable, and never over another file."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from models import Event, MonthlyUsage
from models.database import open_database
from pingpilot.errors import InvalidInput, NotFound, PingPilotError
from pingpilot.events.submission import Submission
from pingpilot.storage import backup
from pingpilot.storage.backup import back_up
from tests.support.accounts import new_account
from tests.support.clock import ManualClock
from tests.support.composition import Composition
from tests.support.events import caller_for


async def test_a_backup_taken_during_writes_is_whole_and_can_be_restored(
    sqlite_url: str, clock: ManualClock, tmp_path: Path
) -> None:
    async with open_database(sqlite_url):
        caller = await caller_for(await new_account(clock, monthly_events=10_000), clock)
        intake = Composition(clock=clock).intake
        posts = [
            asyncio.create_task(intake.submit(Submission(caller, "sale", "Sold", "{}"))) for _ in range(2000)
        ]
        await posts[0]
        await asyncio.to_thread(back_up, sqlite_url, tmp_path / "copy.sqlite3")
        await asyncio.gather(*posts)

    async with open_database(f"sqlite://{tmp_path / 'copy.sqlite3'}"):
        events, usage = await Event.all().count(), await MonthlyUsage.get()
    assert 0 < events <= 2000
    assert events == usage.events  # the counter and the rows are of one commit


def test_a_backup_replaces_no_file(sqlite_url: str, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")

    with pytest.raises(InvalidInput, match="exists already"):
        back_up(sqlite_url, target)

    assert target.read_text() == "precious"


def test_a_folder_that_is_not_there_is_named_and_not_made(sqlite_url: str, tmp_path: Path) -> None:
    with pytest.raises(PingPilotError, match=f"could not be written: there is no folder {tmp_path}/missing"):
        back_up(sqlite_url, tmp_path / "missing" / "copy.sqlite3")

    assert not (tmp_path / "missing").exists()


def test_a_database_that_stays_locked_makes_no_backup(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "_LOCKED_FOR", 0.1)
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite://"), isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode=DELETE")  # of the old kind, so that nobody can read
        other.execute("BEGIN EXCLUSIVE")

        with pytest.raises(PingPilotError, match="database is locked"):
            back_up(sqlite_url, tmp_path / "copy.sqlite3")


def test_a_damaged_database_makes_no_backup(sqlite_url: str, tmp_path: Path) -> None:
    Path(sqlite_url.removeprefix("sqlite://")).write_bytes(b"this is no database" * 100)

    with pytest.raises(PingPilotError, match="could not be written"):
        back_up(sqlite_url, tmp_path / "copy.sqlite3")

    assert not list(tmp_path.glob("copy*"))


def test_without_a_database_there_is_nothing_to_back_up(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no database"):
        back_up(f"sqlite://{tmp_path}/none.sqlite3", tmp_path / "copy.sqlite3")


def test_postgres_is_left_to_its_own_tool(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="pg_dump"):
        back_up("postgres://localhost/pingpilot", tmp_path / "copy")


def test_the_copy_opens_as_a_database_of_its_own(sqlite_url: str, tmp_path: Path) -> None:
    back_up(sqlite_url, tmp_path / "copy.sqlite3")

    database = sqlite3.connect(tmp_path / "copy.sqlite3")
    tables = {row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    database.close()
    assert {"events", "deliveries", "accounts"} <= tables
