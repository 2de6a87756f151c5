"""Who the daemons are and who leads what, as those see it who look after them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from models.database import connection
from models.sql import query
from pingpilot import __version__
from pingpilot.cluster.roster import KnownDaemon, LedBot, Roster, read_roster
from pingpilot.config import PREFIX
from pingpilot.doctor.daemons import judged
from pingpilot.telemetry.findings import Level
from tests.dashboard.people import a_person, text_of
from tests.http.api import Api, serving
from tests.support.clock import ManualClock
from tests.support.composition import DAEMON
from tests.support.daemon import command
from tests.support.metrics import Samples

from .leaders import nothing

OTHER = "two.internal:8080:aaaaaaaaaaaaaaaa"
DEAD = "three.internal:8080:bbbbbbbbbbbbbbbb"
TELEGRAM, DISCORD, FORMER = "telegram:7000000042", "discord:42", "telegram:11"
TOKEN = "7000000042:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsawz"


async def beat(identity: str, ago: float = 0, *, version: str = __version__) -> None:
    """Write a daemon's heartbeat of so many seconds ago; it started 61 minutes before."""
    seen = f"clock_timestamp() - INTERVAL '{ago} seconds'"
    sql = f"INSERT INTO daemons VALUES (?, 'host', ?, {seen} - INTERVAL '61 minutes', {seen})"  # noqa: S608
    await query(connection(), sql, [identity, version])


async def lead(bot: str, holder: str, seconds_left: float, *, epoch: int = 1) -> None:
    """Write a bot's lease, taken 150 seconds ago."""
    sql = f"""INSERT INTO leaders VALUES (?, ?, ?, clock_timestamp() - INTERVAL '150 seconds',
        clock_timestamp() + INTERVAL '{seconds_left} seconds')"""  # noqa: S608
    await query(connection(), sql, [bot, holder, epoch])


@asynccontextmanager
async def one_of_three() -> AsyncIterator[Api]:
    """A daemon beside one that leads the Telegram bot and one that was killed as it led Discord's."""
    await beat(DAEMON)
    await beat(OTHER)
    await beat(DEAD, 90)
    await lead(TELEGRAM, OTHER, 5, epoch=7)
    await lead(DISCORD, DEAD, -84, epoch=3)
    await lead(FORMER, DEAD, -3600)
    async with serving(ManualClock(datetime.now(UTC))) as api:
        for bot in (TELEGRAM, DISCORD):
            api.services.membership.mandate(bot, take_over=nothing, on_change=lambda _leads: None)
        yield api


@pytest.mark.usefixtures("postgres")
async def test_a_daemon_that_died_is_told_of_until_another_one_runs_in_its_place() -> None:
    await beat("a:1:first", 3000)
    await beat("a:1:second", 60)
    await beat("a:2:first", 60)
    await beat("a:2:second")
    await beat("b:1:first", 13)
    await beat("c:1:first", 25 * 3600)

    roster = await read_roster(())

    told = [(each.identity, each.is_alive) for each in roster.daemons]
    assert told == [("a:2:second", True), ("b:1:first", True), ("a:1:second", False)]


@pytest.mark.usefixtures("postgres")
async def test_a_bot_is_unled_since_the_last_lease_ended_or_since_daemons_run() -> None:
    await beat(OTHER)
    await lead("a", OTHER, 5)
    await lead("b", DEAD, -20)
    await lead("c", "", -20)
    await lead("nobody's any more", OTHER, -20)

    roster = await read_roster(["a", "b", "c", "never"])

    unled = {each.bot: round(each.unled_for.total_seconds()) for each in roster.bots}
    assert unled == {"a": 0, "b": 20, "c": 20, "never": 3660}
    assert [each.bot for each in roster.bots_of(OTHER)] == ["a"]
    assert [each.bot for each in roster.unled] == ["b", "c", "never"]


@pytest.mark.usefixtures("postgres")
async def test_readiness_tells_who_lives_and_leads_and_nothing_of_machines() -> None:
    async with one_of_three() as api:
        reply = await api.call("GET", "/readyz")

    own, other, dead = (each.rpartition(":")[2] for each in (DAEMON, OTHER, DEAD))
    body = reply.body
    alive = {each["id"]: (each["alive"], each["answering"]) for each in body["daemons"]}
    assert reply.status == 200
    assert alive == {own: (True, True), other: (True, False), dead: (False, False)}
    assert {each["bot"]: each["daemon"] for each in body["leaders"]} == {TELEGRAM: other, DISCORD: None}
    assert {each["version"] for each in body["daemons"]} == {__version__}
    assert "internal" not in reply.text
    assert "host" not in reply.text


@pytest.mark.usefixtures("postgres")
async def test_the_metrics_count_daemons_and_tell_how_long_a_bot_is_led_or_not() -> None:
    async with one_of_three() as api:
        await beat("four.internal:8080:cc", version="0.0.9")
        samples = Samples((await api.call("GET", "/metrics")).text)

    assert samples.by_label("pingpilot_daemons", "state", "version") == {
        ("alive", __version__): 2,
        ("alive", "0.0.9"): 1,
        ("dead", __version__): 1,
    }
    assert samples.by_label("pingpilot_leader", "bot") == {(TELEGRAM,): 0, (DISCORD,): 0}
    assert samples.by_label("pingpilot_leader_epoch", "bot") == {(TELEGRAM,): 7, (DISCORD,): 3}
    unled = samples.by_label("pingpilot_bot_unled_seconds", "bot")
    assert unled[TELEGRAM,] == 0
    assert 84 <= unled[DISCORD,] < 144
    since = samples.by_label("pingpilot_leader_since_seconds", "bot")
    assert since.keys() == {(TELEGRAM,)}
    assert 150 <= datetime.now(UTC).timestamp() - since[TELEGRAM,] < 210


@pytest.mark.usefixtures("postgres")
async def test_an_operator_sees_the_daemons_and_who_leads() -> None:
    async with one_of_three() as api, a_person(api) as person:
        await beat("<b>four</b>:8080:cc", version="0.0.9")
        await person.sign_in((await api.sign_up("ada@example.com")).account)
        page = await person.get("/operator")

    text = text_of(page)
    assert "Daemons on this database 3 running" in text
    assert "this-host:8080 running" in text
    assert text.count("shows you this page") == 1
    assert "<b>four</b>:8080 running version 0.0.9 · started 1 hour ago" in text
    assert "two.internal:8080 running" in text
    assert "leads Telegram 7000000042 · took over 2 minutes ago" in text
    assert "three.internal:8080 not seen any more" in text
    assert "Discord 42 nobody leads it The last one that did stopped 1 minute ago" in text
    assert FORMER.partition(":")[2] + " nobody" not in text


@pytest.mark.usefixtures("sqlite")
async def test_on_sqlite_there_is_one_daemon_and_no_word_of_others(clock: ManualClock) -> None:
    async with serving(clock) as api, a_person(api) as person:
        await person.sign_in((await api.sign_up("ada@example.com")).account)
        page = await person.get("/operator")
        samples = Samples((await api.call("GET", "/metrics")).text)

    assert samples.by_label("pingpilot_daemons", "state", "version") == {("alive", __version__): 1}
    assert samples.by_label("pingpilot_leader", "bot") == {}
    assert "Daemons on this database" not in page.text


def a_roster(*bots: LedBot, **daemons: tuple[str, float]) -> Roster:
    """Return daemons by host, each with its version and the seconds since it was seen."""
    at = datetime(2026, 11, 27, tzinfo=UTC)
    known = [
        KnownDaemon(f"{host}:8080:f", version, at, at, timedelta(seconds=ago), is_alive=ago < 15)
        for host, (version, ago) in daemons.items()
    ]
    return Roster(tuple(known), bots)


def a_bot(unled_for: float, leader: str = "") -> LedBot:
    return LedBot(TELEGRAM, leader, None, 1, timedelta(seconds=unled_for))


OWN = __version__


@pytest.mark.parametrize(
    ("roster", "level", "says"),
    [
        (a_roster(), Level.OK, "None runs on this database."),
        (a_roster(a_bot(9999), a=(OWN, 400)), Level.WARNING, "Not seen any more: a:8080 (6 min). Killed"),
        (a_roster(a_bot(0, "a:8080:f"), a=(OWN, 1)), Level.OK, f"a:8080; {TELEGRAM} is led by a:8080."),
        (a_roster(a_bot(14), a=(OWN, 1), b=(OWN, 2)), Level.OK, "2 on this database: a:8080, b:8080."),
        (a_roster(a_bot(16), a=(OWN, 1)), Level.WARNING, f"Nobody has led {TELEGRAM} for 16 s"),
        (
            a_roster(a=(OWN, 1), b=("0.0.9", 1)),
            Level.WARNING,
            f"Not all are of this version ({OWN}): 0.0.9 at b:8080; {OWN} at a:8080.",
        ),
    ],
)
def test_the_doctor_judges_them(roster: Roster, level: Level, says: str) -> None:
    [finding] = judged(roster)

    assert finding.level is level
    assert says in finding.text
    assert (finding.advice is None) == (level is Level.OK)


async def test_the_command_lists_them_and_tells_no_token(postgres: str, tmp_path: Path) -> None:
    settings = {f"{PREFIX}DATABASE_URL": postgres, f"{PREFIX}TELEGRAM_TOKEN": TOKEN}
    await beat(OTHER)
    await beat(DEAD, 90)
    await lead(TELEGRAM, OTHER, 600, epoch=7)

    listed, told = await asyncio.gather(
        *(command("daemons", *each, settings=settings, folder=tmp_path) for each in ((), ("--json",)))
    )

    lines = [line.split() for line in listed.out.splitlines()]
    assert lines[0][:2] == ["DAEMON", "ID"]
    assert lines[1][:3] == ["two.internal:8080", "aaaaaaaaaaaaaaaa", __version__]
    assert lines[2][0] == "three.internal:8080"
    assert listed.out.splitlines()[2].endswith("not seen any more")
    assert lines[5][:2] == [TELEGRAM, "two.internal:8080"]
    assert [(each["place"], each["alive"]) for each in told.json["daemons"]] == [
        ("two.internal:8080", True),
        ("three.internal:8080", False),
    ]
    [leader] = told.json["leaders"]
    assert (leader["bot"], leader["daemon"], leader["epoch"]) == (TELEGRAM, "aaaaaaaaaaaaaaaa", 7)
    for each in (listed, told):
        assert TOKEN.partition(":")[2] not in each.out + each.err
