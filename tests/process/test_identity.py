"""Who a daemon is: no two share a name, and only who is certainly dead is taken for dead."""

import asyncio
import os
import shlex
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from models import Delivery
from models.database import open_database
from pingpilot.config import Settings
from pingpilot.daemon.identity import Identity, new_identity
from pingpilot.errors import SettingsError
from pingpilot.sandbox.faults import Fault
from tests.support.daemon import Daemon, a_daemon, command, environment, execute
from tests.support.executables import executable_of
from tests.support.platforms import Platforms

PROGRAM = """
import sys
from pingpilot.config import load_settings
from pingpilot.daemon.identity import new_identity
with new_identity(load_settings()) as identity:
    print(identity.name, flush=True)
    sys.stdin.read()
"""


@asynccontextmanager
async def another_daemon(settings: dict[str, str]) -> AsyncIterator[tuple[str, psutil.Process]]:
    """A process that has an identity: its name, and the process."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, env=environment(settings), stdin=pipe, stdout=pipe
    )
    assert process.stdout
    try:
        yield (await process.stdout.readline()).decode().strip(), psutil.Process(process.pid)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.fixture(params=["sqlite", "postgres"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """The settings of two daemons at the same host, port and folder."""
    own = {"PINGPILOT_DATA_DIR": str(tmp_path / "data"), "PINGPILOT_HTTP_PORT": "8080"}
    if request.param == "postgres":
        own["PINGPILOT_DATABASE_URL"] = "postgres://somebody@127.0.0.1/pingpilot"
    return own


@pytest.fixture
def here(settings: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return Settings()


def identity(here: Settings) -> Identity:
    with new_identity(here) as own:
        return own


@pytest.mark.parametrize("settings", ["postgres"], indirect=True)
async def test_a_daemon_at_the_same_host_and_port_has_another_name_and_is_left_alone_while_it_lives(
    settings: dict[str, str], here: Settings
) -> None:
    async with another_daemon(settings) as (name, process):
        beside = identity(here)
        process.suspend()
        beside_a_frozen_one = identity(here)
        process.resume()

    assert name not in (beside.name, beside_a_frozen_one.name)
    assert beside.predecessors == beside_a_frozen_one.predecessors == ()


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
async def test_a_sqlite_file_has_one_daemon_whatever_leads_to_it(
    settings: dict[str, str], here: Settings, tmp_path: Path
) -> None:
    (tmp_path / "folder").symlink_to(tmp_path / "data")
    (tmp_path / "file.sqlite3").symlink_to(tmp_path / "data" / "pingpilot.sqlite3")
    paths = (tmp_path / "folder" / "pingpilot.sqlite3", tmp_path / "file.sqlite3")
    others = [Settings(database_url=f"sqlite://{path}", http_port=9) for path in paths]
    refused = f"Another daemon runs on {tmp_path}/data/pingpilot.sqlite3, and an SQLite file takes one"
    async with another_daemon(settings) as (_, process):
        process.suspend()
        for each in (here, *others):
            with pytest.raises(SettingsError, match=refused):
                identity(each)
        process.kill()
        process.wait()

    assert identity(others[1]).name


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
async def test_a_sqlite_file_with_several_names_has_no_daemon_until_one_is_left(
    here: Settings, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (file := tmp_path / "data" / "pingpilot.sqlite3").touch()
    (other := tmp_path / "a copy.sqlite3").hardlink_to(file)
    by_the_other = Settings(database_url=f"sqlite://{other}")
    for path, settings in ((file, here), (other, by_the_other)):
        with pytest.raises(SettingsError, match=f"^{path} has 2 names") as refusal:
            identity(settings)
        assert f"`find / -samefile {shlex.quote(str(path))}`" in str(refusal.value)
    other.unlink()

    assert identity(here).name


async def test_a_sqlite_file_of_which_commands_may_see_another_name_is_left_alone(
    sqlite_url: str, tmp_path: Path
) -> None:
    file = Path(sqlite_url.removeprefix("sqlite://"))
    (folder := tmp_path / "elsewhere").mkdir()
    (by_name := folder / "linked.sqlite3").hardlink_to(file)
    there = {"PINGPILOT_DATABASE_URL": f"sqlite://{by_name}"}
    words = (("account", "list"), ("backup", "copy.sqlite3"), ("doctor",))

    ended = [await command(*each, settings=there, folder=tmp_path) for each in words]

    assert [each.code for each in ended] == [2, 2, 1]
    assert all(f"{by_name} has 2 names (hard links)" in each.out + each.err for each in ended)
    assert {each.name for each in folder.iterdir()} == {by_name.name}


async def test_a_sqlite_file_that_is_mounted_without_its_folder_is_left_alone(
    sqlite_url: str, tmp_path: Path
) -> None:
    unshare = (executable_of("unshare"), "--mount", *(() if os.geteuid() == 0 else ("--map-root-user",)))
    if (await execute(*unshare, "true", settings={}, folder=tmp_path)).code:
        pytest.skip("Nothing may be mounted here.")
    (folder := tmp_path / "a folder").mkdir()
    (mounted := folder / "mounted.sqlite3").touch()
    there = {"PINGPILOT_DATABASE_URL": f"sqlite://{mounted}", "PINGPILOT_HTTP_PORT": "0"}
    mount = f"mount --bind {sqlite_url.removeprefix('sqlite://')} {shlex.quote(str(mounted))}"

    ended = [
        await execute(
            *unshare,
            "sh",
            "-c",
            f'{mount} && exec "$@"',
            "sh",
            sys.executable,
            "-m",
            "pingpilot",
            *words,
            settings=there,
            folder=tmp_path,
        )
        for words in (("run",), ("account", "list"))
    ]

    assert [each.code for each in ended] == [2, 2]
    assert all(f"{mounted} is mounted without its folder" in each.err for each in ended)
    assert {each.name for each in folder.iterdir()} == {mounted.name}


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
async def test_links_that_go_round_in_a_circle_are_left_to_the_database_to_tell(
    here: Settings, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (file := tmp_path / "data" / "pingpilot.sqlite3").symlink_to(file)

    assert identity(here).name


async def test_who_was_killed_is_known_to_all_who_come_after(
    settings: dict[str, str], here: Settings
) -> None:
    async with another_daemon(settings) as (first, process):
        process.kill()
        process.wait()
    async with another_daemon(settings) as (second, _):
        pass

    assert identity(here).predecessors == (second, first)


async def test_a_folder_that_cannot_be_written_costs_the_knowledge_alone(
    here: Settings, tmp_path: Path
) -> None:
    (tmp_path / "data").write_text("no folder")

    assert identity(here).predecessors == ()


@pytest.mark.parametrize("settings", ["postgres"], indirect=True)
async def test_what_is_in_the_place_of_the_lock_costs_the_knowledge_alone(
    here: Settings, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    os.mkfifo(tmp_path / "data" / "daemon-8080-lock")

    assert identity(here).predecessors == ()


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
@pytest.mark.parametrize("put_there", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("/nowhere")])
async def test_no_daemon_runs_on_a_sqlite_file_where_it_cannot_know_that_it_is_alone(
    here: Settings, tmp_path: Path, put_there: Callable[[Path], None]
) -> None:
    lock = tmp_path / "data" / "pingpilot.sqlite3.daemon-lock"
    lock.parent.mkdir()
    put_there(lock)

    with pytest.raises(SettingsError, match=f"^{lock}, by which a daemon makes sure") as refusal:
        identity(here)

    assert "can't be locked (" in str(refusal.value)


async def test_a_second_daemon_on_a_sqlite_file_is_told_and_commands_go_on(
    sqlite_url: str, tmp_path: Path
) -> None:
    async with a_daemon({}, database_url=sqlite_url, folder=tmp_path) as daemon:
        await daemon.start()
        there = {"PINGPILOT_DATABASE_URL": sqlite_url, "PINGPILOT_HTTP_PORT": "0"}
        second, listed = await asyncio.gather(
            command("run", settings=there, folder=tmp_path), daemon.command("account", "list")
        )
        ready = (await daemon.get("/readyz")).status

    assert (second.code, listed.code, ready) == (2, 0, 200)
    assert second.err.startswith(f"Error: Another daemon runs on {sqlite_url.removeprefix('sqlite://')}, and")
    assert second.err.count("\n") == 1


async def test_what_a_killed_daemon_was_sending_is_sent_again_soon(
    daemon: Daemon, platforms: Platforms, key: str, sqlite_url: str
) -> None:
    calls = platforms.telegram.calls["sendMessage"]
    platforms.telegram.faults.add(Fault.hold(asyncio.Event()), route="sendMessage")
    await daemon.post(key, {"category": "bug", "description": "Two lamps do not light"})
    await platforms.telegram.wait_for_calls("sendMessage", calls + 1)
    async with open_database(sqlite_url):
        leased_by = {row.leased_by for row in await Delivery.filter(status="sending")}

    await daemon.kill()
    await daemon.start()
    await platforms.telegram.wait_for_messages(3)

    assert len(leased_by) == 1
    assert "Deliveries taken back after a stop" in daemon.log
