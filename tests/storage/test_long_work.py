"""Long work beside everybody else's, in the turn of whoever writes; others' commits are as durable."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from models import Fact
from models.database import aside, checkpoint, connection, reader, write_aside
from models.sql import query


async def test_a_piece_is_stored_for_all(database: str) -> None:
    await Fact.create(name="one", value="1")
    await Fact.create(name="two", value="2")

    took = await write_aside("DELETE FROM facts WHERE name = ?", ["one"])

    seen = [await query(each, "SELECT name FROM facts") for each in (connection(), reader(), aside())]
    assert seen == [[{"name": "two"}]] * 3
    assert took > 0


async def test_only_the_long_work_leaves_its_commits_unsynced(sqlite: str) -> None:
    await write_aside("DELETE FROM facts WHERE name = ?", ["one"])

    levels = {
        name: (await query(each, "PRAGMA synchronous"))[0]["synchronous"]
        for name, each in {"events": connection(), "aside": aside()}.items()
    }

    assert levels == {"events": 2, "aside": 1}  # FULL and NORMAL


async def test_a_checkpoint_takes_the_log_into_the_file(sqlite: str, tmp_path: Path) -> None:
    await write_aside("INSERT INTO facts (name, value) VALUES (?, ?)", ["one", "1"])

    await checkpoint()

    file = shutil.copy(sqlite.removeprefix("sqlite://"), tmp_path / "alone.sqlite3")
    with closing(sqlite3.connect(file)) as alone:
        assert alone.execute("SELECT name FROM facts").fetchall() == [("one",)]
