"""`pingpilot doctor`, over settings that are well and settings that are not."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from aiohttp import web

from pingpilot.config import Settings
from pingpilot.doctor import Finding, Level, examine
from pingpilot.doctor.machine import clock
from pingpilot.errors import SettingsError
from pingpilot.storage.migrating import prepare_database
from tests.support.daemon import Daemon, a_daemon, command, command_of_a_user, environment, free_port
from tests.support.databases import PostgresCopies, SqliteCopies, locked
from tests.support.pgbouncer import a_pgbouncer
from tests.support.platforms import SMTP_PASSWORD, TELEGRAM_TOKEN, Platforms
from tests.support.waiting import until


class Report:
    """What the doctor said."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self._found = {each.subject: each for each in findings}

    @property
    def healthy(self) -> bool:
        return "problem" not in self.levels.values()

    @property
    def levels(self) -> dict[str, str]:
        return {subject: str(each.level) for subject, each in self._found.items()}

    def text(self, subject: str) -> str:
        return f"{self._found[subject].text} {self._found[subject].advice or ''}"


Doctor = Callable[[Path, Mapping[str, str]], Awaitable[Report]]


@pytest.fixture
def doctor(monkeypatch: pytest.MonkeyPatch) -> Doctor:
    """The doctor in the test's own process, over these settings in this folder."""

    async def examined(folder: Path, settings: Mapping[str, str]) -> Report:
        monkeypatch.chdir(folder)
        for name, value in environment(settings).items():
            monkeypatch.setenv(name, value)
        return Report([finding async for finding in examine()])

    return examined


async def test_a_bare_machine_is_well_and_told_what_could_be_switched_on(tmp_path: Path) -> None:
    port = str(free_port())

    ended = await command("doctor", settings={"PINGPILOT_HTTP_PORT": port}, folder=tmp_path)

    assert (ended.code, ended.err) == (0, "")
    assert "✓ database  SQLite, made in" in ended.out
    assert "– telegram  Set PINGPILOT_TELEGRAM_TOKEN to switch it on." in ended.out
    assert os.listdir(tmp_path) == []  # nothing is made by looking


async def test_a_daemon_with_everything_is_well(doctor: Doctor, daemon: Daemon) -> None:
    daemon.settings |= {"PINGPILOT_PUBLIC_URL": "https://ping.example.com"}
    await daemon.start()

    report = await doctor(daemon.folder, daemon.settings)

    assert report.healthy
    assert set(report.levels.values()) == {"ok"}
    assert "The daemon runs at" in report.text("port")
    assert "@" in report.text("discord")
    assert "@" in report.text("telegram")
    assert "lets us in" in report.text("email")
    assert "Agrees with Discord and Telegram" in report.text("clock")


async def test_accounts_whose_events_go_nowhere_are_named_by_doctor_and_daemon(
    doctor: Doctor, daemon: Daemon
) -> None:
    await daemon.create_account("bob@example.com", channels=["email"])
    await daemon.create_account("alice@example.com", channels=[])

    await daemon.start()
    report = await doctor(daemon.folder, daemon.settings)

    assert report.levels["accounts"] == "warning"
    assert "The events of 1 of 2 go nowhere, since no channel can be used: alice@example.com" in report.text(
        "accounts"
    )
    await until(lambda: "Accounts have no channel that can be used" in daemon.log)


@pytest.mark.parametrize(
    ("change", "subject", "expected"),
    [
        ({"PINGPILOT_DISCORD_TOKEN": "wrong"}, "discord", "token is refused. Make a new token"),
        ({"PINGPILOT_TELEGRAM_TOKEN": "1:wrong"}, "telegram", "token is refused. Ask @BotFather"),
        ({"PINGPILOT_TELEGRAM_TOKEN": f"{TELEGRAM_TOKEN}, 1:wrong"}, "telegram:1", "token is refused."),
        ({"PINGPILOT_SMTP_PASSWORD": "wrong"}, "email", "Check PINGPILOT_SMTP_USERNAME"),
        ({"PINGPILOT_SMTP_SECURITY": "starttls"}, "email", "PINGPILOT_SMTP_SECURITY"),
        ({"PINGPILOT_SMTP_HOST": "nowhere.invalid"}, "email", "Check PINGPILOT_SMTP_HOST"),
        ({"PINGPILOT_TELEGRAM_API_URL": "http://nowhere.invalid"}, "telegram", "can't be asked"),
        ({"PINGPILOT_DISCORD_API_URL": "http://127.0.0.1:9"}, "discord", "Check the network"),
    ],
)
async def test_what_a_platform_refuses_is_named_with_what_to_do(
    doctor: Doctor,
    platforms: Platforms,
    tmp_path: Path,
    *,
    change: dict[str, str],
    subject: str,
    expected: str,
) -> None:
    public = {"PINGPILOT_PUBLIC_URL": "https://ping.example.com"}
    settings = {**platforms.settings, "PINGPILOT_HTTP_PORT": str(free_port()), **public, **change}

    report = await doctor(tmp_path, settings)

    assert not report.healthy
    assert report.levels[subject] == "problem"
    assert expected in report.text(subject)
    others = set(report.levels.items()) - {(subject, "problem")}
    assert {level for _, level in others} == {"ok"}


async def test_no_secret_is_shown(platforms: Platforms, tmp_path: Path) -> None:
    away = {"PINGPILOT_TELEGRAM_API_URL": "http://nowhere.invalid", "PINGPILOT_SMTP_SECURITY": "starttls"}

    ended = await command("doctor", settings={**platforms.settings, **away}, folder=tmp_path)

    assert TELEGRAM_TOKEN not in ended.out + ended.err
    assert SMTP_PASSWORD not in ended.out + ended.err


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_a_postgresql_is_asked_for_its_clock_too(
    doctor: Doctor, database_url: str, tmp_path: Path
) -> None:
    settings = {"PINGPILOT_DATABASE_URL": database_url, "PINGPILOT_HTTP_PORT": str(free_port())}

    report = await doctor(tmp_path, settings)

    assert report.healthy
    assert report.text("database").startswith("PostgreSQL at ")
    assert "None" not in report.text("database")
    assert report.text("schema").startswith("Up to date.")
    assert "Agrees with the database" in report.text("clock")
    assert "None runs on this database" in report.text("daemons")


async def test_the_way_past_a_pooler_is_tried(
    doctor: Doctor, postgres_copies: PostgresCopies, tmp_path: Path
) -> None:
    direct, other = postgres_copies.new(tmp_path), postgres_copies.new(tmp_path)
    async with a_pgbouncer(parse_qs(urlsplit(direct).query)["host"][0], tmp_path) as through:
        pooled = through(direct)
        ways = {"none": (pooled, ""), "direct": (pooled, direct), "elsewhere": (pooled, other)}
        ways |= {"pooled": (pooled, pooled), "away": (pooled, "postgres://nobody@127.0.0.1:1/nothing")}
        said = {}
        for name, (url, way) in (ways | {"no pooler": (direct, "")}).items():
            settings = {"PINGPILOT_DATABASE_URL": url, "PINGPILOT_DATABASE_DIRECT_URL": way}
            report = await doctor(tmp_path, {**settings, "PINGPILOT_HTTP_PORT": str(free_port())})
            said[name] = (report.levels.get("pooler"), "pooler" in report.levels and report.text("pooler"))
        with pytest.raises(SettingsError, match="lead to different databases"):
            await prepare_database(Settings(database_url=pooled, database_direct_url=other))
    with pytest.raises(SettingsError, match="check PINGPILOT_DATABASE_URL"):  # the pooler has ended
        await prepare_database(Settings(database_url=pooled, database_direct_url=direct))
    for each in (direct, other):
        postgres_copies.drop(each)

    starts = {name: (level, " ".join(str(text).split()[:4])) for name, (level, text) in said.items()}
    assert starts == {
        "none": ("warning", "A pooler stands before"),
        "direct": ("ok", "Daemons hear of each"),
        "elsewhere": ("problem", "PINGPILOT_DATABASE_URL and PINGPILOT_DATABASE_DIRECT_URL lead"),
        "pooled": ("warning", "A pooler stands before"),
        "away": ("problem", "The way past the"),
        "no pooler": (None, "False"),
    }
    assert "DIRECT_URL is not set:" in str(said["none"])
    assert "DIRECT_URL leads to a pooler, too:" in str(said["pooled"])


async def test_a_database_that_is_away_is_a_problem(doctor: Doctor, tmp_path: Path) -> None:
    url = f"postgres://nobody@127.0.0.1:{free_port()}/nothing"

    report = await doctor(tmp_path, {"PINGPILOT_DATABASE_URL": url, "PINGPILOT_HTTP_PORT": "0"})

    assert not report.healthy
    assert "Check PINGPILOT_DATABASE_URL" in report.text("database")
    assert report.levels["schema"] == "off"  # `pingpilot migrate` would not help


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
@pytest.mark.parametrize(
    ("option", "subject", "said"),
    [
        ("default_transaction_read_only=on", "database", "No event can be stored: it may only be read"),
        ("role=pg_monitor", "schema", "It can't be looked at: InsufficientPrivilegeError: permission denied"),
    ],
)
async def test_a_postgresql_that_lets_us_in_and_no_further_is_a_problem(
    doctor: Doctor, database_url: str, tmp_path: Path, *, option: str, subject: str, said: str
) -> None:
    url = f"{database_url}&options={quote(f'-c {option}')}"

    report = await doctor(tmp_path, {"PINGPILOT_DATABASE_URL": url, "PINGPILOT_HTTP_PORT": str(free_port())})

    assert report.levels[subject] == "problem"
    assert report.text(subject).startswith(said)


async def test_a_database_that_takes_no_event_is_a_problem(doctor: Doctor, daemon: Daemon) -> None:
    await daemon.start()

    with locked(daemon.settings["PINGPILOT_DATABASE_URL"]):
        report = await doctor(daemon.folder, daemon.settings)

    assert not report.healthy
    assert "No event can be stored: OperationalError: database is locked." in report.text("database")
    assert "and can't store events" in report.text("port")
    assert report.levels["schema"] == "ok"


@pytest.mark.parametrize("content", [b"this is no database" * 100, b""], ids=["damaged", "empty"])
async def test_a_file_that_is_no_sound_database_is_told(
    doctor: Doctor, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "pingpilot.sqlite3"
    file.write_bytes(content)

    report = await doctor(tmp_path, {"PINGPILOT_DATABASE_URL": f"sqlite://{file}"})

    assert report.levels["database"] == ("problem" if content else "ok")
    assert report.levels["schema"] == ("off" if content else "warning")


@pytest.mark.parametrize("target", ["/nowhere/at/all", "/dev/full"])
async def test_a_path_that_leads_to_no_file_is_a_problem(doctor: Doctor, tmp_path: Path, target: str) -> None:
    (tmp_path / "pingpilot.sqlite3").symlink_to(target)

    report = await doctor(tmp_path, {"PINGPILOT_DATA_DIR": str(tmp_path), "PINGPILOT_HTTP_PORT": "0"})

    assert not report.healthy
    assert "is no file, or leads to none" in report.text("database")
    assert "PINGPILOT_DATA_DIR" in report.text("database")


async def test_a_folder_that_can_not_be_made_is_a_problem(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    report = await doctor(tmp_path, {"PINGPILOT_DATA_DIR": str(tmp_path / "file" / "data")})

    assert not report.healthy
    assert "set another PINGPILOT_DATA_DIR" in report.text("database")


async def test_a_port_that_another_program_has_is_a_problem(doctor: Doctor, tmp_path: Path) -> None:
    async with another_program() as port:
        report = await doctor(tmp_path, {"PINGPILOT_HTTP_PORT": str(port)})

    assert not report.healthy
    assert "which is no PingPilot" in report.text("port")
    assert "set another PINGPILOT_HTTP_PORT" in report.text("port")


@pytest.mark.parametrize("has_run", [True, False])
async def test_a_daemon_of_another_database_on_the_port_is_a_problem(
    doctor: Doctor, daemon: Daemon, sqlite_copies: SqliteCopies, tmp_path: Path, has_run: bool
) -> None:
    await daemon.start()
    (tmp_path / "other").mkdir()
    other = sqlite_copies.new(tmp_path / "other")
    if has_run:
        async with a_daemon({}, database_url=other, folder=tmp_path / "other") as second:
            await second.start()
            await second.stop()

    report = await doctor(tmp_path, {**daemon.settings, "PINGPILOT_DATABASE_URL": other})

    assert not report.healthy
    assert "A PingPilot of another database runs at" in report.text("port")


async def test_an_address_that_this_machine_lacks_is_told_as_such(doctor: Doctor, tmp_path: Path) -> None:
    report = await doctor(tmp_path, {"PINGPILOT_HTTP_HOST": "192.0.2.1", "PINGPILOT_HTTP_PORT": "0"})

    assert "This machine has no address 192.0.2.1" in report.text("port")


async def test_a_folder_that_can_not_be_looked_into_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    settings = {"PINGPILOT_DATA_DIR": str(tmp_path / "closed"), "PINGPILOT_HTTP_PORT": "0"}

    ended = await command_of_a_user("doctor", "--json", settings=settings, folder=tmp_path)

    report = Report(Finding(**each) for each in ended.json["findings"])
    assert ended.code == 1
    assert report.levels["database"] == "problem"
    assert "may not look into" in report.text("database")
    assert "set another PINGPILOT_DATA_DIR" in report.text("database")
    assert "bytes free" not in report.text("disk")


async def test_wrong_settings_are_a_finding_each(tmp_path: Path) -> None:
    settings = {"PINGPILOT_HTTP_PORT": "many", "PINGPILOT_LOG_LEVEL": "loud"}

    ended = await command("doctor", "--json", settings=settings, folder=tmp_path)

    assert [each["text"].split()[0] for each in ended.json["findings"]] == [
        "PINGPILOT_HTTP_PORT",
        "PINGPILOT_LOG_LEVEL",
    ]


async def test_a_clock_that_is_off_is_a_problem(doctor: Doctor, platforms: Platforms, tmp_path: Path) -> None:
    async with another_program(ahead=timedelta(minutes=5)) as port:
        settings = {**platforms.settings, "PINGPILOT_TELEGRAM_API_URL": f"http://127.0.0.1:{port}"}
        report = await doctor(tmp_path, settings)

    assert report.levels["clock"] == "problem"
    assert "behind Telegram" in report.text("clock")
    assert "time synchronisation" in report.text("clock")


@pytest.mark.parametrize(
    ("seconds", "level", "word"),
    [
        (9, Level.OK, "Agrees"),
        (-9, Level.OK, "Agrees"),
        (60, Level.PROBLEM, "behind"),
        (-60, Level.PROBLEM, "ahead"),
    ],
)
def test_a_clock_is_judged_by_the_one_it_differs_from_most(seconds: int, level: Level, word: str) -> None:
    finding = clock(None, ("Discord", timedelta(seconds=1)), ("Telegram", timedelta(seconds=seconds)))

    assert finding.level is level
    assert word in finding.text


def test_a_clock_that_is_a_little_off_the_databases_is_a_warning() -> None:
    findings = [
        clock(("the database", timedelta(seconds=each)), ("Discord", timedelta())) for each in (1, -4)
    ]

    assert [each.level for each in findings] == [Level.OK, Level.WARNING]
    assert "4 s off that of the database" in findings[1].text


async def test_settings_that_are_wrong_are_named(doctor: Doctor, tmp_path: Path) -> None:
    report = await doctor(tmp_path, {"PINGPILOT_HTTP_PORT": "many"})

    assert not report.healthy
    assert report.levels == {"settings": "problem"}
    assert "PINGPILOT_HTTP_PORT is wrong" in report.text("settings")


async def test_a_variable_that_is_no_setting_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PINGPILOT_NONSENSE=1\nOTHER=2\n")
    settings = {"pingpilot_discord_tokn": "x", "PINGPILOT_API_KEY": "pp_x", "PINGPILOT_HTTP_PORT": "0"}

    ended = await command("doctor", settings=settings, folder=tmp_path)

    assert "! settings  PINGPILOT_DISCORD_TOKN is not a setting, and has no effect.\n" in ended.out
    assert "→ Did you mean PINGPILOT_DISCORD_TOKEN?" in ended.out
    assert "! settings  PINGPILOT_NONSENSE is not a setting, and has no effect.\n" in ended.out
    assert "PINGPILOT_API_KEY" not in ended.out
    assert ended.code == 0


@asynccontextmanager
async def another_program(ahead: timedelta = timedelta()) -> AsyncIterator[int]:
    """A web server that is no PingPilot, whose clock is ahead; as a Bot API it knows every bot."""

    async def answer(_request: web.Request) -> web.Response:
        date = format_datetime(datetime.now(UTC) + ahead, usegmt=True)
        return web.json_response({"ok": True, "result": {"username": "some_bot"}}, headers={"Date": date})

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
