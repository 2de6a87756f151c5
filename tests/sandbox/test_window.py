"""The sandbox's page: it takes what was meant for it, from its own page alone, and any words."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

import aiohttp
import pytest

from pingpilot.channels import CHANNELS, load
from pingpilot.client import ClientError
from pingpilot.errors import TooMany
from pingpilot.listening import listening_socket
from pingpilot.sandbox.person import Person
from pingpilot.sandbox.platforms import Platform
from pingpilot.sandbox.window import HOST, Window
from pingpilot.sandbox.window.transcript import MOST, Transcript

HOSTILE = "<script>alert(1)</script>"
FROM_ITS_PAGE: Mapping[str, str] = {"Sec-Fetch-Site": "same-origin"}


@dataclass
class Looking:
    """A browser at a window whose bots are away."""

    window: Window
    session: aiohttp.ClientSession

    async def get(self, path: str, **headers: str) -> tuple[int, str]:
        async with self.session.get(self.window.url + path, headers=headers, allow_redirects=False) as answer:
            return answer.status, await answer.text()

    async def post(
        self, path: str, headers: Mapping[str, str] = FROM_ITS_PAGE, **form: str
    ) -> tuple[int, str]:
        async with self.session.post(
            self.window.url + path, headers=headers, data=form, allow_redirects=False
        ) as answer:
            return answer.status, answer.headers.get("Location", "") or await answer.text()


@pytest.fixture
async def looking() -> AsyncIterator[Looking]:
    async def refuse() -> str:
        raise TooMany("That was too often: try again in 10 minutes.")

    async def fail() -> None:
        raise ClientError("PingPilot can't be reached.")

    async def code(_room: str | None) -> str:
        return "ABCD2345"

    async with AsyncExitStack() as stack:
        platforms: dict[str, Platform] = {
            name: await stack.enter_async_context(load(kind.stand_in or "")())
            for name, kind in CHANNELS.items()
        }
        person = Person(platforms, new_code=code, new_link=refuse, curl="curl it")
        window = await stack.enter_async_context(
            Window(
                listening_socket(HOST, 0),
                platforms,
                person,
                new_link=refuse,
                send=fail,
                curl="curl it",
                assets={"pingpilot.css": b"a {}"},
            )
        )
        session = await stack.enter_async_context(aiohttp.ClientSession())
        yield Looking(window, session)


async def test_it_is_shown_to_its_own_address_alone(looking: Looking) -> None:
    port = looking.window.url.rpartition(":")[2].strip("/")

    status, page = await looking.get("")
    by_name, _ = await looking.get("", Host=f"localhost:{port}")
    refused = [await looking.get("", Host=host) for host in ("evil.example", f"evil.example:{port}", HOST)]

    assert (status, by_name) == (200, 200)
    assert "Nothing has come yet" in page
    assert "curl it" in page
    assert {status for status, _ in refused} == {403}
    assert all("takes nothing from other pages" in text for _, text in refused)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"},
    ],
)
async def test_a_form_is_taken_from_its_own_page_alone(looking: Looking, headers: dict[str, str]) -> None:
    status, _ = await looking.post("discord", headers, do="code")

    assert status == 403
    assert "ABCD2345" not in (await looking.get(""))[1]


async def test_what_can_not_be_done_is_said_in_its_chat(looking: Looking) -> None:
    answers = [
        await looking.post("discord", words=f"{HOSTILE} nonsense"),
        await looking.post("discord", words="add \x00 #"),
        await looking.post("discord", words="/", where="#nowhere"),
        await looking.post("discord/press", message=HOSTILE, action=HOSTILE),
        await looking.post("telegram", words="#none /help"),
        await looking.post("telegram", words="press Retry 1"),
        await looking.post("telegram/press", message="1.2"),
        await looking.post("telegram", do="code"),
        await looking.post("telegram", do="dance"),
        await looking.post("telegram"),
        await looking.post("send"),
    ]

    page = (await looking.get(""))[1]

    assert {status for status, _ in answers} == {303}
    assert answers[0][1] == "/?at=discord"
    assert HOSTILE not in page
    for told in ("Code: ABCD2345", "There is no room #none", "That message is gone.", "can&#39;t be reached"):
        assert told in page


async def test_what_is_not_there_or_too_large_is_refused(looking: Looking) -> None:
    assert (await looking.get("assets/pingpilot.css")) == (200, "a {}")
    assert (await looking.get("assets/..%2fpage.html"))[0] == 404
    assert (await looking.get("mail/own-1"))[0] == 404
    assert (await looking.get("?mail=own-1&at=%22%3E"))[0] == 200
    assert (await looking.post("smoke", words="signals"))[0] == 404
    assert (await looking.post("email", words="Hello"))[0] == 404
    assert (await looking.post("discord", words="x" * 100_000))[0] == 413
    assert await looking.get("dashboard") == (429, "That was too often: try again in 10 minutes.\n")


def test_a_transcript_keeps_the_latest_and_each_once() -> None:
    told = list[int]()
    transcript = Transcript(lambda: told.append(1))

    for number in range(MOST + 5):
        transcript.said(f"line {number}")

    assert len(transcript.entries) == MOST
    assert transcript.entries[0].text == "line 5"
    assert len(told) == MOST + 5
