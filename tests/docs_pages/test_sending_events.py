"""Every program of docs/sending-events.md runs as it stands there, against a real daemon."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from pingpilot.sandbox.smtp import MailStandIn
from tests.support.daemon import Daemon, Ended, a_daemon
from tests.support.databases import SqliteCopies
from tests.support.proxy import Proxy, serving
from tests.support.waiting import eventually

from .programs import PAGE, Program, last_step, programs, workflow

pytestmark = pytest.mark.asyncio(loop_scope="module")

LANGUAGES = {
    "curl",
    "Python with the client",
    "Python",
    "JavaScript",
    "Go",
    "PHP",
    "Ruby",
    "Java",
    "PowerShell",
    "GitHub Actions",
}
PROGRAMS = [pytest.param(program, id=program.name) for program in programs()]
RUNNER = {
    "GITHUB_ACTOR": "ada",
    "GITHUB_JOB": "tests",
    "GITHUB_REF_NAME": '$(touch "$HOME") `"',
    "GITHUB_REPOSITORY": "ada/lamps",
    "GITHUB_RUN_ID": "1658821493",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_WORKFLOW": "tests",
}
"""What GitHub's runners set, with the name of a branch that nobody should run."""
SALE = {
    "category": "sale",
    "description": "Somebody bought a lamp",
    "fields": {"amount": 99.99, "express": True, "customer": "Ada"},
}
FAILURE = {
    "category": "bug",
    "description": 'tests failed on $(touch "$HOME") `"',
    "fields": {
        "repository": "ada/lamps",
        "by": "ada",
        "run": "https://github.com/ada/lamps/actions/runs/1658821493",
    },
}


@dataclass(frozen=True, slots=True)
class Keys:
    """API keys of three accounts."""

    good: str
    without_categories: str
    without_quota: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error of the API that another try does not mend, and a part of its message."""

    status: int
    code: str
    sentence: str
    key_of: Callable[[Keys], str]


REFUSALS = (
    Refusal(401, "invalid_api_key", "is not valid", lambda _: "pp_wrong"),
    Refusal(404, "category_not_found", "no category", lambda keys: keys.without_categories),
    Refusal(429, "quota_exceeded", "events are used up", lambda keys: keys.without_quota),
)


@dataclass(frozen=True, slots=True)
class World:
    """A running daemon that sends e-mails, and its accounts."""

    daemon: Daemon
    keys: Keys

    async def run(self, program: Program, folder: Path, *, url: str = "", key: str = "") -> Ended:
        """Run a program, with the good key and the daemon's address unless others are given."""
        if program.missing:
            if os.environ.get("CI") and not program.is_optional:
                pytest.fail(f"{program.missing} .ci/run installs it.")
            pytest.skip(program.missing)
        settings = {
            **RUNNER,
            "GITHUB_RUN_ATTEMPT": folder.name,  # a run of its own
            "NO_PROXY": "127.0.0.1",
            "PINGPILOT_URL": url or self.daemon.base_url,
            "PINGPILOT_API_KEY": key or self.keys.good,
        }
        return await program.run(folder, settings)

    async def event(self, ended: Ended) -> dict[str, Any]:
        """Return the event whose id was printed."""
        answer = await self.daemon.get(f"/api/v1/events/{ended.out.strip()}", key=self.keys.good)
        return dict(answer.body)

    async def events_used(self) -> int:
        """Return how many events of the account were accepted so far."""
        answer = await self.daemon.get("/api/v1/quota", key=self.keys.good)
        return int(answer.body["eventsUsed"])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(
    sqlite_copies: SqliteCopies, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("shop")
    async with AsyncExitStack() as stack:
        mail = await stack.enter_async_context(MailStandIn())
        settings = {
            "PINGPILOT_SMTP_HOST": mail.host,
            "PINGPILOT_SMTP_PORT": str(mail.port),
            "PINGPILOT_SMTP_SECURITY": "none",
            "PINGPILOT_SMTP_FROM": "alerts@example.com",
        }
        made = a_daemon(settings, database_url=sqlite_copies.new(folder), folder=folder)
        daemon = await stack.enter_async_context(made)
        await daemon.start()
        yield World(daemon, await make_accounts(daemon))


async def make_accounts(daemon: Daemon) -> Keys:
    keys = [
        await daemon.create_account("ada@example.com", channels=["email"]),
        await daemon.create_account("bob@example.com", channels=["email"]),
        await daemon.create_account("cyd@example.com", channels=["email"], monthly_events=0),
    ]
    for category in ("sale", "bug"):
        removed = await daemon.command("category", "remove", category, "--account", "bob@example.com")
        assert removed.code == 0, removed.err
    return Keys(*keys)


@pytest.mark.parametrize("program", PROGRAMS)
async def test_an_event_is_stored_and_delivered_as_the_page_shows_it(
    program: Program, world: World, tmp_path: Path
) -> None:
    ended = await world.run(program, tmp_path)

    assert (ended.code, ended.err) == (0, "")
    assert re.fullmatch(r"evt_[0-9a-f]{32}\n", ended.out)
    event = await world.event(ended)
    expected = FAILURE if program.language == "yaml" else SALE
    assert {name: event[name] for name in expected} == expected

    async def status() -> str:
        return str((await world.event(ended))["deliveryStatus"])

    await eventually(status, "DELIVERED")


async def test_lost_answers_are_tried_again_and_the_event_is_stored_once(
    world: World, tmp_path: Path
) -> None:
    able = [program for program in programs() if not program.missing]
    before = await world.events_used()

    repeats = await asyncio.gather(*(repeated(program, world, tmp_path) for program in able))

    assert dict(repeats) == {program.name: (0, 3, 1) for program in able}
    assert await world.events_used() == before + len(able)


async def repeated(program: Program, world: World, folder: Path) -> tuple[str, tuple[int, int, int]]:
    """Run a program that loses two answers; return its name, exit code, tries, and their different keys."""
    proxy = Proxy(world.daemon.base_url, loses_answers=True)
    own_folder = folder / program.name.replace(" ", "-")
    own_folder.mkdir()
    async with serving(proxy.handle) as url:
        ended = await world.run(program, own_folder, url=url)
    return program.name, (ended.code, len(proxy.idempotency_keys), len(set(proxy.idempotency_keys)))


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.code)
async def test_a_refused_event_is_not_tried_again_and_its_code_and_message_are_shown(
    program: Program, refusal: Refusal, world: World, tmp_path: Path
) -> None:
    proxy = Proxy(world.daemon.base_url)

    async with serving(proxy.handle) as url:
        ended = await world.run(program, tmp_path, url=url, key=refusal.key_of(world.keys))

    shown = ended.out if program.language == "yaml" else ended.err
    assert ended.code != 0
    assert "evt_" not in ended.out
    assert all(words in shown for words in (str(refusal.status), refusal.code, refusal.sentence))
    assert "pp_" not in shown
    assert len(proxy.idempotency_keys) == 1


@pytest.mark.parametrize("program", PROGRAMS)
async def test_what_is_no_pingpilot_counts_as_a_failure(
    program: Program, world: World, tmp_path: Path
) -> None:
    async def hello(_request: web.Request) -> web.StreamResponse:
        return web.Response(text="<h1>Hello</h1>")

    async with serving(hello) as url:
        ended = await world.run(program, tmp_path, url=url)

    assert ended.code != 0
    assert "evt_" not in ended.out


async def test_the_page_has_a_program_for_each_language() -> None:
    assert {program.name for program in programs()} == LANGUAGES


@pytest.mark.parametrize("program", PROGRAMS)
async def test_a_program_takes_address_and_key_from_its_environment(program: Program) -> None:
    named = {"PINGPILOT_URL", "PINGPILOT_API_KEY", "Idempotency-Key", "/api/v1/event", "too_many_requests"}
    of_curl = named - {"too_many_requests"}  # which it takes for worth another try like any 429

    by_itself = "pingpilot.client" in program.text
    wanted = set() if by_itself else of_curl if "curl" in program.text else named

    assert {word for word in wanted if word not in program.text} == set()
    assert not re.search(r"pp_\w|https?://", program.text)


async def test_a_workflow_runs_nothing_that_other_people_wrote() -> None:
    step = last_step(workflow())

    assert "${{" not in step["run"]
    assert step["env"] == {
        "PINGPILOT_URL": "${{ vars.PINGPILOT_URL }}",
        "PINGPILOT_API_KEY": "${{ secrets.PINGPILOT_API_KEY }}",
    }
    assert step["if"] == "failure()"


async def test_the_page_begins_with_a_list_of_its_programs() -> None:
    listed = re.findall(r"^\| \[(.+?)\]\(#(.+?)\)", PAGE, re.MULTILINE)

    assert {name for name, _ in listed} == LANGUAGES | {"A shell"}
    assert all(anchor == name.lower().replace(" ", "-") for name, anchor in listed)
