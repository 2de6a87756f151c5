"""The bytes of an answer to an event, and of requests that come in close together or large."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from api.server import ApiRunner
from tests.support.waiting import until

from .api import EVENT, ON_SQLITE, Program

BODY = b'{"category": "sale"}'


@asynccontextmanager
async def sent(port: int, data: bytes) -> AsyncIterator[asyncio.StreamReader]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(30):
            writer.write(data)
            yield reader
    finally:
        writer.close()


def event(key: str, *, version: str = "1.1", headers: str = "") -> bytes:
    head = f"POST {EVENT} HTTP/{version}\r\nHost: here\r\nAuthorization: Bearer {key}\r\n{headers}"
    return f"{head}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY


async def answer(reader: asyncio.StreamReader) -> tuple[str, list[tuple[str, str]], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().removesuffix("\r\n\r\n")
    status, *lines = head.split("\r\n")
    headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
    return status, headers, await reader.readexactly(int(dict(headers)["Content-Length"]))


@ON_SQLITE
@pytest.mark.parametrize(
    ("version", "headers", "told", "stays"),
    [
        ("1.1", "", None, True),
        ("1.1", "Connection: close\r\n", "close", False),
        ("1.0", "", None, False),
        ("1.0", "Connection: keep-alive\r\n", "keep-alive", True),
    ],
)
async def test_the_answer_to_an_event_is_the_same_on_every_kind_of_connection(
    shop: Program, version: str, headers: str, told: str | None, stays: bool
) -> None:
    await shop.post()  # from now on both the way to the handler and the program are known
    one = event(shop.key, version=version, headers=headers + "X-Request-Id: mine\r\n")

    async with sent(urlsplit(shop.api.url).port or 0, one * 2 if stays else one) as reader:
        answers = [await answer(reader) for _ in range(2 if stays else 1)]
        if not stays:
            assert await reader.read() == b""

    for status, given, body in answers:
        assert status == f"HTTP/{version} 200 OK"
        assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", dict(given)["Date"])
        names = ["Content-Type", "X-Request-Id", "Server", "RateLimit-Policy", "RateLimit", "Content-Length"]
        assert [name for name, _ in given if name != "Connection"] == [*names, "Date"]
        assert dict(given)["Content-Type"] == "application/json"
        assert dict(given)["X-Request-Id"] == "mine"
        assert dict(given).get("Connection") == told
        assert json.loads(body)["message"] == "Event accepted."


@ON_SQLITE
async def test_events_sent_without_waiting_for_the_answers_are_all_answered_in_order(shop: Program) -> None:
    ids = [f"no-{number}" for number in range(30)]

    requests = [event(shop.key, headers=f"X-Request-Id: {each}\r\n") for each in ids]
    async with sent(urlsplit(shop.api.url).port or 0, b"".join(requests)) as reader:
        answers = [await answer(reader) for _ in ids]

    assert [dict(headers)["X-Request-Id"] for _, headers, _ in answers] == ids
    assert await shop.stored_events() == len(ids)


async def test_a_body_that_was_held_up_while_nobody_read_it_comes_whole() -> None:
    size = 2**22
    held_up: list[bool] = []

    async def count(request: web.Request) -> web.Response:
        await until(lambda: request.protocol._reading_paused)
        held_up.append(True)
        return web.json_response(sum([len(chunk) async for chunk in request.content.iter_any()]))

    app = web.Application()
    app.router.add_post("/", count)
    runner = ApiRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        head = f"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: {size}\r\n\r\n".encode()
        async with sent(runner.addresses[0][1], (head + b"x" * size) * 2) as reader:
            bodies = [(await answer(reader))[2] for _ in range(2)]
    finally:
        await runner.cleanup()

    assert (bodies, held_up) == ([str(size).encode()] * 2, [True] * 2)
