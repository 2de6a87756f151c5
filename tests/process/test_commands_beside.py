"""Commands that change the database beside a running daemon."""

import asyncio
import time
from pathlib import Path

from models import Plan
from tests.support.daemon import Answer, Daemon, command
from tests.support.databases import locked

EVENT = {"category": "bug"}


async def test_commands_and_events_do_not_get_into_each_others_way(daemon: Daemon) -> None:
    await daemon.start()
    key = await daemon.create_account("first@example.com", plan=Plan.ENTERPRISE, channels=["email"])
    done = asyncio.Event()

    posting = [asyncio.create_task(post_until(daemon, key, done)) for _ in range(4)]
    ended = [await daemon.command("account", "create", f"new{n}@example.com") for n in range(3)]
    ended += [await daemon.command("key", "create", "--account", "first@example.com", "--name", "second")]
    done.set()
    answers = [answer for each in posting for answer in await each]

    assert {each.code for each in ended} == {0}
    assert {each.err for each in ended} == {""}
    assert len(answers) > len(posting)
    assert {answer.status for answer in answers} == {200}
    assert "error" not in daemon.log


async def test_a_revoked_key_is_refused_at_once(daemon: Daemon) -> None:
    await daemon.start()
    key = await daemon.create_account("alice@example.com", channels=[])
    before = await daemon.post(key, EVENT)

    await daemon.command("key", "revoke", "default", "--account", "alice@example.com")
    after = await daemon.post(key, EVENT)

    assert before.status == 200
    assert (after.status, after.body["code"]) == (401, "invalid_api_key")


async def test_a_command_does_not_wait_long_for_a_file_that_stays_locked(
    sqlite_url: str, tmp_path: Path
) -> None:
    with locked(sqlite_url):
        began = time.monotonic()
        ended = await command(
            *("account", "create", "alice@example.com"),
            settings={"PINGPILOT_DATABASE_URL": sqlite_url},
            folder=tmp_path,
        )

    assert ended.code == 1
    assert ended.err == "Error: The database failed: OperationalError: database is locked.\n"
    assert time.monotonic() - began < 28  # 10, on a machine that is not busy


async def post_until(daemon: Daemon, key: str, done: asyncio.Event) -> list[Answer]:
    answers = []
    while not done.is_set():
        answers.append(await daemon.post(key, EVENT))
    return answers
