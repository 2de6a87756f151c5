"""Whatever is sent, the API answers in its own words and never with an error of its own."""

import json
import re
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models import Plan
from pingpilot.channels import CHANNELS

from .api import EVENT, ON_SQLITE, SALE, Api, Program, Reply
from .calls import ALL, WITH_BODY, WITH_QUERY

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
CHANNEL_NAMES = st.sampled_from(["discord", "telegram", "email", "pigeon"])
NEARLY_CATEGORIES = st.fixed_dictionaries(
    {},
    optional={
        "color": st.sampled_from(["#ff6b6b", "#000", "red"]) | ANY_VALUE,
        "emoji": st.sampled_from(["🐛", "🐛🐛"]) | ANY_VALUE,
        "urgent": st.booleans() | ANY_VALUE,
        "channels": st.none() | st.lists(CHANNEL_NAMES, max_size=3) | ANY_JSON,
        "fallback": st.none() | CHANNEL_NAMES | ANY_VALUE,
    },
)
TIMES = st.sampled_from(["00:00", "22:00", "07:30", "24:00", "7:30"]) | ANY_VALUE
NEARLY_ACCOUNTS = st.fixed_dictionaries(
    {},
    optional={
        "timeZone": st.sampled_from(["Europe/Berlin", "UTC", "../UTC", "Mars"]) | ANY_VALUE,
        "combine": st.booleans() | ANY_VALUE,
        "channels": st.dictionaries(
            CHANNEL_NAMES | ANY_TEXT,
            st.fixed_dictionaries(
                {},
                optional={
                    "enabled": st.booleans() | ANY_VALUE,
                    "quietHours": st.none()
                    | st.fixed_dictionaries({"from": TIMES, "until": TIMES})
                    | ANY_JSON,
                },
            )
            | ANY_JSON,
            max_size=3,
        ),
    },
)
PREFIXES = sorted({path.rpartition("/")[0] + "/" for _, path in ALL})
HEADER_VALUE = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=40)
ANSWERS = {200: None, 400: "invalid_json", 404: "category_not_found", 422: "validation_error"}


@pytest.fixture
async def endless(api: Api) -> Program:
    """A program without a limit."""
    return await api.sign_up("endless@example.com", plan=Plan.ENTERPRISE)


def as_body(value: Any) -> bytes:
    return json.dumps(value).encode()


def in_order(value: Any) -> Any:
    """Return channels in the order they are always shown in, anything else as it is."""
    return [name for name in CHANNELS if name in value] if isinstance(value, list) else value


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
@given(call=st.sampled_from(WITH_BODY), body=st.binary(max_size=200) | ANY_JSON.map(as_body))
async def test_any_body_of_any_call_is_answered(endless: Program, call: tuple[str, str], body: bytes) -> None:
    reply = await endless.call(*call, data=body)

    assert reply.status in (200, 201, 400, 404, 409, 422)


@ON_ONE_SERVER
@given(body=NEARLY_CATEGORIES)
async def test_anything_like_a_category_is_refused_or_changes_what_it_says(
    endless: Program, body: dict[str, Any]
) -> None:
    reply = await endless.ask("PATCH", "/api/v1/categories/sale", body)

    assert reply.status in (200, 400, 422)
    if reply.status == 200:
        shown = {name: reply.body[name] for name in body}
        assert shown == {name: in_order(value) for name, value in body.items()}


@ON_ONE_SERVER
@given(body=NEARLY_ACCOUNTS)
async def test_anything_like_an_account_is_refused_or_taken(endless: Program, body: dict[str, Any]) -> None:
    reply = await endless.ask("PATCH", "/api/v1/account", body)

    assert reply.status in (200, 400, 422)


@ON_ONE_SERVER
@given(
    call=st.sampled_from(WITH_QUERY),
    query=st.dictionaries(
        st.sampled_from(["category", "status", "limit", "cursor"]) | ANY_TEXT, ANY_TEXT, max_size=3
    ),
)
async def test_any_query_is_answered(endless: Program, call: tuple[str, str], query: dict[str, str]) -> None:
    text = urlencode(query, errors="surrogatepass")

    reply = await endless.call(call[0], f"{call[1]}?{text}")

    assert reply.status in (200, 422)


@ON_ONE_SERVER
@given(query=st.binary(max_size=60).map(lambda text: re.sub(rb"[\x00-\x20\x7f#]", b"", text)))
async def test_any_bytes_of_a_query_are_answered(endless: Program, query: bytes) -> None:
    head = b"GET /api/v1/events?" + query + b" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "

    first_line = await endless.api.first_line_for(head + endless.key.encode() + b"\r\n\r\n")

    assert first_line.split(" ")[1] in ("200", "400", "422")


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
        assert list(event["fields"].items()) == list((body.get("fields") or {}).items())


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
    prefix=st.sampled_from(["/", "/api/v1/", "/unsubscribe/", *PREFIXES]),
    rest=st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    method=st.sampled_from(["GET", "POST", "PATCH", "DELETE"]),
)
async def test_any_path_is_answered(endless: Program, prefix: str, rest: str, method: str) -> None:
    reply = await endless.call(method, prefix + rest)

    assert reply.status < 500
    assert reply.headers["X-Request-Id"]
