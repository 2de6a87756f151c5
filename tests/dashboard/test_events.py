"""Events on the dashboard: the list, a page each, and trying again what failed."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from api.dashboard import events
from models import Account, Category, Delivery, DeliveryAttempt, Destination, Event
from models.ids import event_id_text, first_id_at, made_at
from pingpilot.events import history
from pingpilot.events.history import Effort
from tests.http.api import ON_SQLITE, Api, Reply
from tests.support.clock import ManualClock
from tests.support.events import accept

from .people import Person, text_of

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7 * 7 }}"


def link(page: Reply, way: str) -> str:
    """Return where a page's link to older or newer events leads."""
    return page.text.partition(f'rel="{way}" href=".')[2].partition('"')[0].replace("&amp;", "&")


async def test_the_list_has_the_newest_first_with_where_they_went(
    person: Person, ada: Account, clock: ManualClock
) -> None:
    await person.sign_in(ada)
    await accept(ada, clock, "sale", "bug")

    page = text_of(await person.get("/events"))

    assert page.index("Something about bug") < page.index("Something about sale")
    assert "E-mail: waiting to be sent" in page


async def test_the_list_shows_what_its_address_asks_for(
    person: Person, ada: Account, clock: ManualClock
) -> None:
    await person.sign_in(ada)
    bug, _ = await accept(ada, clock, "bug", "sale")
    await Delivery.filter(event_id=bug.event_id).update(status="failed")
    came = made_at(bug.event_id)

    for query in (
        "category=bug",
        "status=FAILED",
        "destination=email&status=failed",
        "text=ABOUT+bug",
        f"text=BUG&category=bug&from={came:%Y-%m-%d}&to={came:%Y-%m-%dT%H:%M:%S}",
    ):
        page = text_of(await person.get(f"/events?{query}"))
        assert "Something about bug" in page, query
    for query in (
        "category=sale",
        "status=DELIVERED",
        "destination=ops",
        "text=about+sale",
        f"to={came - timedelta(days=1):%Y-%m-%d}",
        f"from={came + timedelta(minutes=1):%Y-%m-%dT%H:%M}",
    ):
        page = text_of(await person.get(f"/events?{query}"))
        assert "Something about bug" not in page, query


async def test_an_empty_list_says_which_filter_hides_what(
    person: Person, ada: Account, clock: ManualClock
) -> None:
    await person.sign_in(ada)
    nothing = text_of(await person.get("/events"))
    await accept(ada, clock, "bug")

    alone = text_of(await person.get("/events?status=FAILED"))
    both = await person.get("/events?status=FAILED&category=bug&text=")

    assert "No event yet." in nothing
    assert "No event matches: status failed. Show all events" in alone
    assert "No event matches: category bug, status failed. There are events without" in text_of(both)
    assert '<a href="./events?category=bug">without status failed</a>' in both.text
    assert '<a href="./events?status=FAILED">category bug' in both.text  # each can be taken off


@ON_SQLITE
async def test_a_day_is_one_of_the_accounts_time_zone(
    person: Person, ada: Account, clock: ManualClock
) -> None:
    ada.time_zone = "Pacific/Kiritimati"  # 14 hours ahead
    await ada.save()
    await person.sign_in(ada)
    midnight = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
    for minutes, said in ((-1, "the evening before"), (0, "midnight")):
        at = midnight + timedelta(minutes=minutes)
        await Event.create(
            id=UUID(int=first_id_at(at).int + 1),
            account_id=ada.id,
            category="sale",
            description=said,
            fields_json="{}",
            created_at=at,
        )

    days = [text_of(await person.get(f"/events?from=2026-11-{day}&to=2026-11-{day}")) for day in (24, 25)]
    clock.set_by(midnight + timedelta(hours=1) - clock.now())
    presets = (await person.get("/events?text=x")).text

    assert "the evening before" in days[0]
    assert "midnight" in days[1]
    assert "midnight" not in days[0]
    assert "the evening before" not in days[1]
    assert 'href="./events?text=x&amp;from=2026-11-25">Today' in presets
    assert 'href="./events?text=x&amp;from=2026-11-19">7 days' in presets
    assert 'href="./events?text=x" aria-current="true">Any time' in presets


@ON_SQLITE
@pytest.mark.parametrize(
    ("query", "says"),
    [
        (
            "status=lost",
            "There is no status 'lost': there are 'pending', 'delivered', 'failed', 'no channel'.",
        ),
        ("from=yesterday", "'yesterday' is not a time: write a day as 2026-11-24"),
        ("to=2026-13-01", "'2026-13-01' is not a time"),
        ("from=0001-01-01", "'0001-01-01' is not a time"),
        ("to=9999-12-31", "'9999-12-31' is not a time"),
        ("from=2026-11-24T25:00", "is not a time"),
        ("from=%3Cscript%3E", "'<script>' is not a time"),
        ("from=2026-11-25&to=2026-11-24", "'From' is later than 'to'"),
        ("text=" + "x" * 201, "A text to look for has at most 200 characters."),
    ],
)
async def test_a_filter_that_makes_no_sense_is_said_in_its_place(
    person: Person, ada: Account, clock: ManualClock, query: str, says: str
) -> None:
    await person.sign_in(ada)
    await accept(ada, clock, "sale")

    answer = await person.get(f"/events?{query}")

    assert answer.status == 400
    assert says in text_of(answer)
    assert "Something about sale" not in answer.text
    assert "<script>'" not in answer.text


async def test_what_nobody_would_ask_for_finds_nothing_and_breaks_nothing(
    person: Person, ada: Account, clock: ManualClock
) -> None:
    await person.sign_in(ada)
    await accept(ada, clock, "sale")

    for query in (
        "category=%00x",
        "destination=%FF%FE",
        "text=%00%25",
        "text=%27%22%3E%5C!_",
        "before=x&x=y",
    ):
        answer = await person.get(f"/events?{query}")
        assert answer.status == 200, query
        assert ("Something about sale" in answer.text) == query.startswith("before")


@ON_SQLITE
async def test_a_page_that_looked_far_says_how_far_and_offers_to_go_on(
    person: Person, ada: Account, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "USUAL", Effort(at_once=2, searched=2, patience=timedelta(minutes=1)))
    monkeypatch.setattr(history.list_events, "__defaults__", (history.USUAL,))
    await person.sign_in(ada)
    await accept(ada, clock, "bug", "sale", "sale")

    first = await person.get("/events?text=about+bug&category=")
    older = link(first, "next")
    second = await person.get(older)

    assert "None of the 2 events looked at matches. Looked through 2 events, back to" in text_of(first)
    assert "Look further back" in first.text
    assert older.startswith("/events?text=about+bug&before=evt_")
    assert "Something about bug" in second.text
    assert 'rel="next"' not in second.text


async def test_one_goes_back_page_by_page_and_forth(
    person: Person, ada: Account, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "PER_PAGE", 3)
    await person.sign_in(ada)
    await accept(ada, clock, *["sale"] * 7)

    pages = [await person.get("/events?category=sale&status=&text=")]
    for way in ("next", "next", "prev"):
        pages.append(await person.get(link(pages[-1], way)))
    newest = await person.get(link(pages[-1], "prev"))

    assert [page.text.count('class="said"') for page in pages] == [3, 3, 1, 3]
    assert 'rel="next"' not in pages[2].text
    assert (
        pages[1].text.partition("<ol")[2].partition("</ol>")[0]
        == (pages[3].text.partition("<ol")[2].partition("</ol>")[0])
    )
    assert link(pages[3], "next").startswith("/events?category=sale&before=evt_")
    assert (newest.status, newest.headers["Location"]) == (303, "./events?category=sale")


async def test_an_event_has_a_page_with_each_attempt(
    api: Api, person: Person, ada: Account, clock: ManualClock
) -> None:
    await person.sign_in(ada)
    (sale,) = await accept(ada, clock, "sale")
    await Delivery.filter(event_id=sale.event_id).update(status="failed", last_error="The mailbox is full.")
    delivery = await Delivery.get(event_id=sale.event_id)
    for seconds, outcome, reason in ((0, "retry", "Greylisted."), (9, "failed", "The mailbox is full.")):
        await DeliveryAttempt.create(
            delivery_id=delivery.id,
            started_at=datetime(2026, 11, 24, 12, 0, seconds, tzinfo=UTC),
            duration_ms=800 + 100 * seconds,
            outcome=outcome,
            reason=reason,
        )

    page = await person.get(f"/events/{event_id_text(sale.event_id)}")
    text = text_of(page)

    assert page.status == 200
    assert "E-mail failed The mailbox is full. Try again" in text
    assert "2026-11-24 12:00:00 UTC retry: Greylisted. 800 ms" in text
    assert "2026-11-24 12:00:09 UTC failed: The mailbox is full. 1.7 s" in text
    assert event_id_text(sale.event_id) in page.text
    around = page.text.partition('href="../events?from=')[2].partition('"')[0].replace("&amp;", "&")
    assert "Something about sale" in (await person.get(f"/events?from={around}")).text


@ON_SQLITE
async def test_an_event_that_waited_again_and_again_shows_its_latest_attempts(
    person: Person, ada: Account, clock: ManualClock
) -> None:
    await person.sign_in(ada)
    (sale,) = await accept(ada, clock, "sale")
    delivery = await Delivery.get(event_id=sale.event_id)
    many = [
        DeliveryAttempt(
            delivery_id=delivery.id,
            started_at=clock.now(),
            duration_ms=number,
            outcome="rate_limited",
            reason="<b>Slowly</b>",
        )
        for number in range(202)
    ]
    await DeliveryAttempt.bulk_create(many)

    page = await person.get(f"/events/{event_id_text(sale.event_id)}")

    assert page.text.count("rate limited: &lt;b&gt;Slowly") == 200
    assert "Only the latest 200 attempts are shown." in page.text
    assert ">201 ms<" in page.text
    assert ">1 ms<" not in page.text


async def test_the_pages_icon_shows_a_failure(
    person: Person, ada: Account, eve: Account, clock: ManualClock
) -> None:
    await person.sign_in(ada)
    (own,) = await accept(ada, clock, "sale")
    (foreign,) = await accept(eve, clock, "sale")

    async def shows_a_failure() -> bool:
        return "icon-failed.svg" in (await person.get("/settings/keys")).text

    clock.set_by(made_at(own.event_id) - clock.now())
    await Delivery.filter(event_id=foreign.event_id).update(status="failed")
    assert not await shows_a_failure()
    await Delivery.filter(event_id=own.event_id).update(status="failed")
    assert await shows_a_failure()
    await person.post(f"/events/{event_id_text(own.event_id)}/retry")
    assert not await shows_a_failure()
    await Delivery.filter(event_id=own.event_id).update(status="failed")
    clock.advance_days(3)
    assert not await shows_a_failure()
    await Destination.filter(account_id=ada.id, name="email").update(suspended_reason="Gone.")
    assert await shows_a_failure()
    await Destination.filter(account_id=ada.id, name="email").update(enabled=False)
    assert not await shows_a_failure()


async def test_what_failed_is_tried_again(person: Person, ada: Account, clock: ManualClock) -> None:
    await person.sign_in(ada)
    (sale,) = await accept(ada, clock, "sale")
    await Delivery.filter(event_id=sale.event_id).update(status="failed")

    answer = await person.post(f"/events/{event_id_text(sale.event_id)}/retry")

    assert (answer.status, answer.headers["Location"]) == (
        303,
        f"../../events/{event_id_text(sale.event_id)}",
    )
    assert (await Delivery.get(event_id=sale.event_id)).status == "pending"


async def test_nobody_sees_or_retries_what_is_another_accounts(
    person: Person, ada: Account, eve: Account, clock: ManualClock
) -> None:
    await person.sign_in(eve)
    (sale,) = await accept(ada, clock, "sale")
    (own,) = await accept(eve, clock, "sale")
    await Delivery.filter(event_id=sale.event_id).update(status="failed")
    path, delivery = f"/events/{event_id_text(sale.event_id)}", await Delivery.get(event_id=sale.event_id)

    seen = await person.get(path)
    retried = await person.post(f"{path}/retry")
    by_delivery = await person.post(
        f"/events/{event_id_text(own.event_id)}/retry", {"delivery": str(delivery.id)}
    )

    assert (seen.status, retried.status, by_delivery.status) == (404, 404, 303)
    assert (await Delivery.get(id=delivery.id)).status == "failed"
    assert "Something about sale" not in (await person.get(f"/events?before={path[8:]}")).text


@ON_SQLITE
async def test_what_people_wrote_stays_text(
    api: Api, person: Person, ada: Account, clock: ManualClock
) -> None:
    await person.sign_in(ada)
    await Category.filter(name="sale").update(emoji="💰")
    await Destination.filter(account_id=ada.id).update(username=HOSTILE[:64], suspended_reason=HOSTILE)
    event = await Event.create(
        account_id=ada.id,
        category=HOSTILE[:64],
        title=HOSTILE,
        url="https://example.com/?a=" + HOSTILE,
        description=HOSTILE,
        fields_json='{"<b>": "<i>\\u202e", "__proto__": null, "n": [1, {"a": "</pre>"}]}',
        created_at=clock.now(),
    )

    pages = [
        await person.get(path)
        for path in ("/", "/events", f"/events/{event_id_text(event.id)}", "/events?category=" + HOSTILE)
    ]

    for page in pages:
        assert page.status == 200
        for forbidden in ("<script>", "<img", "<b>", "<i>", '</pre>"', "}}49"):
            assert forbidden not in page.text


@ON_SQLITE
@pytest.mark.parametrize("path", ["/events/evt_00", "/events/x", "/events/%00", "/settings/none", "/nothing"])
async def test_what_is_not_there_is_told_to_people_on_a_page_and_to_programs_as_json(
    api: Api, person: Person, ada: Account, path: str
) -> None:
    await person.sign_in(ada)

    page = await person.get(path)
    program = await api.call("GET", path)

    assert page.status == program.status == 404
    assert page.headers["Content-Type"].startswith("text/html")
    assert "There is nothing here" in page.text
    assert program.body["code"] == "not_found"


@ON_SQLITE
async def test_a_person_at_an_address_of_the_api_reads_a_page(api: Api, person: Person) -> None:
    page = await person.get("/api/v1/events")

    assert (page.status, page.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert "Send your API key in the header" in text_of(page)


async def test_a_deleted_account_is_signed_out(person: Person, ada: Account) -> None:
    await person.sign_in(ada)
    await ada.delete()

    assert (await person.get("/events")).headers["Location"] == "./sign-in"
