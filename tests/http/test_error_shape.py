"""Every error of every call has one shape."""

import json
from dataclasses import dataclass, field

import pytest

from models.database import connection

from .api import EVENT, ON_SQLITE, Api, Program, Reply
from .calls import READING, WITH_BODY, WITH_KEY, WITH_QUERY, allowed_methods

pytestmark = ON_SQLITE

UNSUBSCRIBE = "/unsubscribe/x"
ALLOWED = {**allowed_methods(), UNSUBSCRIBE: "GET, HEAD, POST"}


@dataclass(frozen=True, slots=True)
class Call:
    """A call that goes wrong. `{key}` in a header stands for a valid key."""

    status: int
    code: str
    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None

    def __str__(self) -> str:
        return f"{self.method}-{self.path}-{self.code}"


KEY = {"Authorization": "Bearer {key}"}
STRANGERS = [
    Call(401, code, method, path, headers)
    for method, path in WITH_KEY
    for code, headers in [
        ("missing_authorization", {}),
        ("invalid_authorization_format", {"Authorization": "{key}"}),
        ("invalid_api_key", {"Authorization": "Bearer {key}{key}"}),
    ]
]
MAY_BE_EMPTY = [("POST", "/api/v1/link-codes")]
BAD_BODIES = [
    Call(status, code, method, path, KEY, body)
    for method, path in WITH_BODY
    for status, code, body in [
        (413, "payload_too_large", b" " * 70_000),
        (400, "invalid_json", b"{"),
        (400, "invalid_json", b""),
        (422, "validation_error", b"[]"),
        (422, "validation_error", b'{"unheard-of": 1}'),
    ]
    if body or (method, path) not in MAY_BE_EMPTY
]
BAD_QUERIES = [
    Call(422, "validation_error", method, f"{path}{query}", KEY)
    for method, path in WITH_QUERY
    for query in ("?unheard-of", "?limit=1&limit=1", "?%FF=%00", "?=")
]
NOWHERE = [
    Call(404, "not_found", method, path)
    for method in ("GET", "POST")
    for path in ("/", "/nowhere", "/api", "/api/v1", "/api/v1/event/", "/api/v2/event", "//[::", "/%2e%2e/x")
]
WRONG_METHOD = [
    Call(405, "method_not_allowed", method, path)
    for path, allowed in ALLOWED.items()
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    if method not in allowed
]
NO_SUCH_THING = [
    Call(404, code, method, path, KEY, b"{}")
    for code, path, methods in [
        ("not_found", f"/api/v1/events/evt_{'0' * 32}", ["GET"]),
        ("not_found", f"/api/v1/events/evt_{'0' * 32}/retry", ["POST"]),
        ("category_not_found", "/api/v1/categories/unheard-of", ["GET", "PATCH", "DELETE"]),
        ("category_not_found", "/api/v1/categories/%00", ["GET", "PATCH", "DELETE"]),
        ("not_found", "/api/v1/links/pigeon", ["DELETE"]),
        ("not_found", "/api/v1/links/telegram", ["DELETE"]),
        ("not_found", "/api/v1/keys/999999", ["DELETE"]),
        ("not_found", "/api/v1/keys/999999/rotate", ["POST"]),
    ]
    for method in methods
] + [Call(404, "category_not_found", "POST", EVENT, KEY, b'{"category": "unheard-of"}')]

BAD_KEYS = [
    Call(409, "last_manage_key", "DELETE", "/api/v1/keys/1", KEY),
    Call(409, "key_exists", "POST", "/api/v1/keys", KEY, b'{"name": "default"}'),
    Call(
        404, "category_not_found", "POST", "/api/v1/keys", KEY, b'{"name": "ci", "categories": ["no-such"]}'
    ),
    Call(422, "validation_error", "POST", "/api/v1/keys/999999/rotate", KEY, b'{"overlapSeconds": -1}'),
]
WRONG = STRANGERS + BAD_BODIES + BAD_QUERIES + NOWHERE + WRONG_METHOD + NO_SUCH_THING + BAD_KEYS


def has_the_shape(reply: Reply) -> bool:
    sentence, _, example = reply.body["message"].partition(" A body that works: ")
    return (
        reply.headers["Content-Type"] == "application/json"
        and bool(reply.headers["X-Request-Id"])
        and reply.headers["Server"] == "PingPilot"
        and sentence[-1] in ".?"
        and sentence[0].isupper()
        and (not example or isinstance(json.loads(example), dict))
    )


@pytest.mark.parametrize("call", WRONG, ids=str)
async def test_an_error_is_a_sentence_and_a_code(shop: Program, call: Call) -> None:
    headers = {name: value.format(key=shop.key) for name, value in call.headers.items()}

    reply = await shop.api.call(call.method, call.path, headers=headers, data=call.body)

    assert reply.verdict == (call.status, call.code)
    assert has_the_shape(reply)
    assert (call.status == 401) == ("WWW-Authenticate" in reply.headers)


@pytest.mark.parametrize("path", ALLOWED)
async def test_a_wrong_method_is_answered_with_the_right_ones(api: Api, path: str) -> None:
    reply = await api.call("PROPFIND", path)

    assert reply.headers["Allow"] == ALLOWED[path]
    assert ALLOWED[path] in reply.body["message"]


@pytest.mark.parametrize(("method", "path"), WITH_KEY)
async def test_an_unexpected_failure_has_the_shape_too(shop: Program, method: str, path: str) -> None:
    await connection().execute_script("ALTER TABLE api_keys RENAME TO api_keys_away")

    reply = await shop.call(method, path)

    assert reply.verdict == (500, "processing_failed")
    assert has_the_shape(reply)
    assert "api_keys" not in reply.text


@pytest.mark.parametrize(("method", "path"), [*WITH_KEY, ("GET", UNSUBSCRIBE), ("GET", "/nowhere")])
async def test_a_stopping_daemon_refuses_in_the_same_shape(shop: Program, method: str, path: str) -> None:
    shop.api.services.stopping = True

    reply = await shop.call(method, path)

    assert reply.verdict == (503, "shutting_down")
    assert reply.headers["Retry-After"].isdigit()
    assert has_the_shape(reply)


@pytest.mark.parametrize("path", [*READING, UNSUBSCRIBE])
async def test_head_is_answered_without_a_body(shop: Program, path: str) -> None:
    head = await shop.call("HEAD", path)

    got = await shop.get(path)
    assert (head.status, head.text) == (got.status, "")
    assert head.headers["X-Request-Id"]
