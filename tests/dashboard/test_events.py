"""Events on the dashboard: the list, a page each, and trying again what failed."""

import pytest

from models import Account, Category, Delivery, Destination, Event
from models.ids import event_id_text
from tests.http.api import ON_SQLITE, Api
from tests.support.clock import ManualClock
from tests.support.events import accept

from .people import Person, text_of

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7 * 7 }}"


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

    by_category = text_of(await person.get("/events?category=bug"))
    by_status = text_of(await person.get("/events?status=FAILED"))
    none = text_of(await person.get("/events?category=question&status=DELIVERED"))
    nonsense = await person.get("/events?status=%00&before=x&category=%27%22%3E")

    for page in (by_category, by_status):
        assert "Something about bug" in page
        assert "Something about sale" not in page
    assert "No event matches: category question, status delivered." in none
    assert nonsense.status == 200


async def test_one_goes_back_page_by_page(person: Person, ada: Account, clock: ManualClock) -> None:
    await person.sign_in(ada)
    await accept(ada, clock, *["sale"] * 52)

    first = await person.get("/events")
    older = first.text.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    second = await person.get(f"/events{older}")

    assert first.text.count('class="said"') == 50
    assert second.text.count('class="said"') == 2
    assert 'rel="next"' not in second.text


async def test_an_event_has_a_page_with_each_attempt(
    api: Api, person: Person, ada: Account, clock: ManualClock
) -> None:
    await person.sign_in(ada)
    (sale,) = await accept(ada, clock, "sale")
    await Delivery.filter(event_id=sale.event_id).update(status="failed", last_error="The mailbox is full.")

    page = await person.get(f"/events/{event_id_text(sale.event_id)}")

    assert page.status == 200
    assert "E-mail failed The mailbox is full. Try again" in text_of(page)
    assert event_id_text(sale.event_id) in page.text


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
