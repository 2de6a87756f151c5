"""Floods of bad keys are slowed down, by the address they come from."""

import pytest

from api.addresses import TrustedProxies
from api.floods import BURST, EVERY, REMEMBERED
from pingpilot.accounts.keys import create_key
from tests.support.clock import ManualClock

from .api import EVENT, ON_SQLITE, Api, Program, Reply
from .calls import WITH_KEY, Example

pytestmark = ON_SQLITE

UNKNOWN_KEY = f"pp_{'0' * 43}"
TOO_MANY = (429, "too_many_requests")
REFUSED = (401, "invalid_api_key")


async def guess(api: Api, forwarded_for: str | None = None) -> Reply:
    headers = {"Authorization": f"Bearer {UNKNOWN_KEY}"}
    if forwarded_for is not None:
        headers["X-Forwarded-For"] = forwarded_for
    return await api.call("POST", EVENT, headers=headers)


async def flood(api: Api, forwarded_for: str | None = None) -> None:
    for _ in range(BURST):
        await guess(api, forwarded_for)


async def test_a_flood_of_bad_keys_is_told_to_wait(api: Api) -> None:
    replies = [await guess(api) for _ in range(BURST + 1)]

    assert [reply.verdict for reply in replies] == [REFUSED] * BURST + [TOO_MANY]
    assert replies[-1].headers["Retry-After"] == str(int(EVERY))


@pytest.mark.parametrize("call", WITH_KEY, ids=" ".join)
async def test_every_call_with_a_key_refuses_a_flood(api: Api, call: Example) -> None:
    for _ in range(BURST):
        api.services.floods.note_bad("127.0.0.1")

    reply = await api.call(*call, headers={"Authorization": f"Bearer {UNKNOWN_KEY}"})

    assert reply.verdict == TOO_MANY
    assert "Retry-After" in reply.headers


async def test_malformed_keys_count_too(api: Api) -> None:
    headers = {"Authorization": "Bearer nonsense"}

    replies = [await api.call("GET", "/api/v1/quota", headers=headers) for _ in range(BURST + 1)]

    assert replies[-1].verdict == TOO_MANY


async def test_who_waits_may_try_again(api: Api, clock: ManualClock) -> None:
    await flood(api)

    clock.advance_seconds(EVERY)

    assert (await guess(api)).verdict == REFUSED
    assert (await guess(api)).verdict == TOO_MANY


async def test_good_keys_are_taken_while_others_guess_from_their_address(shop: Program) -> None:
    # As after a restart: no key has been seen yet. Behind a proxy that is not trusted, this is everybody
    await flood(shop.api)
    assert (await guess(shop.api)).verdict == TOO_MANY

    replies = [await shop.post() for _ in range(30)]

    assert [reply.status for reply in replies] == [200] * 30


async def test_a_revoked_key_is_refused_at_once_and_counts_even_if_it_was_good(shop: Program) -> None:
    row, key = await create_key(shop.account, "spare", shop.api.clock.now())
    spare = Program(shop.api, shop.account, key)
    await spare.post()

    await type(row).revoke(row.id, shop.api.clock.now())
    replies = [await spare.post() for _ in range(BURST + 1)]

    assert [reply.verdict for reply in replies] == [REFUSED] * BURST + [TOO_MANY]


async def test_what_needs_no_key_is_answered_in_a_flood(api: Api) -> None:
    await flood(api)

    assert (await api.call("GET", "/readyz")).status == 200


async def test_an_address_behind_a_trusted_proxy_is_counted_by_itself(api: Api) -> None:
    api.services.proxies = TrustedProxies(["127.0.0.0/8"])

    await flood(api, "203.0.113.7")

    assert (await guess(api, "203.0.113.7")).verdict == TOO_MANY
    assert (await guess(api, "198.51.100.1, 203.0.113.7")).verdict == TOO_MANY
    assert (await guess(api, "203.0.113.8")).verdict == REFUSED


async def test_a_header_that_anybody_may_send_is_not_believed(api: Api) -> None:
    for number in range(BURST):
        await guess(api, f"203.0.113.{number}")

    assert (await guess(api, "203.0.113.200")).verdict == TOO_MANY


@pytest.mark.parametrize("header", ["", "nonsense", ", ,", "unknown, 127.0.0.1", "127.0.0.9"])
async def test_a_proxy_that_names_nobody_is_the_caller_itself(api: Api, header: str) -> None:
    api.services.proxies = TrustedProxies(["127.0.0.1", "127.0.0.9"])

    for number in range(BURST + 1):
        reply = await guess(api, f"nobody-{number}" if header == "nonsense" else header)

    assert reply.verdict == TOO_MANY


async def test_all_addresses_of_an_ipv6_customer_count_as_one(api: Api) -> None:
    api.services.proxies = TrustedProxies(["127.0.0.1"])
    for number in range(BURST):
        await guess(api, f"2001:db8:1:2::{number:x}")

    assert (await guess(api, "2001:db8:1:2:ffff::1")).verdict == TOO_MANY
    assert (await guess(api, "2001:db8:1:3::1")).verdict == REFUSED


async def test_ipv4_addresses_written_as_ipv6_count_one_by_one(api: Api) -> None:
    api.services.proxies = TrustedProxies(["127.0.0.1", "198.51.100.0/24"])
    await flood(api, "::ffff:203.0.113.7, ::ffff:198.51.100.1")

    assert (await guess(api, "203.0.113.7")).verdict == TOO_MANY
    assert (await guess(api, "::ffff:203.0.113.8")).verdict == REFUSED
    assert (await guess(api, "::1")).verdict == REFUSED


async def test_a_guard_remembers_so_many_addresses_and_no_more(api: Api) -> None:
    guard = api.services.floods

    for number in range(REMEMBERED + 10):
        guard.note_bad(str(number))

    assert len(guard._buckets) == REMEMBERED
