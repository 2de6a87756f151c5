"""The clients against servers that are away, busy, broken or something else altogether."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from pingpilot.client import (
    ApiError,
    NotAPingPilot,
    ProcessingFailed,
    QuotaExceeded,
    TooManyRequests,
    Unreachable,
)
from pingpilot.client.errors import ShuttingDown
from pingpilot.client.replies import MAX_REPLY
from pingpilot.sandbox.faults import Fault
from tests.support.daemon import free_port

from .conftest import Caller, Connect
from .flaky import FlakyPingPilot

HTML = "<h1>Not what you are looking for</h1>"
PASSING = {
    "the connection is reset": Fault.drop(),
    "the answer is lost": Fault.drop(after_accepting=True),
    "the daemon stops": Fault.status(503, body={"message": "Stopping.", "code": "shutting_down"}),
    "the disk is full": Fault.status(500, body={"message": "Not stored.", "code": "processing_failed"}),
    "too many wrong keys": Fault.status(429, body={"message": "Wait.", "code": "too_many_requests"}),
    "a proxy finds nobody": Fault.error(502, HTML),
    "a proxy is busy": Fault.error(503, HTML),
    "a proxy has codes": Fault.status(502, body={"message": "Nobody is there.", "code": "bad_gateway"}),
    "a proxy gives up": Fault.error(504, HTML),
}
STRANGE = {
    "a page": Fault.error(200, HTML),
    "other JSON": Fault.status(200, body={"hello": "world"}),
    "other types": Fault.status(200, body={"eventId": 7}),
    "no object": Fault.error(200, "[]"),
    "deep JSON": Fault.error(200, "[" * 100_000),
    "no UTF-8": Fault.error(404, "\udcff".encode("utf-8", "surrogateescape").decode("latin-1")),
    "another API's error": Fault.status(400, body={"error": "what?"}),
    "another API's code": Fault.status(404, body={"message": "No.", "code": 404}),
    "a server error": Fault.error(500, HTML),
    "too much": Fault.error(200, '{"eventId": "evt_1", "x": "' + "x" * MAX_REPLY + '"}'),
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
async def test_what_passes_is_tried_again_under_one_key(
    patient: Caller, flaky: FlakyPingPilot, fault: Fault
) -> None:
    flaky.misbehave([fault])

    sent = await patient.send("sale", fields={"amount": 1})

    assert len(flaky.keys) == 2
    assert len(set(flaky.keys)) == 1
    assert list(flaky.events.values()) == [{"category": "sale", "description": "", "fields": {"amount": 1}}]
    assert sent.replayed == fault.after_accepting


async def test_a_key_of_ones_own_is_kept_over_all_tries(patient: Caller, flaky: FlakyPingPilot) -> None:
    flaky.misbehave([Fault.drop(), Fault.error(502, HTML)])

    await patient.send(idempotency_key="order-1")

    assert flaky.keys == ["order-1"] * 3


async def test_a_server_that_comes_up_late_gets_the_event(connect: Connect) -> None:
    late = FlakyPingPilot()
    late.port = free_port()
    sending = asyncio.create_task(connect(late.url, "pp_key").send())
    await asyncio.sleep(0)

    async with late:
        sent = await sending

    assert sent.event_id in {f"evt_{0:032x}"}


async def test_a_server_that_never_answers_is_unreachable(connect: Connect, flaky: FlakyPingPilot) -> None:
    flaky.faults.add(Fault.hang(), times=None)
    caller = connect(flaky.url, "pp_key", timeout=0.5, give_up_after=2)

    with pytest.raises(Unreachable, match="did not answer in time"):
        await caller.send()

    assert len(flaky.keys) > 1


async def test_an_answer_that_trickles_is_not_waited_for_beyond_the_time(connect: Connect) -> None:
    async with drip(b" ", every=0.02) as url:
        caller = connect(url, "pp_key", timeout=10, give_up_after=0.5)

        with pytest.raises(Unreachable, match="in time"):
            await caller.send()


async def test_an_answer_without_end_is_not_read_to_its_end(connect: Connect) -> None:
    async with drip(b" " * 2**20, every=0) as url:
        with pytest.raises(NotAPingPilot):
            await connect(url, "pp_key").send()


async def test_nobody_there_is_told_once_the_time_is_over(connect: Connect) -> None:
    url = f"http://127.0.0.1:{free_port()}"

    with pytest.raises(Unreachable, match=url) as failure:
        await connect(url, "pp_key", give_up_after=0.3).send()

    assert (failure.value.__cause__, failure.value.__context__) == (None, None)


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (503, "shutting_down", ShuttingDown),
        (429, "too_many_requests", TooManyRequests),
        (500, "processing_failed", ProcessingFailed),
    ],
)
async def test_a_wait_beyond_the_time_is_not_begun(
    connect: Connect, flaky: FlakyPingPilot, status: int, code: str, error: type[ApiError]
) -> None:
    flaky.refuse(status, code, headers={"Retry-After": "31"})

    with pytest.raises(error) as refusal:
        await connect(flaky.url, "pp_key").send()

    assert (refusal.value.retry_after, len(flaky.keys)) == (31, 1)


async def test_a_proxy_that_asks_for_a_long_wait_is_not_waited_for(
    patient: Caller, flaky: FlakyPingPilot
) -> None:
    flaky.faults.add(Fault.status(503, headers={"Retry-After": "3600"}))

    with pytest.raises(Unreachable, match="answered 503") as refusal:
        await patient.send()

    assert (refusal.value.retry_after, len(flaky.keys)) == (3600, 1)


@pytest.mark.parametrize("wait", [None, "0", "1"])
async def test_a_used_up_quota_is_never_tried_again(
    patient: Caller, flaky: FlakyPingPilot, wait: str | None
) -> None:
    flaky.refuse(429, "quota_exceeded", headers={"Retry-After": wait} if wait else None)

    with pytest.raises(QuotaExceeded):
        await patient.send()

    assert len(flaky.keys) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 418, 500, 501])
async def test_a_code_nobody_knows_yet_is_an_api_error_with_all_there_is(
    patient: Caller, flaky: FlakyPingPilot, status: int
) -> None:
    flaky.refuse(status, "forbidden", headers={"X-Request-Id": "r-1"}, scope="events")

    with pytest.raises(ApiError, match="This is forbidden") as refusal:
        await patient.send()

    error = refusal.value
    assert type(error) is ApiError
    assert (error.status, error.code, error.message) == (status, "forbidden", "This is forbidden.")
    assert (error.request_id, error.details) == ("r-1", {"scope": "events"})
    assert len(flaky.keys) == 1


@pytest.mark.parametrize("fault", STRANGE.values(), ids=STRANGE)
async def test_what_speaks_another_language_is_no_pingpilot(
    patient: Caller, flaky: FlakyPingPilot, fault: Fault
) -> None:
    flaky.misbehave([fault])

    with pytest.raises(NotAPingPilot, match=f"{flaky.url} is not a PingPilot"):
        await patient.send()

    assert len(flaky.keys) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_the_key_follows_no_redirect(patient: Caller, flaky: FlakyPingPilot, status: int) -> None:
    async with FlakyPingPilot() as elsewhere:
        flaky.faults.add(Fault.status(status, headers={"Location": f"{elsewhere.url}/api/v1/event"}))

        with pytest.raises(NotAPingPilot, match="redirects"):
            await patient.send()

        assert elsewhere.requests == []


async def test_a_request_to_wait_is_given_that_time_on_top(connect: Connect, flaky: FlakyPingPilot) -> None:
    slow = asyncio.Event()
    flaky.faults.add(Fault.hold(slow))
    sending = asyncio.create_task(connect(flaky.url, "pp_key", timeout=0.2, give_up_after=0.2).send(wait=20))
    await flaky.wait_for_requests(1)
    _, still_waiting = await asyncio.wait([sending], timeout=0.5)

    slow.set()

    sent: Any = await sending
    assert still_waiting
    assert flaky.requests[0].headers["Prefer"] == "wait=20"
    assert (sent.replayed, len(flaky.keys)) == (False, 1)


@asynccontextmanager
async def drip(drop: bytes, *, every: float) -> AsyncIterator[str]:
    """A server whose answer does not end, a drop every so many seconds; returns its address."""
    gone = asyncio.Event()

    async def trickle(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
        with suppress(ConnectionError):
            while True:
                writer.write(drop)
                await writer.drain()
                await asyncio.sleep(every)
        writer.close()
        gone.set()

    async with await asyncio.start_server(trickle, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with asyncio.timeout(10):
            await gone.wait()
