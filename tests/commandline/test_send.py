"""`pingpilot send`, against a real daemon."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from tests.support.daemon import Daemon, Ended, a_daemon, command, execute, free_port, running
from tests.support.databases import SqliteCopies
from tests.support.proxy import Proxy, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

TYPED = ("amount=99.99", "count=3", "paid=true", "word=tru", "id=007", "nothing=null", "big=1e999", "sum=a=b")
TEXTS = ("python=3.10", "id=1e5", "ratio=1.0", "sign=-0", "plus=+1", "limit=NaN")


class Shop:
    """A running daemon with one account, which sends."""

    def __init__(self, daemon: Daemon, key: str) -> None:
        self.daemon = daemon
        self.key = key

    async def send(
        self, *words: str, url: str = "", key: str | None = None, standard_input: bytes | None = None
    ) -> Ended:
        """Run `pingpilot send` with address and key in the environment."""
        settings = {
            "PINGPILOT_URL": url or self.daemon.base_url,
            "PINGPILOT_API_KEY": self.key if key is None else key,
        }
        return await command(
            "send", *words, settings=settings, folder=self.daemon.folder, standard_input=standard_input
        )

    async def event(self, sent: Ended) -> dict[str, Any]:
        """Return the event whose id was printed."""
        answer = await self.daemon.get(f"/api/v1/events/{sent.out.strip()}", key=self.key)
        return dict(answer.body)

    async def events_used(self) -> int:
        """Return how many events were accepted so far."""
        answer = await self.daemon.get("/api/v1/quota", key=self.key)
        return int(answer.body["eventsUsed"])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(sqlite_copies: SqliteCopies, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    folder = tmp_path_factory.mktemp("shop")
    async with a_daemon({}, database_url=sqlite_copies.new(folder), folder=folder) as daemon:
        _, key = await asyncio.gather(daemon.start(), daemon.create_account("shop@example.com", channels=[]))
        yield Shop(daemon, key)


async def test_an_event_is_sent_with_its_description_and_typed_fields(shop: Shop) -> None:
    fields = [word for text in TYPED for word in ("-f", text)]

    sent = await shop.send("sale", "-d", "Somebody bought a lamp", *fields)

    event = await shop.event(sent)
    assert sent.code == 0
    assert sent.err.startswith(
        "Warning: The event is stored but goes nowhere: "
    )  # the account has no channel
    assert (event["category"], event["description"]) == ("sale", "Somebody bought a lamp")
    assert event["fields"] == {
        "amount": 99.99,
        "count": 3,
        "paid": True,
        "word": "tru",
        "id": "007",
        "nothing": "null",
        "big": "1e999",
        "sum": "a=b",
    }


async def test_a_number_whose_text_would_not_survive_stays_text(shop: Shop) -> None:
    fields = [word for text in TEXTS for word in ("-f", text)]

    sent = await shop.send("sale", *fields)

    event = await shop.event(sent)
    assert event["fields"] == dict(text.split("=") for text in TEXTS)


async def test_a_dash_reads_the_description_from_standard_input(shop: Shop) -> None:
    piped = await shop.send("sale", "-d", "-", standard_input="\ufeffLine 1\nÄ third\n".encode())
    too_long = await shop.send("sale", "-d", "-", standard_input=b"x" * 200_000)

    assert (await shop.event(piped))["description"] == "Line 1\nÄ third"
    assert too_long.code == 1
    assert "up to 4,000 characters" in only_line(too_long)


async def test_an_event_is_sent_with_title_and_link(shop: Shop) -> None:
    sent = await shop.send("sale", "--title", "Order 1042", "--link", "https://shop.example/orders/1042")
    refused = await shop.send("sale", "--link", "shop.example")

    event = await shop.event(sent)
    assert (event["title"], event["url"]) == ("Order 1042", "https://shop.example/orders/1042")
    assert (refused.code, "http or https address" in only_line(refused)) == (1, True)


async def test_a_closed_standard_input_is_told(shop: Shop) -> None:
    script = f"exec {sys.executable} -m pingpilot send sale --key {shop.key} -d - <&-"

    ended = await execute("sh", "-c", script, settings={}, folder=shop.daemon.folder)

    assert ended.code == 2
    assert "-d - reads standard input, and that is closed" in only_line(ended)


async def test_options_win_over_the_environment(shop: Shop) -> None:
    options = ("--url", f"{shop.daemon.base_url}/", "--key", shop.key)

    sent = await shop.send("bug", *options, url="http://127.0.0.1:1", key="pp_wrong")

    assert (await shop.event(sent))["description"] == "A new bug event has occurred!"


async def test_a_refused_event_is_the_daemons_sentence(shop: Shop) -> None:
    before = await shop.events_used()

    wrong_key = await shop.send("sale", key="pp_wrong")
    wrong_category = await shop.send("sales")

    assert (wrong_key.code, wrong_category.code) == (1, 1)
    assert "key" in only_line(wrong_key)
    assert "did you mean 'sale'?" in only_line(wrong_category)
    assert await shop.events_used() == before


async def test_what_is_no_pingpilot_is_told(shop: Shop) -> None:
    async with serving(hello) as url:
        sent = await shop.send("sale", url=url)

    assert sent.code == 1
    assert "is not a PingPilot: check --url" in only_line(sent)


async def test_what_can_not_be_sent_is_told_before_any_try(shop: Shop) -> None:
    without_key = await shop.send("sale", key="")
    without_value = await shop.send("sale", "-f", "amount")
    nowhere = await shop.send("sale", url="not an address")

    assert (without_key.code, without_value.code, nowhere.code) == (2, 2, 2)
    assert "pass --key or set PINGPILOT_API_KEY" in only_line(without_key)
    assert "write it as KEY=VALUE" in only_line(without_value)
    assert "check --url" in only_line(nowhere)


async def test_an_event_whose_answers_are_lost_is_sent_again_and_stored_once(shop: Shop) -> None:
    before = await shop.events_used()
    proxy = Proxy(shop.daemon.base_url, loses_answers=True)

    async with serving(proxy.handle) as url:
        sent = await shop.send("sale", url=url)

    assert len(proxy.idempotency_keys) == 3
    assert await shop.events_used() == before + 1
    assert (await shop.event(sent))["category"] == "sale"


async def test_what_is_waited_for_is_said_at_the_first_retry(shop: Shop) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    settings = {"PINGPILOT_URL": url, "PINGPILOT_API_KEY": shop.key}

    async with running("send", "sale", settings=settings, folder=shop.daemon.folder) as sending:
        assert sending.stderr
        async with asyncio.timeout(30):
            said = (await sending.stderr.readline()).decode()
        with pytest.raises(TimeoutError):  # nothing of the tries after it
            await asyncio.wait_for(sending.stderr.read(1), 3)

    assert said.startswith(f"{url} can't be reached: ")
    assert said.endswith(" Trying again for 60 s; Ctrl-C ends it.\n")


async def test_a_daemon_that_comes_up_late_gets_the_event(
    shop: Shop, sqlite_copies: SqliteCopies, tmp_path: Path
) -> None:
    async with a_daemon({}, database_url=sqlite_copies.new(tmp_path), folder=tmp_path) as late:
        late_shop = Shop(late, await late.create_account(channels=[]))

        async with nobody_home(late.base_url) as knocked:
            sending = asyncio.create_task(late_shop.send("sale"))
            await knocked.wait()
        await late.start()
        sent = await sending

        assert sent.code == 0
        assert await late_shop.events_used() == 1


async def hello(_request: web.Request) -> web.StreamResponse:
    return web.Response(text="<h1>Hello</h1>")


@asynccontextmanager
async def nobody_home(url: str) -> AsyncIterator[asyncio.Event]:
    """Hang up on whoever connects to this address; the event tells that somebody did."""
    knocked = asyncio.Event()

    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        knocked.set()

    host, port = url.removeprefix("http://").split(":")
    async with await asyncio.start_server(hang_up, host, int(port)):
        yield knocked


def only_line(ended: Ended) -> str:
    """Return the one line of an error message, of which there must be no more."""
    assert ended.out == ""
    assert len(ended.err.splitlines()) == 1, ended.err
    return ended.err
