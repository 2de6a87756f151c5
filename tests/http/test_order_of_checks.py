"""Of several faults, the contract's first is the one that is answered."""

from dataclasses import dataclass

import pytest

from models.database import connection

from .api import EVENT, ON_SQLITE, Api, Program
from .calls import WITH_BODY

pytestmark = ON_SQLITE

OVERSIZED = b"[NaN" * 20_000
NOT_JSON = b'{"category": "unheard-of", "fields": {"a": NaN}}'
WRONG_SHAPE = b'{"category": "unheard-of", "fields": {"a": null}}'
UNKNOWN_CATEGORY = b'{"category": "unheard-of"}'
FAULTLESS = b'{"category": "sale"}'


@dataclass(frozen=True, slots=True)
class Check:
    """One row of the contract's table: how far a request gets things right, and what it is answered."""

    status: int
    code: str
    body: bytes
    authorization: str | None = "Bearer {key}"
    linked: tuple[str, ...] = ()
    idempotency_key: str = "not visible ASCII"


BOTH = ("discord", "telegram")
CHECKS = [
    Check(401, "missing_authorization", OVERSIZED, authorization=None),
    Check(401, "invalid_authorization_format", OVERSIZED, authorization="Token {key}"),
    Check(401, "invalid_api_key", OVERSIZED, authorization="Bearer {key}x"),
    Check(413, "payload_too_large", OVERSIZED),
    Check(400, "invalid_json", NOT_JSON),
    Check(422, "validation_error", WRONG_SHAPE),
    Check(422, "validation_error", UNKNOWN_CATEGORY),
    Check(403, "discord_id_not_set", UNKNOWN_CATEGORY, idempotency_key="a"),
    Check(403, "telegram_username_not_set", UNKNOWN_CATEGORY, linked=BOTH[:1], idempotency_key="a"),
    Check(404, "category_not_found", UNKNOWN_CATEGORY, linked=BOTH, idempotency_key="a"),
    Check(429, "quota_exceeded", FAULTLESS, linked=BOTH, idempotency_key="a"),
]


@pytest.fixture
async def hopeless(api: Api) -> Program:
    """An account that may send nothing, needs links, and whose events can't be stored."""
    program = await api.sign_up(monthly_events=0, channels=BOTH)
    await connection().execute_script("ALTER TABLE events RENAME TO events_away")
    return program


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: f"{check.code}-{len(check.body)}")
async def test_an_earlier_check_answers_whatever_else_is_wrong(hopeless: Program, check: Check) -> None:
    for channel in check.linked:
        await hopeless.link(channel)
    headers = {"Idempotency-Key": check.idempotency_key}
    if check.authorization is not None:
        headers["Authorization"] = check.authorization.format(key=hopeless.key)

    reply = await hopeless.api.call("POST", EVENT, headers=headers, data=check.body)

    assert reply.verdict == (check.status, check.code)


@pytest.mark.parametrize(("method", "path"), WITH_BODY)
async def test_a_stranger_is_turned_away_before_the_body_is_looked_at(
    shop: Program, method: str, path: str
) -> None:
    reply = await shop.api.call(method, path, data=OVERSIZED)

    assert reply.verdict == (401, "missing_authorization")


@pytest.mark.parametrize(("method", "path"), WITH_BODY)
async def test_the_size_is_checked_before_the_json_and_that_before_the_shape(
    shop: Program, method: str, path: str
) -> None:
    replies = [await shop.call(method, path, data=body) for body in (OVERSIZED, b'{"a": NaN}', b'{"a": 1}')]

    assert [reply.status for reply in replies] == [413, 400, 422]


async def test_a_body_is_checked_before_what_it_is_for_is_looked_up(shop: Program) -> None:
    reply = await shop.ask("PATCH", "/api/v1/categories/unheard-of", {"color": "red"})

    assert reply.verdict == (422, "validation_error")
