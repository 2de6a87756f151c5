"""Callers that are slow on purpose, bytes that are no HTTP, and expectations."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import pytest

from api.requests import bodies
from pingpilot.telemetry.logs import configure_logging
from tests.support.clock import ManualClock
from tests.support.waiting import until

from .api import ON_SQLITE, Api, serving
from .calls import ALL, WITH_BODY, Example

pytestmark = ON_SQLITE

HEAD = b"GET /healthz HTTP/1.1\r\nHost: here\r\n"


@asynccontextmanager
async def connected(api: Api) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    address = urlsplit(api.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        async with asyncio.timeout(10):
            yield reader, writer
    finally:
        writer.close()


async def whole_reply(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    status, *lines = head.strip().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return int(status.split()[1]), headers, await reader.readexactly(int(headers["Content-Length"]))


@pytest.fixture
async def hasty(database: str, clock: ManualClock) -> AsyncIterator[Api]:
    """An API that waits half a second for a request's head."""
    async with serving(clock, head_timeout=0.5) as served:
        yield served


@pytest.mark.parametrize("sent", [b"", b"G", HEAD, HEAD + b"X-Slow: "])
async def test_headers_that_do_not_come_cut_the_connection(hasty: Api, sent: bytes) -> None:
    async with connected(hasty) as (reader, writer):
        writer.write(sent)

        assert await reader.read() == b""


async def test_headers_that_trickle_in_cut_the_connection(hasty: Api) -> None:
    async with connected(hasty) as (reader, writer):
        ended = asyncio.create_task(reader.read())
        writer.write(HEAD)
        while not ended.done():
            writer.write(b"X")  # one header's name, which never ends
            await asyncio.sleep(0.02)

        with suppress(ConnectionResetError):  # a byte that crosses the end is answered with a reset
            assert await ended == b""


async def test_a_connection_that_is_kept_open_may_rest_longer_than_a_head_may_take(hasty: Api) -> None:
    async with connected(hasty) as (reader, writer):
        writer.write(HEAD + b"\r\n")
        first = await whole_reply(reader)
        await asyncio.sleep(0.8)  # longer than a head may take
        writer.write(HEAD + b"\r\n")
        second = await whole_reply(reader)

    assert (first[0], second[0]) == (200, 200)


async def test_a_body_that_comes_after_its_answer_is_no_slow_head(hasty: Api) -> None:
    async with connected(hasty) as (reader, writer):
        writer.write(b"POST /api/v1/event HTTP/1.1\r\nHost: here\r\nContent-Length: 2\r\n\r\n")
        refused = await whole_reply(reader)
        writer.write(b"{}")
        await asyncio.sleep(0.8)  # longer than a head may take
        writer.write(HEAD + b"\r\n")
        next_ = await whole_reply(reader)

    assert (refused[0], next_[0]) == (401, 200)


async def test_the_next_head_on_a_kept_connection_is_waited_for_no_longer(hasty: Api) -> None:
    async with connected(hasty) as (reader, writer):
        writer.write(HEAD + b"\r\n")
        await whole_reply(reader)
        writer.write(HEAD)

        assert await reader.read() == b""


@pytest.mark.parametrize("call", WITH_BODY, ids=" ".join)
async def test_a_body_that_does_not_come_is_given_up(
    api: Api, monkeypatch: pytest.MonkeyPatch, call: Example
) -> None:
    monkeypatch.setattr(bodies, "BODY_TIMEOUT", 0.2)
    shop = await api.sign_up()
    head = f"{' '.join(call)} HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {shop.key}\r\n"

    async with connected(api) as (reader, writer):
        writer.write(head.encode() + b"Content-Length: 100\r\n\r\n{")
        status, headers, body = await whole_reply(reader)

    assert (status, json.loads(body)["code"]) == (408, "request_timeout")
    assert headers["Connection"] == "close"
    assert "X-Request-Id" in headers
    assert await shop.stored_events() == 0


@pytest.mark.parametrize("call", ALL, ids=" ".join)
async def test_headers_that_are_none_are_refused_whatever_the_call(api: Api, call: Example) -> None:
    async with connected(api) as (reader, writer):
        writer.write(f"{' '.join(call)} HTTP/1.1\r\nno colon\r\n\r\n".encode())
        status, _, body = await whole_reply(reader)

    assert (status, json.loads(body)["code"]) == (400, "bad_request")


POST = b"POST /api/v1/event HTTP/1.1\r\nHost: here\r\n"
NO_HTTP: dict[str, bytes] = {
    "a greeting of TLS": bytes.fromhex("16030100a5010000a10303") + bytes(200),
    "a greeting of SMTP": b"HELO example.com\r\n\r\n",
    "an unknown version": b"GET /healthz HTTP/9.9\r\n\r\n",
    "a method with NUL": POST.replace(b"POST", b"PO\0ST") + b"\r\n",
    "a path with NUL": POST.replace(b"event", b"\0") + b"\r\n",
    "a long path": b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: here\r\n\r\n",
    "a header without a colon": HEAD + b"no colon\r\n\r\n",
    "a header without a name": HEAD + b": x\r\n\r\n",
    "a long header": HEAD + b"X-Long: " + b"x" * 9000 + b"\r\n\r\n",
    "many headers": HEAD + b"".join(b"X-%d: 1\r\n" % n for n in range(200)) + b"\r\n",
    "a negative length": HEAD + b"Content-Length: -1\r\n\r\n",
    "two lengths": POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
    "a length and chunks": POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
}


@pytest.mark.parametrize("name", NO_HTTP)
async def test_what_is_no_http_gets_an_error_in_the_common_shape(api: Api, name: str) -> None:
    async with connected(api) as (reader, writer):
        writer.write(NO_HTTP[name])
        status, headers, body = await whole_reply(reader)
        after = await reader.read()

    assert (status, json.loads(body)["code"]) == (400, "bad_request")
    assert set(json.loads(body)) == {"message", "code"}
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Request-Id"]
    assert headers["Server"] == "PingPilot"
    assert after == b""


GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.mark.parametrize("path", ["/api/v1/event", "/nowhere", "/healthz"])  # there, not there, wrong method
@pytest.mark.parametrize("expect", ["100-nothing", "200-ok, 100-continue", "\u00e9"])
async def test_an_expectation_nobody_knows_gets_an_error_in_the_common_shape(
    api: Api, path: str, expect: str
) -> None:
    async with connected(api) as (reader, writer):
        writer.write(
            f"POST {path} HTTP/1.1\r\nHost: here\r\nExpect: {expect}\r\nContent-Length: 9\r\n\r\n".encode()
        )
        status, headers, body = await whole_reply(reader)

    assert (status, json.loads(body)["code"]) == (400, "bad_request")
    assert "'100-continue'" in json.loads(body)["message"]
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Request-Id"]
    assert headers["Connection"] == "close"  # whether the body comes after that, nobody can tell


async def test_who_asks_before_sending_a_body_is_told_to_go_on(api: Api) -> None:
    shop = await api.sign_up()
    body = json.dumps({"category": "sale"}).encode()
    head = f"POST /api/v1/event HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {shop.key}\r\n"

    async with connected(api) as (reader, writer):
        writer.write(f"{head}Expect: 100-Continue\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        interim = await reader.readexactly(len(GO_ON))
        writer.write(body)
        status, _, _ = await whole_reply(reader)

    assert (interim, status) == (GO_ON, 200)
    assert await shop.stored_events() == 1


def plain_socket(api: Api) -> socket.socket:
    """Return a connection that takes as few bytes as the machine lets it."""
    address = urlsplit(api.url)
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plain.connect((address.hostname, address.port))
    plain.setblocking(False)
    return plain


@pytest.mark.parametrize("closes", [b"", b"Connection: close\r\n"], ids=["kept", "closed"])
async def test_who_never_takes_an_answer_is_cut_off(database: str, clock: ManualClock, closes: bytes) -> None:
    ask = b"GET /openapi.json HTTP/1.1\r\nHost: here\r\n"
    loop = asyncio.get_running_loop()
    async with serving(clock, write_timeout=0.5) as api:
        with plain_socket(api) as plain:
            await loop.sock_sendall(plain, (ask + b"\r\n") * 150 + ask + closes + b"\r\n")

            def is_cut_off() -> bool:
                try:
                    plain.send(b"X")
                except BlockingIOError:
                    return False
                except (ConnectionResetError, BrokenPipeError):
                    return True
                return False

            await until(is_cut_off)
        assert (await api.call("GET", "/healthz")).status == 200


async def test_who_takes_an_answer_slowly_gets_all_of_it(database: str, clock: ManualClock) -> None:
    loop = asyncio.get_running_loop()
    async with serving(clock, write_timeout=0.5) as api:
        whole = len((await api.call("GET", "/openapi.json")).text.encode())
        with plain_socket(api) as plain:
            head = b"GET /openapi.json HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"
            await loop.sock_sendall(plain, head)
            taken = 0
            while some := await loop.sock_recv(plain, 16384):
                taken += len(some)
                await asyncio.sleep(0.05)

    assert taken > whole


async def test_who_asks_before_sending_and_leaves_is_worth_no_line(
    api: Api, fresh_log: None, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(level="INFO", format_="console", secrets=[])
    ask = b"POST /api/v1/event HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
    for number in range(50):
        plain = plain_socket(api)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close() resets
        plain.send(ask)
        if number % 2:
            await asyncio.sleep(0)
        plain.close()

    answer = await api.call("GET", "/healthz")

    assert answer.status == 200
    assert capsys.readouterr().err == ""
