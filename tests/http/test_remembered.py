"""Senders are remembered, and what became of them meanwhile holds for their next event all the same."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from models import Account, ApiKey, Delivery, Destination
from pingpilot.accounts.accounts import suspend_account
from pingpilot.accounts.deleting import delete_account
from pingpilot.accounts.keys import create_key
from pingpilot.events.submission import Acceptance, CallerChanged, Submission

from .api import ON_SQLITE, SALE, Api, Program

Change = Callable[[Program], Awaitable[object]]


async def _revoke(shop: Program) -> object:
    return await ApiKey.filter(account_id=shop.account.id).update(revoked_at=shop.api.clock.now())


async def _let_expire(shop: Program) -> object:
    soon = shop.api.clock.now() + timedelta(seconds=5)
    await ApiKey.filter(account_id=shop.account.id).update(expires_at=soon)
    shop.api.clock.advance(timedelta(seconds=6))
    return None


async def _suspend(shop: Program) -> object:
    return await suspend_account(shop.account, shop.api.clock.now())


async def _delete(shop: Program) -> object:
    return await delete_account(shop.account, shop.api.clock.now())


async def _restrict(shop: Program) -> object:
    return await ApiKey.filter(account_id=shop.account.id).update(scope="send", categories="bug")


async def _switch_on_unlinked(shop: Program) -> object:
    return await Destination.filter(account_id=shop.account.id, name="telegram").update(enabled=True)


async def _use_up(shop: Program) -> object:
    return await Account.filter(id=shop.account.id).update(monthly_events=1)


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (_revoke, (401, "invalid_api_key")),
        (_let_expire, (401, "invalid_api_key")),
        (_delete, (401, "invalid_api_key")),
        (_suspend, (403, "account_suspended")),
        (_restrict, (403, "insufficient_scope")),
        (_switch_on_unlinked, (403, "telegram_username_not_set")),
        (_use_up, (429, "quota_exceeded")),
    ],
)
async def test_what_another_process_changed_holds_for_the_next_event(
    shop: Program, change: Change, verdict: tuple[int, str]
) -> None:
    assert (await shop.post()).status == 200
    assert shop.api.services.authenticator.remembered(shop.key)

    await change(shop)
    reply = await shop.post()

    assert reply.verdict == verdict
    assert await shop.stored_events() <= 1


async def test_a_destination_that_was_switched_on_gets_the_next_event(api: Api) -> None:
    shop = await api.sign_up(channels=["email"])
    await Destination.filter(account_id=shop.account.id, name="email").update(enabled=False)
    await shop.post()

    await Destination.filter(account_id=shop.account.id, name="email").update(enabled=True)
    reply = await shop.post()

    assert "warning" not in reply.body
    assert await Delivery.filter(account_id=shop.account.id).count() == 1


async def test_others_in_the_batch_of_one_that_was_revoked_are_stored(shop: Program) -> None:
    key, text = await create_key(shop.account, "other", shop.api.clock.now())
    other = Program(shop.api, shop.account, text)
    for each in (shop, other):
        await each.post()

    await ApiKey.revoke(key.id, shop.api.clock.now())
    replies = [await each.post() for each in (other, shop)]

    assert [reply.status for reply in replies] == [401, 200]
    assert await shop.stored_events() == 3
    assert (await shop.get("/api/v1/quota")).body["eventsUsed"] == 3


@ON_SQLITE
async def test_the_last_use_is_written_down_again_after_a_minute(shop: Program) -> None:
    used = []

    for _ in range(3):
        await shop.post()
        used.append((await ApiKey.get(account_id=shop.account.id)).last_used_at)
        shop.api.clock.advance(timedelta(seconds=31))

    assert used[0] == used[1]
    assert used[2] == shop.api.clock.now() - timedelta(seconds=31)


@ON_SQLITE
async def test_a_refusal_tells_how_much_of_the_quota_is_used_by_now(shop: Program) -> None:
    await shop.post()
    await shop.post()

    reply = await shop.post({"category": "unheard-of"})

    assert reply.status == 404
    assert reply.headers["RateLimit"].startswith('"month";r=98;')


@ON_SQLITE
@pytest.mark.parametrize("body", [{"category": "Sale"}, [], {**SALE, "more": 1}, {**SALE, "fields": 1}])
async def test_a_wrong_body_of_one_whose_key_was_revoked_is_told_of_the_key_first(
    shop: Program, body: object
) -> None:
    await shop.post()
    await ApiKey.filter(account_id=shop.account.id).update(revoked_at=shop.api.clock.now())

    reply = await shop.post(body)

    assert reply.verdict == (401, "invalid_api_key")
    assert "RateLimit" not in reply.headers


async def test_an_account_that_is_gone_charges_nobody(shop: Program) -> None:
    await shop.post()

    await Account.filter(id=shop.account.id).delete()

    assert (await shop.post()).status == 401


async def test_of_one_sender_what_was_read_before_a_change_and_after_it_is_told_apart(api: Api) -> None:
    shop = await api.sign_up(channels=["email"])
    await shop.post()
    before = api.services.authenticator.remembered(shop.key)
    await Destination.filter(account_id=shop.account.id, name="email").update(enabled=False)
    await api.services.authenticator.caller_of(shop.key)
    after = api.services.authenticator.remembered(shop.key)
    assert before is not None
    assert after is not None

    posts = [Submission(each, "sale", "Sold", "{}") for each in (before, after)]
    outcomes = await asyncio.gather(*map(api.services.intake.submit, posts), return_exceptions=True)

    assert isinstance(outcomes[0], CallerChanged)
    assert isinstance(outcomes[1], Acceptance)
    assert await Delivery.filter(account_id=shop.account.id).count() == 1
