"""Looking back on events: what a page may cost, and that every way there finds the same."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from models import Account, Delivery, Destination, Event
from models.ids import made_at, uuid7
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
        page = await list_events(replace(wanted, before=before), most, effort)
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


async def test_one_goes_back_towards_what_is_newer_too(alice: Account, clock: ManualClock) -> None:
    ids = await accepted(alice, clock, *["sale", "bug"] * 3)
    await settle(ids[0], email="failed")
    oldest = Wanted(alice.id, after=ids[-1])

    pages = []
    place: Wanted | None = oldest
    while place:
        page = await list_events(place, 2)
        pages.append([each.event.id for each in page.events])
        place = replace(place, after=page.next_after) if page.next_after else None
    failed = await list_events(replace(oldest, status=EventStatus.FAILED), 2, Effort(scanned=1))
    far = await list_events(replace(oldest, text="nowhere"), 2, Effort(at_once=3, searched=3))
    of_a_category = await list_events(replace(oldest, category="bug", destination="email"), 50)

    assert pages == [[ids[3], ids[4]], [ids[1], ids[2]], [ids[0]]]
    assert [each.event.id for each in failed.events] == [ids[0]]
    assert (far.next_after, far.looked_up_to) == (ids[2], made_at(ids[2]))
    assert [each.event.id for each in of_a_category.events] == [ids[0], ids[2], ids[4]]


@BOTH_WAYS
async def test_another_accounts_deliveries_count_for_nothing(
    alice: Account, clock: ManualClock, effort: Effort
) -> None:
    bob = await new_account(clock, "bob@example.com", channels=["email"])
    (event_id,) = await accepted(bob, clock, "sale")
    await settle(event_id, email="failed")

    pages = await walk(Wanted(alice.id, status=EventStatus.FAILED), effort)

    assert pages == [[]]


async def test_the_one_event_that_went_nowhere_is_found_on_the_first_page(
    alice: Account, clock: ManualClock
) -> None:
    own = Destination.filter(account_id=alice.id)
    await own.update(enabled=False)
    (nowhere,) = await accepted(alice, clock, "sale")
    await own.update(enabled=True)
    await accepted(alice, clock, *["sale"] * 7)

    pages = await walk(Wanted(alice.id, status=EventStatus.NO_CHANNEL), Effort(scanned=3, rare=0))

    assert pages == [[nowhere]]


async def test_a_category_that_few_events_have_is_found_on_the_first_page(
    alice: Account, clock: ManualClock
) -> None:
    *_, oldest = await accepted(alice, clock, "bug", *["sale"] * 7)

    pages = await walk(Wanted(alice.id, "bug"), Effort(scanned=3, rare=0))

    assert pages == [[oldest]]


async def test_a_page_looks_at_so_many_events_and_says_how_far_it_got_and_where_to_go_on(
    alice: Account, clock: ManualClock
) -> None:
    *newer, oldest = await accepted(alice, clock, "bug", *["sale"] * 7)
    for event_id in newer:
        await settle(event_id, email="failed")
    wanted, effort = Wanted(alice.id, None, EventStatus.DELIVERED), Effort(scanned=3, rare=0)

    first = await list_events(wanted, 50, effort)
    pages = await walk(wanted, effort)

    assert (first.events, first.looked_at, first.looked_up_to) == ([], 3, made_at(newer[2]))
    assert pages == [[], [], [oldest]]


async def test_what_failed_is_found_on_the_first_page_however_much_came_since(
    alice: Account, clock: ManualClock
) -> None:
    *_, oldest = await accepted(alice, clock, *["sale"] * 5)
    await settle(oldest, telegram="failed", email="failed")

    page = await list_events(Wanted(alice.id, status=EventStatus.FAILED), 50, Effort(scanned=2, rare=0))

    assert [each.event.id for each in page.events] == [oldest]


async def test_what_few_deliveries_wait_for_is_found_on_the_first_page(
    alice: Account, clock: ManualClock
) -> None:
    *_, oldest = await accepted(alice, clock, *["sale"] * 5)
    await settle(oldest, telegram="held", email="sending")

    rare = await walk(Wanted(alice.id, status=EventStatus.PENDING), Effort(scanned=1, rare=2))
    common = await walk(Wanted(alice.id, status=EventStatus.PENDING), Effort(scanned=1, rare=1))

    assert rare == [[oldest]]
    assert common[:4] == [[], [], [], []]
    assert common[4] == [oldest]


async def test_a_destination_is_asked_for_alone_and_with_what_became_of_its_delivery(
    alice: Account, clock: ManualClock
) -> None:
    ids = await accepted(alice, clock, "bug", *["sale"] * 5)
    await Delivery.filter(event_id=ids[0], destination="telegram").delete()
    await settle(ids[1], email="failed")
    await settle(ids[2], telegram="held")
    await settle(ids[3], telegram="failed")
    there = Wanted(alice.id, destination="telegram")

    found = {each: await walk(replace(there, status=each), Effort(scanned=5)) for each in EventStatus}
    of_a_category = await walk(replace(there, category="bug"), Effort(scanned=1))
    elsewhere = await walk(replace(there, destination="nowhere"), Effort())

    assert (await walk(there, Effort()))[0] == ids[1:]
    assert found == {
        EventStatus.PENDING: [[ids[2]]],
        EventStatus.FAILED: [[ids[3]]],
        EventStatus.DELIVERED: [[ids[1], *ids[4:]]],
        EventStatus.NO_CHANNEL: [[]],
    }
    assert of_a_category == [[ids[5]]]
    assert elsewhere == [[]]


async def test_of_what_is_asked_for_at_once_the_range_that_reaches_furthest_back_is_read(
    alice: Account, clock: ManualClock
) -> None:
    *_, bug, oldest = await accepted(alice, clock, "sale", "bug", *["sale"] * 4)
    for event_id in (bug, oldest):
        await settle(event_id, email="failed")

    page = await list_events(
        Wanted(alice.id, "bug", EventStatus.FAILED, destination="email"), 50, Effort(scanned=2, rare=0)
    )

    assert [each.event.id for each in page.events] == [bug]
    assert page.next_before is None


@pytest.mark.parametrize("text", ["lämp", "LÄMP", "100% of", 'it\'s "x"', "größe", 'Größe": "5'])
async def test_a_text_is_looked_for_in_title_description_and_fields(
    alice: Account, clock: ManualClock, text: str
) -> None:
    *_, other = await accepted(alice, clock, *["sale"] * 4)
    said = {"title": "Die Lämpe", "description": '100% of it\'s "x"', "fields_json": '{"Größe": "5\\"x"}'}
    ids = []
    for name, value in said.items():
        event = Event(account_id=alice.id, category="sale", created_at=clock.now())
        event.update_from_dict({"description": "1000 of its x", "fields_json": "{}", name: value})
        await event.save(force_create=True)
        ids.append(event.id)
    expected = {"lämp": ids[0], "100": ids[1], "it's": ids[1], "grö": ids[2]}

    pages = await walk(Wanted(alice.id, text=text), Effort(at_once=2, patience=timedelta(seconds=30)))

    where = [id_ for beginning, id_ in expected.items() if text.lower().startswith(beginning)]
    assert pages == [where if text != 'Größe": "5' else []]  # what JSON puts between is nobody's text
    assert other not in pages[0]


async def test_a_text_is_looked_for_in_so_many_events_a_page(alice: Account, clock: ManualClock) -> None:
    *_, oldest = await accepted(alice, clock, "bug", *["sale"] * 7)
    wanted, slow = Wanted(alice.id, text="about BUG"), timedelta(minutes=1)

    by_number = await walk(wanted, Effort(at_once=2, searched=4, patience=slow))
    by_time = await walk(wanted, Effort(at_once=2, searched=4, patience=timedelta()))

    assert by_number == [[], [oldest]]
    assert by_time == [[], [], [], [oldest]]


async def test_a_time_is_a_range_of_the_ids(alice: Account, clock: ManualClock) -> None:
    newest = uuid7().int
    ids = [UUID(int=newest - (days * 86_400_000 << 80)) for days in (0, 3, 6)]
    for each in ids:
        await Event.create(
            id=each,
            account_id=alice.id,
            category="sale",
            description="",
            fields_json="{}",
            created_at=made_at(each),
        )
    middle = made_at(ids[1])
    day = timedelta(days=1)

    async def between(**ends: object) -> list[UUID]:
        [page] = await walk(Wanted(alice.id, **ends), Effort())  # type: ignore[arg-type]
        return page

    assert await between(since=middle) == ids[:2]
    assert await between(until=middle) == ids[2:]
    assert await between(since=middle - day, until=middle + day) == [ids[1]]
    assert await between(since=middle + day, until=middle - day) == []


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
