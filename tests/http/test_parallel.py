"""Many requests at the same moment."""

import asyncio
from collections import Counter

from models import CategoryUsage, Event, Plan
from models.ids import parse_event_id

from .api import SALE, Api, Program, Reply

MANY = 400


async def all_at_once(program: Program, **headers: str) -> list[Reply]:
    return await asyncio.gather(*(program.post(SALE, **headers) for _ in range(MANY)))


async def test_a_free_account_gets_exactly_its_100_events(shop: Program) -> None:
    replies = await all_at_once(shop)

    stored = await Event.filter(account_id=shop.account.id).values_list("id", flat=True)
    answered = {parse_event_id(reply.body["eventId"]) for reply in replies if reply.status == 200}
    usage = await CategoryUsage.get(account_id=shop.account.id)
    assert Counter(reply.verdict for reply in replies) == {(200, None): 100, (429, "quota_exceeded"): 300}
    assert {str(each) for each in stored} == {str(each) for each in answered}
    assert (await shop.charged_events(), usage.events) == (100, 100)


async def test_one_idempotency_key_stores_exactly_one_event(shop: Program) -> None:
    replies = await all_at_once(shop, Idempotency_Key="order-1")

    fresh = [reply for reply in replies if "Idempotent-Replayed" not in reply.headers]
    assert {reply.status for reply in replies} == {200}
    assert len({reply.body["eventId"] for reply in replies}) == 1
    assert len(fresh) == 1
    assert (await shop.stored_events(), await shop.charged_events()) == (1, 1)


async def test_accounts_that_post_together_are_judged_apart(api: Api) -> None:
    small = await api.sign_up("small@example.com", monthly_events=7)
    large = await api.sign_up("large@example.com", plan=Plan.ENTERPRISE)

    of_small, of_large = await asyncio.gather(all_at_once(small), all_at_once(large))

    assert Counter(reply.status for reply in of_small) == {200: 7, 429: MANY - 7}
    assert Counter(reply.status for reply in of_large) == {200: MANY}
    assert (await small.charged_events(), await large.charged_events()) == (7, MANY)
