"""What replies carry beside their body: the month's quota and the request's id."""

from datetime import UTC, datetime

import pytest

from models import Plan

from .api import ON_SQLITE, Api, Program
from .calls import WITH_KEY

pytestmark = ON_SQLITE


async def test_the_quota_counts_down(api: Api) -> None:
    shop = await api.sign_up(monthly_events=2)

    replies = [await shop.post() for _ in range(4)]

    assert [reply.headers["RateLimit"] for reply in replies] == [
        '"month";r=1;t=648000',
        '"month";r=0;t=648000',
        '"month";r=0;t=648000',
        '"month";r=0;t=648000',
    ]
    assert {reply.headers["RateLimit-Policy"] for reply in replies} == {'"month";q=2;w=2592000'}


@pytest.mark.parametrize(("plan", "limit"), [(Plan.FREE, 100), (Plan.PRO, 1000)])
async def test_each_plan_has_its_limit(api: Api, plan: Plan, limit: int) -> None:
    shop = await api.sign_up(plan=plan)

    reply = await shop.post()

    assert reply.headers["RateLimit-Policy"] == f'"month";q={limit};w=2592000'
    assert reply.headers["RateLimit"] == f'"month";r={limit - 1};t=648000'


@pytest.mark.parametrize(
    ("now", "window", "reset"),
    [
        (datetime(2027, 2, 1, tzinfo=UTC), 28 * 86_400, 28 * 86_400),
        (datetime(2028, 2, 29, 23, 59, 59, tzinfo=UTC), 29 * 86_400, 1),
        (datetime(2026, 12, 31, 23, 59, 59, 500_000, tzinfo=UTC), 31 * 86_400, 1),
        (datetime(2027, 1, 15, 12, 0, tzinfo=UTC), 31 * 86_400, 16 * 86_400 + 43_200),
    ],
)
async def test_the_window_is_the_month_as_long_as_it_is(
    shop: Program, now: datetime, window: int, reset: int
) -> None:
    shop.api.clock.advance(now - shop.api.clock.now())

    reply = await shop.post()

    assert reply.headers["RateLimit-Policy"] == f'"month";q=100;w={window}'
    assert reply.headers["RateLimit"] == f'"month";r=99;t={reset}'


async def test_without_a_limit_there_is_none_to_tell(api: Api) -> None:
    shop = await api.sign_up(plan=Plan.ENTERPRISE)

    replies = [await shop.post(), await shop.post([]), await shop.get("/api/v1/quota")]

    assert [reply.status for reply in replies] == [200, 422, 200]
    assert not any(name.startswith("RateLimit") for reply in replies for name in reply.headers)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"category": "unheard-of"}', b" " * 70_000])
async def test_errors_to_a_valid_key_tell_the_quota_too(shop: Program, body: bytes) -> None:
    await shop.post()

    reply = await shop.send(body)

    assert reply.status in (400, 404, 413, 422)
    assert reply.headers["RateLimit-Policy"] == '"month";q=100;w=2592000'
    assert reply.headers["RateLimit"] == '"month";r=99;t=648000'


@pytest.mark.parametrize("path", ["/api/v1/quota", "/api/v1/events/unheard-of"])
async def test_reading_tells_the_quota_and_charges_nothing(shop: Program, path: str) -> None:
    reply = await shop.get(path)

    assert reply.headers["RateLimit"] == '"month";r=100;t=648000'


@pytest.mark.parametrize(("method", "path"), WITH_KEY)
async def test_every_answer_to_a_valid_key_tells_the_quota(shop: Program, method: str, path: str) -> None:
    reply = await shop.ask(method, path)

    assert reply.headers["RateLimit-Policy"] == '"month";q=100;w=2592000'
    assert reply.headers["RateLimit"] == '"month";r=100;t=648000'


@pytest.mark.parametrize(("method", "path"), WITH_KEY)
async def test_strangers_learn_no_quota(shop: Program, method: str, path: str) -> None:
    reply = await shop.api.call(method, path)

    assert not any(name.startswith("RateLimit") for name in reply.headers)


@pytest.mark.parametrize("request_id", ["a", "Trace-1.2_3", "0" * 64])
@pytest.mark.parametrize("path", ["/healthz", "/api/v1/quota", "/nowhere"])
async def test_a_well_formed_request_id_is_kept(api: Api, path: str, request_id: str) -> None:
    reply = await api.call("GET", path, headers={"X-Request-Id": request_id})

    assert reply.headers["X-Request-Id"] == request_id


@pytest.mark.parametrize("request_id", ["", "two words", "0" * 65, "a;b", "ä", "<script>", "a\tb"])
async def test_any_other_request_id_is_replaced(api: Api, request_id: str) -> None:
    reply = await api.call("GET", "/healthz", headers={"X-Request-Id": request_id})

    assert reply.headers["X-Request-Id"] != request_id
    assert len(reply.headers["X-Request-Id"]) == 32


async def test_each_request_has_an_id_of_its_own(shop: Program) -> None:
    replies = [await shop.post() for _ in range(3)]

    assert len({reply.headers["X-Request-Id"] for reply in replies}) == 3
