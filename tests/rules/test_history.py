"""Looking back on events: what a page may cost, and that every way there finds the same."""

from uuid import UUID

import pytest

from models import Account, Delivery, Destination
from pingpilot.events.history import Effort, EventStatus, Wanted, list_events
from tests.support.accounts import link_chat, new_account
from tests.support.clock import ManualClock
from tests.support.events import accept

LOOKED_UP, SCANNED = Effort(rare=1000), Effort(rare=0)
BOTH_WAYS = pytest.mark.parametrize("effort", [LOOKED_UP, SCANNED], ids=["looked-up", "scanned"])


@pytest.fixture
async def alice(database: str, clock: ManualClock) -> Account:
    """An account whose events go to a chat and by e-mail."""
    account = await new_account(clock, channels=["telegram", "email"])
    await link_chat(account, "telegram", clock)
    return account


async def accepted(account: Account, clock: ManualClock, *categories: str) -> list[UUID]:
    """Accept an event of each category, settled; return their ids, newest first."""
    acceptances = await accept(account, clock, *categories)
    await Delivery.all().update(status="delivered")
    return [each.event_id for each in reversed(acceptances)]


async def settle(event_id: UUID, **statuses: str) -> None:
    for channel, status in statuses.items():
        await Delivery.filter(event_id=event_id, channel=channel).update(status=status)


async def walk(wanted: Wanted, effort: Effort, most: int = 50) -> list[list[UUID]]:
    """Return the ids of each page up to the last."""
    pages = []
    before = None
    while True:
        place = Wanted(wanted.account_id, wanted.category, wanted.status, before)
        page = await list_events(place, most, effort)
        pages.append([UUID(str(each.event.id)) for each in page.events])
        if page.next_before is None:
            return pages
        before = page.next_before


@BOTH_WAYS
async def test_a_status_follows_from_all_deliveries(
    alice: Account, clock: ManualClock, effort: Effort
) -> None:
    ids = await accepted(alice, clock, *["sale"] * 7)
    await Destination.all().update(enabled=False)
    (nowhere,) = await accepted(alice, clock, "sale")
    await settle(ids[0], telegram="failed", email="pending")
    await settle(ids[1], telegram="held", email="sending")
    await settle(ids[2], telegram="failed", email="failed")
    await settle(ids[3], telegram="failed")
    await settle(ids[4], email="sending")
    await settle(ids[6], email="failed")

    found = {each: await walk(Wanted(alice.id, status=each), effort, most=2) for each in EventStatus}

    assert found == {
        EventStatus.PENDING: [[ids[0], ids[1]], [ids[4]]],
        EventStatus.FAILED: [[ids[2], ids[3]], [ids[6]]],
        EventStatus.DELIVERED: [[ids[5]]],
        EventStatus.NO_CHANNEL: [[nowhere]],
    }


@BOTH_WAYS
async def test_another_accounts_deliveries_count_for_nothing(
    alice: Account, clock: ManualClock, effort: Effort
) -> None:
    bob = await new_account(clock, "bob@example.com", channels=["email"])
    (event_id,) = await accepted(bob, clock, "sale")
    await settle(event_id, email="failed")

    pages = await walk(Wanted(alice.id, status=EventStatus.FAILED), effort)

    assert pages == [[]]


async def test_a_category_that_few_events_have_is_found_on_the_first_page(
    alice: Account, clock: ManualClock
) -> None:
    *_, oldest = await accepted(alice, clock, "bug", *["sale"] * 7)

    pages = await walk(Wanted(alice.id, "bug"), Effort(scanned=3, rare=0))

    assert pages == [[oldest]]


@pytest.mark.parametrize("status", [EventStatus.FAILED, EventStatus.DELIVERED])
async def test_a_page_looks_at_so_many_events_and_says_where_to_go_on(
    alice: Account, clock: ManualClock, status: EventStatus
) -> None:
    *newer, oldest = await accepted(alice, clock, "bug", *["sale"] * 7)
    if status == EventStatus.FAILED:
        await settle(oldest, email="failed")
    if status == EventStatus.DELIVERED:
        for event_id in newer:
            await settle(event_id, email="failed")

    pages = await walk(Wanted(alice.id, None, status), Effort(scanned=3, rare=0))

    assert pages == [[], [], [oldest]]


async def test_what_few_deliveries_have_is_found_on_the_first_page(
    alice: Account, clock: ManualClock
) -> None:
    *_, oldest = await accepted(alice, clock, *["sale"] * 5)
    await settle(oldest, telegram="failed", email="failed")

    rare = await walk(Wanted(alice.id, status=EventStatus.FAILED), Effort(scanned=1, rare=2))
    common = await walk(Wanted(alice.id, status=EventStatus.FAILED), Effort(scanned=1, rare=1))

    assert rare == [[oldest]]
    assert common[:4] == [[], [], [], []]
    assert common[4] == [oldest]


async def test_others_many_failures_make_ones_own_no_harder_to_find(
    alice: Account, clock: ManualClock
) -> None:
    *_, oldest = await accepted(alice, clock, *["sale"] * 3)
    bob = await new_account(clock, "bob@example.com", channels=["email"])
    for event_id in await accepted(bob, clock, *["sale"] * 3):
        await settle(event_id, email="failed")
    await settle(oldest, email="failed")

    pages = await walk(Wanted(alice.id, status=EventStatus.FAILED), Effort(scanned=1, rare=1))

    assert pages == [[oldest]]
