"""Real replies have the very members that the document tells."""

from collections.abc import AsyncIterator

import pytest

from api.app import CALLS
from api.errors import codes
from pingpilot.errors import PermanentFailure
from pingpilot.telemetry.health import State

from .api import EVENT, ON_SQLITE, SALE, Api, Program, Reply
from .channels import ScriptedChannel, dispatching

pytestmark = ON_SQLITE

ONE_EVENT, RETRY = "/api/v1/events/{event_id}", "/api/v1/events/{event_id}/retry"


@pytest.fixture
async def email(api: Api) -> AsyncIterator[ScriptedChannel]:
    async with dispatching(api, ScriptedChannel("email")) as channel:
        yield channel


@pytest.fixture
async def mailed(api: Api, email: ScriptedChannel) -> Program:
    """A program whose events go out by e-mail."""
    return await api.sign_up("mailed@example.com", channels=["email"])


def fits(reply: Reply, method: str, path: str) -> bool:
    """Whether the reply has the shape that the call tells for its status; raises where it has not."""
    (call,) = [each for each in CALLS if (each.method, each.path) == (method, path)]
    shape = call.replies[reply.status]
    assert shape
    return bool(shape.model_validate_json(reply.text, strict=True))


def fits_its_code(reply: Reply) -> bool:
    """Whether an error has the status and shape of its code; raises where it has not."""
    code = codes()[reply.body["code"]]
    return code.status == reply.status and bool(code.shape.model_validate_json(reply.text, strict=True))


@pytest.mark.parametrize("prefer", ["", "wait=20"])
async def test_an_accepted_event_has_its_shape(mailed: Program, prefer: str) -> None:
    reply = await mailed.post({**SALE, "fields": {"a": 1, "b": 1.5, "c": "d", "e": True}}, Prefer=prefer)

    assert fits(reply, "POST", EVENT)
    assert ("deliveries" in reply.body) is bool(prefer)


async def test_an_event_that_is_shown_has_its_shape(mailed: Program) -> None:
    posted = await mailed.post({**SALE, "fields": {"a": 1, "b": 1.5}}, Prefer="wait=20")

    shown = await mailed.get(f"/api/v1/events/{posted.body['eventId']}")

    assert fits(shown, "GET", ONE_EVENT)


async def test_an_event_that_failed_has_its_shape_everywhere(mailed: Program, email: ScriptedChannel) -> None:
    email.failure = PermanentFailure("No such mailbox.")

    posted = await mailed.post(SALE, Prefer="wait=20")
    address = f"/api/v1/events/{posted.body['eventId']}"
    shown = await mailed.get(address)
    retried = await mailed.call("POST", f"{address}/retry")

    assert posted.status == 500
    assert fits_its_code(posted)
    assert fits(shown, "GET", ONE_EVENT)
    assert fits(retried, "POST", RETRY)


@pytest.mark.parametrize("monthly_events", [None, 0, 7])
async def test_the_quota_has_its_shape(api: Api, monthly_events: int | None) -> None:
    program = await api.sign_up(monthly_events=monthly_events)

    reply = await program.get("/api/v1/quota")

    assert fits(reply, "GET", "/api/v1/quota")


@pytest.mark.parametrize("stopping", [False, True])
async def test_the_state_of_the_daemon_has_its_shape(api: Api, stopping: bool) -> None:
    api.services.health.report("discord", State.PAUSED, "The token is refused.")
    api.services.stopping = stopping

    alive, ready = await api.call("GET", "/healthz"), await api.call("GET", "/readyz")

    assert fits(alive, "GET", "/healthz")
    assert fits(ready, "GET", "/readyz")
    assert ready.status == (503 if stopping else 200)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "invalid_json"),
        (b"\xff", "invalid_json"),
        (b"[]", "validation_error"),
        (b'{"fields": {"a": null}}', "validation_error"),
        (b'{"category": "unheard-of"}', "category_not_found"),
        (b'{"category": "sale"}', "quota_exceeded"),
    ],
)
async def test_an_error_has_the_shape_of_its_code(api: Api, body: bytes, code: str) -> None:
    program = await api.sign_up(monthly_events=0)

    reply = await program.send(body)

    assert reply.body["code"] == code
    assert fits_its_code(reply)
