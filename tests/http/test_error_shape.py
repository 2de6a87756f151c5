"""Every error of every call has one shape."""

from dataclasses import dataclass, field

import pytest

from models.database import connection

from .api import EVENT, ON_SQLITE, Api, Program, Reply

pytestmark = ON_SQLITE

EVENTS, ONE_EVENT, QUOTA = "/api/v1/events", f"/api/v1/events/evt_{'0' * 32}", "/api/v1/quota"
KEYS, ONE_KEY, ROTATION = "/api/v1/keys", "/api/v1/keys/999999", "/api/v1/keys/999999/rotate"
HEALTHZ, READYZ, UNSUBSCRIBE = "/healthz", "/readyz", "/unsubscribe/x"
WITH_KEY = [
    *(("POST", EVENT), ("POST", EVENTS), ("GET", ONE_EVENT), ("GET", QUOTA)),
    *(("GET", KEYS), ("POST", KEYS), ("DELETE", ONE_KEY), ("POST", ROTATION)),
]
ALLOWED = {
    EVENT: "POST",
    EVENTS: "POST",
    ONE_EVENT: "GET, HEAD",
    QUOTA: "GET, HEAD",
    KEYS: "GET, HEAD, POST",
    ONE_KEY: "DELETE",
    ROTATION: "POST",
    HEALTHZ: "GET, HEAD",
    READYZ: "GET, HEAD",
    UNSUBSCRIBE: "GET, HEAD, POST",
}


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
BAD_EVENTS = [
    Call(status, code, "POST", path, KEY, body)
    for path in (EVENT, EVENTS)
    for status, code, body in [
        (413, "payload_too_large", b" " * 70_000),
        (400, "invalid_json", b"{"),
        (422, "validation_error", b"{}"),
        (404, "category_not_found", b'{"category": "unheard-of"}'),
    ]
]
NOWHERE = [
    Call(404, "not_found", method, path)
    for method in ("GET", "POST")
    for path in ("/", "/nowhere", "/api", "/api/v1", "/api/v1/event/", "/api/v2/event", "//[::", "/%2e%2e/x")
]
WRONG_METHOD = [
    Call(405, "method_not_allowed", method, path)
    for path, allowed in ALLOWED.items()
    for method in ("GET", "POST", "PUT", "OPTIONS")
    if method not in allowed
]
NOT_THERE = [
    Call(404, "not_found", "GET", ONE_EVENT, KEY),
    Call(404, "not_found", "DELETE", ONE_KEY, KEY),
    Call(404, "not_found", "POST", ROTATION, KEY, b"{}"),
]
BAD_KEYS = [
    Call(409, "last_manage_key", "DELETE", f"{KEYS}/1", KEY),
    Call(409, "key_exists", "POST", KEYS, KEY, b'{"name": "default"}'),
    Call(404, "category_not_found", "POST", KEYS, KEY, b'{"name": "ci", "categories": ["unheard-of"]}'),
    Call(422, "validation_error", "POST", KEYS, KEY, b"{}"),
    Call(422, "validation_error", "POST", ROTATION, KEY, b'{"overlapSeconds": -1}'),
]


def has_the_shape(reply: Reply) -> bool:
    return (
        reply.headers["Content-Type"] == "application/json"
        and bool(reply.headers["X-Request-Id"])
        and reply.headers["Server"] == "PingPilot"
        and reply.body["message"][-1] in ".?"
        and reply.body["message"][0].isupper()
    )


@pytest.mark.parametrize(
    "call", STRANGERS + BAD_EVENTS + NOWHERE + WRONG_METHOD + NOT_THERE + BAD_KEYS, ids=str
)
async def test_an_error_is_a_sentence_and_a_code(shop: Program, call: Call) -> None:
    headers = {name: value.format(key=shop.key) for name, value in call.headers.items()}

    reply = await shop.api.call(call.method, call.path, headers=headers, data=call.body)

    assert reply.verdict == (call.status, call.code)
    assert has_the_shape(reply)


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


@pytest.mark.parametrize("path", [HEALTHZ, READYZ, UNSUBSCRIBE, ONE_EVENT, QUOTA, KEYS])
async def test_head_is_answered_without_a_body(shop: Program, path: str) -> None:
    head = await shop.call("HEAD", path)

    got = await shop.get(path)
    assert (head.status, head.text) == (got.status, "")
    assert head.headers["X-Request-Id"]
