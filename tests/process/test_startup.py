"""Starting: what keeps the daemon from it, and what its log says."""

import asyncio
import fcntl
import json
import os
import signal
import socket
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from tests.support.daemon import Daemon, a_daemon, command, command_of_a_user
from tests.support.databases import locked
from tests.support.platforms import Platforms
from tests.support.waiting import until


@pytest.fixture
def used_before(sqlite_url: str) -> str:
    """A database that a daemon has run on: this one need write nothing to start."""
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite://"))) as database:
        database.execute("INSERT INTO facts (name, value) VALUES ('unsubscribe.secret', 'x')")
        database.commit()
    return sqlite_url


OFF = {"discord": "DISCORD_TOKEN", "telegram": "TELEGRAM_TOKEN", "email": "SMTP_HOST"}


async def test_a_port_in_use_is_one_sentence(sqlite_url: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = {
            "PINGPILOT_DATABASE_URL": sqlite_url,
            "PINGPILOT_HTTP_PORT": str(taken.getsockname()[1]),
        }

        ended = await command("run", settings=settings, folder=tmp_path)

    assert ended.code == 2
    assert "(Address already in use): choose another PINGPILOT_HTTP_HOST or" in only_sentence(ended.err)


@pytest.mark.parametrize(
    "url",
    ["postgres://somebody:a-password@127.0.0.1:1/pingpilot", "sqlite:///dev/null/pingpilot.sqlite3"],
)
async def test_a_database_that_is_away_is_one_sentence(tmp_path: Path, url: str) -> None:
    ended = await command("run", settings={"PINGPILOT_DATABASE_URL": url}, folder=tmp_path)

    assert ended.code == 2
    assert "check PINGPILOT_DATABASE_URL" in only_sentence(ended.err)
    assert "a-password" not in ended.err


def text(file: Path) -> None:
    file.write_text("no database\n" * 1000)


def folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def cut_short(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


@pytest.mark.parametrize(
    ("words", "spoil"), [(("run",), text), (("run",), folder), (("account", "list"), cut_short)]
)
async def test_a_file_that_is_no_database_is_one_sentence(
    sqlite_url: str, tmp_path: Path, words: tuple[str, ...], spoil: Callable[[Path], None]
) -> None:
    spoil(Path(sqlite_url.removeprefix("sqlite://")))

    ended = await command(*words, settings={"PINGPILOT_DATABASE_URL": sqlite_url}, folder=tmp_path)

    assert ended.code == 2
    assert "check PINGPILOT_DATABASE_URL" in only_sentence(ended.err)


async def test_a_file_that_stays_locked_is_one_sentence_in_time(tmp_path: Path) -> None:
    file = tmp_path / "pingpilot.sqlite3"
    with closing(sqlite3.connect(file)) as other:  # with a journal of the old kind, so that nobody can read
        other.execute("CREATE TABLE t (x)")
        other.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()

        ended = await command("run", settings={"PINGPILOT_DATA_DIR": str(tmp_path)}, folder=tmp_path)

    assert ended.code == 2
    assert "database is locked" in only_sentence(ended.err)
    assert "check PINGPILOT_DATA_DIR" in ended.err
    assert time.monotonic() - began < 20  # 5, on a machine that is not busy


async def test_a_file_that_another_program_keeps_locked_is_one_sentence(
    used_before: str, tmp_path: Path
) -> None:
    with locked(used_before, "EXCLUSIVE"):
        ended = await command("run", settings={"PINGPILOT_DATABASE_URL": used_before}, folder=tmp_path)

    assert ended.code == 2
    assert "database is locked" in only_sentence(ended.err)
    assert "check PINGPILOT_DATABASE_URL" in ended.err


async def test_a_file_that_may_only_be_read_is_one_sentence(used_before: str, tmp_path: Path) -> None:
    os.chmod(used_before.removeprefix("sqlite://"), 0o400)  # nothing that blocks
    settings = {"PINGPILOT_DATABASE_URL": used_before}

    ended = await command_of_a_user("run", settings=settings, folder=tmp_path)
    examined = await command_of_a_user("doctor", settings=settings, folder=tmp_path)

    assert ended.code == 2
    assert "check PINGPILOT_DATABASE_URL" in only_sentence(ended.err)
    assert "test.sqlite3 can't be written." in examined.out


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL)])
async def test_a_migration_does_not_outlive_the_daemon_that_began_it(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    url = f"sqlite://{tmp_path / 'new.sqlite3'}"
    with (tmp_path / "new.sqlite3.migrate-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # as another process has it that migrates, and takes its time
        async with a_daemon({}, database_url=url, folder=tmp_path) as daemon:
            await daemon.launch()
            process = psutil.Process(daemon.pid)
            await until(lambda: bool(process.children()), timeout=30)
            [child] = process.children()

            process.send_signal(number)
            ended = await daemon.wait()
            await until(lambda: not child.is_running(), timeout=30)

    assert ended == code
    assert daemon.log == ""


async def test_a_wrong_setting_is_one_sentence(tmp_path: Path) -> None:
    ended = await command("run", settings={"PINGPILOT_SMTP_HOST": "localhost"}, folder=tmp_path)

    assert ended.code == 2
    assert only_sentence(ended.err).startswith("Error: PINGPILOT_SMTP_FROM is missing")


@pytest.mark.parametrize("words", [("run",), ("migrate",), ("account", "list")])
async def test_a_database_of_a_newer_version_is_left_alone(
    sqlite_url: str, tmp_path: Path, words: tuple[str, ...]
) -> None:
    file = Path(sqlite_url.removeprefix("sqlite://"))
    with closing(sqlite3.connect(file)) as database:
        database.execute(
            "INSERT INTO tortoise_migrations (app, name, applied_at) "
            "SELECT app, '9999_breaks_today', applied_at FROM tortoise_migrations LIMIT 1"
        )
        database.commit()
    settings = {"PINGPILOT_DATABASE_URL": sqlite_url}

    ended = await command(*words, settings=settings, folder=tmp_path)
    examined = await command("doctor", "--json", settings=settings, folder=tmp_path)

    assert ended.code == 1
    assert only_sentence(ended.err) == (
        "Error: A newer PingPilot has changed this database (9999_breaks_today): run that version or a later "
        "one, or put a backup from before the upgrade in its place."
    )
    schema = next(each for each in examined.json["findings"] if each["subject"] == "schema")
    assert (schema["level"], schema["text"].split(" (")[0]) == (
        "problem",
        "A newer PingPilot has changed this database",
    )


async def test_wrong_settings_are_all_told_a_line_each(tmp_path: Path) -> None:
    settings = {
        "PINGPILOT_HTTP_PORT": "many",
        "PINGPILOT_SMTP_SECURITY": "ssl",
        "PINGPILOT_LOG_FORMAT": "xml",
    }

    ended = await command("run", settings=settings, folder=tmp_path)

    assert ended.code == 2
    assert ended.err.splitlines() == [
        "Error: PINGPILOT_HTTP_PORT is wrong: it must be a whole number from 0 to 65535.",
        "Error: PINGPILOT_LOG_FORMAT is wrong: it must be console or json.",
        "Error: PINGPILOT_SMTP_SECURITY is wrong: it must be none, starttls or tls.",
    ]


@pytest.mark.parametrize("place", ["a file", "closed/data", "/proc/data"])
async def test_a_data_folder_that_can_not_be_used_is_told_as_such(tmp_path: Path, place: str) -> None:
    (tmp_path / "a file").touch()
    (tmp_path / "closed").mkdir(mode=0)

    ended = await command_of_a_user("run", settings={"PINGPILOT_DATA_DIR": place}, folder=tmp_path)

    assert ended.code == 2
    assert only_sentence(ended.err).endswith("check PINGPILOT_DATA_DIR.")


async def test_what_is_hardly_meant_so_is_a_warning(sqlite_url: str, tmp_path: Path) -> None:
    settings = {"PINGPILOT_DISCORD_TOKN": "x", "PINGPILOT_LOG_FORMAT": "json"}
    async with a_daemon(settings, database_url=sqlite_url, folder=tmp_path) as daemon:
        await daemon.start()
        await daemon.stop()

    records = [json.loads(line) for line in daemon.log.splitlines()]
    warnings = {each["event"]: each["advice"] for each in records if each["level"] == "warning"}
    misspelt = "PINGPILOT_DISCORD_TOKN is not a setting, and has no effect."
    assert warnings == {
        "No channel is configured: events are stored and delivered nowhere, except to destinations "
        "that accounts add themselves.": (
            "Set a bot's token or a mail server in .env: .env.example shows how."
        ),
        misspelt: "Did you mean PINGPILOT_DISCORD_TOKEN?",
    }


async def test_links_that_lead_nowhere_are_a_warning(
    platforms: Platforms, sqlite_url: str, tmp_path: Path
) -> None:
    settings = {**platforms.settings, "PINGPILOT_HTTP_HOST": "0.0.0.0"}  # noqa: S104
    async with a_daemon(settings, database_url=sqlite_url, folder=tmp_path) as daemon:
        await daemon.start()
        await daemon.stop()
    assert "Unsubscribe links in e-mails lead to http://localhost:" in daemon.log

    settings["PINGPILOT_PUBLIC_URL"] = "https://ping.example.com"
    async with a_daemon(settings, database_url=sqlite_url, folder=tmp_path) as daemon:
        written = len(daemon.log)
        await daemon.start()
        await daemon.stop()
        assert "Unsubscribe links" not in daemon.log[written:]


async def test_two_colons_listen_on_both_families(sqlite_url: str, tmp_path: Path) -> None:
    settings = {"PINGPILOT_HTTP_HOST": "::"}
    async with a_daemon(settings, database_url=sqlite_url, folder=tmp_path) as daemon:
        await daemon.start()  # asks 127.0.0.1
        port = int(daemon.base_url.rpartition(":")[2])
        _, writer = await asyncio.open_connection("::1", port)
        writer.close()
        await writer.wait_closed()


async def test_without_any_setting_it_runs_and_says_what_is_off(sqlite_url: str, tmp_path: Path) -> None:
    async with a_daemon({}, database_url=sqlite_url, folder=tmp_path) as daemon:
        await daemon.start()
        parts = await daemon.parts()
        code = await daemon.stop()

    assert code == 0
    assert parts == {"database": "up", "discord": "off", "telegram": "off", "email": "off", "webhook": "up"}
    for channel, variable in OFF.items():
        lines = [line for line in daemon.log.splitlines() if f"{channel} is off" in line]
        assert len(lines) == 1
        assert f"PINGPILOT_{variable}" in lines[0]


async def test_a_json_log_is_json_line_by_line(daemon: Daemon, key: str) -> None:
    await daemon.stop()
    daemon.settings |= {"PINGPILOT_LOG_FORMAT": "json", "PINGPILOT_LOG_LEVEL": "DEBUG"}
    written = len(daemon.log)

    await daemon.start()
    await daemon.post(key, {"category": "bug", "description": "zwei\nZeilen \u2028 äöü"}, prefer="wait=10")
    await daemon.stop()

    records = [json.loads(line) for line in daemon.log[written:].split("\n") if line]
    assert {"PingPilot is up", "Delivery delivered", "PingPilot has stopped"} <= {
        record["event"] for record in records
    }
    assert all({"level", "logger", "timestamp"} <= record.keys() for record in records)


async def test_what_is_no_proper_http_is_refused_and_fills_no_log(sqlite_url: str, tmp_path: Path) -> None:
    async with a_daemon({}, database_url=sqlite_url, folder=tmp_path) as daemon:
        await daemon.start()
        host, port = daemon.base_url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))

        writer.write(b"GET / HTTP/1.1\r\nNeither host nor colon\r\n\r\n")
        answer = await reader.read()

        writer.close()
        await writer.wait_closed()
        await daemon.stop()
    assert b" 400 " in answer.splitlines()[0]
    assert "Traceback" not in daemon.log


def only_sentence(text: str) -> str:
    """Return the one line of an error message, of which there must be no more."""
    lines = [line for line in text.splitlines() if " is off" not in line]
    assert len(lines) == 1, text
    return lines[0]
