"""Whatever is sent, the API answers in its own words and never with an error of its own."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models import Plan

from .api import EVENT, ON_SQLITE, SALE, Api, Program, Reply

pytestmark = ON_SQLITE

ON_ONE_SERVER = settings(
    deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=30)  # surrogates and NUL included
ANY_VALUE = st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT
ANY_JSON = st.recursive(
    ANY_VALUE, lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner), max_leaves=20
)
NEARLY_EVENTS = st.fixed_dictionaries(
    {"category": st.sampled_from(["sale", "bug", "unheard-of"]) | ANY_VALUE},
    optional={
        "description": ANY_VALUE,
        "fields": st.dictionaries(ANY_TEXT, ANY_VALUE, max_size=5) | ANY_JSON,
        "more": ANY_JSON,
    },
)
HEADER_VALUE = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=40)
ANSWERS = {200: None, 400: "invalid_json", 404: "category_not_found", 422: "validation_error"}


HEAD = b"POST /api/v1/event HTTP/1.1\r\nHost: x\r\n"
NOT_HTTP: dict[str, bytes] = {
    "a greeting of TLS": bytes.fromhex("16030100a5010000a10303") + bytes(200),
    "a method with NUL": HEAD.replace(b"POST", b"PO\0ST") + b"\r\n",
    "a path with NUL": HEAD.replace(b"event", b"\0") + b"\r\n",
    "a header without a name": HEAD + b": x\r\n\r\n",
    "a header without end": HEAD + b"X: " + b"a" * 20_000 + b"\r\n\r\n",
    "a negative length": HEAD + b"Content-Length: -1\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
    "a length and chunks": HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
}


@pytest.fixture
async def endless(api: Api) -> Program:
    """A program without a limit."""
    return await api.sign_up("endless@example.com", plan=Plan.ENTERPRISE)


def is_expected(reply: Reply) -> bool:
    return reply.status in ANSWERS and reply.body.get("code") == ANSWERS[reply.status]


@ON_ONE_SERVER
@given(body=st.binary(max_size=200))
async def test_any_bytes_are_answered(endless: Program, body: bytes) -> None:
    reply = await endless.send(body)

    assert is_expected(reply)


@ON_ONE_SERVER
@given(body=st.binary(max_size=200), encoding=st.sampled_from(["gzip", "deflate", "identity", "x"]))
async def test_any_bytes_in_any_encoding_are_answered(endless: Program, body: bytes, encoding: str) -> None:
    reply = await endless.send(body, Content_Encoding=encoding)

    assert is_expected(reply)


@ON_ONE_SERVER
@given(body=ANY_JSON)
async def test_any_json_is_answered(endless: Program, body: Any) -> None:
    reply = await endless.post(body)

    assert is_expected(reply)


@ON_ONE_SERVER
@given(body=NEARLY_EVENTS)
async def test_anything_like_an_event_is_refused_or_kept_as_it_is(
    endless: Program, body: dict[str, Any]
) -> None:
    reply = await endless.post(body)

    assert is_expected(reply)
    if reply.status == 200:
        event = (await endless.get(f"/api/v1/events/{reply.body['eventId']}")).body
        assert event["category"] == body["category"]
        assert list(event["fields"].items()) == list(body.get("fields", {}).items())


@ON_ONE_SERVER
@given(
    name=st.sampled_from(["Authorization", "Idempotency-Key", "Prefer", "X-Request-Id", "Content-Type"]),
    value=HEADER_VALUE,
)
async def test_any_header_is_answered(endless: Program, name: str, value: str) -> None:
    reply = await endless.call("POST", EVENT, headers={name: value}, data=json.dumps(SALE).encode())

    assert reply.status in (200, 401, 422)
    assert reply.headers["X-Request-Id"]


@ON_ONE_SERVER
@given(
    prefix=st.sampled_from(["/", "/api/v1/", "/api/v1/events/", "/unsubscribe/"]),
    rest=st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    method=st.sampled_from(["GET", "POST", "DELETE"]),
)
async def test_any_path_is_answered(endless: Program, prefix: str, rest: str, method: str) -> None:
    reply = await endless.call(method, prefix + rest)

    assert reply.status < 500
    assert reply.headers["X-Request-Id"]


@pytest.mark.parametrize("name", NOT_HTTP)
async def test_what_is_not_http_is_a_bad_request(api: Api, name: str) -> None:
    first_line = await api.first_line_for(NOT_HTTP[name])

    assert first_line.split(" ", 1)[1] == "400 Bad Request"
    assert (await api.call("GET", "/healthz")).status == 200
